"""Counts, areas and grades of real photographs, from tables to submissions, scored again outside.

    python benchmarks/quantities.py path/to/data [--weights NETWORK.safetensors] [--epochs 6]

`data` holds `car` (COCO polygons) and `tiles` (masks of defects). Targets: how many damaged parts a
car has and the share of the image that they cover, together and each with `log1p`; the same count
as grades 1 to 4, learned in three ways and blended; the share of a tile that is defect. Folds are
grouped by the copies that `comp check` finds. Every score that `comp` prints is computed again with
scikit-learn from the out-of-fold files and the tables, and every submission from the test files.
Results go to quantities.json and quantities.md beside this file.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from sklearn.metrics import (
    cohen_kappa_score,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
    root_mean_squared_log_error,
)

HERE = Path(__file__).parent
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent)}
Array = np.ndarray[Any, Any]
NET: dict[str, dict[str, Any]] = {
    "folds": {"count": 3},
    "image": {"size": 64},
    "augment": {"recipe": "light"},
    "train": {"epochs": 6, "batch_size": 16},
}
TOP = 4  # the highest grade: as many damaged parts or more


def link(source: Path, root: Path) -> None:
    """The images where `comp` looks for them."""
    root.mkdir(parents=True, exist_ok=True)
    if not root.joinpath(source.name).exists():
        root.joinpath(source.name).symlink_to(source.absolute())


def write_table(path: Path, head: list[str], rows: list[list[Any]]) -> None:
    """A comma-separated table."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle, lineterminator="\n").writerows([head, *rows])


def lay_car(data: Path, root: Path) -> None:
    """The number of annotations of each photograph, their share of it, and the grade."""
    for part in ("train", "test"):
        link(data / "car" / part, root)
    notes = json.loads((data / "car" / "train_annotations.coco.json").read_text())
    count: Counter[Any] = Counter(note["image_id"] for note in notes["annotations"])
    area: Counter[Any] = Counter()
    for note in notes["annotations"]:
        area[note["image_id"]] += note["area"]
    rows = []
    for image in notes["images"]:
        own, pixels = count[image["id"]], image["width"] * image["height"]
        share = min(1.0, area[image["id"]] / pixels)
        rows.append([image["file_name"], own, f"{100 * share:.4f}", min(own, TOP)])
    write_table(root / "train.csv", ["file", "objects", "area", "grade"], rows)
    ids = sorted(path.name for path in (data / "car" / "test").iterdir())
    for name, columns in (("sample.csv", ["objects", "area"]), ("grades.csv", ["grade"])):
        write_table(root / name, ["file", *columns], [[n, *[0] * len(columns)] for n in ids])


def lay_tiles(data: Path, root: Path) -> None:
    """The percentage of each tile that is defect; masks are on above 127."""
    folder, images = data / "tiles" / "train", root / "train"
    images.mkdir(parents=True, exist_ok=True)
    rows = []
    masks = {path.stem: path for path in (folder / "defect_masks").iterdir()}
    parts = ("defect_images", "normal_images")
    for path in sorted(path for part in parts for path in (folder / part).iterdir()):
        name = path.name
        if not (images / name).exists():
            shutil.copyfile(path, images / name)
        mask = masks.get(path.stem) if path.parent.name == "defect_images" else None
        share = 0.0 if mask is None else float((cv2.imread(str(mask), 0) > 127).mean())
        rows.append([name, f"{100 * share:.4f}"])
    write_table(root / "train.csv", ["id", "area"], rows)
    if not (root / "test").exists():
        (root / "test").symlink_to((data / "tiles/test/images").absolute())
    ids = sorted(path.name for path in (data / "tiles/test/images").iterdir())
    write_table(root / "sample.csv", ["id", "area"], [[name, 0] for name in ids])


def configs(net: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """name -> config; what is one plan is named once."""
    car = {"root": "car", "id": "file", "group": "auto"}
    tiles = {"root": "tiles", "id": "id", "group": "auto", "sample_submission": "sample.csv"}
    numbers = {**car, "target": ["objects", "area"], "sample_submission": "sample.csv"}
    grades = {**car, "target": "grade", "sample_submission": "grades.csv"}
    out: dict[str, dict[str, Any]] = {
        "car_numbers": {"task": "regression", "metric": "rmse", "data": numbers},
        "car_log": {
            "task": "regression",
            "metric": "rmsle",
            "data": {**numbers, "transform": "log1p", "bounds": [0, 100]},
            "folds": {"plan": "car_numbers"},
        },
        "car_huber": {
            "task": "regression",
            "metric": "mae",
            "data": numbers,
            "train": {"loss": "huber"},
            "folds": {"plan": "car_numbers"},
        },
        "tiles_area": {
            "task": "regression",
            "metric": "mae",
            "data": {**tiles, "target": "area", "bounds": [0, 100]},
        },
    }
    for way in ("regression", "coral", "classes"):
        out[f"car_{way}"] = {
            "task": "ordinal",
            "metric": "qwk",
            "data": grades,
            "model": {"ordinal": way},
            "folds": {"plan": "car_regression"},
        }
    for name, own in out.items():
        own["name"] = name
        for key, values in net.items():
            own[key] = {**values, **own.get(key, {})}
    return out


def comp(work: Path, *words: str) -> str:
    """What a command of comp prints."""
    command = [sys.executable, "-m", "comp", *words]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, env=ENV)
    if done.returncode not in ((0, 3) if words[0] == "check" else (0,)):
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def predictions(work: Path, name: str, part: str) -> dict[str, Array]:
    """id -> the mean of what the folds say of it, from the files alone."""
    found: dict[str, list[Array]] = {}
    for folder in sorted((work / "runs" / name).glob(f"fold_*/{part}")):
        ids = (folder / "ids.txt").read_text().split("\n")[:-1]
        for one, row in zip(ids, np.load(folder / "probs.npy"), strict=True):
            found.setdefault(one, []).append(np.asarray(row, dtype=np.float64))
    return {one: np.mean(rows, axis=0) for one, rows in found.items()}


def table_of(work: Path, config: dict[str, Any]) -> pd.DataFrame:
    """The truth, by id."""
    data = config["data"]
    names = [data["target"]] if isinstance(data["target"], str) else data["target"]
    frame = pd.read_csv(work / data["root"] / "train.csv", dtype={data["id"]: str})
    return frame.set_index(data["id"])[names]


def each(judge: Callable[[Array, Array], float]) -> Callable[[Array, Array], float]:
    """The mean over the columns."""
    return lambda truth, answer: float(
        np.mean([judge(t, a) for t, a in zip(truth.T, answer.T, strict=True)])
    )


JUDGES = {
    "rmse": each(root_mean_squared_error),
    "mae": each(mean_absolute_error),
    "rmsle": each(lambda t, a: root_mean_squared_log_error(t, np.maximum(a, 0))),
}


def judge_numbers(work: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Scores of a regression: as comp says, as scikit-learn says, and of the mean of the others."""
    name, metric = config["name"], config["metric"]
    said = json.loads((work / f"submissions/{name}.json").read_text())["blend"]["scores"]
    truth, oof = table_of(work, config), predictions(work, name, "valid")
    answers = np.array([oof[one] for one in truth.index])
    values = truth.to_numpy(dtype=np.float64)
    again = JUDGES[metric](values, answers)
    sent = pd.read_csv(work / f"submissions/{name}.csv").set_index(config["data"]["id"])
    test = predictions(work, name, "test")
    places = [list(truth.columns).index(column) for column in sent.columns]
    wanted = np.array([test[one][places] for one in sent.index])
    return {
        "metric": metric,
        "honest": said["honest"],
        "interval": [said["low"], said["high"]],
        "scikit-learn - comp": again - said["honest"],
        "largest difference of the submission": float(np.abs(sent.to_numpy() - wanted).max()),
        "of the mean": JUDGES[metric](values, np.broadcast_to(values.mean(axis=0), values.shape)),
        "R2 per column": dict(
            zip(truth.columns, r2_score(values, answers, multioutput="raw_values"), strict=True)
        ),
    }


def judge_grades(work: Path, config: dict[str, Any], runs: list[str], out: str) -> dict[str, Any]:
    """Scores of grades: rounded, and with the cut points of the manifest."""
    blend = json.loads((work / f"submissions/{out}.json").read_text())["blend"]
    frame = table_of(work, config)["grade"]
    names = np.unique(frame)  # the lowest number of damaged parts is 1
    truth = pd.Series(np.searchsorted(names, frame), frame.index)
    oofs = [predictions(work, run, "valid") for run in runs]
    mean = np.array([np.mean([oof[one] for oof in oofs], axis=0) for one in truth.index])
    grades = mean @ np.arange(mean.shape[1])
    cuts = np.array(blend["rule"])[1:]
    kappas = [
        cohen_kappa_score(truth, answer, weights="quadratic")
        for answer in (np.rint(grades).astype(int), np.searchsorted(cuts, grades, side="right"))
    ]
    scores = blend["scores"]
    tests = [predictions(work, run, "test") for run in runs]
    sent = pd.read_csv(work / f"submissions/{out}.csv").set_index("file")["grade"]
    expected = [
        np.mean([t[one] for t in tests], axis=0) @ np.arange(len(cuts) + 1) for one in sent.index
    ]
    wanted = np.searchsorted(cuts, expected, side="right")
    return {
        "metric": "qwk",
        "raw": scores["raw"],
        "tuned": scores["tuned"],
        "honest": scores["honest"],
        "interval": [scores["low"], scores["high"]],
        "cut points": np.round(cuts, 3).tolist(),
        "scikit-learn - comp, raw": kappas[0] - scores["raw"],
        "scikit-learn - comp, tuned": kappas[1] - scores["tuned"],
        "answers of the submission that differ": int((sent.to_numpy() != names[wanted]).sum()),
    }


def prepare(work: Path, data: Path, net: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Tables, configs, groups and plans."""
    lay_car(data, work / "car")
    lay_tiles(data, work / "tiles")
    found = configs(net)
    for name, config in found.items():
        (work / f"{name}.json").write_text(json.dumps(config))
        (work / f"{name}.yaml").write_text(json.dumps(config))  # JSON is YAML
        if (
            config["folds"].get("plan", name) == name
            and not (work / f"folds/{name}.json").is_file()
        ):
            comp(work, "check", "-c", f"{name}.yaml", "--accept-groups")
            comp(work, "folds", "make", "-c", f"{name}.yaml")
    return found


def main() -> None:
    """Train what is missing, judge everything, and write the two files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/quantities"))
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--size", type=int, default=64)
    options = parser.parse_args()
    NET["train"]["epochs"], NET["image"]["size"] = options.epochs, options.size
    work = options.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    model: dict[str, Any] = {"name": "resnet10t", "pretrained": False}
    if options.weights:
        model = {"name": options.weights.stem, "weights": str(options.weights.absolute())}
    found = prepare(work, options.data, {**NET, "model": model})
    results: dict[str, Any] = {}
    for name, config in found.items():
        comp(work, "train", "-c", f"{name}.yaml", "--fold", "all")
        comp(work, "ensemble", "-c", f"{name}.yaml", "--vote", "soft")
        grades = config["task"] == "ordinal"
        results[name] = (
            judge_grades(work, config, [name], name) if grades else judge_numbers(work, config)
        )
        print(name, json.dumps(results[name]), flush=True)
    ways = [name for name, config in found.items() if config["task"] == "ordinal"]
    named = [word for way in ways for word in ("--runs", way)]
    comp(work, "ensemble", "-c", f"{ways[0]}.yaml", *named, "--vote", "soft", "--out", "blend")
    results["car, three ways blended"] = judge_grades(work, found[ways[0]], ways, "blend")
    print(json.dumps(results["car, three ways blended"]), flush=True)
    write(results, model["name"])


def write(results: dict[str, Any], network: str) -> None:
    """The two files."""
    about = {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, no GPU",
        "versions": {n: metadata.version(n) for n in ("torch", "timm", "scikit-learn")},
        "network": network,
        "settings": NET,
    }
    (HERE / "quantities.json").write_text(
        json.dumps({**about, "results": results}, indent=1) + "\n"
    )
    lines = [
        "# Counts, areas and grades of real photographs",
        "",
        f"{network}, {NET['image']['size']} px, {NET['train']['epochs']} epochs, three folds "
        f"grouped by copies; {about['machine']}. Made by `benchmarks/quantities.py`. "
        "`car_numbers`, `car_log` and `car_huber` predict the number of damaged parts and the "
        "percentage of the image that "
        "they cover; `tiles_area` the percentage of a tile that is defect.",
        "",
        "| experiment | metric | honest (95 %) | of the mean | R2 | scikit-learn off by | "
        "submission off by |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in results.items():
        if row["metric"] == "qwk":
            continue
        explained = ", ".join(
            f"{column} {value:.3f}" for column, value in row["R2 per column"].items()
        )
        low, high = row["interval"]
        lines.append(
            f"| {name} | {row['metric']} | {row['honest']:.4f} ({low:.4f} to {high:.4f}) | "
            f"{row['of the mean']:.4f} | {explained} | {row['scikit-learn - comp']:.1e} | "
            f"{row['largest difference of the submission']:.1e} |"
        )
    lines += [
        "",
        "| grades | rounded | tuned | honest (95 %) | cut points | scikit-learn off by | "
        "answers that differ |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in results.items():
        if row["metric"] != "qwk":
            continue
        low, high = row["interval"]
        off = max(abs(row["scikit-learn - comp, raw"]), abs(row["scikit-learn - comp, tuned"]))
        lines.append(
            f"| {name} | {row['raw']:.4f} | {row['tuned']:.4f} | {row['honest']:.4f} ({low:.4f} to "
            f"{high:.4f}) | {', '.join(map(str, row['cut points']))} | {off:.1e} | "
            f"{row['answers of the submission that differ']} |"
        )
    (HERE / "quantities.md").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()

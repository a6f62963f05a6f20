"""Probes on frozen features beside fine-tuning of the same network, on the same folds.

    python benchmarks/probes.py ../shared/data weights.safetensors [--work folder] [--epochs 5]

data: the folder with tiles/ and signs/. weights: of tf_efficientnet_lite0. Scores are out of fold,
untuned, with the honest score of `comp ensemble` beside; seconds are of five folds, features
included. Finished runs are not made again. The table goes to the section "Probes" of winners.md.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, f1_score

import comp

HERE = Path(__file__).parent
NET, PROBES = "tf_efficientnet_lite0", ("logistic", "knn", "mlp")
SETS: dict[str, dict[str, Any]] = {
    "tiles": {
        "task": "binary",
        "metric": "macro_f1",
        "data": {"layout": "defects"},
        "augment": {"recipe": "flips_rotate"},
    },
    "signs": {
        "task": "multiclass",
        "metric": "macro_f1",
        "data": {"target": "label", "group": "student"},
        "augment": {"recipe": "light"},
    },
}


def config_of(name: str, data: Path, weights: Path, size: int, kind: str, epochs: int) -> Any:
    """The config of a probe, or of a network that is fine-tuned ("tuned")."""
    tree = json.loads(json.dumps(SETS[name]))
    tree["data"]["root"] = str((data / name).resolve())
    model = {"name": NET, "weights": str(weights.resolve())}
    return {
        **tree,
        "name": f"{name}_{size}_{kind}",
        "folds": {"plan": name},
        "image": {"size": size},
        "model": model if kind == "tuned" else {**model, "probe": kind},
        "train": {"epochs": epochs, "batch_size": 16, "workers": 0},
    }


def plan(name: str, config: dict[str, Any], work: Path) -> None:
    """The plan of a set, with the groups that `comp check` proposes where none are known."""
    if (work / f"folds/{name}.csv").is_file():
        return
    own = {**config, "name": name, "folds": {}}
    if "group" not in own["data"]:
        comp.check(own, work, accept_groups=True, allow_extra_images=True, quiet=True)
    comp.make_folds(own, work, quiet=True)


def measure(config: dict[str, Any], work: Path) -> dict[str, Any]:
    """Scores and seconds of one run."""
    started = time.monotonic()
    comp.train(config, work, quiet=True)
    seconds = time.monotonic() - started
    oof = comp.predict(config, work, quiet=True).oof
    labels = comp.read_plan(config, work, quiet=True).frame.loc[oof.index, "label"]
    truth = labels.to_numpy()
    classes = list(oof.columns) if oof.shape[1] > 1 else sorted({*truth})
    if oof.shape[1] == 1:
        positive = str(oof.columns[0])
        hit = truth == positive
        found = oof.to_numpy()[:, 0]
        precision = float(average_precision_score(hit, found))
        untuned = float(f1_score(hit, found >= 0.5, average="macro"))
    else:
        cells = np.stack([truth == name for name in classes], axis=1)
        precision = float(average_precision_score(cells, oof.to_numpy(), average="macro"))
        answers = np.array(classes)[oof.to_numpy().argmax(axis=1)]
        untuned = float(f1_score(truth, answers, average="macro"))
    made = comp.ensemble(config, work, quiet=True)
    row = made.table.iloc[0]
    return {
        "average precision": round(precision, 3),
        "macro F1, untuned": round(untuned, 3),
        "macro F1, honest": round(float(row["honest"]), 3),
        "95 %": f"{row['low']:.3f}-{row['high']:.3f}",
        "seconds": round(seconds),
    }


def main() -> None:
    """Measure, then write the section of winners.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--work", type=Path, default=Path("probes_work"))
    parser.add_argument("--epochs", type=int, default=5)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    kept = given.work / "probes.json"
    rows: dict[str, dict[str, Any]] = json.loads(kept.read_text()) if kept.is_file() else {}
    wanted = [("tiles", 96), ("tiles", 160), ("signs", 96)]
    for kind in (*PROBES, "tuned"):
        for name, size in wanted:
            what = kind if kind != "tuned" else f"fine-tuned, {given.epochs} epochs"
            key = f"{name} | {size} px | {what}"
            config = config_of(name, given.data, given.weights, size, kind, given.epochs)
            plan(name, config, given.work)
            if key not in rows:
                rows[key] = measure(config, given.work)
                kept.write_text(json.dumps(rows, indent=1))
                print(key, rows[key], flush=True)
    write(rows)


def write(rows: dict[str, dict[str, Any]]) -> None:
    """Put the table in the section "Probes" of winners.md."""
    path, title = HERE / "winners.md", "## Probes"
    names = list(next(iter(rows.values())))
    lines = [
        title,
        "",
        f"`python benchmarks/probes.py`: {NET} with ImageNet weights, five grouped folds, out of "
        "fold, one seed, two CPU cores that other work shared.",
        "",
        f"| set | size | model | {' | '.join(names)} |",
        f"|{'---|' * (3 + len(names))}",
        *(
            f"| {key} | {' | '.join(str(row[name]) for name in names)} |"
            for key, row in sorted(rows.items())
        ),
        "",
    ]
    before = path.read_text(encoding="utf-8") if path.is_file() else "# What winners do, measured\n"
    head, found, rest = before.partition(f"{title}\n")
    after = rest[rest.index("\n## ") + 1 :] if found and "\n## " in rest else ""
    path.write_text(f"{head.rstrip()}\n\n" + "\n".join(lines) + (f"\n{after}" if after else ""))


if __name__ == "__main__":
    main()

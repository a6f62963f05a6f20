"""What each default of training is worth: one factor at a time, on the same plan and seeds.

    python benchmarks/defaults.py path/to/data --work folder [--sets signs tiles] [--minutes 60]

path/to/data holds the competitions (signs/, tiles/, letters/, car/); `--weights` is a file of
pretrained weights of tf_efficientnet_lite0, without which the pretrained sets are left out. The
seeds go round the settings, so that a table that was cut short compares like with like. What was
measured is kept line by line in `defaults.jsonl` in the work folder, and not measured again. The
table goes to defaults.json and defaults.md beside this file.

Scores are of the out-of-fold probabilities of the folds that are trained, by scikit-learn: macro F1
without any tuned rule, mean average precision (of classes), log loss; of the best checkpoint, and
of the last.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from measure import Rows, about
from sklearn.metrics import average_precision_score, f1_score, log_loss

import comp

HERE = Path(__file__).parent
T95 = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}  # of the mean of so many values
LITE0 = {"name": "tf_efficientnet_lite0", "pretrained": False}
SCRATCH = {"name": "resnet18", "pretrained": False}
SIGNS = {
    "task": "multiclass",
    "metric": "macro_f1",
    "data": {"layout": "csv", "target": "label", "group": "student"},
    "augment": {"recipe": "light"},
}
TILES = {
    "task": "binary",
    "metric": "macro_f1",
    "data": {"layout": "defects", "group": "auto"},
    "augment": {"recipe": "flips_rotate"},
}
LETTERS = {
    "task": "multilabel",
    "metric": "macro_f1",
    "data": {"layout": "csv", "id": "index", "target": [*"abcdefghijklmnopqrstuvwxyz"]},
    "augment": {"recipe": "light"},
}
CAR = {
    "task": "segmentation",
    "metric": "dice",
    "data": {"layout": "coco", "annotations": ["train_annotations.coco.json"], "group": "auto"},
    "augment": {"recipe": "light"},
}


def _train(epochs: int, **more: Any) -> dict[str, Any]:
    base = {"epochs": epochs, "batch_size": 32, "workers": 0}
    return {**base, "checkpoint_minutes": None, **more}


# Each set: folder, folds that are trained, config
SETS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "signs": (
        "signs",
        "0..1",
        {**SIGNS, "image": {"size": 64}, "model": SCRATCH, "train": _train(8)},
    ),
    "signs lite0": (
        "signs",
        "0..1",
        {**SIGNS, "image": {"size": 96}, "model": LITE0, "train": _train(5)},
    ),
    "tiles lite0": (
        "tiles",
        "0..4",
        {
            **TILES,
            "image": {"size": 96},
            "model": LITE0,
            "train": _train(5, batch_size=16, sampler="balanced", sampler_strength=0.5),
        },
    ),
    "letters": (
        "letters",
        "0..0",
        {**LETTERS, "image": {"size": 64}, "model": SCRATCH, "train": _train(8)},
    ),
}
_PLAIN = {"train.sampler": "shuffle", "train.batch_size": 32}
FACTORS: dict[str, dict[str, Any]] = {
    "base": {},
    "cosine 1e-3 (0.2.0)": {"train.sched": "cosine", "train.lr": 1e-3},
    "cosine": {"train.sched": "cosine"},
    "init default (0.2.0)": {"model.init": "default"},
    "lr 1e-3": {"train.lr": 1e-3},
    "lr 3e-3": {"train.lr": 3e-3},
    "lr 3e-4": {"train.lr": 3e-4},
    "lr 5e-4": {"train.lr": 5e-4},
    "lr 6e-3": {"train.lr": 6e-3},
    "lr 1e-2": {"train.lr": 1e-2},
    "warm-up 1": {"train.warmup_epochs": 1},
    "batch 16": {"train.batch_size": 16},
    "batch 16, lr 2e-3": {"train.batch_size": 16, "train.lr": 2e-3},
    "batch 16, lr 4e-3": {"train.batch_size": 16, "train.lr": 4e-3},
    "batch 32": {"train.batch_size": 32},
    "batch 16, cosine 1e-3": {
        "train.batch_size": 16,
        "train.sched": "cosine",
        "train.lr": 1e-3,
    },
    "label smoothing 0.1": {"train.label_smoothing": 0.1},
    "EMA 0.99": {"train.ema": 0.99},
    "weight decay 0.05": {"train.weight_decay": 0.05},
    "none": {"augment.recipe": "none"},
    "medium": {"augment.recipe": "medium"},
    "flips_rotate (0.2.0)": {"augment.recipe": "flips_rotate"},
    "mixup 0.2": {"augment.mixup": 0.2},
    "balanced 0.5": {"train.sampler": "balanced", "train.sampler_strength": 0.5},
    "balanced 1": {"train.sampler": "balanced", "train.sampler_strength": 1.0},
    "shuffle": {"train.sampler": "shuffle"},
    "shuffle, cosine": {"train.sampler": "shuffle", "train.sched": "cosine"},
    "shuffle, batch 32, cosine": {**_PLAIN, "train.sched": "cosine"},
    "shuffle, batch 32, lr 3e-3": {**_PLAIN, "train.lr": 3e-3},
    "shuffle, batch 32, cosine, init default (0.2.0)": {
        **_PLAIN,
        "train.sched": "cosine",
        "model.init": "default",
    },
    "flips_turn": {"augment.recipe": "flips_turn"},
    "light": {"augment.recipe": "light"},
    "head lr 10x": {"train.head_lr": 1e-2},
    "lr 3e-4, head lr 3e-3": {"train.lr": 3e-4, "train.head_lr": 3e-3},
    "freeze 1": {"train.freeze_epochs": 1},
    "freeze 1, lr 3e-4, head lr 3e-3": {
        "train.freeze_epochs": 1,
        "train.lr": 3e-4,
        "train.head_lr": 3e-3,
    },
    "layer decay 0.75": {"train.layer_decay": 0.75},
    "size 160": {"image.size": 160},
    "size 160, layer decay 0.75": {"image.size": 160, "train.layer_decay": 0.75},
    "size 160, lr 3e-4": {"image.size": 160, "train.lr": 3e-4},
    "size 160, lr 3e-4, light": {
        "image.size": 160,
        "train.lr": 3e-4,
        "augment.recipe": "light",
    },
    "drop rate 0.2": {"model.drop_rate": 0.2},
    "size 80": {"image.size": 80},
    "resnet34": {"model.name": "resnet34"},
}


def config_of(name: str, data: Path, weights: Path | None, sets: dict[str, Any]) -> dict[str, Any]:
    """The config of a set with settings (key path -> value) laid over it."""
    folder, _, base = SETS[name]
    tree: dict[str, Any] = json.loads(json.dumps(base))
    tree["data"]["root"] = str(data / folder)
    if tree["model"]["name"] == LITE0["name"]:
        tree["model"]["weights"] = str(weights)
    for path, value in sets.items():
        *above, key = path.split(".")
        place = tree
        for part in above:
            place = place.setdefault(part, {})
        place[key] = value
    return tree


def measure_one(
    name: str, setting: str, seed: int, tree: dict[str, Any], work: Path
) -> dict[str, Any]:
    """Train the folds of a set with one setting and score their out-of-fold probabilities."""
    folder, folds, _ = SETS[name]
    plan = f"{folder}_plan"
    if not (work / "folds" / f"{plan}.json").is_file():
        comp.check({**tree, "name": plan}, work, accept_groups=True, quiet=True)
        comp.make_folds({**tree, "name": plan}, work, quiet=True)
    run = re.sub(r"[^\w.-]+", "_", f"{name} {setting} {seed}")
    tree = {**tree, "name": run, "seed": seed, "folds": {"plan": plan}}
    begin = time.monotonic()
    trained = comp.train(tree, work, folds, quiet=True)
    seconds = time.monotonic() - begin
    row = {"set": name, "setting": setting, "seed": seed, "seconds": round(seconds, 1)}
    for which in ("best", "last"):
        tree["predict"] = {**tree.get("predict", {}), "checkpoint": which}
        probs = comp.predict(tree, work, folds, quiet=True).oof
        found = scores(probs.to_numpy(), truth_of(comp.read_plan(tree, work), probs))
        row |= {f"{which}_{score}": value for score, value in found.items()}
    row["last_train_loss"] = float(trained.history.groupby("fold").last()["train_loss"].mean())
    row["first_train_loss"] = float(trained.history.groupby("fold").first()["train_loss"].mean())
    shutil.rmtree(work / "runs" / run)
    return row


def truth_of(plan: Any, probs: Any) -> np.ndarray[Any, Any]:
    """(N, C) 0/1 for the rows of `probs`; for binary, C = 1."""
    table = plan.frame.loc[probs.index]
    columns = [str(name) for name in probs.columns]
    if set(columns) <= set(table.columns):
        return table[columns].astype(int).to_numpy()
    labels = table["label"].astype(str)
    return np.stack([(labels == name).to_numpy() for name in columns], axis=1).astype(int)


def scores(probs: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> dict[str, float]:
    """Macro F1 of the plain decision, mean average precision, log loss."""
    columns = probs.shape[1]
    one = columns > 1 and bool((truth.sum(axis=1) == 1).all())
    if one:
        f1 = f1_score(truth.argmax(1), probs.argmax(1), average="macro")
        loss = log_loss(truth.argmax(1), probs, labels=range(columns))
    else:
        if columns == 1:
            f1 = f1_score(truth[:, 0], probs[:, 0] >= 0.5, average="macro")
        else:
            f1 = f1_score(truth, probs >= 0.5, average="macro", zero_division=0)
        loss = np.mean(
            [log_loss(t, p, labels=[0, 1]) for t, p in zip(truth.T, probs.T, strict=True)]
        )
    ap = np.mean(
        [average_precision_score(t, p) for t, p in zip(truth.T, probs.T, strict=True) if t.any()]
    )
    return {"macro_f1": float(f1), "mean_ap": float(ap), "log_loss": float(loss)}


def wanted(options: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    """Set, setting, seed, in the order of measuring."""
    for seed in range(1, options.seeds + 1):
        for setting in options.settings or FACTORS:
            for name in options.sets or SETS:
                yield name, setting, seed


def main() -> None:
    """Measure what is missing, for so long, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/defaults"))
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--settings", nargs="*")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=1e9)
    options = parser.parse_args()
    work, begin = options.work.absolute(), time.monotonic()
    work.mkdir(parents=True, exist_ok=True)
    rows = Rows(work / "defaults.jsonl")
    done = {(row["set"], row["setting"], row["seed"]) for row in rows}
    for name, setting, seed in wanted(options):
        pretrained = SETS[name][2]["model"]["name"] == LITE0["name"]
        if (name, setting, seed) in done or (pretrained and options.weights is None):
            continue
        if time.monotonic() - begin > 60 * options.minutes:
            break
        weights = options.weights.absolute() if options.weights else None
        tree = config_of(name, options.data.absolute(), weights, FACTORS[setting])
        rows.add(measure_one(name, setting, seed, tree, work))
    write(rows)


def write(rows: list[dict[str, Any]]) -> None:
    """The two files. Rows that older versions measured have no scores of the last checkpoint."""
    head = about(("torch", "timm", "albumentations"))
    (HERE / "defaults.json").write_text(json.dumps({**head, "rows": rows}, indent=1) + "\n")
    lines = ["# What each default is worth", "", f"{head['machine']}; other work ran beside.", ""]
    for name in SETS:
        mine = [row for row in rows if row["set"] == name]
        if mine:
            lines += [f"## {name}", "", *table(mine), ""]
    (HERE / "defaults.md").write_text("\n".join(lines))


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Means over the seeds, and the mean difference of macro F1 from `base` of the same seeds with
    its 95 % interval (Student's t)."""
    base = {row["seed"]: row["best_macro_f1"] for row in rows if row["setting"] == "base"}
    lines = [
        "| setting | seeds | macro F1 | against base | mean AP | log loss | last: F1 | AP | s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for setting in dict.fromkeys(row["setting"] for row in rows):
        mine = [row for row in rows if row["setting"] == setting]
        cells = [_mean(mine, f"best_{key}") for key in ("macro_f1", "mean_ap", "log_loss")]
        cells += [_mean(mine, f"last_{key}") for key in ("macro_f1", "mean_ap")]
        paired = [r["best_macro_f1"] - base[r["seed"]] for r in mine if r["seed"] in base]
        against = ""
        if setting != "base" and paired:
            against = f"{np.mean(paired):+.3f}"
            if len(paired) > 1:
                wide = T95.get(len(paired), 2.0) * np.std(paired, ddof=1) / len(paired) ** 0.5
                against += f" ± {wide:.3f}"
        cells.insert(1, against)
        spent = np.mean([row["seconds"] for row in mine])
        lines.append(f"| {setting} | {len(mine)} | {' | '.join(cells)} | {spent:.0f} |")
    return lines


def _mean(rows: list[dict[str, Any]], key: str) -> str:
    """The mean over the rows that have it; "" where none has."""
    known = [row[key] for row in rows if key in row]
    return f"{np.mean(known):.3f}" if known else ""


if __name__ == "__main__":
    main()

"""What `train.clean` is worth: on labels as they are, and with wrong ones planted.

    python benchmarks/cleaning.py ../shared/data --weights FILE [--work folder] [--seeds 3]

data: the folder with signs/; weights: of tf_efficientnet_lite0. 64 px, five epochs, two folds
grouped by student. The probe that doubts is a logistic regression on features of the same weights.
In the set `25 % wrong` so many labels of the whole table are another class, drawn
by seed. A run is scored on the labels that it was given, as a competitor would see it, and on the
right ones. The table goes to the section "Doubted labels" of winners.md.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from measure import section
from sklearn.metrics import f1_score

import comp

HERE = Path(__file__).parent
TITLE = "## Doubted labels"
PLANTED = {"as given": 0.0, "25 % wrong": 0.25}
FOUND = ("taken", "wrong")
WAYS: dict[str, dict[str, Any] | None] = {
    "plain": None,
    "drop": {"how": "drop"},
    "soften": {"how": "soften"},
    "relabel": {"how": "relabel"},
}


def lay(data: Path, work: Path, share: float, seed: int) -> Path:
    """The set with so many wrong labels; its folder."""
    root = work / f"signs_{round(100 * share)}_{seed}"
    if root.is_dir():
        return root
    root.mkdir()
    for part in ("train", "test"):
        (root / part).symlink_to((data / "signs" / part).resolve())
    table = pd.read_csv(data / "signs/train.csv", dtype=str)
    draw = np.random.default_rng(seed)
    names = np.array(sorted(table["label"].unique()))
    rows = draw.permutation(len(table))[: round(share * len(table))]
    moved = table["label"].to_numpy().copy()
    for row in rows:
        moved[row] = draw.choice(names[names != moved[row]])
    table.assign(label=moved).to_csv(root / "train.csv", index=False)
    return root


def config_of(root: Path, weights: Path, name: str, seed: int) -> dict[str, Any]:
    """What all runs of a set share."""
    return {
        "name": name,
        "task": "multiclass",
        "metric": "macro_f1",
        "seed": seed,
        "data": {
            "root": str(root),
            "target": "label",
            "group": "student",
            "sample_submission": None,
        },
        "folds": {"plan": root.name, "count": 2},
        "image": {"size": 64},
        "augment": {"recipe": "light"},
        "model": {
            "name": "tf_efficientnet_lite0",
            "pretrained": True,
            "weights": str(weights.resolve()),
        },
        "train": {"epochs": 5, "batch_size": 16, "workers": 0, "checkpoint_minutes": None},
    }


def scored(config: dict[str, Any], work: Path, right: pd.Series) -> dict[str, float]:
    """Out-of-fold macro F1 by the labels that were given and by the right ones, and seconds."""
    started = time.monotonic()
    comp.train(config, work, quiet=True)
    seconds = time.monotonic() - started
    oof = comp.predict(config, work, quiet=True).oof
    plan = comp.read_plan(config, work, quiet=True).frame
    answer = np.array(list(oof.columns))[oof.to_numpy().argmax(axis=1)]
    given = plan.loc[oof.index, "label"].astype(str)
    return {
        "given": float(f1_score(given, answer, average="macro")),
        "right": float(f1_score(right.loc[oof.index], answer, average="macro")),
        "seconds": seconds,
    }


def found(work: Path, run: str, given: pd.Series, right: pd.Series) -> dict[str, float]:
    """Of the labels that were taken: how many, and which share of them was wrong."""
    tables = [pd.read_csv(work / f"runs/{run}/fold_{k}/cleaned.csv", dtype=str) for k in (0, 1)]
    taken = pd.concat(tables)["id"]
    return {"taken": len(taken), "wrong": float((given.loc[taken] != right.loc[taken]).mean())}


def main() -> None:
    """Measure, then write the section of winners.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("cleaning_work"))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    work = options.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    kept = work / "cleaning.json"
    rows: dict[str, dict[str, float]] = json.loads(kept.read_text()) if kept.is_file() else {}
    right = pd.read_csv(options.data / "signs/train.csv", dtype=str).set_index("id")["label"]
    for seed in range(options.seeds):
        for kind, share in PLANTED.items():
            root = lay(options.data, work, share, seed)
            given = pd.read_csv(root / "train.csv", dtype=str).set_index("id")["label"]
            base = config_of(root, options.weights, root.name, seed)
            if not (work / f"folds/{root.name}.csv").is_file():
                comp.make_folds({**base, "folds": {"count": 2}}, work, quiet=True)
            probe = {**base, "name": f"{root.name}_probe"}
            comp.train({**probe, "model": {**base["model"], "probe": "logistic"}}, work, quiet=True)
            for number, (way, clean) in enumerate(WAYS.items()):
                key = f"{kind} | {way} | {seed}"
                if key in rows:
                    continue
                run = {**base, "name": f"{root.name}_{number}"}
                if clean is not None:
                    # as many as may be wrong, and some
                    clean = {"run": probe["name"], "most": 0.35, **clean}
                    run["train"] = {**base["train"], "clean": clean}
                rows[key] = scored(run, work, right)
                if clean is not None:
                    rows[key] |= found(work, run["name"], given, right)
                kept.write_text(json.dumps(rows, indent=1))
                print(key, rows[key], flush=True)
                write(rows)


def write(rows: dict[str, dict[str, float]]) -> None:
    """Put the table in its section of winners.md."""
    lines = [
        "`python benchmarks/cleaning.py`: signs, tf_efficientnet_lite0 with real weights, 64 px, "
        "five epochs, two folds grouped by student; macro F1 out of fold, by the labels in the "
        "table and by the right ones; differences to plain are seed by seed. The probe that doubts "
        "is logistic, on features of the same weights.",
        "",
        "| labels | train.clean | seeds | by the table | difference | by the right ones | "
        "difference | labels taken | of them wrong |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for kind in PLANTED:
        for way in WAYS:
            own = {
                key.split(" | ")[2]: row
                for key, row in rows.items()
                if key.split(" | ")[:2] == [kind, way]
            }
            if not own:
                continue
            cells = []
            for score in ("given", "right"):
                cells.append(f"{np.mean([row[score] for row in own.values()]):.3f}")
                gains = [
                    f"{row[score] - rows[f'{kind} | plain | {seed}'][score]:+.3f}"
                    for seed, row in own.items()
                ]
                cells.append("" if way == "plain" else ", ".join(gains))
            told = [
                [row[what] for row in own.values() if what in row] for what in ("taken", "wrong")
            ]
            cells += [f"{np.mean(told[0]):.0f}", f"{np.mean(told[1]):.0%}"] if told[0] else ["", ""]
            lines.append(f"| {kind} | {way} | {len(own)} | {' | '.join(cells)} |")
    section(HERE / "winners.md", TITLE, lines)


if __name__ == "__main__":
    main()

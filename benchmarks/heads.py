"""Heads, pools, losses with a margin and an auxiliary column beside plain training.

    python benchmarks/heads.py ../shared/data [--work folder] [--epochs 8] [--seeds 3]

data: the folder with signs/. The plan, network and steps are those of benchmarks/sources.py
(ResNet-18 from scratch at 64 px, two folds grouped by student); only the head differs. The
auxiliary column is the student, the only further column of the table. Finished runs are not made
again. The table goes to the section "Heads and losses" of winners.md.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from measure import section
from sources import config_of, measure

import comp

HERE = Path(__file__).parent
TITLE = "## Heads and losses"
COSINE = {"head": "cosine"}
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "arcface": {"model": COSINE, "train": {"loss": "arcface"}},
    "arcface, margin by class size": {
        "model": COSINE,
        "train": {"loss": "arcface", "margin_power": 0.25},
    },
    "arcface, 2 centres a class": {
        "model": {**COSINE, "centres": 2},
        "train": {"loss": "arcface"},
    },
    "cosface": {"model": COSINE, "train": {"loss": "cosface"}},
    "pool: gem": {"model": {"pool": "gem"}},
    "pool: avgmax": {"model": {"pool": "avgmax"}},
    "pool: attention": {"model": {"pool": "attention"}},
    "aux: student, weight 0.1": {"data": {"aux": [{"column": "student", "weight": 0.1}]}},
}


def main() -> None:
    """Measure, then write the section of winners.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("heads_work"))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    kept = given.work / "heads.json"
    rows: dict[str, dict[str, float]] = json.loads(kept.read_text()) if kept.is_file() else {}
    for seed in range(given.seeds):
        base = config_of(given.data, "plain", seed, given.epochs)
        if not (given.work / "folds/signs.csv").is_file():
            comp.make_folds(
                {**base, "name": "signs", "folds": {"count": 2}}, given.work, quiet=True
            )
        for number, (way, parts) in enumerate(WAYS.items()):
            key = f"{way} | {seed}"
            if key in rows:
                continue
            tree = {**base, "name": f"heads_{seed}_{number}"}
            for part, values in parts.items():
                tree[part] = {**tree[part], **values}
            rows[key] = measure(tree, given.work)
            kept.write_text(json.dumps(rows, indent=1))
            print(key, rows[key], flush=True)
            write(rows, given.epochs)


def write(rows: dict[str, dict[str, float]], epochs: int) -> None:
    """Put the table in its section of winners.md."""
    lines = [
        f"`python benchmarks/heads.py`: signs, ResNet-18 from scratch, 64 px, {epochs} epochs, two "
        "folds grouped by student, out of fold; mean and range over the seeds.",
        "",
        "| head | seeds | macro F1 | difference to plain, seed by seed | log loss | seconds |",
        "|---|---|---|---|---|---|",
    ]
    for way in WAYS:
        own = {key.split(" | ")[1]: row for key, row in rows.items() if key.split(" | ")[0] == way}
        if not own:
            continue
        scores = [row["macro F1"] for row in own.values()]
        gains = [
            f"{row['macro F1'] - rows[f'plain | {seed}']['macro F1']:+.3f}"
            for seed, row in own.items()
            if way != "plain"
        ]
        losses, seconds = (
            np.mean([row[k] for row in own.values()]) for k in ("log loss", "seconds")
        )
        lines.append(
            f"| {way} | {len(own)} | {np.mean(scores):.3f} ({min(scores):.3f}-{max(scores):.3f}) | "
            f"{', '.join(gains)} | {losses:.3f} | {seconds:.0f} |"
        )
    section(HERE / "winners.md", TITLE, lines)


if __name__ == "__main__":
    main()

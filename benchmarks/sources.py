"""Pseudo-labels and a teacher beside plain training: the same plan, the same epochs, three seeds.

    python benchmarks/sources.py ../shared/data [--work folder] [--epochs 8] [--seeds 3]

data: the folder with signs/. ResNet-18 from scratch at 64 px, two folds grouped by student; scores
are out of fold. Pseudo-labels are of the test images, by the plain run of the same seed, and so is
the teacher. An epoch of pseudo is longer by the images that it adds. Finished runs are not made
again. The table goes to the section "More to learn from" of winners.md.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import section
from sklearn.metrics import f1_score

import comp

HERE = Path(__file__).parent
TITLE = "## More to learn from"
# name -> what the training section gets; the plain run of the same seed is called signs_<seed>
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "pseudo, soft, all": {"pseudo": {"name": "soft"}},
    "pseudo, hard, surest 70 %": {"pseudo": {"name": "hard"}},
    "teacher, weight 0.5": {"teacher": {"weight": 0.5}},
    "teacher, weight 0.5, temperature 2": {"teacher": {"weight": 0.5, "temperature": 2.0}},
    "plain, 15 epochs: the steps of pseudo, soft": {"epochs": 15},
}


def config_of(data: Path, kind: str, seed: int, epochs: int) -> dict[str, Any]:
    """The config of a variant with one seed."""
    teacher = f"signs_{seed}"
    train = json.loads(json.dumps(VARIANTS[kind]))
    if "pseudo" in train:
        train["pseudo"]["name"] += f"_{seed}"
    if "teacher" in train:
        train["teacher"]["run"] = teacher
    return {
        "name": teacher if kind == "plain" else f"signs_{seed}_{[*VARIANTS].index(kind)}",
        "task": "multiclass",
        "metric": "macro_f1",
        "seed": seed,
        "data": {
            "root": str((data / "signs").resolve()),
            "target": "label",
            "group": "student",
        },
        "folds": {"plan": "signs", "count": 2},
        "image": {"size": 64},
        "model": {"name": "resnet18", "pretrained": False},
        "train": {"epochs": epochs, "batch_size": 16, "workers": 0, **train},
    }


def measure(config: dict[str, Any], work: Path) -> dict[str, float]:
    """Out-of-fold macro F1, log loss and seconds of one run."""
    started = time.monotonic()
    comp.train(config, work, quiet=True)
    seconds = time.monotonic() - started
    oof = comp.predict(config, work, quiet=True).oof
    truth = comp.read_plan(config, work, quiet=True).frame.loc[oof.index, "label"].to_numpy()
    probs, names = oof.to_numpy(), np.array(list(oof.columns))
    own = probs[np.arange(len(truth)), [list(names).index(name) for name in truth]]
    return {
        "macro F1": float(f1_score(truth, names[probs.argmax(axis=1)], average="macro")),
        "log loss": float(-np.log(np.clip(own, 1e-6, 1)).mean()),
        "seconds": seconds,
    }


def main() -> None:
    """Measure, then write the section of winners.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("sources_work"))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    kept = given.work / "sources.json"
    rows: dict[str, dict[str, float]] = json.loads(kept.read_text()) if kept.is_file() else {}
    for seed in range(given.seeds):
        for kind in VARIANTS:
            config = config_of(given.data, kind, seed, given.epochs)
            if not (given.work / "folds/signs.csv").is_file():
                own = {**config, "name": "signs", "folds": {"count": 2}}
                comp.make_folds(own, given.work, quiet=True)
            key = f"{kind} | {seed}"
            if key in rows:
                continue
            if "pseudo" in config["train"]:
                plain = config_of(given.data, "plain", seed, given.epochs)
                name = config["train"]["pseudo"]["name"]
                form = {"labels": "hard", "keep": 0.7} if name.startswith("hard") else {}
                comp.pseudo(plain, given.work, name=name, replace=True, quiet=True, **form)
            rows[key] = measure(config, given.work)
            kept.write_text(json.dumps(rows, indent=1))
            print(key, rows[key], flush=True)
            write(rows, given)


def write(rows: dict[str, dict[str, float]], given: argparse.Namespace) -> None:
    """Put the table in its section of winners.md."""
    lines = [
        "`python benchmarks/sources.py`: signs, ResNet-18 from scratch, 64 px, "
        f"{given.epochs} epochs, two folds grouped by student, out of fold; mean and range over "
        "the seeds; two CPU cores "
        "that other work shared.",
        "",
        "| training | seeds | macro F1 | difference to plain, seed by seed | log loss | seconds |",
        "|---|---|---|---|---|---|",
    ]
    for kind in VARIANTS:
        own = {key.split(" | ")[1]: row for key, row in rows.items() if key.split(" | ")[0] == kind}
        if not own:
            continue
        scores = [row["macro F1"] for row in own.values()]
        gains = [
            f"{row['macro F1'] - rows[f'plain | {seed}']['macro F1']:+.3f}"
            for seed, row in own.items()
            if kind != "plain" and f"plain | {seed}" in rows
        ]
        losses, seconds = (
            np.mean([row[name] for row in own.values()]) for name in ("log loss", "seconds")
        )
        lines.append(
            f"| {kind} | {len(own)} | {np.mean(scores):.3f} "
            f"({min(scores):.3f}-{max(scores):.3f}) | {', '.join(gains)} | {losses:.3f} | "
            f"{seconds:.0f} |"
        )
    section(HERE / "winners.md", TITLE, lines)


if __name__ == "__main__":
    main()

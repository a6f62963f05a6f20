"""Thirty defects among 680: plain, weighted, oversampled, focal, CutPaste, side by side.

    python benchmarks/tiles.py path/to/tiles [--seeds 3] [--work folder]

Every recipe is trained on the same five folds from the same seeds; the seeds go round the recipes,
so that a table that was cut short compares like with like. Groups are those that `comp check`
proposes (several photographs show one tile). Finished runs are not made again. Results go to
tiles.json and tiles.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
NET = {
    "image.size": 64,
    "model.name": "test_resnet",
    "model.pretrained": "false",
    "train.epochs": 12,
    "train.batch_size": 16,
    "train.lr": 2e-3,
    "train.warmup_epochs": 1,
    "train.workers": 0,
    "augment.recipe": "flips_turn",
}
RECIPES: dict[str, dict[str, Any]] = {
    "plain": {"train.loss": "bce", "train.sampler": "shuffle"},
    "weighted": {
        "train.loss": "bce",
        "train.sampler": "shuffle",
        "train.class_weights": "inverse",
    },
    "oversampled": {
        "train.loss": "bce",
        "train.sampler": "balanced",
        "train.sampler_strength": 1.0,
    },
    "half oversampled": {
        "train.loss": "bce",
        "train.sampler": "balanced",
        "train.sampler_strength": 0.5,
    },
    "focal": {"train.loss": "focal", "train.sampler": "shuffle"},
    "cutpaste": {"train.loss": "bce", "train.sampler": "shuffle", "augment.cutpaste": 0.3},
    "half oversampled, cutpaste": {
        "train.loss": "bce",
        "train.sampler": "balanced",
        "train.sampler_strength": 0.5,
        "augment.cutpaste": 0.1,
    },
}


def comp(work: Path, config: Path, words: list[str], sets: dict[str, Any]) -> str:
    """What a command of comp prints."""
    laid = [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "comp", *words, "-c", str(config), *laid]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, env=ENV)
    if done.returncode not in ((0, 3) if words[0] == "check" else (0,)):
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


ENV = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent)}


def run(work: Path, config: Path, recipe: str, seed: int) -> dict[str, float]:
    """Train five folds and ensemble them: the scores at a half, tuned, and honest."""
    name = f"{recipe.replace(', ', '_').replace(' ', '_')}_{seed}"
    out = work / f"{name}.json"
    if out.is_file():
        found: dict[str, float] = json.loads(out.read_text())
        return found
    sets = {**NET, **RECIPES[recipe], "seed": seed, "name": name, "folds.plan": "tiles"}
    comp(work, config, ["train", "--fold", "0..4"], sets)
    result = json.loads(comp(work, config, ["ensemble", "--json"], sets))
    scores = {key: result["scores"][key] for key in ("raw", "tuned", "honest")}
    out.write_text(json.dumps(scores))
    return scores


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """Mean and 95 % interval over the seeds (Student's t), as Markdown."""
    lines = [
        "| recipe | seeds | macro F1 at 0.5 | tuned, honest | each seed, honest |",
        "|---|---|---|---|---|",
    ]
    for recipe, rows in found.items():
        cells = []
        for key in ("raw", "honest"):
            values = np.array([row[key] for row in rows])
            wide = T95.get(len(values), 2.0) * values.std(ddof=1) / len(values) ** 0.5
            cells.append(f"{values.mean():.3f} ± {wide:.3f}")
        each = ", ".join(f"{row['honest']:.3f}" for row in rows)
        lines.append(f"| {recipe} | {len(rows)} | {cells[0]} | {cells[1]} | {each} |")
    return "\n".join(lines)


T95 = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}  # of the mean of so many values


def main() -> None:
    """Make what is missing of the table, and write it after every round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path("build/tiles"))
    options = parser.parse_args()
    work, config = options.work.absolute(), HERE.parent / "configs" / "tiles.yaml"
    work.mkdir(parents=True, exist_ok=True)
    NET["data.root"] = options.data.absolute()
    base = {**NET, "name": "tiles"}
    if not (work / "folds" / "tiles.json").is_file():
        comp(work, config, ["check", "--accept-groups"], base)
        comp(work, config, ["folds", "make"], base)
    found: dict[str, list[dict[str, float]]] = {recipe: [] for recipe in RECIPES}
    for seed in range(1, options.seeds + 1):
        for recipe in RECIPES:
            found[recipe].append(run(work, config, recipe, seed))
            print(recipe, seed, found[recipe][-1], flush=True)
        if seed > 1:
            write(found)


def write(found: dict[str, list[dict[str, float]]]) -> None:
    """The two files."""
    settings = {key: value for key, value in NET.items() if key != "data.root"}
    about = {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, no GPU",
        "versions": {name: metadata.version(name) for name in ("torch", "timm", "numpy")},
        "settings": settings,
        "folds": "5, stratified, grouped by what `comp check` proposes",
    }
    (HERE / "tiles.json").write_text(json.dumps({**about, "scores": found}, indent=2) + "\n")
    shown = ", ".join(f"{key} {value}" for key, value in settings.items())
    page = [
        "# Thirty defects among 680 tiles",
        "",
        f"Macro F1 out of fold; mean over seeds with its 95 % interval. {about['folds']}; {shown}. "
        f"{about['machine']}; torch {about['versions']['torch']}. Made by `python "  # type: ignore[index]
        "benchmarks/tiles.py`.",
        "",
        table(found),
        "",
    ]
    (HERE / "tiles.md").write_text("\n".join(page))


if __name__ == "__main__":
    main()

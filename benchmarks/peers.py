"""What a peer learns in the same epochs: fastai by hand, on the same plan, folds and seeds.

    python benchmarks/peers.py path/to/data --work folder [--seeds 3]

path/to/data/signs holds the competition. fastai is not among the requirements: install it beside
them. A ResNet-18 from scratch at 64 px, 8 epochs, two grouped folds of five, one thread:

- `comp init`  the recipe and batches that `comp init` writes for such data, all else left out
- `fastai`     its defaults: aug_transforms(), fit_one_cycle at 1e-3, batches of 64
- `fastai, flips off`  the same without mirror images
- `fastai, tuned`  without mirror images, batches of 16, 3e-3: what `comp` does by default

Scores are macro F1 of the out-of-fold probabilities, by scikit-learn. What was measured is kept in
`peers.jsonl` in the work folder; the table goes to peers.json and peers.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from defaults import SIGNS, scores, truth_of
from measure import Rows, about

import comp

HERE = Path(__file__).parent
SIZE, EPOCHS, FOLDS, PLAN = 64, 8, (0, 1), "signs_plan"
FASTAI: dict[str, dict[str, Any]] = {
    "fastai": {"flip": True, "batch": 64, "lr": 1e-3},
    "fastai, flips off": {"flip": False, "batch": 64, "lr": 1e-3},
    "fastai, tuned": {"flip": False, "batch": 16, "lr": 3e-3},
}


def config(data: Path, name: str, seed: int) -> dict[str, Any]:
    """The config of `comp init` for this set, at the size and length of the comparison."""
    return {
        **json.loads(json.dumps(SIGNS)),
        "name": name,
        "seed": seed,
        "data": {**SIGNS["data"], "root": str(data / "signs")},
        "folds": {"plan": PLAN},
        "image": {"size": SIZE},
        "model": {"name": "resnet18", "pretrained": False},
        "train": {"epochs": EPOCHS, "batch_size": 16, "checkpoint_minutes": None},
    }


def ours(data: Path, work: Path, seed: int) -> tuple[float, dict[str, float]]:
    """Seconds of training and prediction, and scores."""
    tree = config(data, f"peers_{seed}", seed)
    begin = time.monotonic()
    folds = ",".join(map(str, FOLDS))
    comp.train(tree, work, folds, quiet=True)
    probs = comp.predict(tree, work, folds, quiet=True).oof
    seconds = time.monotonic() - begin
    shutil.rmtree(work / "runs" / tree["name"])
    return seconds, scores(probs.to_numpy(), truth_of(comp.read_plan(tree, work), probs))


def theirs(
    data: Path, work: Path, seed: int, how: dict[str, Any]
) -> tuple[float, dict[str, float]]:
    """The same of fastai, as its tutorials do it."""
    from fastai.vision.all import (
        ImageDataLoaders,
        Resize,
        ResizeMethod,
        aug_transforms,
        resnet18,
        set_seed,
        vision_learner,
    )

    plan = comp.read_plan(config(data, PLAN, 0), work).frame
    files = {path.stem: path.name for path in (data / "signs/train").iterdir()}
    table = pd.DataFrame({"file": [files[str(name)] for name in plan.index]})
    table["label"] = plan["label"].astype(str).to_numpy()
    fold = plan["fold"].to_numpy()
    found = []
    begin = time.monotonic()
    for number in FOLDS:
        set_seed(seed * 100 + number)
        loaders = ImageDataLoaders.from_df(
            table.assign(valid=fold == number),
            data / "signs/train",
            fn_col="file",
            label_col="label",
            valid_col="valid",
            item_tfms=Resize(SIZE, method=ResizeMethod.Squish),
            batch_tfms=aug_transforms(do_flip=how["flip"]),
            bs=how["batch"],
            num_workers=0,
        )
        learner = vision_learner(loaders, resnet18, pretrained=False)
        with learner.no_bar(), learner.no_logging():
            learner.fit_one_cycle(EPOCHS, how["lr"])
            probs, truth = learner.get_preds()
        names = [str(name) for name in loaders.vocab]
        part = pd.DataFrame(probs.numpy(), columns=names)
        part["truth"] = [names[number] for number in truth.tolist()]
        found.append(part)
    seconds = time.monotonic() - begin
    whole = pd.concat(found)
    names = sorted(set(whole.columns) - {"truth"})
    target = np.stack([(whole["truth"] == name).to_numpy() for name in names], axis=1).astype(int)
    return seconds, scores(whole[names].to_numpy(), target)


def main() -> None:
    """Measure what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/peers"))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    data, work = options.data.absolute(), options.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    plan = {**config(data, PLAN, 0), "name": PLAN, "folds": {}}
    if not (work / "folds" / f"{PLAN}.json").is_file():
        comp.make_folds(plan, work, quiet=True)
    comp.pack({**plan, "folds": {"plan": PLAN}}, work, quiet=True)
    rows = Rows(work / "peers.jsonl")
    done = {(row["way"], row["seed"]) for row in rows}
    for seed in range(1, options.seeds + 1):
        for way in ("comp init", *FASTAI):
            if (way, seed) in done:
                continue
            how = FASTAI.get(way)
            seconds, found = theirs(data, work, seed, how) if how else ours(data, work, seed)
            rows.add({"way": way, "seed": seed, "seconds": round(seconds, 1), **found})
    write(rows)


def write(rows: list[dict[str, Any]]) -> None:
    """The two files."""
    head = about(("torch", "timm", "fastai"))
    (HERE / "peers.json").write_text(json.dumps({**head, "rows": rows}, indent=1) + "\n")
    lines = [
        "# comp and fastai, signs from scratch",
        "",
        f"{head['machine']}. ResNet-18, {SIZE} px, {EPOCHS} epochs, folds {FOLDS} of five, one "
        "thread; other work ran beside, so times are rough.",
        "",
        "| way | seeds | macro F1 | least | mean AP | s |",
        "|---|---|---|---|---|---|",
    ]
    for way in dict.fromkeys(row["way"] for row in rows):
        mine = [row for row in rows if row["way"] == way]
        f1 = [row["macro_f1"] for row in mine]
        ap, spent = (np.mean([row[key] for row in mine]) for key in ("mean_ap", "seconds"))
        lines.append(
            f"| {way} | {len(mine)} | {np.mean(f1):.3f} | {min(f1):.3f} | {ap:.3f} | {spent:.0f} |"
        )
    (HERE / "peers.md").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()

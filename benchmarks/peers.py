"""What a peer learns in the same epochs: fastai by hand, on the same plan, folds and seeds.

    python benchmarks/peers.py path/to/data --work folder [--seeds 3] [--weights file] [--sets car]

path/to/data holds the competitions (signs/, tiles/, letters/, car/). fastai is not among the
requirements: install it beside them. `--weights` is a file of pretrained weights of
tf_efficientnet_lite0, without which the tiles are left out; the other sets are learned from scratch
by a ResNet-18 (a U-Net on it for the masks of `car`). One thread:

- `comp init`  the recipe and batches that `comp init` writes for such data, all else left out
- `fastai`     its defaults: aug_transforms(), fit_one_cycle at 1e-3 (with weights: fine_tune),
               batches of 64 (segmentation: 16)
- `fastai, no flips`  the same without mirror images, which only somebody who knows the data asks
- `fastai, tuned`  that with the batches and the rate that `comp` takes by default

Scores are of the out-of-fold probabilities, by scikit-learn: macro F1 of the plain decision (masks:
mean Dice of the classes over all pixels, at the network's size). What was measured is kept in
`peers.jsonl` in the work folder; the table goes to peers.json and peers.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import pandas as pd
from defaults import CAR, LETTERS, LITE0, SCRATCH, SIGNS, T95, TILES, scores, truth_of
from measure import Rows, about

import comp

HERE = Path(__file__).parent
UNET = {"name": "unet", "encoder": "resnet18", "pretrained": False}
BALANCED = {"sampler": "balanced", "sampler_strength": 0.5}
# Each set: config, pixels, epochs, folds, `train` of `comp init`
SETS: dict[str, tuple[dict[str, Any], int, int, tuple[int, ...], dict[str, Any]]] = {
    "signs": ({**SIGNS, "model": SCRATCH}, 64, 8, (0, 1), {"batch_size": 16}),
    "tiles": ({**TILES, "model": LITE0}, 128, 5, (0, 1, 2, 3, 4), {"batch_size": 16, **BALANCED}),
    "letters": ({**LETTERS, "model": SCRATCH}, 96, 8, (0,), {"batch_size": 32}),
    "car": ({**CAR, "model": UNET}, 128, 8, (0,), {"batch_size": 16}),
}
FASTAI: dict[str, dict[str, Any]] = {
    "fastai": {"flip": True, "batch": 64, "lr": 1e-3},
    "fastai, no flips": {"flip": False, "batch": 64, "lr": 1e-3},
    "fastai, tuned": {"flip": False, "batch": 16, "lr": 3e-3},
}
# Where flips change nothing that counts, the second way is the first
WAYS = {
    "signs": ("comp init", *FASTAI),
    "letters": ("comp init", *FASTAI),
    "tiles": ("comp init", "fastai", "fastai, tuned"),
    "car": ("comp init", "fastai", "fastai, tuned"),
}


def config(data: Path, kind: str, name: str, seed: int, weights: Path | None) -> dict[str, Any]:
    """The config of `comp init` for this set, at the size and length of the comparison."""
    tree, size, epochs, _, train = SETS[kind]
    tree = json.loads(json.dumps(tree))
    if tree["model"]["name"] == LITE0["name"]:
        tree["model"].update(pretrained=True, weights=str(weights))
    return {
        **tree,
        "name": name,
        "seed": seed,
        "data": {**tree["data"], "root": str(data / kind)},
        "folds": {"plan": f"{kind}_plan"},
        "image": {"size": size},
        "train": {"epochs": epochs, "workers": 0, "checkpoint_minutes": None, **train},
    }


def dice(parts: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]], classes: int) -> float:
    """Mean over the classes without background of the Dice of all pixels of (answer, truth)."""
    counts = np.zeros((classes, 3))
    for answer, truth in parts:
        for c in range(1, classes):
            a, t = answer == c, truth == c
            counts[c] += (a & t).sum(), a.sum(), t.sum()
    both, ours, theirs = counts[1:].T
    known = theirs > 0
    return float((2 * both[known] / (ours + theirs)[known]).mean())


def ours(tree: dict[str, Any], kind: str, work: Path) -> tuple[float, dict[str, float]]:
    """Seconds of training and prediction, and scores."""
    begin = time.monotonic()
    folds = ",".join(map(str, SETS[kind][3]))
    comp.train(tree, work, folds, quiet=True)
    found = comp.predict(tree, work, folds, quiet=True)
    seconds = time.monotonic() - begin
    if kind == "car":
        truth, classes = masks(Path(tree["data"]["root"]), work)
        pairs = [
            (probs.argmax(0), truth[name])
            for part in found.valid.values()
            for name, probs in zip(part.ids, part.probs, strict=True)
        ]
        told = {"dice": dice(pairs, classes)}
    else:
        probs = found.oof
        told = scores(probs.to_numpy(), truth_of(comp.read_plan(tree, work), probs))
    shutil.rmtree(work / "runs" / tree["name"])
    return seconds, told


def masks(root: Path, work: Path) -> tuple[dict[str, np.ndarray[Any, Any]], int]:
    """Label maps at the network's size, by id, and the number of classes with the background.

    They are also written as PNG files for fastai. Where outlines overlap the larger class wins.
    """
    tree = json.loads((root / "train_annotations.coco.json").read_text())
    size, folder = SETS["car"][1], work / "car_masks"
    folder.mkdir(exist_ok=True)
    used = sorted({one["category_id"] for one in tree["annotations"]})
    number = {category: place + 1 for place, category in enumerate(used)}
    outlines: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for one in tree["annotations"]:
        outlines[one["image_id"]].append(one)
    found = {}
    for image in tree["images"]:
        canvas = np.zeros((image["height"], image["width"]), np.uint8)
        for one in sorted(outlines[image["id"]], key=lambda one: one["category_id"]):
            for polygon in one["segmentation"]:
                points = np.round(np.reshape(polygon, (-1, 2))).astype(np.int32)
                cv2.fillPoly(canvas, [points], number[one["category_id"]])
        small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_NEAREST)
        stem = Path(image["file_name"]).stem
        found[stem] = found[image["file_name"]] = small
        cv2.imwrite(str(folder / f"{stem}.png"), small)
    return found, len(used) + 1


def files_of(tree: dict[str, Any], plan: pd.DataFrame) -> pd.DataFrame:
    """The plan with the path of each image from the root, as fastai wants it."""
    root = Path(tree["data"]["root"])
    paths = {
        name: path
        for path in sorted(root.glob("train/**/*.*"))
        if path.suffix.lower() in (".jpg", ".jpeg", ".png") and "mask" not in str(path.parent)
        for name in (path.stem, path.name)
    }
    padded = {name.lstrip("0") or "0": path for name, path in paths.items()}
    table = plan.copy()
    table["file"] = [
        str((paths.get(str(name)) or padded[str(name)]).relative_to(root)) for name in plan.index
    ]
    return table


def learner_of(
    kind: str, tree: dict[str, Any], table: pd.DataFrame, fold: int, how: dict[str, Any], work: Path
) -> Any:
    """A learner of fastai for one fold."""
    from fastai.vision.all import (
        CategoryBlock,
        ColReader,
        DataBlock,
        DataLoaders,
        ImageBlock,
        MaskBlock,
        MultiCategoryBlock,
        Normalize,
        Resize,
        ResizeMethod,
        aug_transforms,
        imagenet_stats,
        resnet18,
        unet_learner,
        vision_learner,
    )

    root, size = Path(tree["data"]["root"]), SETS[kind][1]
    get_y, block = ColReader("label"), CategoryBlock()
    codes = ["background"]
    if kind == "letters":
        names = SETS[kind][0]["data"]["target"]
        table = table.assign(
            label=[" ".join(n for n in names if row[n] == 1) for _, row in table.iterrows()]
        )
        get_y, block = ColReader("label", label_delim=" "), MultiCategoryBlock(vocab=[*names])
    elif kind == "car":
        codes += [str(c) for c in range(1, masks(root, work)[1])]
        get_y = lambda row: work / "car_masks" / f"{Path(row['file']).stem}.png"  # noqa: E731
        block = MaskBlock(codes)
    transforms = [*aug_transforms(do_flip=how["flip"]), Normalize.from_stats(*imagenet_stats)]
    loaders: DataLoaders = DataBlock(
        blocks=(ImageBlock, block),
        get_x=ColReader("file", pref=root),
        get_y=get_y,
        splitter=lambda frame: (
            [n for n, f in enumerate(frame["fold"]) if f != fold],
            [n for n, f in enumerate(frame["fold"]) if f == fold],
        ),
        item_tfms=Resize(size, method=ResizeMethod.Squish),
        batch_tfms=transforms,
    ).dataloaders(table, bs=16 if kind == "car" else how["batch"], num_workers=0)
    if kind == "car":
        return unet_learner(loaders, resnet18, pretrained=False, n_out=len(codes), normalize=False)
    if "weights" not in tree["model"]:
        return vision_learner(loaders, resnet18, pretrained=False, normalize=False)
    from safetensors.torch import load_file

    name = tree["model"]["name"]
    learner = vision_learner(loaders, name, pretrained=False, normalize=False)
    missing, _ = learner.model[0].model.load_state_dict(
        load_file(tree["model"]["weights"]), strict=False
    )
    if missing:
        raise SystemExit(f"{name}: {len(missing)} tensors are not in the file")
    learner.freeze()
    return learner


def theirs(
    tree: dict[str, Any], kind: str, seed: int, how: dict[str, Any], work: Path
) -> tuple[float, dict[str, float]]:
    """The same of fastai, as its tutorials do it."""
    from fastai.vision.all import set_seed

    plan = comp.read_plan({**tree, "name": f"{kind}_plan"}, work).frame
    table = files_of(tree, plan)
    epochs = SETS[kind][2]
    answers, targets, pairs = [], [], []
    if kind == "car":
        classes = masks(Path(tree["data"]["root"]), work)[1]
    begin = time.monotonic()
    for fold in SETS[kind][3]:
        set_seed(seed * 100 + fold)
        learner = learner_of(kind, tree, table, fold, how, work)
        with learner.no_bar(), learner.no_logging():
            if "weights" in tree["model"]:
                learner.fine_tune(epochs - 1, how["lr"], freeze_epochs=1)
            else:
                learner.fit_one_cycle(epochs, how["lr"])
            probs, truth = learner.get_preds()
        if kind == "car":
            pairs += list(zip(probs.argmax(1).numpy(), truth.numpy(), strict=True))
        elif kind == "letters":
            answers.append(probs.numpy())
            targets.append(truth.numpy().astype(int))
        else:
            answers.append(probs.numpy())
            targets.append(np.eye(probs.shape[1], dtype=int)[truth.numpy()])
    seconds = time.monotonic() - begin
    if kind == "car":
        return seconds, {"dice": dice(pairs, classes)}
    probs, target = np.concatenate(answers), np.concatenate(targets)
    if kind == "tiles":  # columns in the order of the names: defect, normal
        place = 1 - int(target[:, 1].sum() > target[:, 0].sum())
        probs, target = probs[:, [place]], target[:, [place]]
    return seconds, scores(probs, target)


def main() -> None:
    """Measure what is missing, and write the table."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/peers"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    options = parser.parse_args()
    data, work = options.data.absolute(), options.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    weights = options.weights.absolute() if options.weights else None
    rows = Rows(work / "peers.jsonl")
    done = {(row["set"], row["way"], row["seed"]) for row in rows}
    for seed in range(1, options.seeds + 1):
        for kind in options.sets:
            if kind == "tiles" and weights is None:
                continue
            for way in WAYS[kind]:
                if (kind, way, seed) in done:
                    continue
                tree = config(data, kind, f"peers_{kind}_{seed}", seed, weights)
                first = {**tree, "name": f"{kind}_plan", "folds": {}, "seed": 0}
                if not (work / "folds" / f"{kind}_plan.json").is_file():
                    if tree["data"].get("group") == "auto":
                        comp.check(first, work, accept_groups=True, quiet=True)
                    comp.make_folds(first, work, quiet=True)
                    comp.pack(first, work, quiet=True)
                how = FASTAI.get(way)
                if how:
                    seconds, found = theirs(tree, kind, seed, how, work)
                else:
                    seconds, found = ours(tree, kind, work)
                row = {"set": kind, "way": way, "seed": seed, "s": round(seconds, 1), **found}
                rows.add(row)
                write(rows)


def write(rows: list[dict[str, Any]]) -> None:
    """The two files."""
    head = about(("torch", "timm", "fastai"))
    (HERE / "peers.json").write_text(json.dumps({**head, "rows": rows}, indent=1) + "\n")
    lines = [
        "# comp and fastai in the same epochs",
        "",
        f"{head['machine']}, one thread; other work ran beside, so times are rough. Seconds are of "
        "training and prediction; `comp` reads a pack that was made before, fastai the files.",
        "The difference is that of `comp init` from the way, over the seeds both have, with its "
        "95 % interval (Student's t).",
        "",
    ]
    for kind, (tree, size, epochs, folds, _) in SETS.items():
        mine = [row for row in rows if row["set"] == kind]
        if mine:
            model = tree["model"].get("encoder", tree["model"]["name"])
            start = "real weights" if tree["model"] is LITE0 else "from scratch"
            lines += [f"## {kind}", ""]
            lines += [f"{model} {start}, {size} px, {epochs} epochs, folds {list(folds)} of five."]
            lines += ["", *table(mine, "dice" if kind == "car" else "macro_f1"), ""]
    (HERE / "peers.md").write_text("\n".join(lines))


def table(rows: list[dict[str, Any]], metric: str) -> list[str]:
    """Mean and least score of each way, and by how much `comp init` is better."""
    lines = [
        f"| way | seeds | {metric} | least | comp init is better by | mean AP | s |",
        "|---|---|---|---|---|---|---|",
    ]
    base = {row["seed"]: row[metric] for row in rows if row["way"] == "comp init"}
    for way in dict.fromkeys(row["way"] for row in rows):
        mine = [row for row in rows if row["way"] == way]
        score = [row[metric] for row in mine]
        gains = [base[row["seed"]] - row[metric] for row in mine if row["seed"] in base]
        told = ""
        if way != "comp init" and gains:
            told = f"{np.mean(gains):+.3f}"
            if len(gains) > 1:
                wide = T95.get(len(gains), 2.0) * np.std(gains, ddof=1) / len(gains) ** 0.5
                told += f" ± {wide:.3f}"
        ap = [row["mean_ap"] for row in mine if "mean_ap" in row]
        cells = [f"{np.mean(score):.3f}", f"{min(score):.3f}", told]
        cells += [f"{np.mean(ap):.3f}" if ap else "", f"{np.mean([r['s'] for r in mine]):.0f}"]
        lines.append(f"| {way} | {len(mine)} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()

"""The six exposures of each tile: one answer for each bag of them, against one for each image.

    python benchmarks/bags.py path/to/tiles --weights folder [--seeds 2] [--work folder]

Bags and groups are those that `comp check` finds. All runs train the same pretrained network (a
file of weights, tf_efficientnet_lite0) for as many images in all; folds are of tiles. An image run
answers for a tile by the mean of its out-of-fold probabilities of the tile's images; its answers
for single images are scored too. The defects of this set are single photographs, so the size of a
bag tells its class, and a pool over six images sees another spread than one over a single image.
Therefore each run of bags is also asked about bags that are cut to their first image, which hides
it, and so is the image run.
Finished runs are not made again. Results go to bags.json and
bags.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from comp.config.loading import make_config
from comp.core import files
from comp.data.cache.bag_store import BagImages
from comp.data.index.index import Index
from comp.inference.predictions import Predictions
from comp.inference.views import view_probs, views_of
from comp.stages.check import check
from comp.stages.experiment import Experiment, open_experiment, read_train
from comp.stages.folds import make_folds
from comp.stages.predict import open_predictor
from comp.stages.train import train

HERE = Path(__file__).parent
Array = np.ndarray[Any, Any]
NET = {"size": 64, "bag_size": 6}
POOLS = ("mean", "attention")
EPOCHS, FOLDS, BATCH = 4, 3, 4  # of bags; a batch of images holds six times as many


def opened(options: argparse.Namespace, name: str, seed: int, pool: str | None) -> Experiment:
    """The experiment of images (pool: None) or of bags."""
    bags = pool is not None
    model = {"name": "tf_efficientnet_lite0", "weights": str(options.weights.absolute())}
    tree = {
        "name": name,
        "task": "binary",
        "metric": "macro_f1",
        "seed": seed,
        "data": {
            "root": str(options.data.absolute()),
            "layout": "defects",
            **({"bag": "auto"} if bags else {"group": "auto"}),
        },
        "folds": {"count": FOLDS},
        "image": NET,
        "augment": {"recipe": "flips"},
        "model": {**model, **({"pool_bag": pool, "bag_width": 64} if bags else {})},
        "train": {
            "epochs": EPOCHS,
            "batch_size": BATCH if bags else BATCH * 6,
            "lr": 5e-4,
            "workers": 0,
        },
    }
    return open_experiment(make_config(tree), options.work)


def finish(experiment: Experiment, findings: Path) -> None:
    """Train every fold."""
    paths = experiment.workspace
    if not paths.check_json.is_file():
        files.write_text(paths.check_json, findings.read_text())
    make_folds(experiment)
    train(experiment, "all")


def oof(experiment: Experiment) -> dict[str, float]:
    """The out-of-fold probability of a defect, by id."""
    predictor = open_predictor(experiment)
    predictor.parts = ("valid",)
    predictor.run(list(range(FOLDS)))
    found: dict[str, float] = {}
    for fold in range(FOLDS):
        part = Predictions.load(experiment.workspace.fold(fold).valid)
        found |= dict(zip(part.ids, np.asarray(part.probs)[:, 0].tolist(), strict=True))
    return found


def of_one_image(experiment: Experiment) -> dict[str, float]:
    """The same of bags that are cut to their first image, so that their size says nothing."""
    predictor, found = open_predictor(experiment), dict[str, float]()
    whole = predictor.images("valid")
    cut = BagImages(whole.images, [tuple(rows[:1]) for rows in whole.rows])
    for fold in range(FOLDS):
        net = predictor.net(fold)
        ids = predictor.plan.valid(fold)
        for name, row in zip(ids, predictor.index.rows(ids), strict=True):
            images = net.to_device(torch.from_numpy(cut.take(np.array([row]))))
            found[name] = float(view_probs(net, experiment.task, images, views_of("none"))[0, 0])
    return found


def scores(index: Index, probs: dict[str, float]) -> dict[str, float]:
    """Of answers by id: ROC AUC, average precision, macro F1 at a half."""
    truth = np.asarray(index.labels)
    given = np.array([probs[name] for name in index.ids])
    return {
        "auc": float(roc_auc_score(truth, given)),
        "ap": float(average_precision_score(truth, given)),
        "f1": float(f1_score(truth, given >= 0.5, average="macro")),
    }


def measured(options: argparse.Namespace, seed: int, findings: Path) -> dict[str, Any]:
    """All runs of a seed."""
    out: dict[str, Any] = {}
    for pool in POOLS:
        experiment = opened(options, f"bags_{pool}_{seed}", seed, pool)
        finish(experiment, findings)
        bags = read_train(experiment)
        out[f"bags, {pool}"] = scores(bags, oof(experiment))
        out[f"bags, {pool}, first image alone"] = scores(bags, of_one_image(experiment))
    experiment = opened(options, f"images_{seed}", seed, None)
    finish(experiment, findings)
    single = oof(experiment)
    out["images, each scored"] = scores(read_train(experiment), single)
    assert bags.bags is not None
    members = dict(zip(bags.ids, bags.bags.names(), strict=True))
    means = {name: float(np.mean([single[i] for i in own])) for name, own in members.items()}
    firsts = {name: single[own[0]] for name, own in members.items()}
    out["images, mean of each tile"] = scores(bags, means)
    out["images, first image alone"] = scores(bags, firsts)
    return out


def table(found: dict[str, dict[str, Any]]) -> str:
    """Mean over the seeds, and each seed, as Markdown."""
    lines = ["| answer | ROC AUC | average precision | macro F1 at 0.5 |", "|---|---|---|---|"]
    names = dict.fromkeys(name for rows in found.values() for name in rows)
    for name in names:
        rows = [row[name] for row in found.values() if name in row]
        cells = []
        for key in ("auc", "ap", "f1"):
            each = [row[key] for row in rows]
            cells.append(f"{np.mean(each):.3f} ({', '.join(f'{value:.3f}' for value in each)})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


HEAD = """# Bags of six exposures

Made by `python benchmarks/bags.py DATA_DIR --weights FILE`, whose head says what is compared. Each
cell: the mean over the seeds ({seeds}), and each of them.

{bags} tiles ({defects} with a defect) in {images} photographs, {size} px, {folds} folds,
{epochs} epochs, tf_efficientnet_lite0 pretrained; {machine}, {cores} cores, one thread.

{table}

{text}
"""


def main() -> None:
    """Make what is missing, and write the tables after every seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("build/bags"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    first = opened(options, "tiles", 0, None)
    if not first.workspace.check_json.is_file():
        check(first, accept_groups=False, skip=False, allow_extra_images=False)
    record = HERE / "bags.json"
    found = json.loads(record.read_text()) if record.is_file() else {}
    for seed in range(options.seeds):
        if str(seed) not in found:
            found[str(seed)] = measured(options, seed, first.workspace.check_json)
            record.write_text(json.dumps(found, indent=1) + "\n")
        bags = read_train(opened(options, "bags_mean_0", 0, "mean"))
        page = HERE / "bags.md"
        _, sign, below = page.read_text().partition("\n## ")  # what others wrote below stays
        page.write_text(
            HEAD.format(
                seeds=len(found),
                bags=len(bags),
                defects=int(bags.labels.sum()),
                images=len(bags.images),
                size=NET["size"],
                folds=FOLDS,
                epochs=EPOCHS,
                machine=platform.machine(),
                cores=os.cpu_count(),
                table=table(found),
                text=TEXT,
            )
            + sign
            + below
        )


TEXT = """Bags rank tiles better than the mean of single answers, but the size of a bag tells the
class here (six photographs of a normal tile, one of a defect), and `comp check` warns of it. Asked
about one photograph of each tile, which hides it, neither run of bags is clearly ahead of the image
run: nothing here shows that six exposures help. One seed gives no interval. Networks are trained
briefly, at a small size: the scores compare answers and are not what this set allows."""

if __name__ == "__main__":
    main()

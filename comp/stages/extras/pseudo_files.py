"""Pseudo-labels as they lie on the disk, and what a fold learns from them (see `comp pseudo`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np

from comp.core import checksums, files
from comp.core.errors import (
    ConfigError,
    DataError,
    PredictionsError,
    RunError,
    UsageError,
    first,
)
from comp.data.folds.plan import FoldPlan
from comp.data.index import file_match
from comp.data.index.index import Index
from comp.inference.predictions import Predictions
from comp.stages.experiment import Experiment, read_test_images
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import Task

Array = np.ndarray[Any, Any]
Labels = Literal["soft", "hard"]

FORMAT = 1
_AGAIN = "Make them again with `comp pseudo --replace`"


@dataclass(frozen=True)
class Choice:
    """Which answers are kept, and in which form.

    `labels`  soft: probabilities; hard: the class that is decided, or the columns
    `above`   least confidence, in [0, 1): the largest probability of an image. With several
              columns: of a cell, cells below it are unknown, and images without any other are out
    `keep`    the share of the images that is kept, the most confident ones
    """

    labels: Labels = "soft"
    above: float | None = None
    keep: float | None = None


def make_choice(labels: str, above: float | None, keep: float | None) -> Choice:
    """The choice of these values; UsageError for what cannot be."""
    if labels not in get_args(Labels):
        raise UsageError(f"labels: {labels!r} is none of {', '.join(get_args(Labels))}")
    if above is not None and not 0 <= above < 1:
        raise UsageError(f"above: {above} is no confidence; give a number from 0 to below 1")
    if keep is not None and not 0 < keep <= 1:
        raise UsageError(f"keep: {keep} is no share; give a number above 0, to 1")
    return Choice(cast(Labels, labels), above, keep)


@dataclass(frozen=True)
class Learned:
    """What one fold learns from pseudo-labels: the images, which rows of them, their targets (see
    `comp.data.loader.beside.Beside`), and a digest of all that."""

    index: Index
    rows: Array
    target: Array
    digest: str


def read_pseudo(
    experiment: Experiment, name: str, index: Index, plan: FoldPlan, fold: int
) -> Learned:
    """What fold `fold` learns from the pseudo-labels `name`.

    Raises RunError where there are none of that name, and where they are of another plan, of other
    images, or not those that `comp pseudo` wrote for this fold: the answers of another fold come
    from models that have seen the validation part of this one.
    """
    folder = experiment.workspace.pseudo(name)
    if not (folder / "manifest.json").is_file():
        there = sorted(path.parent.name for path in folder.parent.glob("*/manifest.json"))
        raise RunError(
            f"train.pseudo.name: no pseudo-labels {name!r} in {folder.parent}; there are: "
            f"{first(there) or 'none'}. Make them with `comp pseudo`"
        )
    about = files.read_json(folder / "manifest.json", RunError)
    _refuse_foreign(folder, about, index, plan)
    answers = folder / str(about.get("answers"))
    try:
        found = Predictions.load(answers / f"fold_{fold}")
    except PredictionsError as problem:
        raise RunError(f"{problem} {_AGAIN}") from problem
    digest = fold_digest(answers, fold)
    source = found.source.get("fold"), found.source.get("plan")
    if source != (fold, plan.fingerprint) or about["folds"][fold] != digest:
        raise RunError(
            f"{answers / f'fold_{fold}'}: not the answers that were made for fold {fold} (they say "
            f"fold {source[0]} of plan {str(source[1])[:8]}). Those of another fold come from "
            f"models that saw the validation part of fold {fold}. {_AGAIN}"
        )
    refuse_unboxed(experiment, about["images"])
    unlabelled = _unlabelled(experiment, about, index)
    content = unlabelled.contents(experiment.workspace.cache)
    if content != about["content"]:
        raise RunError(f"{folder}: of other images than are there now. {_AGAIN}")
    choice = Choice(**about["choice"])
    target = targets(np.asarray(found.probs), experiment.task, choice)
    return Learned(unlabelled, unlabelled.rows(found.ids), target, f"{digest} {content}")


def targets(probs: Array, task: Task, choice: Choice) -> Array:
    """(n, C) float32 soft targets, or hard ones in the form of an index; of several columns the
    cells that are not confident are unknown. probs: (n, C)."""
    if choice.labels == "soft" or task.link.measures:
        return probs.astype(np.float32)
    labels = task.decide(probs)
    if labels.ndim == 2 and choice.above is not None:
        return np.where(np.maximum(probs, 1 - probs) >= choice.above, labels, UNKNOWN)
    return labels


def confidence(probs: Array, task: Task) -> Array:
    """(n,) in [0, 1]: the largest probability of each image; with several columns that are not one
    answer, the mean over them."""
    sure = probs if task.link.normalized else np.maximum(probs, 1 - probs)
    return np.asarray(sure.max(axis=1) if task.one_answer else sure.mean(axis=1), dtype=float)


def refuse_unboxed(experiment: Experiment, images: str | None) -> None:
    """ConfigError for a folder of images beside `data.boxes`, which say nothing of them."""
    if images is not None and experiment.config.data.boxes is not None:
        raise ConfigError(
            f"{images}: data.boxes say nothing of the images there. Answer the test images, or use "
            "image.crop, which finds the part by itself"
        )


def in_folder(folder: Path, classes: tuple[str, ...]) -> Index:
    """The images in a folder and below, without labels; DataError where there are none."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; --images takes a folder of images")
    listing = file_match.list_files(folder)
    file_match.say_not_read(listing)
    if not listing.images:
        raise DataError(f"{folder}: no images in it or below")
    names, paths = zip(*listing.images, strict=True)
    return file_match.build_index(names, paths, classes)


def _unlabelled(experiment: Experiment, about: dict[str, Any], index: Index) -> Index:
    if about["images"] is None:
        return read_test_images(experiment, index.classes)
    return in_folder(experiment.path(about["images"]), index.classes)


def fold_digest(folder: Path, fold: int) -> str:
    """Of the manifest of a fold's answers, which holds the digests of the others."""
    return checksums.digest_file(folder / f"fold_{fold}" / "manifest.json")


def _refuse_foreign(folder: Path, about: dict[str, Any], index: Index, plan: FoldPlan) -> None:
    if about.get("format") != FORMAT:
        raise RunError(f"{folder}: of another version of comp. {_AGAIN}")
    if about["plan"] != plan.fingerprint:
        raise RunError(
            f"{folder}: made for plan {str(about['plan'])[:8]}, the plan is now "
            f"{plan.fingerprint[:8]}. The models behind it have seen validation images of this "
            f"plan. {_AGAIN}"
        )
    if tuple(about["classes"]) != index.classes:
        raise RunError(
            f"{folder}: its classes are {first(about['classes'])}, here {first(index.classes)}. "
            f"{_AGAIN}"
        )

"""What every stage starts from: the config with its names looked up, the index and the plan."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from comp.config.earlier import with_begun_defaults
from comp.config.loading import plain, stage_config
from comp.config.metric_file import with_file_digest
from comp.config.plugins import load_plugins
from comp.config.schema import AUTO_BAG, Config, DataConfig
from comp.config.workspace import Workspace, boxes_stand, workspace_of
from comp.core import files
from comp.core.errors import ConfigError, RunError, UsageError, first, pick
from comp.core.progress import say
from comp.data.folds.groups import Copies, accepted, read_copies
from comp.data.folds.held_out import held_out, with_new
from comp.data.folds.leaks import refuse_leaks
from comp.data.folds.plan import FoldPlan
from comp.data.folds.plan_file import load_plan
from comp.data.folds.schemes import SCHEMES
from comp.data.folds.skipped import grey_image, read_skipped, without
from comp.data.images.boxes import with_boxes
from comp.data.images.pixel_form import form_of
from comp.data.images.resize import OWN_SIZE, RESIZES
from comp.data.index.index import Index
from comp.data.index.sources import Source
from comp.data.layouts.embedded_sample import ensure_sample
from comp.data.layouts.layouts import LAYOUTS, in_both, read_index, read_test
from comp.data.layouts.train_test_overlap import same_bytes
from comp.stages.bags import bagged_test, bagged_train, check_bags, copies_of_bags
from comp.submission.solution import pose
from comp.tasks.kinds import Task, as_soft
from comp.tasks.metrics import Metric
from comp.tasks.of_config import task_of
from comp.tasks.official.of_config import metric_of
from comp.tasks.official.rows import numbered


@dataclass(frozen=True)
class Experiment:
    """A config with its task, its metric and its folders."""

    config: Config
    task: Task
    metric: Metric
    workspace: Workspace

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self.config.name

    @property
    def data(self) -> DataConfig:
        """The section `data` of the config, with its root below the workspace."""
        return self.config.data.at(self.workspace.root)

    def path(self, text: str | Path) -> Path:
        """A path of the config, or one that the user gave: relative ones are below the
        workspace."""
        return self.workspace.root / text


def open_experiment(config: Config, root: Path = Path()) -> Experiment:
    """The experiment of `config` in the workspace folder `root`; its plugins are loaded.

    Raises ConfigError for a task, metric, layout or scheme that is unknown or does not fit, and
    for a plugin file that fails.
    """
    config = with_file_digest(load_plugins(config, root), root)
    task = task_of(config)
    metric = metric_of(config, root, task)
    pick(LAYOUTS, config.data.layout, "data.layout")
    pick(dict.fromkeys(["auto", *SCHEMES]), config.folds.scheme, "folds.scheme")
    workspace = workspace_of(config, root)
    made = Experiment(with_begun_defaults(config, workspace), task, metric, workspace)
    _check_stages(made)
    return made


def stage_before(experiment: Experiment) -> Experiment | None:
    """The experiment of `stages`, whose masks say what part of each image this one sees."""
    if not experiment.config.stages:
        return None
    return open_experiment(stage_config(experiment.config), experiment.workspace.root)


def uncut(experiment: Experiment) -> Experiment:
    """The experiment of whole images: what a plan is made of, before a stage has found boxes."""
    if not experiment.config.stages:
        return experiment
    config = experiment.config.model_copy(update={"stages": ()})
    config.__dict__["data"] = config.data.model_copy(update={"boxes": None})
    return replace(experiment, config=config)


def _check_stages(experiment: Experiment) -> None:
    """ConfigError for a stage that finds no regions, or before a task that takes none."""
    before = stage_before(experiment)
    if before is None:
        return
    if not before.task.spatial:
        raise ConfigError(
            f"stages: task: the stage before finds masks, and {before.task.name} has none; use "
            "segmentation or multilabel_segmentation"
        )
    if experiment.task.spatial:
        raise ConfigError(
            f"stages: for answers per image; task is {experiment.task.name}, and masks are not cut"
        )
    if before.config.train.subset is not None:
        raise ConfigError("stages: train.subset: the stage must answer every image. Leave it out")


def check_names(experiment: Experiment) -> None:
    """Look up every other name in the config before any work; ConfigError for a wrong one."""
    from comp.data.loader.recipes import RECIPES
    from comp.data.loader.sampler import SAMPLERS
    from comp.ensemble.votes import VOTES
    from comp.inference.views import check_tta, views_of
    from comp.models.heads import HEADS, INITS
    from comp.models.pools import OWN, POOLS
    from comp.tasks.losses import check_loss
    from comp.train.mixing import check_mix
    from comp.train.optim import SCHEDULES

    config, task = experiment.config, experiment.task
    pick(RESIZES, config.image.resize, "image.resize")
    pick(RECIPES, config.augment.recipe, "augment.recipe")
    pick(HEADS, config.model.head, "model.head")
    pick(INITS, config.model.init, "model.init")
    pick({OWN: None, **POOLS}, config.model.pool, "model.pool")
    pick(SAMPLERS, config.train.sampler, "train.sampler")
    pick(SCHEDULES, config.train.sched, "train.sched")
    check_tta(config.predict.tta)
    views_of(config.model.views, "model.views")
    pick(VOTES, config.ensemble.vote, "ensemble.vote")
    train = config.train
    check_mix(config.augment, task)
    loss = task.loss if train.loss == "auto" else train.loss
    if not task.link.parts:  # whose losses were looked up as the task was made
        how = train.class_weights, train.pos_weight
        check_loss(loss, task.link.family, *how, spatial=task.spatial)
    _check_probe(config, task)
    _check_cosines(config, task)
    _check_spatial(config, task)
    _check_measures(config, task)
    _check_grades(config, task)
    _check_sources(config, task)
    _check_crops(config, task)
    check_bags(config, task)
    _check_weight(config, task)
    _check_new(config)


def _check_new(config: Config) -> None:
    """ConfigError where classes are left out of folds and something needs them all."""
    only = {
        "ensemble.prior": config.ensemble.prior is not None,
        "ensemble.combine": config.ensemble.combine is not None,
        "model.heads: attributes": config.model.heads != "one",
        "model.probe": config.model.probe is not None,
        "data.soft: learn": config.data.soft == "learn",
        "folds.holdout": config.folds.holdout is not None,
    }
    found = [name for name, used in only.items() if used]
    if found and config.data.new is not None:
        raise ConfigError(
            f"{', '.join(found)}: not with data.new, which leaves classes out of each fold"
        )


def _check_weight(config: Config, task: Task) -> None:
    """ConfigError where images are weighted and something cannot weigh them."""
    from comp.tasks.losses import without_rows

    clean = config.train.clean
    named = "data.weight" if config.data.weight is not None else "train.clean.how: weigh"
    if config.data.weight is None and (clean is None or clean.how != "weigh"):
        return
    if task.spatial:
        raise ConfigError(f"{named}: for answers per image; task is {task.name}. Leave it out")
    if config.model.probe is not None:
        raise ConfigError(f"{named}: not with model.probe, which counts all images alike")
    loss = task.loss if config.train.loss == "auto" else config.train.loss
    whole = without_rows(loss)
    if whole:
        raise ConfigError(
            f"train.loss: {first(whole)} is no mean over images, so {named} cannot weigh them; use "
            "another loss"
        )


def _check_crops(config: Config, task: Task) -> None:
    """ConfigError for crops that masks would not follow."""
    found = ["data.boxes"] if config.data.boxes else []
    found += ["image.crop"] if config.image.crop != "none" else []
    if found and (task.spatial or config.augment.cutpaste):
        raise ConfigError(
            f"{', '.join(found)}: for answers per image, without augment.cutpaste: masks are not "
            "cut. Leave it out"
        )
    if config.data.boxes and config.data.extra:
        raise ConfigError(
            "data.extra: not with data.boxes, which say nothing of its images; use image.crop, "
            "which finds the part by itself"
        )


def _check_grades(config: Config, task: Task) -> None:
    """ConfigError for values that do not go with grades that are learned as one number."""
    if task.link.steps == "none":
        return
    only = {
        "train.label_smoothing": config.train.label_smoothing > 0 and task.link.steps == "fixed",
        "model.heads: attributes": config.model.heads != "one",
        "model.probe": config.model.probe is not None,
    }
    found = [name for name, used in only.items() if used]
    if found:
        raise ConfigError(
            f"{', '.join(found)}: not with model.ordinal: {config.model.ordinal}, which learns one "
            "number per image. Leave it out, or use model.ordinal: classes"
        )


def _check_measures(config: Config, task: Task) -> None:
    """ConfigError for values that are for classes only, where numbers are predicted."""
    train, augment = config.train, config.augment
    only = {
        "train.label_smoothing": train.label_smoothing > 0,
        f"train.sampler: {train.sampler}": train.sampler in ("balanced", "undersample"),
        "augment.cutpaste": augment.cutpaste > 0,
        "augment.copies": augment.copies is not None,
        "model.heads: attributes": config.model.heads != "one",
        "ensemble.prior": config.ensemble.prior is not None,
    }
    found = [name for name, used in only.items() if used and task.link.measures]
    if found:
        raise ConfigError(
            f"{', '.join(found)}: for classes only; task {task.name} predicts numbers. Leave it out"
        )


def _check_sources(config: Config, task: Task) -> None:
    """ConfigError for sources that do not go with the task or with other options."""
    train = config.train
    given = {
        "data.extra": bool(config.data.extra),
        "train.pseudo": train.pseudo is not None,
        "train.teacher": train.teacher is not None,
        "train.clean": train.clean is not None,
        "data.aux": bool(config.data.aux),
        "data.soft: learn": config.data.soft == "learn",
    }
    found = [name for name, used in given.items() if used]
    if not found:
        return
    if task.spatial:
        raise ConfigError(f"{', '.join(found)}: for answers per image; task is {task.name}")
    if config.model.probe is not None:
        raise ConfigError(f"{', '.join(found)}: not with model.probe, which learns its features")
    if config.data.aux and train.compile == "on":
        raise ConfigError("data.aux: not with train.compile: on. Leave one of them out")
    if config.augment.cutpaste and found != ["data.extra"]:
        raise ConfigError(
            f"augment.cutpaste: not with {', '.join(found)}: what it pastes has a label, and these "
            "targets are probabilities. Leave one of them out"
        )


def _check_cosines(config: Config, task: Task) -> None:
    """ConfigError for losses with a margin without cosines, and cosines without classes."""
    from comp.tasks.losses import loss_names, needs_cosines

    loss = task.loss if config.train.loss == "auto" else config.train.loss
    named = [name for name in loss_names(loss) if needs_cosines(name)]
    cosine = config.model.head == "cosine"
    if named and not cosine:
        raise ConfigError(
            f"train.loss: {named[0]} puts its margin between cosines: it needs model.head: cosine"
        )
    one_class = task.link.family == "softmax" and not task.spatial
    if cosine and (not one_class or config.model.heads != "one"):
        raise ConfigError(
            "model.head: cosine is for one of several classes (task: multiclass) with "
            f"model.heads: one; task is {task.name}"
        )


def _check_probe(config: Config, task: Task) -> None:
    from comp.train.probes.kinds import PROBES

    model = config.model
    if model.lora is not None and (model.probe is not None or not model.pretrained):
        raise ConfigError(
            "model.lora: adapts pretrained weights (model.pretrained: true) while they are "
            "trained; a probe or a network from scratch has nothing to adapt. Leave it out"
        )
    if config.model.probe is None:
        return
    pick(PROBES, config.model.probe, "model.probe")
    if config.model.pool == "attention":
        raise ConfigError("model.pool: attention is learned, which the features of a probe are not")
    if task.link.measures or task.spatial or config.model.heads != "one":
        raise ConfigError(
            "model.probe: for classification with model.heads: one; a probe answers per image"
        )


def _check_spatial(config: Config, task: Task) -> None:
    """ConfigError for values that are only for segmentation, or only for classification."""
    image, model = config.image, config.model
    if not task.spatial:
        if image.resize in OWN_SIZE:
            raise ConfigError(
                f"image.resize: {image.resize} is for segmentation; for {task.name} use one of: "
                f"{', '.join(name for name in RESIZES if name not in OWN_SIZE)}"
            )
        return
    if model.head != "linear" or model.heads != "one" or model.init not in ("auto", "default"):
        raise ConfigError("model.head, model.init, model.heads: for classification only")
    if model.pool != "own":
        raise ConfigError("model.pool: for classification only; a segmenter keeps its maps")


def read_train(experiment: Experiment) -> Index:
    """The training index, of images or of bags; an embedded sample is written out first where the
    config asks for it.

    With the groups that the user accepted, and without the images that `comp check --bad skip` set
    aside.
    """
    data, paths = experiment.data, experiment.workspace
    ensure_sample(data)
    index = read_index(data, experiment.task)
    index = without(index, read_skipped(paths.skip_csv).train, paths.skip_csv)
    index = _boxed(experiment, index, "train")
    if index.unknown.any() and not experiment.metric.known_only:
        raise ConfigError(
            f"metric: {experiment.metric.name!r} is registered by a plugin and cannot leave out "
            f"the {int(index.unknown.sum())} unknown cells of these labels; use a metric of comp, "
            "or read them as zeros (data.blank: zero, and no data.unknown)"
        )
    index = index if data.new is None else with_new(index, data.new)
    if data.bag != AUTO_BAG:  # else the groups that were accepted are the bags
        index = accepted(index, data.group, paths.groups_csv, paths.check_json, paths.cache)
    index = bagged_train(index, experiment.config, paths)
    return index if experiment.metric.source is None else _posed(experiment, index)


def _posed(experiment: Experiment, index: Index) -> Index:
    """The index, its rows numbered, with its metric file bound to it."""
    config = experiment.config
    posed = pose(index, experiment.data, experiment.task, config.official.wants)
    if posed.wants != experiment.metric.wants:
        raise ConfigError(
            f"official.wants: the sample submission holds {posed.wants}: set it to {posed.wants}"
        )
    experiment.metric.source.bind(posed.solution, posed.form)
    if index.weights is not None:
        say(
            f"{experiment.metric.name}: scores images as the file does, which finds the column "
            f"{config.data.weight!r} in its solution; data.weight is for the loss alone"
        )
    return replace(index, target=numbered(index.labels))


def _boxed(experiment: Experiment, index: Index, part: str) -> Index:
    """The index with the boxes of `data.boxes`, where there are some."""
    boxes = experiment.config.data.boxes
    if boxes is None:
        return index
    before = stage_before(experiment)
    if before is not None and not boxes_stand(before.workspace, before.config):
        raise RunError(
            f"{before.workspace.boxes_csv}: the boxes of stage {before.name} are not there, or of "
            "other checkpoints. `comp train` makes them"
        )
    return with_boxes(index, experiment.path(boxes), part)


def held_classes(experiment: Experiment, index: Index) -> np.ndarray | None:
    """(F, K) bool: the classes that each fold does not learn; None without `data.new`."""
    config = experiment.config
    if config.data.new is None:
        return None
    return held_out(len(index.classes), config.data.new_share, config.seed, config.folds.parts)


def try_metric(experiment: Experiment, index: Index) -> None:
    """Score the truth itself by a metric file: what it raises comes now, not after an epoch."""
    metric, task = experiment.metric, experiment.task
    if metric.source is None:
        return
    truth = np.asarray(index.labels)
    if metric.wants == "probs":
        truth = as_soft(truth, task.columns(len(index.classes)))
    found = metric.score(index.labels, truth, len(index.classes))
    if not np.isfinite(found):
        raise ConfigError(f"metric: {metric.name}: answers without a mistake score {found}")
    say(f"{metric.name}: answers without a mistake score {found:.6g}")


def read_test_images(experiment: Experiment, classes: tuple[str, ...]) -> Index:
    """The test index; an image that was set aside as unreadable is replaced by a grey one."""
    index = _boxed(experiment, read_test(experiment.data, experiment.task, classes), "test")
    index = _with_grey(experiment, index)
    data, task = experiment.data, experiment.task
    return bagged_test(index, experiment.config, task, experiment.workspace, data.root)


def _with_grey(experiment: Experiment, index: Index) -> Index:
    """The test images, with a grey one in the place of each that was set aside."""
    skipped = read_skipped(experiment.workspace.skip_csv).test
    away = [row for row, name in enumerate(index.ids) if name in skipped]
    if not away:
        return index
    say(
        f"warning: {len(away)} test images cannot be read and are answered as grey ones "
        f"({experiment.workspace.skip_csv}): {first(index.ids[row] for row in away)}"
    )
    channels = form_of(experiment.config.image).planes
    grey = grey_image(experiment.workspace.cache, channels)
    paths = [grey if row in {*away} else path for row, path in enumerate(index.paths)]
    sources = index.sources and tuple(
        Source.of(grey) if row in {*away} else own for row, own in enumerate(index.sources)
    )
    return replace(index, paths=tuple(paths), sources=sources)


def read_plan(experiment: Experiment, index: Index) -> FoldPlan:
    """The plan on the disk, checked against the index and the config.

    Raises PlanError when there is none, when it was made for other data, and when it has a leak
    that was not allowed: it separates copies that `comp check` found, or holds test images;
    ConfigError when the config wants another number of folds or another scheme than it has.
    """
    paths = experiment.workspace
    plan = load_plan(paths.plan_csv, paths.plan_json)
    plan.check(index)
    copies = read_found(experiment, index).copies
    plan = refuse_leaks(plan, copies, in_test(experiment, index), allow=False)
    wanted = experiment.config.folds
    if plan.count != wanted.parts or wanted.scheme not in ("auto", plan.scheme):
        raise ConfigError(
            f"{paths.plan_csv}: has {plan.count} folds by {plan.scheme!r}, the config asks for "
            f"{plain(wanted)}. Put the plan's values in the config, or plan again with "
            "`comp folds make --replace`."
        )
    return plan


def sweep_cache(cache: Path) -> None:
    """Remove what was left by packing that died, also of packs that are no longer used."""
    from comp.data.cache.build import sweep_moved

    for folder in cache.iterdir() if cache.is_dir() else ():
        files.sweep(folder)
        if (folder / "manifest.json").is_file():
            sweep_moved(folder)


def read_found(experiment: Experiment, index: Index) -> Copies:
    """What `comp check` found about these images; nothing where it did not look at them."""
    paths = experiment.workspace
    found = read_copies(paths.check_json, index.images, paths.cache) or Copies()
    return copies_of_bags(found, index)


def in_test(experiment: Experiment, index: Index) -> list[str]:
    """The training images that are in the test set too, with the same id and the same bytes."""
    return in_both(experiment.data, experiment.task, index.images, same_bytes)


def parse_folds(text: str, count: int) -> list[int]:
    """The folds that `0`, `0,2`, `0..4` or `all` mean, each once, in order.

    Raises UsageError for any other text and for a fold outside 0..count-1.
    """
    if text.strip() == "all":
        return list(range(count))
    folds: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:(?:\.\.|-)\s*(\d+)\s*)?", part)
        if not match:
            raise UsageError(f"folds {text!r}: write it as 0, as 0,2, as 0..{count - 1}, or as all")
        low, high = int(match[1]), int(match[2] or match[1])
        if low > high:
            raise UsageError(f"folds {text!r}: {low}..{high} runs backwards")
        if high >= count:
            raise UsageError(
                f"folds {text!r}: there is no fold {max(low, count)}; "
                f"the plan has folds 0..{count - 1}"
            )
        folds.update(range(low, high + 1))
    return sorted(folds)

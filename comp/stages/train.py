"""`comp train`: train the given folds, each to its end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from comp.config.rules import broken_rules
from comp.config.schema import Config, ImageConfig
from comp.config.workspace import RunDir
from comp.core import files, locks
from comp.core.errors import (
    CompError,
    ConfigError,
    DamagedError,
    PackError,
    RunError,
)
from comp.core.footer import read_place
from comp.core.progress import say
from comp.data.cache.image_range import with_range
from comp.data.cache.pack import Pack, open_pack
from comp.data.folds.held_out import learned
from comp.data.folds.plan import ALWAYS, FoldPlan
from comp.data.folds.subset import Subset, choose_subset
from comp.data.images.pixel_form import span_of
from comp.data.index.index import Index
from comp.data.loader.batched.resident import Resident, size_of
from comp.data.loader.recipes import flips_writing
from comp.inference.predictions import Predictions
from comp.models.compiled import wants_compile
from comp.models.device import Device
from comp.report.fold_pictures import show_validation
from comp.report.live.training import Watch, training_picture
from comp.stages.experiment import (
    Experiment,
    check_names,
    held_classes,
    parse_folds,
    read_plan,
    read_train,
    sweep_cache,
    try_metric,
)
from comp.stages.extras.sources import Sources
from comp.stages.features.embed import FeatureSource, mean_of
from comp.stages.submission import check_form
from comp.stages.watching.reading import RunReader
from comp.train.checkpoints.finished import finished, refuse_other_images
from comp.train.hardware.choice import batched, count_workers, device_of
from comp.train.hardware.micro import most_images
from comp.train.hardware.residence import keep_there
from comp.train.hardware.world import ALONE, World, joined
from comp.train.job import Job
from comp.train.loop import train_fold
from comp.train.stop import Stop

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Trained:
    """A finished fold: its number, what its manifest says, and whether it was finished before."""

    fold: int
    manifest: dict[str, Any]
    before: bool


def train(
    experiment: Experiment,
    folds: str,
    *,
    restart: bool = False,
    stop: Stop | None = None,
    command: str | None = None,
) -> list[Trained]:
    """Train the folds that `folds` names; finished ones are skipped, unfinished ones are resumed.

    restart: remove what these folds have and begin again. stop: when to stop in the middle; None:
    on a signal, and after `train.max_hours`. command: what was called, for `sessions.json`;
    None: the command line of this process.
    Raises DataError where the sample submission fits neither the classes nor the test images,
    RunError when a run folder was begun with another config or plan or of other images, HeldError
    when another process is at work in it; Interrupted and OutOfTime after a checkpoint was written.
    """
    with joined(experiment.config.train.batch_size) as world:
        trainer, runs = prepare(
            experiment, folds, restart=restart, stop=stop, command=command, world=world
        )
        if world.lead:
            files.sweep(experiment.workspace.run)  # a page that a kill left half written
        done = []
        with trainer.stop.listening(), trainer.drawn([*runs.values()]):
            for place, (fold, run) in enumerate(runs.items(), 1):
                later = [*runs.values()][place:]
                trainer.stop.later_epochs = _epochs_left(later, experiment.config)
                done.append(trainer.run(fold, run, restart=restart))
        return done


def prepare(
    experiment: Experiment,
    folds: str,
    *,
    restart: bool,
    stop: Stop | None = None,
    command: str | None = None,
    world: World = ALONE,
) -> tuple[Trainer, dict[int, RunDir]]:
    """What trains the folds, and their run folders; what is wrong is told before anything is
    written. Raises what `train` raises before it trains."""
    config = experiment.config
    check_names(experiment)
    for line in broken_rules(config):
        say(f"warning: {line}")
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    runs = {k: experiment.workspace.fold(k) for k in parse_folds(folds, plan.count)}
    files.refuse_twin(experiment.workspace.run)
    if not restart:
        for run in runs.values():
            run.refuse_drift(config)
            with contextlib.suppress(DamagedError):  # of one fold; reported when it is its turn
                refuse_other_images(
                    run, finished(run, plan.fingerprint), index, experiment.workspace.cache
                )
    if any(not run.done.is_file() for run in runs.values()):
        check_form(experiment, index)
        try_metric(experiment, index)
    if flips_writing(config.augment.recipe, index.classes):
        say(
            f"augment.recipe: {config.augment.recipe} mirrors images, and the classes may be "
            "letters or digits: a mirrored b is a d. If they are written, use light"
        )
    again = "the same command without --restart" if restart else "the same command"
    stop = Stop(config.train.max_hours, again) if stop is None else stop
    trainer = Trainer(experiment, index, plan, stop, command, world=world)
    for fold, run in runs.items():
        if not run.done.is_file():
            trainer.sources.digest(fold)
    return trainer, runs


def _epochs_left(runs: list[RunDir], config: Config) -> int:
    """How many epochs these folds still need; none for a fold that patience ended."""
    left = [run for run in runs if not _ended_early(run)]
    places = [read_place(run.last) or read_place(run.before_last) or (0, 0) for run in left]
    return sum(max(0, config.passes - epoch) for epoch, _ in places)


def _ended_early(run: RunDir) -> bool:
    with contextlib.suppress(
        CompError
    ):  # a damaged manifest is reported when it is its fold's turn
        return run.done.is_file() and bool(files.read_json(run.done).get("early"))
    return False


class Trainer:
    """Opens the pack and the device only when a fold is to be trained.

    everything: train on all images, and validate on none.
    """

    def __init__(
        self,
        experiment: Experiment,
        index: Index,
        plan: FoldPlan,
        stop: Stop,
        command: str | None = None,
        *,
        everything: bool = False,
        world: World = ALONE,
    ) -> None:
        self.world = world
        self.command, self.everything = command, everything
        self.experiment, self.index, self.plan, self.stop = experiment, index, plan, stop
        self.pack: Pack | None = None
        self.device: Device | None = None
        self._kept: tuple[Pack | None, Resident | None] = (None, None)
        self.subset: Subset | None = None
        self.watch: Watch | None = None
        size = experiment.config.train.subset
        if size is not None:
            self.subset = choose_subset(index, plan, size, experiment.config.seed)
            say(
                f"a subset of {size} of {len(index)} images; class shares are at most "
                f"{self.subset.distance:.2%} off (class {self.subset.worst})"
            )

    @contextlib.contextmanager
    def drawn(self, runs: Sequence[RunDir]) -> Iterator[None]:
        """Draw these folds in one picture while the block trains them, where one can be shown."""
        space, config = self.experiment.workspace, self.experiment.config
        reader = RunReader(space.root, space.name, config)
        folds = [reader.fold(run, config) for run in runs]
        with training_picture(space.name, config.metric, folds) as self.watch:
            yield

    def run(self, fold: int, run: RunDir, *, restart: bool) -> Trained:
        """Train one fold, alone in its folder, or find it finished."""
        if self.stop.requested and not self.world.shared:
            self.stop.leave(f"before fold {fold}")
        if not self.world.lead:
            return self._follow(fold, run)
        if self.world.shared:
            self.open_pack()  # the others wait at its lock
        with locks.writing(run.path):
            found = self._claim(fold, run, restart)
            self.world.tell(None if found is None else found.manifest)
            if found is not None:
                return found
            return Trained(fold, self.world.tell(self._train(fold, run)), before=False)

    def _follow(self, fold: int, run: RunDir) -> Trained:
        """Train one fold with the process that holds its folder and writes."""
        self.open_pack()
        nothing: dict[str, Any] | None = None
        manifest = self.world.tell(nothing)
        if manifest is not None:
            return Trained(fold, manifest, before=True)
        self._train(fold, run)
        return Trained(fold, self.world.tell({}), before=False)

    def claim(self, fold: int, run: RunDir, *, restart: bool) -> Trained | None:
        """Make the folder of a fold that another process will train; the fold where it is finished
        already."""
        with locks.writing(run.path):
            return self._claim(fold, run, restart)

    def _claim(self, fold: int, run: RunDir, restart: bool) -> Trained | None:
        if restart:
            run.clear()
        run.claim(self.experiment.config)
        manifest = self._finished(fold, run)
        if manifest is None:
            return None
        self.sources.refuse_changes(fold, run)
        say(f"{run.path.name.replace('_', ' ')}: finished before, skipped")
        return Trained(fold, manifest, before=True)

    def trained(self, fold: int, run: RunDir) -> Trained:
        """A fold that another process has trained to its end; RunError where its files are not
        here."""
        manifest = self._finished(fold, run)
        if manifest is None:
            raise RunError(
                f"{run.path}: another process has trained this fold, and its files are not here. "
                "The workspace must lie on a disk that all of them share"
            )
        return Trained(fold, manifest, before=False)

    def open_pack(self) -> Pack:
        """The packed images; they are packed where that was not done."""
        if self.pack is None:
            sweep_cache(self.experiment.workspace.cache)
            self.pack = self._open()
        return self.pack

    def _train(self, fold: int, run: RunDir) -> dict[str, Any]:
        """The manifest of a fold that is trained now; a damaged pack is made again on the way."""
        if self.experiment.config.model.probe is not None:
            return self._probe(fold, run)
        try:
            return train_fold(self.job(fold, run))
        except PackError as problem:
            say(f"fold {fold}: {problem}. That is done now; then the fold is resumed")
            self.pack = self._open(verify=True)
            return train_fold(self.job(fold, run))

    def _probe(self, fold: int, run: RunDir) -> dict[str, Any]:
        """The manifest of a fold whose probe is fitted now on the features of its network."""
        from comp.train.probes.fold import inner_parts, train_probe

        job = self.job(fold, run)
        views = self._features.seen("train")
        numbers = dict(zip(self.plan.ids, self.plan.fold.tolist(), strict=True))
        ids = [self.index.ids[row] for row in job.train_rows]
        groups = None
        if self.index.groups is not None:
            groups = [self.index.groups[row] for row in job.train_rows]
        own = np.array([numbers.get(name, ALWAYS) for name in ids])
        parts = inner_parts(own, groups, self.experiment.config.seed, fold)
        keep = partial(self._keep, fold, run)
        return train_probe(job, mean_of(views), parts, views[0].weights, keep)

    def _keep(self, fold: int, run: RunDir, rows: Array, probs: Array, digest: str) -> None:
        """Keep what a probe says of its training part; `train.clean` reads it."""
        ids = tuple(self.index.ids[row] for row in rows)
        task = self.experiment.task
        source = {"plan": self.plan.fingerprint, "fold": fold, "checkpoint_sha256": digest}
        names = task.column_names(self.index.classes)
        Predictions(ids, probs, names, task.link.name, source).save(run.inner)

    @cached_property
    def _features(self) -> FeatureSource:
        return FeatureSource(self.experiment, self.index, Index((), (), self.index.classes))

    @cached_property
    def sources(self) -> Sources:
        """What the folds are trained on beside the index."""
        return Sources(self.experiment, self.index, self.plan, self._image)

    def _resident(self, others: bool) -> Resident | None:
        """The images of the pack, where they stay on the device; copied there once for all folds,
        and no more where they left too little room."""
        assert self.pack is not None, "the pack is opened first"
        assert self.device is not None, "the device is chosen first"
        if self.world.shared:  # each process sees a part of a batch, and partners of others
            return None
        source, kept = self._kept
        if source is not self.pack or (kept is None and not others):
            kept = keep_there(self.experiment.config, self.device, self.pack.images, others)
            self._kept = self.pack, kept
            if kept is not None:
                size = size_of(self.pack.images) / 2**30
                say(f"{len(self.pack.images)} images stay on the device ({size:.2f} GiB)")
        return None if kept is None or kept.released or others else kept

    def _open(self, *, verify: bool = False) -> Pack:
        return open_pack(self.index, self._image, self.experiment.workspace.cache, verify=verify)

    @cached_property
    def _image(self) -> ImageConfig:
        """The image settings, with the range of the training images."""
        return with_range(self.experiment.config.image, self.index, self.experiment.workspace.cache)

    def _finished(self, fold: int, run: RunDir) -> dict[str, Any] | None:
        """The manifest of a fold that is whole; a damaged one is made again from the checkpoint."""
        try:
            config = self.experiment.config
            return finished(run, self.plan.fingerprint, config.passes, config.predict.checkpoint)
        except DamagedError as problem:
            say(f"fold {fold}: {problem}; looking at its checkpoints")
            return None

    def job(self, fold: int, run: RunDir) -> Job:
        """All that the fold is trained from."""
        config, index = self.experiment.config, self.index
        if self.device is None:
            self.device = device_of(config, self.world.local if self.world.shared else None)
            if config.train.sync_norm and self.world.shared and not self.device.cuda:
                raise ConfigError(
                    "train.sync_norm: torch synchronizes batch norms between CUDA devices only. "
                    "Set it to false, or use a network without batch norm"
                )
            say(f"training on {_settings(config, self.device)}")
        if self.world.shared and config.data.bag is not None:
            raise ConfigError(
                "data.bag: not with several processes for one fold (--together, torchrun). Train "
                "the folds side by side (--devices), or leave it out"
            )
        pack = self.open_pack()
        if self.everything:
            train, valid = np.arange(len(index)), np.arange(0)
        else:
            train, valid = index.rows(self.plan.train(fold)), index.rows(self.plan.valid(fold))
        if self.subset is not None:
            train, valid = (np.intersect1d(rows, self.subset.rows) for rows in (train, valid))
        held = held_classes(self.experiment, index)
        if held is not None:
            last = np.asarray(held.all(axis=0))  # a refit learns all
            of_fold = np.asarray(held[fold]) if fold < len(held) else last
            train, valid = (learned(index.labels, rows, of_fold) for rows in (train, valid))
        train = self.sources.kept(fold, train, run)
        task, beside = self.experiment.task, self.sources.beside(fold)
        return Job(
            config=config,
            task=task,
            metric=self.experiment.metric,
            fold=fold,
            images=pack.images,
            span=span_of(self._image),
            target=index.labels,
            classes=index.classes,
            train_rows=train,
            valid_rows=valid,
            plan=self.plan.fingerprint,
            run=run,
            device=self.device,
            workers=count_workers(config.train, self.device),
            mask_paths=index.mask_paths,
            masks=pack.masks,
            show=show_validation,
            watch=self.watch,
            stop=self.stop,
            content=index.file_sizes(),
            files=index.contents(self.experiment.workspace.cache),
            workspace=self.experiment.workspace.root,
            command=self.command,
            beside=beside,
            resident=self._resident(bool(beside)),
            aux=self.sources.aux,
            soft=self.sources.soft(fold, task.columns(len(index.classes))),
            sources=self.sources.digest(fold),
            world=self.world,
            weights=index.weights,
            factors=self.sources.factors(fold),
        )


def open_job(experiment: Experiment, fold: int) -> Job:
    """All that fold `fold` would be trained from, without touching its run folder.

    Raises what `train` raises before it trains, and UsageError for a fold out of range.
    """
    check_names(experiment)
    if experiment.config.model.probe is not None:
        raise ConfigError(
            "model.probe: the strength of a probe is cross-fitted; there is nothing to measure or "
            "to search before it. Train it: `comp train`"
        )
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    (number,) = parse_folds(str(fold), plan.count)
    trainer = Trainer(experiment, index, plan, Stop())
    return trainer.job(number, experiment.workspace.fold(number))


def _settings(config: Config, device: Device) -> str:
    """In a line: the device, and how the work is given to it."""
    train, micro = config.train, config.train.micro_batch
    workers = count_workers(train, device)
    why = "train.batch_size" if micro is None else "train.micro_batch"
    why += ": auto, at most" if micro == "auto" else ""
    compiled = wants_compile(train.compile, device, deterministic=train.deterministic)
    by = "device" if batched(config, device) else "CPU"
    return (
        f"{device.details()}; {workers or 'no'} worker{'s' * (workers != 1)}, {most_images(train)} "
        f"images at a time ({why}), augmented by the {by}{', compiled' * compiled}"
    )

"""Every path that the stages share, in one place, and the guard of a run folder."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comp.config.loading import dump_config, plain
from comp.config.plain_yaml import differences, flatten, parse_yaml
from comp.config.schema import BOXES, Config, DataConfig
from comp.core import files
from comp.core.checksums import digest_file
from comp.core.errors import ConfigError, RunError

# Keys that may differ between the config that began a run and the one that resumes it: they do not
# change what the fold is trained on or with. `name` is the folder itself.
FREE = (
    "name",
    "train.workers",
    "train.device",
    "train.compile",
    "train.checkpoint_minutes",
    "train.max_hours",
    "train.track",
    "image.pack",
    "image.resident",
    "augment.backend",
    "predict.",
    "ensemble.",
    "submission.",
    "rules.",
    "data.root",
    "data.make",
    "data.test_images",
    "data.sample_submission",
    "data.test_answers",
    "data.tabular",
    "data.test_csv",
    "stages",  # what it finds is in the images that are trained on
)


@dataclass(frozen=True)
class Workspace:
    """The folders of one competition below `root`; the command line's is the current folder."""

    name: str
    root: Path = Path()
    plan: str | None = None  # the name of the plan, when it is not the experiment's own

    @property
    def plan_csv(self) -> Path:
        return self.root / "folds" / f"{self.plan or self.name}.csv"

    @property
    def plan_json(self) -> Path:
        return self.root / "folds" / f"{self.plan or self.name}.json"

    @property
    def groups_csv(self) -> Path:
        """The groups that were accepted from `comp check`."""
        return self.root / "folds" / f"{self.plan or self.name}.groups.csv"

    @property
    def skip_csv(self) -> Path:
        """The unreadable images that `comp check --bad skip` set aside."""
        return self.root / "folds" / f"{self.plan or self.name}.skip.csv"

    @property
    def check_json(self) -> Path:
        return self.root / "checks" / f"{self.plan or self.name}.json"

    @property
    def check_html(self) -> Path:
        return self.root / "checks" / f"{self.plan or self.name}.html"

    @property
    def weights_csv(self) -> Path:
        """Weights with which the training images look like the test images, by `comp check`."""
        return self.root / "checks" / f"{self.plan or self.name}.weights.csv"

    @property
    def run(self) -> Path:
        return self.root / "runs" / self.name

    @property
    def boxes_csv(self) -> Path:
        """The boxes that a run found for the run after it (`stages`)."""
        return self.run / BOXES

    @property
    def boxes_json(self) -> Path:
        """What they were made from; written last."""
        return self.boxes_csv.with_suffix(".json")

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    def pseudo(self, name: str) -> Path:
        """The pseudo-labels that `comp pseudo` wrote under a name."""
        return self.root / "pseudo" / name

    @property
    def submission_json(self) -> Path:
        return self.root / "submissions" / f"{self.name}.json"

    def fold(self, number: int) -> RunDir:
        return RunDir(self.run / f"fold_{number}")

    def refit(self, number: int) -> RunDir:
        """A training on all images (`comp train --refit`)."""
        return RunDir(self.run / f"refit_{number}")

    def refits(self) -> list[RunDir]:
        """Those that were begun, in their order."""
        found = self.run.glob("refit_*/config.yaml")
        numbers = sorted(int(n) for p in found if (n := p.parent.name[6:]).isdecimal())
        return [self.refit(number) for number in numbers]


def workspace_of(config: Config, root: Path = Path()) -> Workspace:
    """The folders of an experiment. One on a subset has a run folder of its own."""
    if config.train.subset is None:
        return Workspace(config.name, root, config.folds.plan)
    plan = config.folds.plan or config.name
    return Workspace(f"{config.name}_subset{config.train.subset}", root, plan)


def boxes_stand(paths: Workspace, config: Config) -> bool:
    """Whether the boxes of a stage are whole and from the checkpoints that are there now."""
    if not paths.boxes_json.is_file() or not paths.boxes_csv.is_file():
        return False
    made = files.read_json(paths.boxes_json)
    return made.get("sha256") == digest_file(paths.boxes_csv) and made.get(
        "checkpoints"
    ) == checkpoints_of(paths, config)


def checkpoints_of(paths: Workspace, config: Config) -> list[str | None]:
    """The digest of the checkpoint with which each fold of a run predicts, by its manifest."""
    runs = [paths.fold(k).done for k in range(config.folds.parts)]
    key = f"{config.predict.checkpoint}_sha256"
    return [files.read_json(path).get(key) if path.is_file() else None for path in runs]


@dataclass(frozen=True)
class RunDir:
    """One fold of a run: `runs/<name>/fold_<k>/`, or a refit: `runs/<name>/refit_<k>/`."""

    path: Path

    @property
    def is_refit(self) -> bool:
        """Whether it was trained on all images, so that nothing could validate it."""
        return self.path.name.startswith("refit_")

    @property
    def last(self) -> Path:
        return self.path / "last.pt"

    @property
    def before_last(self) -> Path:
        """The generation before `last`."""
        return self.path / "last.1.pt"

    @property
    def best(self) -> Path:
        return self.path / "best.pt"

    @property
    def history(self) -> Path:
        return self.path / "history.csv"

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def progress(self) -> Path:
        """Where a fold in training stands now, see `comp.train.live.beat`; gone at its end."""
        return self.path / "progress.json"

    @property
    def done(self) -> Path:
        """The manifest of the fold: its existence means that training is finished."""
        return self.path / "done.json"

    @property
    def valid(self) -> Path:
        return self.path / "valid"

    @property
    def test(self) -> Path:
        return self.path / "test"

    @property
    def teacher(self) -> Path:
        """What the teacher says of the training part (`train.teacher`)."""
        return self.path / "teacher"

    @property
    def inner(self) -> Path:
        """What a probe says of its training part, each image by what was fitted without it and
        without the validation part."""
        return self.path / "inner"

    @property
    def cleaned(self) -> Path:
        """The training labels that `train.clean` took away or changed."""
        return self.path / "cleaned.csv"

    @property
    def average(self) -> Path:
        """The mean of the best checkpoints, written when a fold is finished."""
        return self.path / "average.pt"

    def top(self, epoch: int) -> Path:
        """One of the best checkpoints (`train.top_k`)."""
        return self.path / f"top_{epoch:04d}.pt"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def sessions(self) -> Path:
        """What trained here: commands, versions, commit, machine; one entry per start."""
        return self.path / "sessions.json"

    def checkpoint(self, which: str) -> Path:
        """The file of `predict.checkpoint`: best, last or average."""
        return {"best": self.best, "last": self.last, "average": self.average}[which]

    def claim(self, config: Config) -> None:
        """Make the folder, write the resolved config into it and remove what a crash left.

        To be called under the folder's lock.
        Raises RunError with the keys that changed when the folder was begun with another config.
        """
        self.refuse_drift(config)
        if self.config.is_file() and not self.begun:
            self._forget_other(config)
        files.sweep(self.path, alone=True)
        files.write_text(self.config, dump_config(config))

    @property
    def begun(self) -> bool:
        """Whether something was learned here: a checkpoint or a manifest, whole or not. A folder
        that was only claimed, by a config that was refused then, is free for any other."""
        kept = (self.last, self.before_last, self.best, self.average, self.done)
        return any(path.exists() for path in kept) or any(self.path.glob("top_*.pt"))

    def _forget_other(self, config: Config) -> None:
        """Remove what was made for another config before anything was learned from it."""
        try:
            same = not changes(self._read_config(), config)
        except RunError:
            same = False
        if not same:
            self.clear()

    def refuse_drift(self, config: Config) -> None:
        """Raise RunError with the keys that changed since the folder was begun."""
        refuse_changes(str(self.path), self._begun_with(config), config)

    def drift(self, config: Config) -> dict[str, tuple[Any, Any]]:
        """The keys that matter in which the config in the folder and this one differ."""
        return changes(self._begun_with(config), config)

    def _begun_with(self, config: Config) -> dict[str, Any]:
        """The config in the folder; this one where nothing was begun yet."""
        if not self.config.is_file() or not self.begun:
            return plain(config)
        return self._read_config()

    def _read_config(self) -> dict[str, Any]:
        try:
            old = parse_yaml(self.config.read_text(encoding="utf-8"), str(self.config))
        except (ConfigError, OSError, UnicodeDecodeError) as problem:
            raise RunError(f"{self.config}: not readable ({problem}). {_NO_CONFIG}") from problem
        if not isinstance(old, dict):
            raise RunError(f"{self.config}: not a config. {_NO_CONFIG}")
        return old

    def clear(self) -> None:
        """Remove what training and prediction left here, the manifest first."""
        for path in (
            *(self.done, self.last, self.before_last, self.best),
            *(self.history, self.config, self.average, self.sessions, self.cleaned),
            self.progress,
            *self.path.glob("top_*.pt"),
        ):
            files.remove(path)
        for folder in (self.valid, self.test, self.teacher, self.inner, self.tensorboard):
            shutil.rmtree(folder, ignore_errors=True)


_NO_CONFIG = "Remove it (the checkpoint knows the config too), or use `comp train --restart`."


def changes(old: dict[str, Any], config: Config) -> dict[str, tuple[Any, Any]]:
    """The keys that matter in which a fold's first config (as plain values) and this one differ.

    A key that the first config lacks came with a later version. At its default that version does
    what the earlier one did, so that this is no change.
    """
    before, defaults = dict(flatten(old)), _defaults()
    if before.get("folds.plan") == before.get("name"):  # as version 0.2.0 wrote it, see `Config`
        before["folds.plan"] = None
    found = differences(before, dict(flatten(plain(config))))
    return {
        key: (then, now)
        for key, (then, now) in found.items()
        if not _is_free(key, then, now)
        and (key not in defaults or key in before or now != defaults[key])
    }


def _defaults() -> dict[str, Any]:
    """Every key with its default, by its path; empty where there is none."""
    data = DataConfig(root="")
    config = Config.model_construct(name="", task="", metric="", data=data)
    return dict(flatten(plain(config)))


def refuse_changes(where: str, old: dict[str, Any], config: Config) -> None:
    """RunError with the keys that matter and changed since a fold was begun."""
    found = changes(old, config)
    if not found:
        return
    lines = [f"  {key}: {before!r} -> {now!r}" for key, (before, now) in found.items()]
    raise RunError(
        "\n".join(
            [
                f"{where}: begun with another config; changed since:",
                *lines,
                "Give the new experiment another `name` (--set name=...), or go on with the old "
                f"values{_as_options(found)}, or start this fold over with `comp train --restart`.",
                "Free to change: more train.epochs, train.workers, train.checkpoint_minutes, "
                "train.max_hours, predict.*, ensemble.*, submission.*, where the data lies.",
            ]
        )
    )


def _as_options(found: dict[str, tuple[Any, Any]]) -> str:
    """The options that bring the old values back, where each is a plain value."""
    plain_values = all(isinstance(old, str | int | float | None) for old, _ in found.values())
    if not plain_values or "official.sha256" in found:
        return ""
    sets = (
        f"{key}={old if isinstance(old, str) else json.dumps(old)}"
        for key, (old, _) in found.items()
    )
    return f" ({' '.join(f'--set {shlex.quote(text)}' for text in sets)})"


def _is_free(key: str, old: Any, new: Any) -> bool:
    if key == "train.epochs":
        return isinstance(old, int) and new > old
    return key.startswith(FREE)

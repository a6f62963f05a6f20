"""Every path that the stages share, in one place, and the guard of a run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from comp import files
from comp.config import Config, differences, dump_config, parse_yaml, plain
from comp.errors import ConfigError, RunError

# What may differ between the config that began a run and the one that goes on with it: it does
# not change what the fold is trained on or with. `name` is the folder itself.
FREE = (
    "name",
    "train.workers",
    "predict.",
    "ensemble.",
    "submission.",
    "data.root",
    "data.make",
    "data.test_images",
    "data.sample_submission",
    "data.test_answers",
)


@dataclass(frozen=True)
class Workspace:
    """The folders of one competition, below the folder in which `comp` runs."""

    name: str
    root: Path = Path()

    @property
    def plan_csv(self) -> Path:
        return self.root / "folds" / f"{self.name}.csv"

    @property
    def plan_json(self) -> Path:
        return self.root / "folds" / f"{self.name}.json"

    @property
    def groups_csv(self) -> Path:
        """The groups that were accepted from `comp check`."""
        return self.root / "folds" / f"{self.name}.groups.csv"

    @property
    def skip_csv(self) -> Path:
        """The unreadable images that `comp check --bad skip` set aside."""
        return self.root / "folds" / f"{self.name}.skip.csv"

    @property
    def check_json(self) -> Path:
        return self.root / "checks" / f"{self.name}.json"

    @property
    def check_html(self) -> Path:
        return self.root / "checks" / f"{self.name}.html"

    @property
    def run(self) -> Path:
        return self.root / "runs" / self.name

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def submission_csv(self) -> Path:
        return self.root / "submissions" / f"{self.name}.csv"

    @property
    def submission_json(self) -> Path:
        return self.root / "submissions" / f"{self.name}.json"

    def fold(self, number: int) -> RunDir:
        return RunDir(self.run / f"fold_{number}")


@dataclass(frozen=True)
class RunDir:
    """One fold of a run: `runs/<name>/fold_<k>/`."""

    path: Path

    @property
    def last(self) -> Path:
        return self.path / "last.pt"

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
    def done(self) -> Path:
        """The manifest of the fold: its existence means that training is finished."""
        return self.path / "done.json"

    @property
    def valid(self) -> Path:
        return self.path / "valid"

    @property
    def test(self) -> Path:
        return self.path / "test"

    def checkpoint(self, which: str) -> Path:
        """The file of `predict.checkpoint`: best or last."""
        return {"best": self.best, "last": self.last}[which]

    def claim(self, config: Config) -> None:
        """Make the folder and put the resolved config in it; sweep what a crash left.

        Raises RunError with the keys that changed when the folder was begun with another config.
        """
        changed = self.drift(config)
        if changed:
            lines = [f"  {key}: {old!r} -> {new!r}" for key, (old, new) in changed.items()]
            raise RunError(
                "\n".join(
                    [
                        f"{self.path}: begun with another config; changed since:",
                        *lines,
                        "Give the new experiment another `name` (--set name=...), or go on with "
                        f"the old config, or remove {self.path}.",
                    ]
                )
            )
        files.sweep(self.path)
        files.write_text(self.config, dump_config(config))

    def drift(self, config: Config) -> dict[str, tuple[Any, Any]]:
        """The keys that matter in which the config in the folder and this one differ."""
        if not self.config.is_file():
            return {}
        try:
            old = parse_yaml(self.config.read_text(encoding="utf-8"), str(self.config))
        except (ConfigError, OSError, yaml.YAMLError) as problem:
            raise RunError(f"{self.config}: not readable ({problem})") from problem
        if not isinstance(old, dict):
            raise RunError(f"{self.config}: not a config")
        changed = differences(old, plain(config))
        return {key: pair for key, pair in changed.items() if not key.startswith(FREE)}

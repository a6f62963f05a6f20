"""A metric that is a file: its digest travels with the config."""

from __future__ import annotations

from pathlib import Path

from comp.config.schema import Config
from comp.core.checksums import digest_file
from comp.core.errors import ConfigError
from comp.core.progress import note

_told: set[tuple[Path, str]] = set()


def is_file(name: str) -> bool:
    """Whether the name of a metric is a file."""
    return name.endswith(".py")


def with_file_digest(config: Config, root: Path, *, told: bool = True) -> Config:
    """The config with the SHA-256 of its metric file, which travels into runs and submissions.

    told: say that the file runs. Raises ConfigError for a file that is missing, and for options of
    it without a file.
    """
    if not is_file(config.metric):
        if config.official.arguments:
            raise ConfigError(
                f"official.arguments: are for a metric file; metric is {config.metric!r}"
            )
        return config
    path = root / config.metric
    if not path.is_file():
        raise ConfigError(
            f"metric: {config.metric}: no such file; it is looked for at {path.absolute()}"
        )
    digest = digest_file(path)
    if told and (path.resolve(), digest) not in _told:  # a workspace may be a stranger's
        _told.add((path.resolve(), digest))
        note(
            f"this config runs the Python file {config.metric} (metric); {config.official.better} "
            "scores are better (official.better)"
        )
    official = config.official.model_copy(update={"sha256": digest})
    return config.model_copy(update={"official": official})

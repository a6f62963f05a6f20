"""What a command line says of where its work is done: `--devices`, `--on`, `--ask`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from comp.core.errors import UsageError


@dataclass(frozen=True)
class Where:
    """Where pieces of work are done.

    `on`       a name of RUNNERS
    `devices`  what `--devices` says
    `options`  what a cluster is asked for, by the names that it has for them
    """

    on: str = "local"
    devices: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def where_of(
    devices: str | None = None,
    *,
    together: bool = False,
    on: str | None = None,
    ask: Sequence[str] | Mapping[str, str] = (),
    partition: str | None = None,
) -> Where:
    """Where a command line asks work to be done; UsageError for options that do not go
    together."""
    if devices is not None and on not in (None, "devices"):
        raise UsageError(f"--devices is for this machine; with --on {on}, use --ask")
    if together and devices is None:
        raise UsageError("--together trains one fold on several devices; name them: --devices 0,1")
    ask = [f"{k}={v}" for k, v in ask.items()] if isinstance(ask, Mapping) else ask
    ask = [*ask, *([f"partition={partition}"] if partition else [])]
    pairs = [text.partition("=") for text in ask]
    wrong = [name for name, equals, value in pairs if not (name and equals and value)]
    if wrong:
        raise UsageError(f"--ask {wrong[0]}: write KEY=VALUE")
    options = {name: value for name, _, value in pairs}
    name = on or ("local" if devices is None else "together" if together else "devices")
    if options and name not in ("ray", "slurm"):
        raise UsageError("--ask is for --on ray and --on slurm")
    return Where(name, devices, options)

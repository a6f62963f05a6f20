"""The user's own Python files: `plugins` in a config names them, and they register entries.

A file is read once, and what is run is what its SHA-256 is of. It becomes a module that no import
finds; worker processes load it by its path.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import traceback
import types
from collections.abc import Iterable
from pathlib import Path

from comp.config.schema import Config
from comp.core import registry
from comp.core.checksums import digest_file
from comp.core.errors import ConfigError, reason
from comp.core.progress import note

_loaded: dict[str, str] = {}  # the absolute path of each file that was run -> its SHA-256
_lock = threading.RLock()


def with_digests(config: Config, root: Path = Path()) -> Config:
    """The config with the SHA-256 of each plugin file, which travels into checkpoints.

    root: the workspace folder. Raises ConfigError for a file that is missing.
    """
    if not config.plugins:
        return config
    digests = {name: digest_file(_existing(root / name, name)) for name in config.plugins}
    return config.model_copy(update={"plugins": digests})


def load_plugins(config: Config, root: Path = Path()) -> Config:
    """Run the plugin files of a config that are new or were changed; the config with their digests.

    Raises ConfigError, with file and line, for a file that fails.
    """
    if not config.plugins:
        return config
    paths = {name: _existing(root / name, name) for name in config.plugins}
    for name, path in paths.items():
        if str(path.resolve()) not in _loaded:  # a workspace may be a stranger's
            note(f"this config runs the Python file {name} (plugins)")
    digests = {name: _load(path) for name, path in paths.items()}
    return config.model_copy(update={"plugins": digests})


def load_files(paths: Iterable[Path]) -> None:
    """Run plugin files, unless they were run as they are; raises as `load_plugins` does."""
    for path in paths:
        _load(_existing(path, str(path)))


def loaded_files() -> tuple[Path, ...]:
    """The plugin files that this process has run, for its workers to run too."""
    return tuple(Path(path) for path in _loaded)


def _existing(path: Path, name: str) -> Path:
    if path.is_file():
        return path
    raise ConfigError(f"plugins: {name}: no such file; it is looked for at {path.absolute()}")


def _load(path: Path) -> str:
    """Run a file unless it was run as it is; its SHA-256."""
    owner, source = str(path.resolve()), path.read_bytes()
    digest = hashlib.sha256(source).hexdigest()
    with _lock:
        if _loaded.get(owner) != digest:
            registry.forget(owner)
            _loaded.pop(owner, None)
            _run(owner, source, digest)
            _loaded[owner] = digest
    return digest


def _run(owner: str, source: bytes, digest: str) -> None:
    module = types.ModuleType(f"comp_plugin_{digest[:16]}")
    module.__file__ = owner
    sys.modules[module.__name__] = module
    try:
        with registry.owned_by(owner):
            exec(compile(source, owner, "exec"), module.__dict__)
    except (Exception, SystemExit) as problem:
        registry.forget(owner)
        del sys.modules[module.__name__]
        raise ConfigError(f"plugins: {place_of(problem, owner)}: {reason(problem)}") from problem


def place_of(problem: BaseException, path: str) -> str:
    """`my_parts.py, line 12: NameError`: where in a plugin file an error was raised."""
    lines = [f.lineno for f in traceback.extract_tb(problem.__traceback__) if f.filename == path]
    if isinstance(problem, SyntaxError) and problem.filename == path:
        lines.append(problem.lineno)
    where = f", line {lines[-1]}" if lines else ""
    return f"{path}{where}: {type(problem).__name__}"

"""A stand-in for the Python of a target's image: this one, with the packages that the image has."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name

from comp.bundles.targets.packages import OWN, closure
from comp.bundles.targets.target import Mount
from comp.core.errors import CompError
from comp.core.secrets import hidden

INSIDE = "/image"
PYTHON = f"{INSIDE}/bin/python"
_PACKAGES = "/packages"
_ALWAYS = ("pip",)


@dataclass(frozen=True)
class StandIn:
    """An environment of links, in `folder`; `site` is where its packages are.

    `sources`  the folders of this machine with its packages, and where the links look for them
    """

    folder: Path
    site: Path
    sources: Mapping[Path, str]

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """It, and what its links lead to, read-only."""
        found = [Mount(path, inside) for path, inside in self.sources.items()]
        return (*found, Mount(self.folder, INSIDE))


def make_stand_in(folder: Path, packages: Sequence[str]) -> StandIn:
    """An environment with these packages and what they need, as they are installed here.

    `comp` itself is never in it. Raises CompError when pip is not installed here: a judge's machine
    has it.
    """
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    (site,) = folder.glob("lib/python*/site-packages")
    sources: dict[Path, str] = {}
    names = {*closure([*packages, *_ALWAYS], without=[OWN])}
    for about in metadata.distributions():
        name = about.metadata["Name"]
        if name and canonicalize_name(name) in names:
            base = Path(str(about.locate_file(""))).resolve()
            inside = sources.setdefault(base, f"{_PACKAGES}/{len(sources)}")
            _link(about, base, inside, site)
    if not (site / "pip").is_symlink():
        raise CompError("pip is not installed here, so no judge's machine can be laid out; add it")
    return StandIn(folder, site, sources)


def _link(about: metadata.Distribution, base: Path, inside: str, site: Path) -> None:
    """Link what a package installed. The links lead to where `base` is in the box: a contract may
    lay something over the path that it has here."""
    tops = {Path(str(file)).parts[0] for file in about.files or ()}
    for top in sorted(tops - {"..", "__pycache__"}):
        if (base / top).exists() and not (site / top).is_symlink() and not top.endswith(".pth"):
            (site / top).symlink_to(f"{inside}/{top}")


def install(stand_in: StandIn, wheels: Path) -> None:
    """Install wheels into the stand-in, as the Dockerfile does. CompError where that fails."""
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    words += ["--no-compile", "--target", str(stand_in.site)]
    names = [str(path) for path in sorted(wheels.glob("*.whl"))]
    done = subprocess.run([*words, *names], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompError(f"{wheels}: not to be installed: {hidden(done.stderr.strip()[-300:])}")

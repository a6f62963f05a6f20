"""What is asked of a shipment, what a target is, and the contract under which a judge runs it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from comp.bundles.contents import Bundle
from comp.core.errors import UsageError

WHEELS, BUNDLE = "wheels", "bundle"  # the folders inside a shipment


@dataclass(frozen=True)
class Order:
    """A bundle that is to be shipped.

    `images`       the folder of the test images, below the data of the judge
    `samples`      where the sample submission may be there; empty: all images are answered
    `minutes`      the limit of time that the script gives to `comp answer`, or None
    `python`       of the target, such as 3.12; its wheels are for that
    `has`          packages that the image of the target has
    `wheels`       whether packages are downloaded
    `owner, competition`  the names on the target's site, where it needs them
    """

    bundle: Bundle
    images: str
    samples: tuple[str, ...]
    minutes: float | None
    python: str
    has: tuple[str, ...]
    wheels: bool = True
    gpu: bool = True
    owner: str = ""
    competition: str = ""

    @property
    def name(self) -> str:
        """The name of the bundle, as names on sites and of images may be."""
        return slug(str(self.bundle.manifest["name"]))

    @property
    def more(self) -> tuple[str, ...]:
        """Packages that this bundle needs beside those of `comp`."""
        return ("onnxruntime",) if any(one.onnx for one in self.bundle.members) else ()

    @property
    def file(self) -> str:
        """The name of the file that is written."""
        return f"submission{self.bundle.suffix}"


@dataclass(frozen=True)
class Mount:
    """A file or folder that a judge's machine sees as `inside`."""

    source: Path
    inside: str
    writable: bool = False


@dataclass(frozen=True)
class Contract:
    """How a judge runs a shipment.

    `mounts`   what the machine sees besides its system; the rest of this one is out of reach
    `command`  what is run, after the name of its Python
    `folder`   where it is run
    `out`      where the submission must be when it is done, on this machine
    `wheels`   the wheels that are installed when the image is built, or None
    """

    mounts: tuple[Mount, ...]
    command: tuple[str, ...]
    folder: str
    out: Path
    wheels: Path | None = None


@dataclass(frozen=True)
class Target:
    """A place that a bundle is shipped to.

    `about`     what it takes, in a line
    `has`       packages that its image has, of those that `comp` needs; with `installs` they do
                not matter, for it installs the others from requirements.txt
    `python`    of its image; None: as this one
    `minutes`   its limit of time, less a reserve; None: it differs
    `needs`     the names that it cannot do without: owner, competition
    `write`     order, folder: writes the files
    `contract`  order, shipment, data, an empty folder: lays out what the judge has
    `next`      order, shipment: the commands that send it
    """

    about: str
    has: tuple[str, ...]
    installs: bool
    python: str | None
    minutes: float | None
    needs: tuple[str, ...]
    write: Callable[[Order, Path], None]
    contract: Callable[[Order, Path, Path, Path], Contract]
    next: Callable[[Order, Path], list[str]]


def slug(text: str) -> str:
    """The text in small letters, digits and dashes, as sites and images name things."""
    found = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return found[:40].strip("-") or "comp"


def refuse_unknown_owner(target: str, order: Order, needs: tuple[str, ...]) -> None:
    """UsageError for names that a target needs and an order lacks, or that cannot be names."""
    for name in needs:
        value = getattr(order, name)
        if not value:
            raise UsageError(f"{target} needs --{name} NAME, as in the address on its site")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
            raise UsageError(
                f"--{name} {value!r}: no name of an address; letters, digits and dashes are allowed"
            )

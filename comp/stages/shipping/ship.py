"""`comp ship`: a bundle in the form that a judge's machine takes, tried where it can be."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from comp.bundles.contents import Bundle, read_bundle
from comp.bundles.targets.table import TARGETS
from comp.bundles.targets.target import Order, Target, refuse_unknown_owner
from comp.bundles.targets.trial import Tried, refuse_untriable, try_shipment
from comp.bundles.zipped import files_below, unpacked
from comp.core import checksums, files, locks
from comp.core.errors import DamagedError, UsageError, first, pick
from comp.core.progress import say
from comp.core.provenance import versions
from comp.data.layouts.layouts import sample_places, test_place

FOLDER = "ships"  # beside the bundles
RECORD = "ship.json"
KIND = "comp shipment"


@dataclass(frozen=True)
class Shipped:
    """A shipment that was written.

    `path`   its folder; `bytes`: of all its files; `next`: the commands that send it
    `tried`  how it did in its judge's place; None where it was not tried
    """

    target: str
    path: Path
    bytes: int
    next: tuple[str, ...]
    tried: Tried | None


def ship(
    target: str,
    bundle: Path,
    *,
    out: Path | None = None,
    data: Path | None = None,
    wheels: bool = True,
    python: str | None = None,
    has: Sequence[str] = (),
    images: str | None = None,
    sample: str | None = None,
    minutes: float | None = None,
    gpu: bool = True,
    owner: str = "",
    competition: str | None = None,
) -> Shipped:
    """Write a bundle for a target to ships/<name>-<target>, or to `out`.

    data: try it with this folder as the competition's data; the other parameters as of `Order`;
    None: as the target, or the bundle's config, has it.
    Raises UsageError for a target, a name or a folder that cannot be, RunError for what is no
    bundle, CheckError for a trial that fails: the shipment is there all the same.
    """
    known = pick(TARGETS, target, "target")
    with tempfile.TemporaryDirectory(prefix="comp-") as room:
        read = read_bundle(unpacked(bundle, Path(room)))
        order = Order(
            bundle=read,
            images=images or test_place(read.config.data),
            samples=_samples(read) if sample is None else (_below(sample, "sample"),),
            minutes=known.minutes if minutes is None else minutes,
            python=python or known.python or f"{sys.version_info.major}.{sys.version_info.minor}",
            has=(*known.has, *has),
            wheels=wheels,
            gpu=gpu,
            owner=owner,
            competition=competition or read.config.submission.competition or "",
        )
        _below(order.images, "images")
        refuse_unknown_owner(target, order, known.needs)
        if data is not None:
            _refuse_data(data, order)
            refuse_untriable(order)
        folder = out or Path(FOLDER) / f"{order.name}-{target}"
        _refuse_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with locks.writing(folder, name=".lock", keep=False):
            _write(known, target, order, folder)
            tried = None if data is None else try_shipment(known, order, folder, data)
        size = sum(path.stat().st_size for path in files_below(folder).values())
        return Shipped(target, folder, size, tuple(known.next(order, folder)), tried)


def _samples(bundle: Bundle) -> tuple[str, ...]:
    """Where the sample submission may be below the data."""
    places = [] if bundle.sample.path is None else sample_places(bundle.config.data)
    outside = [place for place in places if Path(place).is_absolute()]
    if outside:
        raise UsageError(
            f"data.sample_submission: {first(outside)} is a path of the machine that trained; name "
            "the sample below the judge's data with --sample"
        )
    return tuple(places)


def _below(place: str, option: str) -> str:
    path = PurePosixPath(place)
    if path.is_absolute() or ".." in path.parts:
        raise UsageError(f"--{option} {place}: give a path below the folder of the judge's data")
    return place


def _refuse_data(data: Path, order: Order) -> None:
    if not data.is_dir():
        raise UsageError(f"--try {data}: no such folder; name the competition's data")
    if not (data / order.images).is_dir():
        raise UsageError(
            f"--try {data}: has no folder {order.images} with the images; name another folder, or "
            "say with --images where they are below it"
        )


def _refuse_folder(folder: Path) -> None:
    """UsageError for a folder that holds something else than a shipment."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: a file is there; name a folder with --out")
    inside = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if inside and RECORD not in inside and inside != [".lock"]:
        raise UsageError(f"{folder}: holds {first(inside, 3)}, no shipment; name a new folder")
    if RECORD not in inside:
        return
    known = files.read_json(folder / RECORD, DamagedError)
    if known.get("kind") != KIND:
        raise UsageError(f"{folder / RECORD}: not of a shipment; name a new folder")
    edited = [
        name
        for name, digest in (known.get("files") or {}).items()
        if (folder / name).is_file() and checksums.digest_file(folder / name) != digest
    ]
    if edited:
        raise UsageError(
            f"{folder}: {first(edited, 3)} edited since it was shipped; name a new folder with "
            "--out, or remove this one"
        )


def _write(target: Target, name: str, order: Order, folder: Path) -> None:
    """Write the shipment anew, with a record that is empty until it is whole."""
    for path in sorted(folder.iterdir()):
        if path.name in (RECORD, ".lock"):
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    about = {
        "kind": KIND,
        "target": name,
        "bundle": order.bundle.manifest["name"],
        "bundle_sha256": checksums.digest_file(order.bundle.folder / "bundle.json"),
        "python": order.python,
        "images": order.images,
        "samples": list(order.samples),
        "minutes": order.minutes,
        "versions": versions(),
    }
    files.write_json(folder / RECORD, {**about, "files": None})
    target.write(order, folder)
    if not order.wheels and not target.installs:
        say(f"--no-wheels: {name} will not run before the wheels of its packages are added")
    found = {n: p for n, p in files_below(folder).items() if n not in (RECORD, ".lock")}
    digests = {n: checksums.digest_file(p) for n, p in found.items()}
    files.write_json(folder / RECORD, {**about, "files": digests})

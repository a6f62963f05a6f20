"""A bundle as one zip file, and zips whose bytes depend on their content alone."""

from __future__ import annotations

import json
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from comp.bundles.contents import CARD, MANIFEST, Bundle
from comp.core import files
from comp.core.errors import DamagedError, RunError, first

SUFFIX = ".zip"
_STORED = (".safetensors", ".whl", ".zip", ".gz", ".onnx")  # these do not shrink
_MANIFEST_BYTES = 64 << 20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


def write_zip(path: Path, content: Mapping[str, Path | bytes]) -> None:
    """Write a zip of these files: its name in the zip -> a file, or the bytes themselves.

    The same content gives the same bytes: times are left out. Files are read in parts.
    """
    with files.replacing(path) as beside, zipfile.ZipFile(beside, "w") as archive:
        for name, source in content.items():
            about = zipfile.ZipInfo(name)  # its time is 1980
            about.external_attr = 0o644 << 16
            packed = PurePosixPath(name).suffix not in _STORED
            about.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            if isinstance(source, bytes):
                archive.writestr(about, source)
                continue
            about.file_size = source.stat().st_size
            with source.open("rb") as read, archive.open(about, "w") as written:
                shutil.copyfileobj(read, written, 1 << 20)


def files_below(folder: Path, inside: str = "") -> dict[str, Path]:
    """The name in a zip -> file, for every file of a folder, sorted; inside: what stands before."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {f"{inside}{path.relative_to(folder).as_posix()}": path for path in found}


def zip_bundle(bundle: Bundle) -> Path:
    """Write a bundle as one file beside its folder, `<folder>.zip`; its path."""
    path = bundle.folder.with_name(f"{bundle.folder.absolute().name}{SUFFIX}")
    names = [MANIFEST, *bundle.manifest["files"]]
    names += [CARD] if (bundle.folder / CARD).is_file() else []
    write_zip(path, {name: bundle.folder / name for name in names})
    return path


def unsafe(name: str) -> bool:
    """Whether the name of a file could lead out of the folder that it is unpacked into."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name


def unpack(path: Path, folder: Path) -> Path:
    """The files of a zip in `folder`, which is returned.

    Raises DamagedError for what is no whole zip, and for names that lead out of the folder: then
    nothing is written.
    """
    with _opened(path) as archive:
        _refuse_unsafe(path, archive)
        _extract(path, archive, archive.namelist(), "", folder)
    return folder


def unpacked(bundle: Path, room: Path) -> Path:
    """The folder of a bundle: itself, or what is in its zip, unpacked into `room`."""
    return unpack_bundle(bundle, room) if bundle.is_file() else bundle


def unpack_bundle(path: Path, folder: Path) -> Path:
    """The bundle of a zip in `folder`, which is returned; only what its manifest names is unpacked.

    The files may lie in one folder of the zip. Raises RunError for a zip without a bundle, and
    DamagedError as `unpack`.
    """
    with _opened(path) as archive:
        _refuse_unsafe(path, archive)
        names = [n for n in archive.namelist() if PurePosixPath(n).name == MANIFEST]
        if not names:
            raise RunError(f"{path}: no bundle in it ({MANIFEST} is missing). "
                           "`comp bundle NAME --zip` makes one")  # fmt: skip
        manifest = min(names, key=lambda name: name.count("/"))
        before = manifest.removesuffix(MANIFEST)
        listed = _listed(path, archive, manifest)
        bad = sorted(name for name in listed if unsafe(name))
        if bad:
            raise DamagedError(f"{path}: its manifest names {first(bad, 3)}, outside the bundle")
        lacking = sorted({before + name for name in listed} - {*archive.namelist()})
        if lacking:
            raise DamagedError(f"{path}: {first(lacking, 3)} missing in it; make or copy it again")
        card = [before + CARD] if before + CARD in archive.namelist() else []
        wanted = [*(before + name for name in listed), *card, manifest]
        _extract(path, archive, wanted, before, folder)
    return folder


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (*_BROKEN, OSError) as problem:
        raise DamagedError(f"{path}: no zip, or not whole ({problem}); copy it again") from problem


def _refuse_unsafe(path: Path, archive: zipfile.ZipFile) -> None:
    bad = sorted(name for name in archive.namelist() if unsafe(name))
    if bad:
        raise DamagedError(f"{path}: names that lead out of its folder: {first(bad, 3)}; nothing "
                           "was unpacked")  # fmt: skip


def _listed(path: Path, archive: zipfile.ZipFile, manifest: str) -> list[str]:
    """The files that the manifest names."""
    if archive.getinfo(manifest).file_size > _MANIFEST_BYTES:
        raise DamagedError(f"{path}: {manifest} is too large to be the manifest of a bundle")
    try:
        found = json.loads(archive.read(manifest))["files"]
        return [str(name) for name in {**found}]
    except (*_BROKEN, KeyError, TypeError) as problem:
        raise DamagedError(f"{path}: {manifest}: not readable ({problem})") from problem


def _extract(
    path: Path, archive: zipfile.ZipFile, names: list[str], before: str, folder: Path
) -> None:
    for name in names:
        if name.endswith("/"):
            continue
        place = folder / name.removeprefix(before)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with archive.open(name) as read, place.open("wb") as written:
                shutil.copyfileobj(read, written, 1 << 20)
        except _BROKEN as problem:
            raise DamagedError(f"{path}: {name} is torn ({problem}); copy it again") from problem

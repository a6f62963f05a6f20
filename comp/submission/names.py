"""The file names of a submission: `<name>.csv`, `.zip` or `.coco.json`; `<name>.json` beside it."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = (".csv", ".zip", ".coco.json")


def written_in(folder: Path) -> list[Path]:
    """The submissions in a folder, without their manifests."""
    return sorted(path for suffix in SUFFIXES for path in folder.glob(f"*{suffix}"))


def base_name(path: Path) -> str:
    """The name of a submission, or of its manifest, without its suffix."""
    found = [suffix for suffix in (*SUFFIXES, ".json") if path.name.endswith(suffix)]
    return path.name.removesuffix(found[0]) if found else path.stem


def manifest_path(path: Path) -> Path:
    """Where the manifest of a submission is: beside it, `<name>.json`."""
    return path.with_name(base_name(path) + ".json")

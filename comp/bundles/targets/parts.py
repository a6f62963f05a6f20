"""What most shipments hold: the bundle, and wheels."""

from __future__ import annotations

import shutil
from pathlib import Path

from comp.bundles.targets.own_wheel import own_wheel
from comp.bundles.targets.packages import download, requirement_lines
from comp.bundles.targets.target import Order
from comp.bundles.zipped import files_below


def copy_bundle(order: Order, folder: Path) -> None:
    """A copy of the bundle."""
    for name, path in bundle_files(order).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)


def bundle_files(order: Order, inside: str = "") -> dict[str, Path]:
    """The name in a shipment -> file, for every file of the bundle."""
    found = files_below(order.bundle.folder, inside)
    return {name: path for name, path in found.items() if not path.name.startswith(".")}


def gather_wheels(order: Order, folder: Path) -> None:
    """Write the wheel of `comp` to a folder, and those of what the target lacks."""
    folder.mkdir(parents=True, exist_ok=True)
    own_wheel(folder)
    lines = requirement_lines(order.has, order.more)
    if order.wheels and lines:
        download(lines, folder, order.python)

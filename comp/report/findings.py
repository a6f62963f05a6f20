"""What `comp check` prints."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table

if TYPE_CHECKING:
    from comp.check.audit import Finding

_OF_MASKS = ("images", "objects", "of all pixels", "of an image that has it (median)")
_SHOWN = 12  # findings of one level about single images


def print_check(record: dict[str, Any], findings: tuple[Finding, ...], *, as_json: bool) -> None:
    """The counts of the images, then every finding, the errors first."""
    if as_json:
        print(json.dumps(record, indent=2, ensure_ascii=False))
        return
    table = Table()
    table.add_column("")
    parts = [record[part] for part in ("train", "test")]
    for name in ("training", "test"):
        table.add_column(name, justify="right", overflow="fold")
    for key in ("images", "unreadable"):
        table.add_row(key, *(str(part[key]) for part in parts))
    for key in ("formats", "modes"):
        table.add_row(key, *(_told(part[key]) for part in parts))
    for key in ("channel means", "channel deviations"):
        table.add_row(key, *(" ".join(f"{v:.3f}" for v in part[key]) for part in parts))
    Console().print(table)
    if record["classes"]:
        print(f"classes: {_told(record['classes'])}")
    if record.get("masks"):
        _print_masks(record["masks"])
    seen: Counter[str] = Counter()
    for finding in findings:
        seen[finding.level] += len(finding.ids) == 1
        if len(finding.ids) != 1 or seen[finding.level] <= _SHOWN:
            print(f"{finding.level}: {finding.text}")
    for level, count in seen.items():
        if count > _SHOWN:
            print(f"{level}: ... and {count - _SHOWN} more about single images (on the page)")


def _print_masks(masks: dict[str, Any]) -> None:
    table = Table("class", *(Column(name, justify="right") for name in _OF_MASKS))
    for name, seen in masks["classes"].items():
        shares = (f"{100 * seen[key]:.2f} %" for key in ("pixels", "of an image"))
        table.add_row(name, str(seen["images"]), str(seen["objects"]), *shares)
    for key in ("background", "not judged"):
        table.add_row(key, "", "", f"{100 * masks[key]:.2f} %", "")
    Console().print(table)
    print(f"images without anything: {masks['images without anything']}")


def _told(counts: dict[str, int]) -> str:
    items = [f"{name} {count}" for name, count in counts.items()]
    return ", ".join(items[:10]) + (f" and {len(items) - 10} more" if len(items) > 10 else "")

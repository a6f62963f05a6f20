"""What `comp check` prints."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from comp.core.terminal import tell
from comp.report.console.printing import print_json, print_table

if TYPE_CHECKING:
    from comp.check.findings import Finding

_OF_MASKS = ("images", "objects", "share of pixels", "share of an image (median)")
_SHOWN = 12  # findings of one level about single images


def print_check(record: dict[str, Any], findings: tuple[Finding, ...], *, as_json: bool) -> None:
    """The counts of the images, then every finding, the errors first."""
    if as_json:
        print_json(record)
        return
    parts = [record[part] for part in ("train", "test")]
    rows = [[key, *(str(part[key]) for part in parts)] for key in ("images", "unreadable")]
    rows += [[key, *(_counts(part[key]) for part in parts)] for key in ("formats", "modes")]
    if any(part.get("channels", 3) != 3 for part in parts):
        rows.append(["channels", *(str(part["channels"]) for part in parts)])
    for key in ("channel means", "channel deviations"):
        rows.append([key, *(" ".join(f"{value:.3f}" for value in part[key]) for part in parts)])
    print_table(("", "training", "test"), rows, notes=2)
    if record["classes"]:
        tell(f"classes: {_counts(record['classes'])}")
    if record.get("masks"):
        _print_masks(record["masks"])
    seen: Counter[str] = Counter()
    for finding in findings:
        seen[finding.level] += len(finding.ids) == 1
        if len(finding.ids) != 1 or seen[finding.level] <= _SHOWN:
            tell(f"{finding.level}: {finding.text}")
    for level, count in seen.items():
        if count > _SHOWN:
            tell(f"{level}: ... and {count - _SHOWN} more about single images (on the page)")


def _print_masks(masks: dict[str, Any]) -> None:
    rows = []
    for name, seen in masks["classes"].items():
        shares = (f"{100 * seen[key]:.2f} %" for key in ("pixels", "of an image"))
        rows.append([name, str(seen["images"]), str(seen["objects"]), *shares])
    for name, key in (("background", "background"), ("ignored", "not judged")):
        rows.append([name, "", "", f"{100 * masks[key]:.2f} %", ""])
    print_table(("class", *_OF_MASKS), rows)
    tell(f"images with an empty mask: {masks['images without anything']}")


def _counts(counts: dict[str, int]) -> str:
    items = [f"{name} {count}" for name, count in counts.items()]
    return ", ".join(items[:10]) + (f" and {len(items) - 10} more" if len(items) > 10 else "")

"""What lies in a folder of data, and what a config would say of it so far."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comp.core.errors import DataError
from comp.data.index import file_match
from comp.data.index.tables import Table, read_table

_TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zip", ".tsv.zip", ".parquet", ".xlsx")
_UNLISTED = 3  # levels of folders in which tables are sought


@dataclass
class Guess:
    """What a config would say. `data`, `top`: its keys; `doubts`: key -> what is not sure;
    `notes`: what was seen besides."""

    data: dict[str, Any]
    top: dict[str, Any] = field(default_factory=dict)
    doubts: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def doubt(self, key: str, text: str) -> None:
        """Say what is not sure about a key."""
        if text:
            self.doubts.setdefault(key, []).append(text)


@dataclass(frozen=True)
class Place:
    """A data folder: its tables with their relative names, and its folders with images."""

    root: Path
    tables: dict[str, Table]
    folders: dict[str, int]
    doubts: tuple[str, ...] = ()


def survey(root: Path) -> Place:
    listing = file_match.list_files(root)
    tables, doubts = {}, []
    folders = Counter(name.rpartition("/")[0] or "." for name, _ in listing.images)
    for name, path in listing.files:
        if path.name.lower().endswith(_TABLES) and name.count("/") < _UNLISTED:
            try:
                tables[name] = read_table(path)
            except DataError as problem:
                doubts.append(f"a table was left out: {problem}".splitlines()[0])
    return Place(root, tables, dict(sorted(folders.items())), tuple(doubts))


def is_test(name: str) -> bool:
    words = name.lower().replace("_", "/").replace("-", "/").replace(".", "/").split("/")
    return bool({"test", "testing", "eval", "valid", "val", "validation"} & {*words})


def sample_table(place: Place) -> str | None:
    named = [n for n in place.tables if "sample" in n.lower() or "submission" in n.lower()]
    return min(named, key=lambda name: ("sample" not in name.lower(), len(name))) if named else None


def homes(place: Place) -> list[str]:
    """The folders in which images may be sought: those that have some, and those above them."""
    out = {"."}
    for folder in place.folders:
        parts = folder.split("/")
        out |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    return sorted(out)


def share_of(place: Place, folder: str) -> Callable[[Sequence[str]], float]:
    listing = file_match.list_files(place.root / folder, place.root)

    def share(cells: Sequence[str]) -> float:
        found = [
            len(paths) == 1 and paths[0].suffix.lower() in file_match.IMAGE_SUFFIXES
            for paths in map(listing.find, cells)
        ]
        return sum(found) / max(1, len(found))

    return share


def best_home(place: Place, names: Sequence[str], word: str) -> tuple[str, float]:
    """The folder in which the most of these names are images, and their share."""
    shares = {folder: share_of(place, folder)(names) for folder in homes(place)}
    best = max(shares, key=lambda folder: (shares[folder], word in folder, -len(folder)))
    return best, shares[best]


def guess_test(out: Guess, place: Place, sample: str | None) -> None:
    """The test images and the sample submission, and the metric that it hints at."""
    if out.data["layout"] in ("defects", "profiles"):
        return
    if sample is None:
        named = [folder for folder in homes(place) if is_test(folder)]
        out.data["test_images"] = named[0] if named else "test"
        out.data["sample_submission"] = None
        out.doubt("sample_submission", "none was found: every image of the test folder is answered")
        if not named:
            out.doubt("test_images", "no folder of test images was found")
        return
    table = place.tables[sample]
    identity = out.data.get("id")
    identity = identity if identity in table.values else table.columns[0]
    ids = table.values[identity]
    folder, share = best_home(place, ids[:200], "test")
    if out.top["task"] == "segmentation" and share < 1:  # perhaps image and class, joined
        bare = list(dict.fromkeys(name.rpartition("_")[0] or name for name in ids))
        folder, share = max(
            (folder, share), best_home(place, bare[:200], "test"), key=lambda p: p[1]
        )
    out.data |= {"test_images": folder, "sample_submission": sample}
    if out.top["task"] != "segmentation" and _asks_probabilities(table, identity):
        out.top["metric"] = {"multiclass": "log_loss"}.get(out.top["task"], "roc_auc")
    if share < 1:
        out.doubt("test_images", f"{share:.0%} of the ids of the sample are images there")


def _asks_probabilities(sample: Table, identity: str) -> bool:
    """Whether the answers in a sample submission are fractions."""
    cells = {c for name in sample.columns if name != identity for c in sample.values[name][:50]}
    return bool(cells) and all(re.fullmatch(r"[01]?\.\d+", cell) for cell in cells)

"""What lies in a folder of data, and the guess about it that becomes a config."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comp.data.index import file_match
from comp.data.index.data_tables import is_usage
from comp.data.index.tables import Table
from comp.data.labels.sample_pairs import class_column, sample_pairs
from comp.scaffold.columns import id_column
from comp.scaffold.open_tables import may_be_table, open_table, other_files
from comp.tasks.kinds import Task
from comp.tasks.starters import metric_of_probs

_SOME = 200  # ids that are looked up
_DEPTH = 3  # levels of folders in which tables are sought
_DEEP = f"more than {_DEPTH} folders deep; tables are sought above"
_SURE = (
    ".csv",
    ".tsv",
    ".parquet",
    ".xlsx",
    ".csv.gz",
    ".tsv.gz",
    ".csv.zip",
    ".tsv.zip",
    ".csv.bz2",
    ".csv.xz",
)


@dataclass
class Guess:
    """What a config would say about a folder.

    `task`        the kind of task
    `data`        the section `data`
    `metric`      the metric that the sample submission suggests, or None
    `image_size`  side of the square, in pixels
    `images`      how many training images there seem to be
    `doubts`      key -> what is not certain about its value, as messages
    `notes`       what else is worth knowing, as messages
    """

    task: Task
    data: dict[str, Any]
    metric: str | None = None
    image_size: int = 224
    images: int = 0
    doubts: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def doubt(self, key: str, text: str) -> None:
        """Note what is not certain about a key; nothing for an empty text."""
        if text:
            self.doubts.setdefault(key, []).append(text)


@dataclass(frozen=True)
class Folder:
    """A folder of data.

    `tables`   relative name -> table
    `images`   relative name of a folder -> the number of images directly in it
    `listing`  all its files
    `others`   relative name -> why no table could be read from it, of files that may hold one
    """

    root: Path
    tables: dict[str, Table]
    images: dict[str, int]
    listing: file_match.Listing
    others: dict[str, str]

    @property
    def doubts(self) -> list[str]:
        """The tables that could not be read, as messages."""
        return [
            f"a table was ignored: {name}: {reason}"
            for name, reason in self.others.items()
            if name.lower().endswith(_SURE)
        ]

    def best_column(self, name: str) -> tuple[str, float]:
        """The column of a table whose cells name most images of any one folder, and their share."""
        shares = [share_of(self, folder) for folder in image_folders(self)]
        found = (id_column(self.tables[name], share) for share in shares)
        return max(found, key=lambda pair: pair[1])


def list_folder(root: Path) -> Folder:
    """The tables and the folders of images below `root`."""
    listing = file_match.list_files(root)
    tables = dict[str, Table]()
    others = other_files(name for name, _ in listing.files)
    images = Counter(name.rpartition("/")[0] or "." for name, _ in listing.images)
    for name, path in listing.files:
        if not may_be_table(path.name):
            continue
        found = open_table(path) if name.count("/") < _DEPTH else _DEEP
        if isinstance(found, str):
            others[name] = found
        else:
            tables[name] = found
    return Folder(root, tables, dict(sorted(images.items())), listing, others)


def is_test(name: str) -> bool:
    """Whether a file or folder is called after a test or validation part, such as test1."""
    words = name.lower().replace("_", "/").replace("-", "/").replace(".", "/").split("/")
    named = {word.rstrip("0123456789") for word in words}
    return bool({"test", "testing", "eval", "valid", "val", "validation", "imagests"} & named)


def sample_table(place: Folder) -> str | None:
    """The name of the table that seems to be the sample submission, or None."""
    named = [n for n in place.tables if "sample" in n.lower() or "submission" in n.lower()]
    return min(named, key=lambda name: ("sample" not in name.lower(), len(name))) if named else None


def image_folders(place: Folder) -> list[str]:
    """The folders that images may be relative to: those that hold some, and those above them."""
    out = {"."}
    for folder in place.images:
        parts = folder.split("/")
        out |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    return sorted(out)


def share_of(place: Folder, folder: str) -> Callable[[Sequence[str]], float]:
    """A function: cells -> the share of them that name exactly one image of the folder."""
    listing = place.listing.within(folder)
    images = {path for _, path in listing.images}

    def share(cells: Sequence[str]) -> float:
        found = [len(paths) == 1 and paths[0] in images for paths in map(listing.find, cells)]
        return sum(found) / max(1, len(found))

    return share


def best_folder(place: Folder, names: Sequence[str], word: str) -> tuple[str, float]:
    """The folder in which most of these names are images, and their share; of equal folders the
    one with `word` in its name."""
    shares = {folder: share_of(place, folder)(names) for folder in image_folders(place)}
    best = max(shares, key=lambda folder: (shares[folder], word in folder, -len(folder)))
    return best, shares[best]


def guess_test(out: Guess, place: Folder, sample: str | None) -> None:
    """Add the test images, the sample submission, and the metric that it suggests."""
    if sample is None:
        named = [folder for folder in image_folders(place) if is_test(folder)]
        out.data["test_images"] = named[0] if named else "test"
        out.data["sample_submission"] = None
        out.doubt(
            "sample_submission", "none was found: every image of the test folder is predicted"
        )
        if not named:
            out.doubt("test_images", "no folder of test images was found")
        return
    table = place.tables[sample]
    key = out.data["id"] if out.data.get("id") in table.columns else table.columns[0]
    names = _image_names if out.task.spatial or out.data.get("rows") == "class" else _ids
    folder, share = max(
        (best_folder(place, some, "test") for some in names(table.values[key])),
        key=lambda found: found[1],
    )
    if share < 1 and not out.task.spatial:
        folder, share = _of_pairs(place, table, key) or (folder, share)
    out.data |= {"test_images": folder, "sample_submission": sample}
    if not out.task.spatial and _holds_probabilities(table, key):
        out.metric = metric_of_probs(out.task)
    if share < 1:
        out.doubt("test_images", f"{share:.0%} of the ids in the sample are images there")


def _of_pairs(place: Folder, table: Table, key: str) -> tuple[str, float] | None:
    """The folder whose images the rows of a sample join with classes; None for other samples."""
    folders = sorted(image_folders(place), key=lambda f: ("test" not in f, len(f)))
    for folder in folders:
        listing = place.listing.within(folder)
        if sample_pairs(table, key, lambda name, at=listing: bool(at.find(name))) is not None:  # type: ignore[misc]
            return folder, 1.0
    return None


def _ids(cells: Sequence[str]) -> list[Sequence[str]]:
    return [cells[:_SOME]]


def _image_names(cells: Sequence[str]) -> list[Sequence[str]]:
    """The ids as they are, and without the class that "_" may join to them."""
    bare = dict.fromkeys(name.rpartition("_")[0] or name for name in cells)
    return [cells[:_SOME], list(bare)[:_SOME]]


def _holds_probabilities(sample: Table, key: str) -> bool:
    """Whether the answers of a sample submission are fractions."""
    others = (key, class_column(sample, key))
    answers = [n for n in sample.columns if n not in others and not is_usage(sample, n)]
    cells = {c for name in answers for c in sample.values[name][:50]}
    return bool(cells) and all(re.fullmatch(r"[01]?\.\d+", cell) for cell in cells)

"""Which file an id means, and the Index of the ids that have one.

A file is always one that was listed: an id is never joined to a path.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import numpy as np

from comp.core import progress
from comp.core.errors import DataError, first, repeated
from comp.data.index.image_files import (
    image_names,
    image_suffix,
    is_left_over,
    is_text,
    stem_of,
    told,
)
from comp.data.index.index import Index
from comp.data.index.masks import Masks
from comp.data.index.path_ends import Ends, PathId, leads_out, path_id

MAX_ID = 1000  # characters
_WHOLE_NUMBER = re.compile(r"0*([0-9]+?)(\.0+)?")  # "1.0" is what pandas makes of 1 beside a gap
_OTHER_PATH = "another path"
_IGNORED = ("__MACOSX",)  # and every name that begins with a dot


def nfc(text: str) -> str:
    """The Unicode form NFC; macOS names files in another one."""
    return unicodedata.normalize("NFC", text)


@dataclass(frozen=True)
class Listing:
    """The files below a folder.

    `folder`   where
    `files`    (relative name with "/", NFC; file), sorted by name; hidden ones are left out
    `outside`  links that lead out of the data; they are not followed
    `root`     the folder of the data, whose other files an id may mean; None: this folder
    `whole`    the listing of `root`, where it is known
    """

    folder: Path
    files: tuple[tuple[str, Path], ...]
    outside: tuple[str, ...] = ()
    root: Path | None = None
    whole: Listing | None = field(default=None, repr=False)

    @cached_property
    def images(self) -> tuple[tuple[str, Path], ...]:
        """The files that are images, see `comp.data.index.image_files`."""
        return tuple(item for item in self.files if item[0] in self._images)

    @property
    def others(self) -> tuple[str, ...]:
        """The names of the files that may be images and cannot be read; texts and tables are not
        among them."""
        return tuple(
            name
            for name, _ in self.files
            if name not in self._images and not is_left_over(name) and not is_text(name)
        )

    @cached_property
    def _images(self) -> frozenset[str]:
        return image_names(self.files)

    def find(self, name: str) -> list[Path]:
        """The files that an id may mean: none, one, or several where it is ambiguous.

        The first of these that is there: the file of this relative name; in sub-folders the files
        of this name; the images of this name without their suffix; for digits the images whose
        name is the same number, with or without leading zeros; for an id with a suffix the images
        that differ in it; the files, then the images, that differ in letter case too. A path of
        elsewhere means the images whose path ends most like it, if they are in this folder.
        """
        found = self._find(nfc(name))
        if found or not _is_path(name):
            return found
        path = path_id(name)
        for spelled in (path.relative, path.relative and unquote(path.relative)):
            found = self._find(nfc(spelled)) if spelled else []
            if found:
                return found
        return self._by_end(path)

    def within(self, folder: str) -> Listing:
        """The files below a folder of this one, "." for itself."""
        if folder == ".":
            return self
        cut = f"{folder}/"
        files = tuple((n.removeprefix(cut), p) for n, p in self.files if n.startswith(cut))
        outside = tuple(n.removeprefix(cut) for n in self.outside if n.startswith(cut))
        return Listing(self.folder / folder, files, outside, self.folder, self)

    def _find(self, key: str) -> list[Path]:
        stem = stem_of(key) if image_suffix(key) else None
        for table, wanted in (
            ("_exact", key),
            ("_names", key),
            ("_stems", key),
            ("_numbers", _number(key)),
            ("_stems", stem),
            ("_any_case", key.casefold()),
            ("_any_case_stems", key.casefold()),
            ("_any_case_stems", stem and stem.casefold()),
        ):
            found: list[Path] = getattr(self, table).get(wanted)
            if found:
                return found
        return []

    def _by_end(self, path: PathId) -> list[Path]:
        here = self._paths
        return [file for file in self._ends.find(path, stem_of) if file in here]

    @cached_property
    def _paths(self) -> frozenset[Path]:
        return frozenset(path for _, path in self.files)

    @cached_property
    def _ends(self) -> Ends:
        """The images here and elsewhere in the data: an id may mean one that is not here."""
        whole = self.whole
        if whole is None and self.root is not None and self.root.is_dir():
            whole = list_files(self.root)
        listings = [whole, self] if whole is not None else [self]
        return Ends.of(
            (
                (home, name, path)
                for listing in listings
                for home in [listing.folder.resolve()]
                for name, path in listing.images
            ),
            stem_of,
        )

    @cached_property
    def _exact(self) -> dict[str | None, list[Path]]:
        return _table(self.files)

    @cached_property
    def _names(self) -> dict[str | None, list[Path]]:
        return _table((name.rpartition("/")[2], path) for name, path in self.files)

    @cached_property
    def _stems(self) -> dict[str | None, list[Path]]:
        return _table(_stem_keys(self.images))

    @cached_property
    def _numbers(self) -> dict[str | None, list[Path]]:
        keys = ((_number(PurePosixPath(name).stem), path) for name, path in self.images)
        return _table((key, path) for key, path in keys if key is not None)

    @cached_property
    def _any_case(self) -> dict[str | None, list[Path]]:
        return _folded(self._exact, self._names)

    @cached_property
    def _any_case_stems(self) -> dict[str | None, list[Path]]:
        return _folded(self._stems)


def _folded(*tables: dict[str | None, list[Path]]) -> dict[str | None, list[Path]]:
    """The tables as one, by keys without letter case; each file once a key."""
    out: dict[str | None, dict[Path, None]] = {}
    for key, paths in (item for table in tables for item in table.items()):
        out.setdefault(key and key.casefold(), {}).update(dict.fromkeys(paths))
    return {key: [*paths] for key, paths in out.items()}


def _table(items: Iterable[tuple[str, Path]]) -> dict[str | None, list[Path]]:
    out: dict[str | None, list[Path]] = {}
    for key, path in items:
        out.setdefault(key, []).append(path)
    return out


def _stem_keys(images: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, Path]]:
    """Each image under its relative name without suffix; in a sub-folder under its bare one too."""
    for name, path in images:
        stem = stem_of(name)
        yield stem, path
        if "/" in stem:
            yield stem.rpartition("/")[2], path


def _number(text: str) -> str | None:
    """Digits without leading zeros and without `.0`, or None for other text."""
    found = _WHOLE_NUMBER.fullmatch(text)
    return found[1] if found else None


def _is_path(name: str) -> bool:
    return "/" in name or "\\" in name or "%" in name


def list_files(folder: Path, root: Path | None = None) -> Listing:
    """The files below `folder`, sorted; links that lead out of it and out of `root` are left out.

    Folders that are links are not entered. Raises DataError for a folder that cannot be read.
    """
    homes = [home.resolve() for home in (folder, root) if home is not None]
    found: list[tuple[str, Path]] = []
    outside: list[str] = []
    for relative, path, link in _walk(str(folder), ""):
        if link and not any(path.resolve().is_relative_to(home) for home in homes):
            outside.append(relative)
            continue
        found.append((relative, path))
    return Listing(folder, tuple(sorted(found)), tuple(sorted(outside)), root)


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, Path, bool]]:
    """The relative name of each file below a folder, the file, and whether it is a link."""
    try:
        items = [item for item in os.scandir(folder) if wanted(item.name)]
    except OSError as problem:
        raise DataError(f"{folder}: cannot be listed ({problem.strerror or problem})") from problem
    for item in items:
        if item.is_dir(follow_symlinks=False):
            yield from _walk(item.path, f"{prefix}{item.name}/")
        elif not item.is_dir():
            yield nfc(prefix + item.name), Path(item.path), item.is_symlink()


def wanted(name: str) -> bool:
    """Whether a file or folder is data, not something that an operating system left there."""
    return not name.startswith(".") and name not in _IGNORED


def bad_ids(ids: Sequence[str], places: Sequence[str], listing: Listing | None = None) -> list[str]:
    """Complaints about ids that are empty, unprintable, too long, or lead out of their folder.

    `places`: where each id stands ("line 7"), for the message. listing: paths of elsewhere are no
    complaint where they mean one of its files.
    """
    out = []
    for name, place in zip(ids, places, strict=True):
        reason = _bad(name)
        if reason is None and _leads_away(name, listing):
            reason = "leads out of the folder of images"
        if reason:
            shown = repr(name) if len(name) <= 60 else f"{name[:57]!r}..."
            out.append(f"{place}: the id {shown} {reason}")
    return _few(out)


def _leads_away(name: str, listing: Listing | None) -> bool:
    if not (_is_path(name) or name == "..") or not leads_out(name):
        return False
    return listing is None or len(listing.find(name)) != 1


def _bad(name: str) -> str | None:
    if not name.strip():
        return "is empty"
    if len(name) > MAX_ID:
        return f"has {len(name)} characters; at most {MAX_ID} are allowed"
    if any(ord(letter) < 32 or letter == "\x7f" for letter in name):
        return "holds a line break or another control character"
    if any(0xD800 <= ord(letter) <= 0xDFFF for letter in name):
        return "is not UTF-8; rename the file"
    return None


def repeated_rows(
    names: Sequence[str], lines: Sequence[int], notes: Sequence[str] = ()
) -> list[str]:
    """A complaint for each id that stands on several lines; `notes`: the label of each row."""
    where: dict[str, list[int]] = {name: [] for name in repeated(names)}
    for row, name in enumerate(names if where else ()):
        if name in where:
            where[name].append(row)
    out = []
    for name, rows in where.items():
        lines_of = [f"{lines[row]}{f' ({notes[row]})' if notes else ''}" for row in rows[:4]]
        out.append(f"the id {name!r} stands on lines {' and '.join(lines_of)}")
    return _few(out)


def match(ids: Sequence[str], listing: Listing) -> tuple[dict[str, Path], list[str]]:
    """The file of each id that has exactly one, and complaints about the other ids.

    Complaints: no file, several files, one file for several ids.
    """
    found: dict[str, Path] = {}
    missing, unclear, owner = [], [], dict[Path, str]()
    for name in dict.fromkeys(ids):
        paths = listing.find(name)
        if len(paths) == 1:
            found[name] = paths[0]
            if owner.setdefault(paths[0], name) != name:
                unclear.append(f"the ids {owner[paths[0]]!r} and {name!r} both mean {paths[0]}")
        elif paths:
            names = " or ".join(str(path.relative_to(listing.folder)) for path in paths[:3])
            unclear.append(f"the id {name!r} may mean {names} in {listing.folder}")
        else:
            missing.append(name)
    _say_spellings(found, listing.folder)
    return found, [*_missing(missing, len(ids), listing), *_few(unclear)]


def _missing(names: Sequence[str], of: int, listing: Listing) -> list[str]:
    if not names:
        return []
    have = first((name for name, _ in listing.images), 3) or "none"
    out = [
        f"{len(names)} of {of} ids have no image in {listing.folder}: {first(names, 10)} "
        f"(its {len(listing.images)} images: {have})"
    ]
    if listing.others:
        out.append(f"{listing.folder}: {not_read(listing.others)}")
    if listing.outside:
        out.append(
            f"{listing.folder}: links that lead out of the data are not followed: "
            f"{first(listing.outside)}; put the files themselves there"
        )
    return out


def not_read(names: Sequence[str]) -> str:
    """A sentence about files that are no images, or in no format that is read."""
    return (
        f"{len(names)} files are no images that can be read ({told(names)}): {first(names, 3)}; "
        "if they are images, convert them to PNG"
    )


def say_not_read(listing: Listing) -> None:
    """Print how many files of a folder are not read, where there are any."""
    if listing.others:
        progress.say(f"{listing.folder}: {not_read(listing.others)}")


def _say_spellings(found: dict[str, Path], folder: Path) -> None:
    """Print how ids differ from the names of their files."""
    differing: dict[str, list[str]] = {}
    for name, path in found.items():
        for what in spelling(name, path):
            differing.setdefault(what, []).append(name)
    for what, names in differing.items():
        file = found[names[0]]
        shown = file.as_posix() if what == _OTHER_PATH else file.name
        progress.say(
            f"{folder}: {len(names)} ids have {what} than their file: {names[0]!r} is {shown}"
        )


def spelling(name: str, path: Path) -> list[str]:
    """How an id differs from the name of its file, leading zeros aside."""
    parts = path_id(name).parts if _is_path(name) else (name,)
    bare = parts[-1] if parts else name
    out = [] if name in (bare, "/".join(parts)) else [_OTHER_PATH]
    if bare != path.name and _is_path(name) and unquote(bare) in (path.name, path.stem):
        return [_OTHER_PATH]
    stem, file = stem_of(bare), stem_of(path.name)
    out += ["another suffix"] if image_suffix(bare) not in ("", path.suffix) else []
    if stem == file or bare == file:
        return out
    if _number(nfc(stem)) is not None:
        return [*out, "another form of their number"] if "." in stem else out
    return [*out, "another Unicode form" if nfc(stem) == nfc(file) else "another letter case"]


def _few(lines: Sequence[str], shown: int = 5) -> list[str]:
    """The first few complaints of one kind, and how many more there are."""
    rest = len(lines) - shown
    return [*lines[:shown], *([f"... and {rest} more like these"] if rest > 0 else [])]


def no_folders(*folders: Path) -> list[str]:
    """A complaint for each of the folders that is missing."""
    return [f"the folder {folder} is missing" for folder in folders if not folder.is_dir()]


def build_index(
    ids: Sequence[str],
    paths: Sequence[Path],
    classes: tuple[str, ...],
    target: np.ndarray[Any, Any] | None = None,
    groups: Sequence[str] | None = None,
    mask_paths: Sequence[Path | None] | None = None,
    masks: Masks | None = None,
    codes: tuple[str, ...] | None = None,
    shares: np.ndarray[Any, Any] | None = None,
    weights: np.ndarray[Any, Any] | None = None,
) -> Index:
    """The Index of rows in any order."""
    order = sorted(range(len(ids)), key=ids.__getitem__)
    return Index(
        ids=tuple(ids[row] for row in order),
        paths=tuple(paths[row] for row in order),
        classes=classes,
        target=None if target is None else target[order],
        groups=None if groups is None else tuple(groups[row] for row in order),
        mask_paths=None if mask_paths is None else tuple(mask_paths[row] for row in order),
        masks=None if masks is None else masks.of(order),
        codes=codes,
        shares=None if shares is None else shares[order],
        weights=None if weights is None else weights[order],
    )

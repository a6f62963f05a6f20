"""Where the pixels of an image lie: one file, several files, or a slice of a file.

`data.files` says so by patterns: `{id}_red.png`, `{path}` for a column of paths,
`{case}.nii.gz#{slice}` for a slice of a volume. A pattern names files that were listed; text of a
table is never joined to a path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comp.core.checksums import digest_lines
from comp.core.errors import DataError, did_you_mean, first
from comp.core.known_digests import known_digests

if TYPE_CHECKING:
    from comp.data.index.file_match import Listing

_FIELD = re.compile(r"\{([^{}]+)\}")
_SLICE = re.compile(r"#(\d+)(?:\.0+)?$")  # "12.0" is what pandas makes of 12 beside a gap
ID = "id"  # in a pattern: the id of the image, whatever its column is called


@dataclass(frozen=True)
class Source:
    """The files of one image, in the order of its channels; for each the number of the slice that
    is meant, from 0, or None for the whole file."""

    files: tuple[Path, ...]
    slices: tuple[int | None, ...]

    @staticmethod
    def of(path: Path) -> Source:
        """One whole file."""
        return Source((path,), (None,))

    @property
    def simple(self) -> bool:
        """Whether it is one whole file."""
        return len(self.files) == 1 and self.slices[0] is None

    @property
    def name(self) -> str:
        """For messages."""
        parts = zip(self.files, self.slices, strict=True)
        return ", ".join(str(f) if n is None else f"{f}#{n}" for f, n in parts)

    def digest(self, digests: Sequence[str]) -> str:
        """The digest of the image, from those of its files: of a simple one that of its file."""
        if self.simple:
            return digests[0]
        pairs = zip(digests, self.slices, strict=True)
        return digest_lines(f"{digest}#{number}" for digest, number in pairs)[: len(digests[0])]


def source_digests(sources: Sequence[Source], cache: Path) -> list[str]:
    """The digest of each image; see `comp.core.known_digests`."""
    paths = [*dict.fromkeys(path for source in sources for path in source.files)]
    known = dict(zip(paths, known_digests(paths, cache), strict=True))
    return [source.digest([known[path] for path in source.files]) for source in sources]


def fields_of(patterns: Sequence[str]) -> list[str]:
    """The columns that patterns name, each once, without the id."""
    found = (name for pattern in patterns for name in _FIELD.findall(pattern))
    return [name for name in dict.fromkeys(found) if name != ID]


def find_sources(
    ids: Sequence[str],
    patterns: Sequence[str],
    columns: Mapping[str, Sequence[str]],
    listing: Listing,
) -> tuple[list[Source], list[str]]:
    """The files of each id by the patterns, and complaints.

    columns: the cells of the columns that the patterns name, in the order of the ids. An image with
    a complaint has no source.
    """
    sources, complaints = list[Source](), list[str]()
    missing: list[str] = []
    for row, name in enumerate(ids):
        cells = {ID: name, **{column: values[row] for column, values in columns.items()}}
        files, slices = list[Path](), list[int | None]()
        for pattern in patterns:
            text = _FIELD.sub(lambda found, cells=cells: cells[found[1]], pattern)  # type: ignore[misc]
            number = _SLICE.search(text)
            if "#" in pattern and number is None:
                complaints.append(f"the id {name!r}: {text!r} does not end with # and a number")
                continue
            wanted = text[: number.start()] if number else text
            paths = listing.find(wanted) if wanted.strip() else []
            if len(paths) == 1:
                files.append(paths[0])
                slices.append(int(number[1]) if number else None)
            elif paths:
                names = first((str(path) for path in paths), 3)
                complaints.append(f"the id {name!r}: {wanted!r} may mean {names}")
            else:
                missing.append(wanted)
        if len(files) == len(patterns):
            sources.append(Source(tuple(files), tuple(slices)))
    if missing:
        have = first((name for name, _ in listing.files), 3) or "none"
        complaints.append(
            f"data.files: {len(missing)} files are not in {listing.folder}: {first(missing)} (it "
            f"has {len(listing.files)} files: {have})"
        )
    return sources, complaints


def ids_of(patterns: Sequence[str], listing: Listing) -> list[str]:
    """The ids of the images of a folder without a table, by the first pattern.

    Raises DataError where the pattern names a column, or no file has such a name.
    """
    pattern = patterns[0]
    if fields_of(patterns) or "#" in pattern or f"{{{ID}}}" not in pattern:
        raise DataError(
            f"data.files: {first(patterns)}: without a table of the test images only {{id}} can be "
            "in it. Name one in data.sample_submission"
        )
    parts = [re.escape(part) for part in pattern.split(f"{{{ID}}}")]
    whole = re.compile("(.+)".join(parts[:2]) + "".join(f"\\1{part}" for part in parts[2:]))
    names = ((whole.fullmatch(name), name) for name, _ in listing.files)
    found = sorted({match[1] for match, _ in names if match})
    if not found:
        have = first((name for name, _ in listing.files), 3) or "none"
        raise DataError(
            f"data.files: no file in {listing.folder} is like {pattern!r}; it has: {have}"
        )
    return found


def lacking_columns(patterns: Sequence[str], columns: Sequence[str], table: Path) -> list[str]:
    """A complaint for each column that patterns name and a table lacks."""
    return [
        f"data.files: {{{name}}} is no column of {table}; it has {first(columns, 12)}."
        f"{did_you_mean(name, columns)}"
        for name in fields_of(patterns)
        if name not in columns
    ]

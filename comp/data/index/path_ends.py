"""Ids that are paths of another place: Windows paths, `./x`, `/kaggle/input/...`, addresses.

Such an id means the file whose path ends like it. It is only ever compared with files that were
listed, never opened itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^/\\]*")
_DRIVE = re.compile(r"[A-Za-z]:(?=[\\/])")


@dataclass(frozen=True)
class PathId:
    """An id as a path.

    `parts`  its folders and its name, without `.`; `..` where it leads out
    `whole`  whether it begins at a root, a drive or a host, of whatever machine
    """

    parts: tuple[str, ...]
    whole: bool

    @property
    def relative(self) -> str | None:
        """The path with "/", or None where it is whole or leads out."""
        return None if self.whole or ".." in self.parts else "/".join(self.parts)


def path_id(text: str) -> PathId:
    """An id as a path: with either slash, a drive, a scheme with `%20` for a space."""
    address = _SCHEME.match(text)
    if address:
        text = unquote(re.split(r"[?#]", text[address.end() :])[0])
    drive = _DRIVE.match(text)
    text = (text[drive.end() :] if drive else text).replace("\\", "/")
    parts: list[str] = []
    for part in text.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return PathId(tuple(parts), bool(address or drive or text.startswith("/")))


def leads_out(text: str) -> bool:
    """Whether an id, taken as a path, leaves the folder that it is relative to."""
    path = path_id(text)
    return path.whole or ".." in path.parts


@dataclass(frozen=True)
class Ends:
    """The images of some folders, found by the ends of their paths.

    `images`  name without suffix and letter case -> the (parts of its path, file) of each
    """

    images: dict[str, list[tuple[tuple[str, ...], Path]]]

    @classmethod
    def of(cls, files: Iterable[tuple[Path, str, Path]], stem: Callable[[str], str]) -> Ends:
        """The ends of files: (folder, its relative name, file); stem: a name without suffix."""
        images: dict[str, dict[tuple[str, ...], Path]] = {}
        for folder, name, path in files:
            parts = tuple(map(_key, (*folder.parts, *name.split("/"))))
            images.setdefault(_key(stem(name.rpartition("/")[2])), {})[parts] = path
        return cls({key: list(found.items()) for key, found in images.items()})

    def find(self, wanted: PathId, stem: Callable[[str], str]) -> list[Path]:
        """The files whose paths end most like an id; none where no folder agrees, unless the id is
        whole."""
        if not wanted.parts:
            return []
        *above, name = map(_key, wanted.parts)
        found = self.images.get(_key(stem(wanted.parts[-1])), [])
        agree = [_agreeing(above, parts[:-1]) for parts, _ in found]
        most = max(agree, default=0)
        if not most and not wanted.whole:
            return []
        best = [item for item, count in zip(found, agree, strict=True) if count == most]
        same = [path for parts, path in best if parts[-1] == name]
        return same or [path for _, path in best]


def _key(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _agreeing(one: Iterable[str], two: Iterable[str]) -> int:
    """How many parts two paths have in common at their ends."""
    count = 0
    for a, b in zip(reversed([*one]), reversed([*two]), strict=False):
        if a != b:
            break
        count += 1
    return count

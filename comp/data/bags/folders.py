"""`data.bag: folder`: the images of a folder are a bag; an id may be the name of that folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from comp.core.errors import first
from comp.data.index.file_match import Listing, nfc


@dataclass(frozen=True)
class Found:
    """An image of a bag: the row of the id that it was found by, its id, its file, its bag."""

    row: int
    id: str
    path: Path
    bag: str


class Folders:
    """The folders below a folder that hold images, in themselves or in folders of their own."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.images: dict[str, list[tuple[str, Path]]] = {}
        self.parent: dict[Path, str] = {}
        for name, path in listing.images:
            parts = name.split("/")[:-1]
            self.parent[path] = "/".join(parts)
            for depth in range(1, len(parts) + 1):
                self.images.setdefault("/".join(parts[:depth]), []).append((name, path))
        self.named: dict[str, list[str]] = {}
        self.numbered: dict[int, list[str]] = {}
        for folder in self.images:
            bare = folder.rpartition("/")[2]
            self.named.setdefault(bare, []).append(folder)
            if bare.isdecimal():
                self.numbered.setdefault(int(bare), []).append(folder)

    def find(self, name: str) -> list[str]:
        """The folders that an id may mean: this path, this name anywhere, this number."""
        key = nfc(name).strip("/")
        if key in self.images:
            return [key]
        return self.named.get(key) or (self.numbered.get(int(key), []) if key.isdecimal() else [])

    def known(self, name: str) -> bool:
        """Whether an id means a folder of images or an image."""
        return bool(self.find(name) or self.listing.find(name))

    def expand(self, ids: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The images of each id, and complaints.

        An id that means a folder stands for the images in it, which are called by it and their path
        below it; another one for an image, whose bag is the folder that it lies in.
        """
        out, missing, unclear, loose = list[Found](), list[str](), list[str](), list[str]()
        owner: dict[str, str] = {}
        for row, name in enumerate(ids):
            folders = self.find(name)
            if len(folders) == 1:
                if owner.setdefault(folders[0], name) != name:
                    unclear.append(f"the ids {owner[folders[0]]!r} and {name!r} mean {folders[0]}")
                cut, inside = len(folders[0]) + 1, self.images[folders[0]]
                out += [Found(row, f"{name}/{n[cut:]}", path, name) for n, path in inside]
                continue
            paths = [] if folders else self.listing.find(name)
            if len(paths) == 1 and self.parent.get(paths[0]):
                out.append(Found(row, name, paths[0], self.parent[paths[0]]))
            elif len(paths) == 1:
                loose.append(name)
            elif folders or paths:
                unclear.append(f"the id {name!r} may mean {first(folders or paths, 3)}")
            else:
                missing.append(name)
        return out, [*self._missing(missing, len(ids)), *unclear[:5], *self._loose(loose)]

    def _missing(self, names: Sequence[str], of: int) -> list[str]:
        if not names:
            return []
        have = first(sorted(self.images), 3) or "none"
        return [
            f"{len(names)} of {of} ids are neither a folder of images nor an image in "
            f"{self.listing.folder}: {first(names)} (its {len(self.images)} folders: {have})"
        ]

    def _loose(self, names: Sequence[str]) -> list[str]:
        if not names:
            return []
        return [
            f"{len(names)} images lie in no folder of {self.listing.folder}, so they have no bag "
            f"(data.bag: folder): {first(names, 3)}"
        ]

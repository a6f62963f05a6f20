"""Names of images and of their masks that differ by one affix, the same for all.

`x.png` with `x_mask.png` or `mask_x.png`, `x_0000.png` with `x.png`, `img_7.png` with `mask_7.png`.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_LOOKED_AT = 5  # names from which affixes are guessed
_WORDS = "masks?|msk|seg|segmentation|labels?|lbl|gt|annotation|ground_?truth|truth"
_BEHIND = re.compile(rf"[ _.-](?:{_WORDS})$", re.IGNORECASE)
_BEFORE = re.compile(rf"^(?:{_WORDS})[ _.-]", re.IGNORECASE)


@dataclass(frozen=True)
class Affixes:
    """What stands before and after the part that the names of an image and of its mask share."""

    image: tuple[str, str] = ("", "")
    mask: tuple[str, str] = ("", "")

    def mask_of(self, stem: str) -> str | None:
        """The stem of the mask of an image; None for a name that does not have the affix. The
        folder stays."""
        folder, slash, name = stem.rpartition("/")
        before, after = self.image
        core = name[len(before) : len(name) - len(after)]
        if not core or before + core + after != name:
            return None
        return folder + slash + self.mask[0] + core + self.mask[1]

    def __str__(self) -> str:
        (before, after), (mask_before, mask_after) = self.image, self.mask
        return f"{before}<name>{after} and {mask_before}<name>{mask_after}"


def find_affixes(images: Sequence[str], masks: Sequence[str]) -> Affixes | None:
    """The affixes by which every image has a mask of its own; None where there are none.

    images, masks: stems, with their folders.
    """
    known = {*masks}
    for guess in dict.fromkeys(_guesses([*map(_bare, images)], [*map(_bare, masks)])):
        found = [guess.mask_of(stem) for stem in images]
        if images and {*found} <= known and len({*found}) == len(found):
            return guess
    return None


def split_masks(stems: Sequence[str]) -> Affixes | None:
    """The affix of masks that lie beside their images; None where the names do not say so.

    The affix must be a word for masks ("_mask", "seg_"), and every image must have one.
    """
    known = {*stems}
    guesses: Counter[tuple[str, str]] = Counter()
    for stem in stems:
        name = _bare(stem)
        guesses.update(("", found[0]) for found in [_BEHIND.search(name)] if found)
        guesses.update((found[0], "") for found in [_BEFORE.search(name)] if found)
    for ends, _ in guesses.most_common(3):
        guess = Affixes(mask=ends)
        marked = {mask for stem in stems if (mask := guess.mask_of(stem)) in known}
        rest = known - marked
        if marked and {guess.mask_of(stem) for stem in rest} == marked:
            return guess
    return None


def _bare(stem: str) -> str:
    return stem.rpartition("/")[2]


def _guesses(images: Sequence[str], masks: Sequence[str]) -> Iterator[Affixes]:
    """Affixes from the first names that contain each other, then from what all names share."""
    some, others = sorted({*images}), sorted({*masks})
    for stem in some[:_LOOKED_AT]:
        yield from (Affixes(mask=ends) for ends in _holding(others, stem))
    for stem in others[:_LOOKED_AT]:
        yield from (Affixes(image=ends) for ends in _holding(some, stem))
    yield Affixes(_shared(some), _shared(others))


def _holding(names: Sequence[str], part: str) -> Iterator[tuple[str, str]]:
    for name in names:
        if part in name and part != name:
            before, _, after = name.partition(part)
            yield before, after


def _shared(names: Sequence[str]) -> tuple[str, str]:
    """What all names begin and end with, digits aside: those are numbers of images."""
    before = re.sub(r"\d+$", "", os.path.commonprefix([*names]))  # noqa: RUF071
    rest = [name[len(before) :][::-1] for name in names]
    return before, re.sub(r"\d+$", "", os.path.commonprefix(rest))[::-1]  # noqa: RUF071

"""Which mask file belongs to an image: one of its name, or one that an affix leads to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from comp.core import progress
from comp.data.index import file_match
from comp.data.index.affixes import find_affixes, split_masks
from comp.data.index.file_match import Listing
from comp.data.index.image_files import stem_of


def match_masks(ids: Sequence[str], masks: Listing) -> tuple[dict[str, Path], list[str]]:
    """The mask of each image, as `match` finds it; else by an affix that is the same for all."""
    stems = {stem_of(file_match.nfc(name)): name for name in ids}
    of_masks = {stem_of(name): path for name, path in masks.images}
    plain = all(len(masks.find(name)) == 1 for name in ids)
    found = None if plain else find_affixes([*stems], [*of_masks])
    if found is None or len(stems) < len(ids):
        return file_match.match(ids, masks)
    progress.say(f"{masks.folder}: images and masks are joined by their names: {found}")
    return {name: of_masks[found.mask_of(stem) or ""] for stem, name in stems.items()}, []


def apart(listing: Listing) -> tuple[Listing, Listing]:
    """The images of a folder and the masks that lie beside them, by the names of the masks.

    Both are the whole listing where names do not tell them apart.
    """
    stems = {stem_of(name): name for name, _ in listing.images}
    affixes = split_masks([*stems])
    if affixes is None:
        return listing, listing
    masks = {stems.get(affixes.mask_of(stem) or "") for stem in stems}
    of_masks = tuple(item for item in listing.images if item[0] in masks)
    of_images = tuple(item for item in listing.images if item[0] not in masks)
    return Listing(listing.folder, of_images), Listing(listing.folder, of_masks)

"""From an index of images to one of bags: a row for each answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from comp.core.errors import DataError, complain, first
from comp.data.index.index import Bags, Index


def bagged(index: Index) -> Index:
    """The bags of an index of images with `places`: ids are the names of the bags, sorted.

    What belongs together stays so: bags that hold images of one group are of one group. Raises
    DataError for bags whose images have several labels.
    """
    members = _members(index)
    heads = [rows[0] for rows in members.values()]
    complain(DataError, "bags (data.bag) have one answer each:", torn_labels(index))
    bags = Bags(replace(index, target=None, shares=None, groups=None), tuple(members.values()))
    return Index(
        ids=tuple(members),
        paths=bags.covers(),
        classes=index.classes,
        target=None if index.target is None else index.target[heads],
        groups=None if index.groups is None else _groups(index, members),
        codes=index.codes,
        shares=None if index.shares is None else index.shares[heads],
        bags=bags,
    )


def answered(index: Index, ids: Sequence[str]) -> Index:
    """The rows that are answered, `ids`: bags of an index of images, or some of its images, each of
    which then has the answer of its bag. Raises DataError for what is neither."""
    members, images = _members(index), dict(zip(index.ids, index.places or (), strict=False))
    as_bags = 2 * sum(name in members for name in ids) >= len(ids)
    unknown = [name for name in ids if name not in (members if as_bags else images)]
    if unknown:
        raise DataError(
            f"{len(unknown)} of {len(ids)} ids of the sample submission are no bags of test images "
            f"(data.bag): {first(unknown)}; the bags are {first(members, 3) or 'none'}"
        )
    ids = sorted(ids)
    rows = tuple(members[name if as_bags else images[name][0]] for name in ids)
    bags = Bags(index, rows)
    return Index(tuple(ids), bags.covers(), index.classes, codes=index.codes, bags=bags)


def with_images(index: Index, images: Index) -> Index:
    """An index of bags whose images are these, in the same rows."""
    assert index.bags is not None, "an index of bags"
    bags = replace(index.bags, images=images)
    return replace(index, paths=bags.covers(), bags=bags)


def torn_labels(index: Index) -> list[str]:
    """A complaint where images of one bag have several labels."""
    if index.target is None or not len(index):
        return []
    texts, torn = index.label_texts(), list[str]()
    members = _members(index)
    for name, rows in members.items():
        told = [part for part in (index.target, index.shares) if part is not None]
        same = all((part[[*rows]] == part[rows[0]]).all() for part in told)
        if not same:
            torn.append(f"{name!r} ({first(sorted({texts[row] for row in rows}), 4)})")
    if not torn:
        return []
    return [
        f"{len(torn)} of {len(members)} bags have images of several labels: {first(torn, 5)}; give "
        "the images of a bag one label, or name another column in data.bag"
    ]


def _members(index: Index) -> dict[str, tuple[int, ...]]:
    """The rows of the images of each bag, in its order; bags sorted by name."""
    places = index.places
    assert places is not None, "images with places in bags"
    out: dict[str, list[int]] = {}
    for row in sorted(range(len(index)), key=lambda row: (places[row][1], index.ids[row])):
        out.setdefault(places[row][0], []).append(row)
    return {name: tuple(out[name]) for name in sorted(out)}


def _groups(index: Index, members: dict[str, tuple[int, ...]]) -> tuple[str, ...]:
    """The group of each bag: the groups of its images are one, called by the first of them."""
    assert index.groups is not None
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for rows in members.values():
        for row in rows[1:]:
            low, high = sorted((root(index.groups[rows[0]]), root(index.groups[row])))
            parent[high] = low
    return tuple(root(index.groups[rows[0]]) for rows in members.values())

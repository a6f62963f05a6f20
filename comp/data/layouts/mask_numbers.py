"""Masks of one file per image, whose pixels are the numbers or the colours of the classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comp.config.schema import BACKGROUND, DataConfig
from comp.core.errors import first
from comp.core.progress import say
from comp.data.index import file_match
from comp.data.index.mask_match import match_masks
from comp.data.layouts.mask_notes import Values, read_values
from comp.data.masks.file_source import FileSource
from comp.data.masks.form import MaskForm
from comp.data.masks.pictures import BLACK, hexed, main_colours, shown_colours
from comp.tasks.counts import IGNORED
from comp.tasks.kinds import Task

Found = tuple[tuple[str, ...], tuple[str, ...], list[FileSource]]  # classes, codes, a source each

_MANY = 32  # different values: not numbers of classes, but a photograph of black and white
_NEAR = 16  # of black or white: what JPEG makes of a mask


def numbered(
    ids: Sequence[str],
    paths: Sequence[Path],
    masks: file_match.Listing,
    data: DataConfig,
    task: Task,
    complaints: list[str],
) -> Found:
    """The classes and the source of each image's mask; what is wrong is added to `complaints`."""
    found, unfound = match_masks(ids, masks)
    complaints += unfound
    known = [found[name] for name in ids if name in found]
    lost = sorted({name for name, path in masks.images if path not in {*known}})
    if lost:
        say(f"{masks.folder}: {len(lost)} masks have no image and are left out: {first(lost)}")
    values = read_values(known, complaints, data.cache)
    make = _of_colours if data.colours else _of_numbers
    if not data.colours and any(value.colours for value in values.values()):
        only = _only_colour(values)
        if only is None or len(data.classes) > 1:
            complaints.append(_about_colours(masks.folder, values, data))
            return (), (), []
        say(f"{masks.folder}: the masks are black and {hexed(only)}: that colour is the one class")
        values = {path: Values((0, 255)) for path in values}
    classes, codes, means = make(masks.folder, values, data, complaints)
    form = MaskForm(len(classes), task.layers(len(classes)))
    single = not means
    sources = [
        FileSource(
            path,
            ((int(single), found[name]),) if name in found else (),
            form,
            **means,
        )
        for name, path in zip(ids, paths, strict=True)
    ]
    return classes, codes, sources


def _of_numbers(
    folder: Path, values: dict[Path, Values], data: DataConfig, complaints: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, Any]]:
    """Classes, codes, and what pixels mean: nothing where they are bright or not."""
    here = sorted({v for one in values.values() for v in one.numbers} - {0, data.ignore})
    single = len(data.classes) <= 1 and _black_and_white(here)
    if not data.classes and len(here) > 1 and here == [*range(1, len(here)), 255]:
        complaints.append(
            f"{folder}: the masks hold {first(here, 12)}: is 255 to be ignored (data.ignore: "
            "255), or a class? Name the classes in data.classes"
        )
    names = data.classes or (("object",) if single else tuple(str(value) for value in here))
    numbers = [1] if single else list(range(1, len(names) + 1)) if data.classes else here
    if not here and not data.classes and not complaints:
        complaints.append(f"{folder}: the masks are empty: there is nothing to learn")
    if data.classes and here and not single and here[-1] == len(names) - 1:
        say(
            f"warning: {folder}: the masks hold numbers up to {here[-1]}, and data.classes has "
            f"{len(names)} names: 1 is {names[0]!r}, and no mask has {names[-1]!r}. If "
            f"{names[0]!r} is the background (0), take it out"
        )
    if not single:
        _refuse_values(values, {0, data.ignore, *numbers}, data, complaints)
    table = tuple((value, number) for number, value in enumerate(numbers, 1))
    table = table if data.ignore is None else (*table, (data.ignore, IGNORED))
    codes = tuple(str(number) for number in numbers)
    return tuple(names), codes, {} if single else {"values": table}


def _of_colours(
    folder: Path, values: dict[Path, Values], data: DataConfig, complaints: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, Any]]:
    """Classes, codes and meaning of pixels by `data.colours`."""
    known = {name: colour for name, colour in data.colours.items() if name != BACKGROUND}
    classes = data.classes or tuple(known)
    if {*classes} != {*known}:
        complaints.append(
            f"data.classes: {first(classes, 12)}; data.colours names {first(known, 12)}"
        )
        return (), (), {}
    place = {name: number for number, name in enumerate(classes, 1)}
    colours = [(colour, place[name]) for name, colour in known.items()]
    black = data.colours.get(BACKGROUND, (0, 0, 0))
    colours += [] if black in known.values() else [(black, 0)]
    codes = tuple(str(place[name]) for name in classes)
    return classes, codes, {"colours": tuple(colours), "tolerance": data.colour_tolerance}


def _only_colour(values: dict[Path, Values]) -> int | None:
    """The one colour that all masks have beside black; None for others."""
    shown = {colour for one in values.values() for colour, _ in one.colours} - {BLACK}
    plain = all({*one.numbers} <= {0} for one in values.values())
    return shown.pop() if plain and len(shown) == 1 else None


def _about_colours(folder: Path, values: dict[Path, Values], data: DataConfig) -> str:
    """What to do about masks that hold colours."""
    counts: Counter[int] = Counter()
    for one in values.values():
        counts.update(dict(one.colours))
    coloured = sum(bool(one.colours) for one in values.values())
    many = len(counts) > _MANY
    main, reach = main_colours(counts) if many else ([c for c, _ in counts.most_common()], 0)
    shown = [colour for colour in main if colour != BLACK]
    names = [*data.classes, *"abcdefgh"[: max(0, len(shown) - len(data.classes))]]
    example = ", ".join(
        f"{name}: [{colour >> 16}, {colour >> 8 & 255}, {colour & 255}]"
        for name, colour in zip(names, shown[: max(4, len(data.classes))], strict=False)
    )
    text = (
        f"{folder}: {coloured} of {len(values)} masks hold colours, not the numbers of classes: "
        f"{shown_colours([*counts], [*counts.values()])}. "
    )
    if not many:
        return f"{text}Say which class each is: data.colours: {{{example}}}"
    return (
        f"{text}{len(counts)} colours are what JPEG or smooth edges leave of {len(main)}: get the "
        f"masks as PNG, or say which class each is and how far a colour may be from it: "
        f"data.colours: {{{example}}} and data.colour_tolerance: {reach}"
    )


def _black_and_white(values: Sequence[int]) -> bool:
    """Whether masks mark one class, by bright pixels: all are 0 or 255, nearly so as JPEG leaves
    them, or shades of grey. 1 and 255 alone are no such noise."""
    near = all(value <= _NEAR or value >= 255 - _NEAR for value in values)
    noisy = any(255 - _NEAR <= value < 255 for value in values)
    return list(values) == [255] or len(values) > _MANY or (near and noisy)


def _refuse_values(
    values: dict[Path, Values], allowed: set[Any], data: DataConfig, complaints: list[str]
) -> None:
    wrong = {path: sorted({*found.numbers} - allowed) for path, found in values.items()}
    wrong = {path: rest for path, rest in wrong.items() if rest}
    if wrong:
        shown = [f"{path.name} ({first(rest, 4)})" for path, rest in wrong.items()]
        known = len(data.classes)
        complaints.append(
            f"{len(wrong)} masks hold values that are no class (0 the background, 1 to {known} "
            f"data.classes; data.ignore for pixels that do not count): {first(shown)}"
        )

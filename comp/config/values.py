"""The types of the values in a config, and what all its sections share."""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def as_tuple(value: object) -> object:
    """A list as a tuple, and a single text as a tuple of one."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


_NAME_BYTES = 200  # of a name in UTF-8; file systems allow 255, and suffixes are added
_JOINER = "\u200d"  # between the parts of an emoji


# Endings that files beside `<name>.csv` and `<name>.json` have: a name with one would be taken for
# a file of another name
_TAKEN_ENDINGS = (".groups", ".skip", ".coco", ".csv", ".json", ".zip", ".html")
# Windows opens a device for these, with any suffix
_DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}


def file_name(value: object) -> object:
    """A name in one Unicode form: letters, marks, digits, emoji, and ` _.+-` after the first.

    Raises ValueError for other letters, for a name that is too long, and for one that is, or looks
    like, a file of another name. What is no text is given back as it is.
    """
    if not isinstance(value, str):
        return value
    name = unicodedata.normalize("NFC", value)
    if name.casefold().endswith(_TAKEN_ENDINGS) or name[-1:] in (".", " "):
        raise ValueError(
            f"a name cannot end like a file of another one ({', '.join(_TAKEN_ENDINGS)}), nor with "
            "a dot or a space"
        )
    if name.split(".")[0].casefold() in _DEVICES:
        raise ValueError("Windows keeps this name for a device; choose another")
    if not name or name[0] in " _.+-" or not all(map(_may_be_in_a_name, name)):
        raise ValueError(
            "a name for folders and files begins with a letter, a digit or an emoji; then come "
            "letters, digits, emoji, spaces, '_', '.', '+', '-'"
        )
    if len(name.encode()) > _NAME_BYTES:
        raise ValueError(f"{len(name.encode())} bytes; at most {_NAME_BYTES} fit in file names")
    return name


def _may_be_in_a_name(letter: str) -> bool:
    kind = unicodedata.category(letter)
    if letter.isascii():
        return letter.isalnum() or letter in " _.+-"
    return kind[0] in "LMN" or kind in ("So", "Sk") or letter == _JOINER


def _encoding(value: object) -> object:
    """The name of a text encoding that Python knows."""
    if not isinstance(value, str):
        return value
    try:
        "".encode(value)  # of text: codecs such as base64 are not
    except LookupError as problem:
        raise ValueError(
            f"{value!r} is no text encoding; write utf-8, cp949, cp1252, shift_jis, gb18030, utf-16"
        ) from problem
    return codecs.lookup(value).name


def _label_pattern(value: object) -> object:
    """A regular expression whose one group is a label."""
    if not isinstance(value, str):
        return value
    try:
        groups = re.compile(value).groups
    except re.error as problem:
        raise ValueError(f"{value!r} is no regular expression: {problem}") from problem
    if groups != 1:
        raise ValueError(
            f"{value!r} has {groups} groups; it needs one, around the label: '^([^.]+)\\.'"
        )
    return value


LabelPattern = Annotated[str, BeforeValidator(_label_pattern), "regular expression of one group"]
FileName = Annotated[str, BeforeValidator(file_name)]


def cell_text(value: object) -> object:
    """A number or truth value of YAML as the text that a table has for it; others as they are."""
    return str(value) if isinstance(value, bool | int | float) else value


def _cells(value: object) -> object:
    """Texts of cells, of which YAML may have made numbers."""
    many = value if isinstance(value, list | tuple) else (value,)
    return tuple(cell_text(item) for item in many)


def _one_cell(value: object) -> object:
    """The text of a cell in one line, of which YAML may have made a number."""
    text = cell_text(value)
    if isinstance(text, str) and not text.isprintable():
        raise ValueError(f"a cell has one line of letters that can be printed, found {text!r}")
    return text


Cell = Annotated[str, BeforeValidator(_one_cell)]
Cells = Annotated[tuple[str, ...], BeforeValidator(_cells)]
Encoding = Annotated[str, BeforeValidator(_encoding), "name of an encoding"]
Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]
Count = Annotated[int, Field(ge=1)]
Counts = Annotated[tuple[Count, ...], BeforeValidator(as_tuple)]
Edges = Annotated[
    tuple[Annotated[float, Field(allow_inf_nan=False)], ...],
    BeforeValidator(as_tuple),
    Field(min_length=1),
]

Bounds = Annotated[
    tuple[
        Annotated[float, Field(allow_inf_nan=False)], Annotated[float, Field(allow_inf_nan=False)]
    ],
    BeforeValidator(as_tuple),
]


def _as_colour(value: object) -> object:
    """The parts of a colour that is written as "#ff0000"."""
    if not isinstance(value, str):
        return as_tuple(value)
    digits = value.strip().removeprefix("#")
    if not re.fullmatch("[0-9a-fA-F]{6}", digits):
        raise ValueError('a colour is [red, green, blue], each 0 to 255, or "#ff0000"')
    return tuple(int(digits[place : place + 2], 16) for place in (0, 2, 4))


_Channel = Annotated[int, Field(ge=0, le=255)]
Colour = Annotated[tuple[_Channel, _Channel, _Channel], BeforeValidator(_as_colour)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
Means = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1)], ...], BeforeValidator(as_tuple), Field(min_length=1)
]
# Divided by: below a thousandth, a channel of [0, 1] would overflow in half precision
Deviations = Annotated[
    tuple[Annotated[float, Field(ge=1e-3, le=1)], ...],
    BeforeValidator(as_tuple),
    Field(min_length=1),
]


def _digests(value: object) -> object:
    """Files as a mapping to their SHA-256, which is "" until they are read."""
    if isinstance(value, str):
        return {value: ""}
    return dict.fromkeys(value, "") if isinstance(value, (list, tuple)) else value


Files = Annotated[dict[str, str], BeforeValidator(_digests), "file or list of files"]


class Section(BaseModel):
    """A part of the config: frozen, without unknown keys, without silent conversions."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, protected_namespaces=(), allow_inf_nan=False
    )

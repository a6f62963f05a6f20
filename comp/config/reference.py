"""The reference of all config keys, made from the schema: `docs/configuration.md`."""

from __future__ import annotations

import ast
import inspect
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from comp.config.schema import Config
from comp.config.values import Section

_BEGIN = "<!-- reference: written by `make docs` from comp/config/schema.py -->"
_END = "<!-- end of reference -->"
_NAMES = {str: "text", int: "integer", float: "number", bool: "true or false", type(None): "null"}
# The attribute of a constraint that holds the bound -> the words before it
_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "min_length": "of at least"}


@dataclass(frozen=True)
class Key:
    """One key of the config: its path, the values that it takes, its default and its meaning.

    `default` is "needed" where there is none.
    """

    path: str
    type: str
    default: str
    meaning: str


def keys(section: type[Section] = Config, prefix: str = "") -> Iterator[Key]:
    """Every key of a section in the order of the schema; sections inside it are walked through."""
    meanings = _meanings(section)
    for name, field in section.model_fields.items():
        inner = _inner(field.annotation)
        if inner is None or field.default is None or field.default == ():
            kind = _described(field.annotation, *field.metadata)
            yield Key(f"{prefix}{name}", kind, _default(field), meanings[name])
        if inner is not None:
            yield from keys(inner, f"{prefix}{name}.")


def reference() -> str:
    """Markdown: a table per section with key, type, default and meaning."""
    tables = [_table("The experiment", "", [key for key in keys() if "." not in key.path])]
    for name, field in Config.model_fields.items():
        section = _inner(field.annotation)
        if section is not None:
            about = inspect.cleandoc(section.__doc__ or "")
            tables.append(_table(f"`{name}`", about, list(keys(section, f"{name}."))))
    return "\n".join(tables)


def page(text: str) -> str:
    """The text of a page with the reference between its two marks; ValueError without them."""
    head, begin, rest = text.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"a page of the reference needs the lines {_BEGIN!r} and {_END!r}")
    return f"{head}{begin}\n\n{reference()}\n{end}{tail}"


def _table(title: str, about: str, rows: list[Key]) -> str:
    lines = [f"## {title}", ""]
    lines += [about, ""] if about else []
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key in rows:
        cells = (f"`{key.path}`", key.type, f"`{key.default}`", key.meaning)
        lines.append(f"| {' | '.join(map(_escaped, cells))} |")
    return "\n".join([*lines, ""])


def _escaped(cell: str) -> str:
    """A cell as Markdown shows it: `|` would end it, and `<name>` would be an HTML tag."""
    cell = cell.replace("|", "\\|")
    return cell if cell.startswith("`") else re.sub(r"<(?=[a-z])", "&lt;", cell)


def _inner(annotation: Any) -> type[Section] | None:
    """The section that a field holds, if it holds one."""
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, Section):
            return part
    return None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    if field.default is None or isinstance(field.default, bool):
        return {None: "null", True: "true", False: "false"}[field.default]
    if isinstance(field.default, tuple):
        return f"[{', '.join(map(str, field.default))}]"
    return str(field.default) if field.default != "" else '""'


def _described(annotation: Any, *metadata: Any) -> str:
    """A type in words: `integer >= 1`, `a or b`, `list of text`, `number or null`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    spoken = [item for item in metadata if isinstance(item, str)]
    if spoken:
        return spoken[0]
    if metadata:
        return f"{_described(annotation)} {_bounds(metadata)}".strip()
    if origin is Annotated:
        return _described(arguments[0], *arguments[1:])
    if origin is Literal:
        return " or ".join(str(value) for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_described(part) for part in arguments)
    if origin is tuple:
        return f"list of {_described(arguments[0])}"
    if origin is dict:
        return f"mapping of {_described(arguments[0])} to {_described(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "section"
    return _NAMES.get(annotation, str(annotation))


def _bounds(metadata: tuple[Any, ...]) -> str:
    """What the value must also be: `>= 0 and < 1`."""
    found = []
    for item in metadata:
        parts = item.metadata if isinstance(item, FieldInfo) else [item]
        found += [
            f"{words} {getattr(part, name)}"
            for part in parts
            for name, words in _BOUNDS.items()
            if getattr(part, name, None) is not None
        ]
    return " and ".join(found)


def _meanings(section: type[Section]) -> dict[str, str]:
    """The comment beside or above each field of a section; "" where there is none."""
    lines = Path(inspect.getfile(section)).read_text(encoding="utf-8").splitlines()
    tree = ast.parse("\n".join(lines))
    body = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == section.__name__)
    out = dict.fromkeys(section.model_fields, "")
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            comment = _comment(lines, node.lineno - 1, node.end_col_offset or 0)
            out[node.target.id] = comment[:1].upper() + comment[1:]
    return out


def _comment(lines: list[str], row: int, end: int) -> str:
    """The comment behind column `end` of a line (in bytes), or the comment lines above it."""
    behind = lines[row].encode()[end:].decode().strip()
    if behind.startswith("#"):
        return behind.removeprefix("#").strip()
    above: list[str] = []
    while row and (found := re.fullmatch(r"\s*# (.*)", lines[row - 1 - len(above)])):
        above.insert(0, found[1])
    return " ".join(above)


if __name__ == "__main__":
    import sys

    for name in sys.argv[1:]:
        Path(name).write_text(page(Path(name).read_text(encoding="utf-8")), encoding="utf-8")

"""Pydantic's complaints in words for the user: the key, what is allowed, the nearest name."""

from __future__ import annotations

import re
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from comp.config.plain_yaml import Lines
from comp.core.errors import did_you_mean

# pydantic's names for the types of a union, among the keys of a path
_OF_A_UNION = re.compile(r"(literal|function-\w+|tuple|list)\[")
_RANGES = ("greater_than", "less_than")


def explain(
    problem: ValidationError, model: type[BaseModel], lines: Lines | None = None
) -> list[str]:
    """One line for each complaint about values that `model` does not allow.

    lines: the line of each key in the file that they are from, which is then named; 0 for `--set`.
    """
    errors = _without_other_types(problem.errors())
    return [f"  - {_explain(error, model)}{_at(error['loc'], lines or {})}" for error in errors]


def _without_other_types(errors: list[Any]) -> list[Any]:
    """Where a key may have several types and the value is of one of them, but out of its range:
    what that type says alone."""
    ranged = {_key(error) for error in errors if error["type"].startswith(_RANGES)}
    return [
        error for error in errors if _key(error) not in ranged or error["type"].startswith(_RANGES)
    ]


def _key(error: Any) -> str:
    """The path of a complaint, without pydantic's names for the types of a union."""
    path = ".".join(str(part) for part in error["loc"] if not _OF_A_UNION.match(str(part)))
    return re.sub(r"\.((constrained-)?(int|float|str)|dict\[.*\])$", "", path)


def _at(loc: tuple[Any, ...], lines: Lines) -> str:
    """` (line 3)`, of the key or of the nearest section around it that the file has."""
    path = tuple(map(str, loc))
    near = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in lines), None)
    if near is None:
        return ""
    return f" (line {lines[near]})" if lines[near] else " (--set)"


def _explain(error: Any, model: type[BaseModel]) -> str:
    path = _key(error)
    given = repr(error["input"])
    given = given if len(given) <= 60 else given[:57] + "..."
    if error["type"] == "missing":
        return f"{path}: this key is needed"
    if error["type"] == "extra_forbidden":
        known = _known_keys(error["loc"][:-1], model)
        hint = did_you_mean(str(error["loc"][-1]), known)
        return f"{path}: unknown key; known here: {', '.join(known)}.{hint}"
    message = error["msg"].removeprefix("Value error, ")
    hint = ""
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        hint = did_you_mean(error["input"], re.findall(r"'([^']+)'", error["ctx"]["expected"]))
    given = "" if error["type"] == "value_error" and isinstance(error["input"], dict) else given
    message = f"{path}: {message}" if path else message
    return message + (f", found {given}" if given else "") + (f".{hint}" * bool(hint))


def _known_keys(loc: tuple[Any, ...], model: Any) -> list[str]:
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:  # else a place in a list
            model = _section(model.model_fields[part].annotation)
    return list(model.model_fields)


def _section(annotation: Any) -> Any:
    """The section that a field holds, also in a list or where it may be null."""
    if hasattr(annotation, "model_fields"):
        return annotation
    parts = map(_section, get_args(annotation))
    return next((found for found in parts if found is not None), None)

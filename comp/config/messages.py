"""Pydantic's complaints in words for the user: the key, what is allowed, the nearest name."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ValidationError

from comp.core.errors import did_you_mean


def explain(problem: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line for each complaint about values that `model` does not allow."""
    return [f"  - {_explain(error, model)}" for error in problem.errors()]


def _explain(error: Any, model: type[BaseModel]) -> str:
    path = ".".join(str(part) for part in error["loc"] if not str(part).startswith("literal["))
    path = re.sub(r"\.((constrained-)?(int|float|str)|dict\[.*\])$", "", path)
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
        model = model.model_fields[part].annotation
    return list(model.model_fields)

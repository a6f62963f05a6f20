"""YAML with the scalars of YAML 1.2, without tags, aliases and repeated keys; and two operations on
the trees of plain values that it gives: override one value, compare two trees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from comp.core.errors import ConfigError

MAX_BYTES = 1 << 20


class _Loader(yaml.SafeLoader):
    """Safe YAML with the scalars of YAML 1.2: `1e-3` is a float, `no` and `on` are text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":float"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?$|^[-+]?\.inf$|^\.nan$"),
    list("-+0123456789."),
)


def parse_yaml(text: str, where: str) -> Any:
    """The plain value of a YAML text: no tags, no aliases, no repeated keys.

    Raises ConfigError with the line for what is not allowed.
    """
    if len(text.encode()) > MAX_BYTES:
        raise ConfigError(f"{where}: larger than {MAX_BYTES} bytes; a config is a page of text")
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise ConfigError(f"{where}{_line(event)}: anchors and aliases are not allowed")
        root = yaml.compose(text, Loader=_Loader)
        if root is None:
            return None
        _refuse_repeats(root, where)
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError) as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        reason = getattr(problem, "problem", None) or str(problem)
        raise ConfigError(f"{where}{line}: not valid YAML: {reason}") from problem


def _line(event: Any) -> str:
    return f", line {event.start_mark.line + 1}"


def _refuse_repeats(node: yaml.Node, where: str) -> None:
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_repeats(child, where)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if key.value in seen:
            raise ConfigError(f"{where}{_line(key)}: the key {key.value!r} is given twice")
        seen.add(key.value)
        _refuse_repeats(value, where)


def assign(tree: dict[str, Any], assignment: str) -> None:
    """Set `key.path=value` in `tree`; ConfigError for an assignment of another form."""
    key, equals, value = assignment.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {assignment}: write it as key.path=value")
    *parents, last = key.strip().split(".")
    for parent in parents:
        if tree.get(parent) is None:
            tree[parent] = {}
        tree = tree[parent]
        if not isinstance(tree, dict):
            raise ConfigError(f"--set {assignment}: {parent!r} holds a value, not further keys")
    tree[last] = parse_yaml(value, f"--set {assignment}")


def flatten(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`key.path` and value of every leaf."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The key paths whose values differ, each with its old and new value."""
    before, after = dict(flatten(old)), dict(flatten(new))
    keys = [*before, *(key for key in after if key not in before)]
    return {
        key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)
    }

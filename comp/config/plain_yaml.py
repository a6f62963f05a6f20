"""YAML with the scalars of YAML 1.2, without tags, aliases and repeated keys; and two operations on
the trees of plain values that it gives: override one value, compare two trees."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.reader import ReaderError

from comp.core.errors import ConfigError

MAX_BYTES = 1 << 20
Lines = dict[tuple[str, ...], int]  # path of a key or list item -> its line, from 1 on
_MAX_DEPTH = 30
_MAX_DIGITS = 60  # of a whole number

_SCALARS = {  # the core schema of YAML 1.2, chapter 10.3.2; all else is text
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+0123456789."),
    ),
}
_BASES = {"0o": 8, "0x": 16}


class _Loader(yaml.SafeLoader):
    """Safe YAML with the scalars of YAML 1.2: `1e-3` is a float, `010` is ten, `no` is text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Keys are names: they stay the text that they are."""
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        """A whole number, of a length that can be meant."""
        text = node.value
        if len(text) > _MAX_DIGITS:
            raise ConstructorError(
                None, None, f"a whole number of {len(text)} digits", node.start_mark
            )
        return int(text[2:], _BASES[text[:2]]) if text[:2] in _BASES else int(text)

    def construct_real(self, node: yaml.ScalarNode) -> float:
        """A float; one that is too large to be one is not taken for infinity."""
        text = node.value.lower().replace(".inf", "inf").replace(".nan", "nan")
        value = float(text)
        if math.isinf(value) and "inf" not in text:
            shown = text if len(text) <= 20 else f"{text[:17]}..."
            raise ConstructorError(None, None, f"{shown} is too large a number", node.start_mark)
        return value


class _Dumper(yaml.SafeDumper):
    """Quotes text that a reader of YAML 1.1 or of YAML 1.2 would take for something else."""


_Loader.yaml_implicit_resolvers = {}
for _name, (_pattern, _first) in _SCALARS.items():
    for _kind in (_Loader, _Dumper):
        _kind.add_implicit_resolver(
            f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), _first
        )
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_whole)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_real)


def parse_yaml(text: str, where: str) -> Any:
    """The plain value of a YAML text: no tags, no aliases, no repeated keys; keys are text.

    Raises ConfigError with the line for what is not allowed.
    """
    return _parse(text, where)[0]


def parse_config(text: str, where: str) -> tuple[Any, Lines]:
    """The plain value of a YAML text, and the line, from 1 on, of each key and list item by its
    path."""
    value, root = _parse(text, where)
    return value, {} if root is None else dict(_lines_of(root, ()))


def dump_yaml(value: Any, *, allow_unicode: bool = True, **how: Any) -> str:
    """Plain values as YAML that `parse_yaml` and readers of YAML 1.1 read in the same way."""
    text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=allow_unicode, **how)
    return text


def _parse(text: str, where: str) -> tuple[Any, yaml.Node | None]:
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise ConfigError(f"{where}: larger than {MAX_BYTES} bytes; a config is a page of text")
    try:
        _refuse_extras(text, where)
        root = yaml.compose(text, Loader=_Loader)
        if root is None:
            return None, None
        _refuse_repeats(root, where)
        return yaml.load(text, Loader=_Loader), root
    except ReaderError as problem:
        line = text.count("\n", 0, problem.position) + 1
        raise ConfigError(
            f"{where}, line {line}: not valid YAML: the character {chr(problem.character)!a} is "
            "not allowed"
        ) from problem
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        at = f", line {mark.line + 1}" if mark else ""
        reason = getattr(problem, "problem", None) or str(problem)
        raise ConfigError(f"{where}{at}: not valid YAML: {reason}") from problem


def _refuse_extras(text: str, where: str) -> None:
    """ConfigError for what a config has no need of: anchors, aliases, tags, deep nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ConfigError(f"{where}{_line(event)}: anchors and aliases are not allowed")
        tag = getattr(event, "tag", None)
        if tag is not None:
            tag = tag.replace("tag:yaml.org,2002:", "!!")
            raise ConfigError(
                f"{where}{_line(event)}: not valid YAML here: tags such as {tag} are not allowed; "
                "write the plain value"
            )
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise ConfigError(f"{where}{_line(event)}: nested more than {_MAX_DEPTH} levels deep")


def _line(event: Any) -> str:
    return f", line {event.start_mark.line + 1}"


def _lines_of(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    pairs = []
    if isinstance(node, yaml.MappingNode):
        pairs = [(key.value, key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        pairs = [(str(place), child, child) for place, child in enumerate(node.value)]
    for name, at, value in pairs:
        yield (*path, name), at.start_mark.line + 1
        yield from _lines_of(value, (*path, name))


def _refuse_repeats(node: yaml.Node, where: str) -> None:
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_repeats(child, where)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(f"{where}{_line(key)}: a key must be a name, not a list or mapping")
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

"""A config as commented YAML: what differs from the defaults, and what was changed of another."""

from __future__ import annotations

from typing import Any

import yaml

from comp.config.schema import Config


def changed_config(config: Config, before: dict[str, Any], header: list[str]) -> str:
    """The config as YAML, without values that are defaults.

    before: key path -> the value that the other config had, told behind the key (which is written
    even where it is a default). header: lines of text above.
    """
    tree = config.model_dump(mode="json", exclude_defaults=True)
    whole = config.model_dump(mode="json")
    for path in before:
        *above, key = path.split(".")
        place, source = tree, whole
        for part in above:
            place, source = place.setdefault(part, {}), source[part]
        place[key] = source[key]
    lines = [f"# {line}" for line in header]
    for key, value in tree.items():
        lines += _lines(key, value, key, before, 0)
    return "\n".join(lines) + "\n"


def _lines(key: str, value: Any, path: str, before: dict[str, Any], depth: int) -> list[str]:
    indent = "  " * depth
    if isinstance(value, dict) and any(old.startswith(f"{path}.") for old in before):
        inner = [
            _lines(name, each, f"{path}.{name}", before, depth + 1) for name, each in value.items()
        ]
        return [f"{indent}{key}:", *(line for part in inner for line in part)]
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=100_000)
    text = text.removesuffix("\n...\n").strip()
    note = f"  # was {before[path]}" if path in before and before[path] != value else ""
    return [f"{indent}{key}: {text}{note}"]

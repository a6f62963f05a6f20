"""A commented config from a guess: each key on a line, its doubts behind it as `# ?`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from comp.config.plain_yaml import dump_yaml
from comp.core.terminal import visible
from comp.scaffold.folder import Guess
from comp.tasks.starters import STARTERS

MARK = "# ?"  # begins the comment on a guess
_RECIPES = "flips_rotate where up and down mean nothing; light for letters, digits, traffic signs"
# Layout -> the recipe, and keys of `train`, for what such data show; else `light`
_FOR: dict[str, tuple[str, str]] = {
    "defects": ("flips_rotate", "sampler: balanced, sampler_strength: 0.5"),
    "profiles": ("portrait", ""),
}


def config_text(name: str, root: str, path: Path, found: Guess) -> str:
    """The config of the experiment `name`, which will lie in `path`. root: the folder of data."""
    starter, file = STARTERS[found.task.target_kind], shlex.quote(str(path))
    recipe, more = _FOR.get(found.data["layout"], ("light", ""))
    lines = [
        f"# {name}: written by `comp init`; what it guessed is marked with `{MARK}`.",
        *(f"# {line}" for line in _one_line(found.notes)),
        f"#   comp check -c {file}",
        f"#   comp folds make -c {file}",
        f"#   comp train -c {file} --fold 0..4",
        f"#   comp ensemble -c {file}",
        _line("name", name),
        _line("task", found.task.name, found.doubts.get("task")),
        _line("metric", found.metric or starter.metric, ["see the rules of the competition"]),
        "data:",
        _line("  root", root, found.doubts.get("root")),
        *(
            _line(f"  {key}", value, found.doubts.get(key))
            for key, value in found.data.items()
            if not (value is None and key == "group" and key not in found.doubts)
        ),
        f"image: {_flow({'size': found.image_size})}  {MARK} larger is slower and better",
        f"augment: {{recipe: {recipe}}}  {MARK} {_RECIPES}",
        *starter.lines(found.images, more),
    ]
    return "\n".join(lines) + "\n"


def guesses_in(text: str) -> int:
    """How many guesses are marked in a config."""
    return text.count(f"  {MARK} ")


def _one_line(texts: list[str]) -> list[str]:
    return [visible(" ".join(text.split())) for text in texts]


def _line(key: str, value: Any, doubts: list[str] | None = None) -> str:
    comment = f"  {MARK} {'; '.join(_one_line(doubts))}" if doubts else ""
    return f"{key}: {_flow(value)}{comment}"


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    text = dump_yaml(value, default_flow_style=True, width=100_000)
    return text.removesuffix("\n...\n").strip()

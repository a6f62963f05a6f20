"""What a metric file of a competition is given: the training images as its solution, in the form of
the sample submission."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from comp.config.schema import DataConfig
from comp.core.errors import ConfigError, DataError, first
from comp.data.index.data_tables import is_usage, read_data_table
from comp.data.index.index import Index
from comp.data.layouts.layouts import sample_path
from comp.tasks.kinds import Task
from comp.tasks.official.metric import Form
from comp.tasks.official.process import Solution

Array = np.ndarray[Any, Any]
Wants = Literal["labels", "probs"]


@dataclass(frozen=True)
class Posed:
    """The solution, what the answers look like, and whether labels or probabilities are scored."""

    solution: Solution
    form: Form
    wants: Wants


def pose(index: Index, data: DataConfig, task: Task, wants: str) -> Posed:
    """The solution of the training images.

    Its columns are those of the sample submission, and further ones of the training table, such as
    a patient; types are what pandas makes of the texts, as on Kaggle. wants: `auto` for what the
    cells of the sample are. Raises ConfigError for a sample whose columns are not understood.
    """
    key, answers, cells = _sample(data)
    names = index.classes
    if task.target_kind == "class":
        one = len(answers) == 1
        scored: Wants = "probs" if not one or _shares(cells[answers[0]]) else "labels"
        scored = scored if wants == "auto" else ("labels" if wants == "labels" else "probs")
        places = [0] if one else [_place(name, names, answers) for name in answers]
        columns = _of_one(answers[0], names, scored) if one else _of_several(answers, places)
        if one and scored == "probs" and len(names) > 2:
            raise ConfigError(
                "official.wants: probs needs a column per class in the sample; it has "
                f"{answers[0]!r} alone"
            )
        hot = np.eye(len(names))[index.labels]
        truth = hot if not one else (index.labels if scored == "labels" else hot[:, -1:])
    else:
        places = [_place(name, names, answers) for name in answers]
        shares = any(_shares(cells[name]) for name in answers)
        scored = "probs" if task.link.measures or shares else "labels"
        scored = scored if wants == "auto" else ("labels" if wants == "labels" else "probs")
        columns, truth = _of_several(answers, places), index.labels
    table: dict[str, Sequence[Any]] = {key: index.ids}
    table |= {name: cells.tolist() for name, cells in columns(np.asarray(truth)).items()}
    table |= {n: c for n, c in _others(index, data).items() if n not in table}
    return Posed(Solution(_typed(table), key), Form(columns), scored)


def _sample(data: DataConfig) -> tuple[str, tuple[str, ...], dict[str, list[str]]]:
    """The id column, the answer columns, and the cells of these in the sample."""
    path = sample_path(data)
    if path is None:
        return data.id, data.target or ("label",), {n: [] for n in data.target or ("label",)}
    table = read_data_table(path, data)
    key = data.id if data.id in table.columns else table.columns[0]
    answers = tuple(n for n in table.columns if n != key and not is_usage(table, n))
    if not answers or len({*table.values[key]}) < len(table):
        raise ConfigError(
            f"{path}: a metric file needs a sample with a row per image and a column per answer"
        )
    return key, answers, {name: table.values[name] for name in answers}


def _shares(cells: Sequence[str]) -> bool:
    """Whether the cells of a sample are probabilities: numbers with a point."""
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return False
    return any("." in cell for cell in cells) and all(0 <= number <= 1 for number in numbers)


def _place(name: str, names: Sequence[str], answers: Sequence[str]) -> int:
    """The class that a column of the sample is called after."""
    found = [n for n, own in enumerate(names) if own == name]
    found = found or [n for n, own in enumerate(names) if name.endswith(own)]
    if len(found) != 1:
        raise ConfigError(
            f"the sample's columns {first(answers)} are not called like the classes "
            f"{first(names)}, which a metric file needs"
        )
    return found[0]


def _of_one(
    column: str, names: Sequence[str], scored: Wants
) -> Callable[[Array], dict[str, Array]]:
    """One column: the name of the class, or the probability of the positive one."""
    texts = np.array(_numbers(names), dtype=object)

    def labels(answer: Array) -> dict[str, Array]:
        found = texts[np.asarray(answer).reshape(len(answer)).astype(int)]
        return {column: np.array(found.tolist())}

    def probs(answer: Array) -> dict[str, Array]:
        return {column: np.asarray(answer, dtype=float).reshape(len(answer), -1)[:, -1]}

    return labels if scored == "labels" else probs


def _of_several(
    answers: Sequence[str], places: Sequence[int]
) -> Callable[[Array], dict[str, Array]]:
    """A column per class; a binary task has one column of probabilities for two classes."""

    def columns(answer: Array) -> dict[str, Array]:
        table = np.asarray(answer)
        if table.ndim == 1:  # decisions of one class
            table = np.eye(max(places) + 1, dtype=int)[table]
        if table.shape[1] == 1 and len(places) == 2:
            table = np.concatenate([1 - table, table], axis=1)
        return {name: table[:, place] for name, place in zip(answers, places, strict=True)}

    return columns


def _numbers(names: Sequence[str]) -> list[Any]:
    """The names as pandas reads them: numbers where all of them are."""
    return _typed({"name": names})["name"].tolist() if names else []


def _others(index: Index, data: DataConfig) -> dict[str, Sequence[Any]]:
    """Further columns of the training table; groups where it is not one row per image."""
    path = Path(data.root) / data.train_csv
    own: dict[str, Sequence[Any]] = {}
    if index.groups is not None:
        own[data.group or "group"] = index.groups
    if not path.is_file():
        return own
    try:
        table = read_data_table(path, data, headless=True)
    except DataError:
        return own
    if data.id not in table.columns or len({*table.values[data.id]}) < len(table):
        return own
    place = {name: row for row, name in enumerate(table.values[data.id])}
    if not {*index.ids} <= {*place}:
        return own
    rows = [place[name] for name in index.ids]
    return {n: [table.values[n][row] for row in rows] for n in table.columns} | own


def _typed(table: dict[str, Any]) -> Any:
    """The columns as pandas reads them from a text."""
    import pandas as pd

    text = pd.DataFrame({name: list(cells) for name, cells in table.items()}).to_csv(index=False)
    return pd.read_csv(io.StringIO(text))

"""A competition's metric file as a metric: `metric: official_metric.py`.

The file holds `score(solution, submission, row_id_column_name, ...)`, as Kaggle asks of metrics:
two DataFrames, a number. It is run unchanged, in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from comp.core.errors import CompError, MetricError
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric
from comp.tasks.official.process import Process, Solution
from comp.tasks.official.rows import NumberedRows

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Form:
    """What the answers are called and how they look in a submission.

    `columns`  answers as `comp` has them -> the columns of the submission
    """

    columns: Callable[[Array], dict[str, Array]]


@dataclass
class Official:
    """A metric file. It scores nothing before it knows the solution (`bind`)."""

    path: Path
    arguments: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 60.0
    _bound: tuple[Process, Form] | None = None

    def bind(self, solution: Solution, form: Form) -> None:
        """From now on answers are scored against this solution."""
        if self._bound is not None:
            self._bound[0].close()
        self._bound = Process(self.path, solution, self.arguments, self.seconds), form

    def weighted(self, target: Array, answer: Array, _: int, weights: Array) -> Array:
        """(R,) scores: a row of whole numbers says how often each image is there.

        NaN for weights that are no whole numbers, which a file knows nothing of, and for a drawn
        set that it refuses, such as one without a class.
        """
        if self._bound is None:
            raise CompError(f"{self.path.name}: scores a run of a config with its data only")
        process, form = self._bound
        rows = target.rows if isinstance(target, NumberedRows) else None
        if rows is None:
            raise CompError(f"{self.path.name}: it is not known which images these targets are of")
        answer = np.asarray(answer)
        out = np.full(len(weights), np.nan)
        for number, counts in enumerate(np.asarray(weights)):
            whole = np.rint(counts).astype(np.int64)
            if not np.array_equal(whole, counts) or not whole.any():
                continue
            taken = np.repeat(np.arange(len(rows)), whole)
            try:
                out[number] = process.score(np.asarray(rows)[taken], form.columns(answer[taken]))
            except MetricError:
                if (counts == 1).all():
                    raise
        return out


def official_metric(
    name: str,
    path: Path,
    task: Task,
    *,
    wants: Literal["labels", "probs"],
    better: str,
    arguments: Mapping[str, Any],
    seconds: float,
) -> Metric:
    """The metric of a file, to be bound to a solution (`Metric.source`)."""
    source = Official(path, arguments, seconds)
    return Metric(
        name=name,
        weighted=source.weighted,
        wants="probs" if task.link.measures else wants,
        greater_is_better=better == "higher",
        of=(task.target_kind,),
        known_only=False,
        searched=True,
        source=source,
    )

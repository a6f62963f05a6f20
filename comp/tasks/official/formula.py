"""A formula of metrics as a metric: `metric: {formula: "0.5*macro_f1 + 0.5*roc_auc"}`."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core.errors import ConfigError, pick
from comp.tasks.kinds import Task
from comp.tasks.metrics import METRICS, Metric, check_metric

Array = np.ndarray[Any, Any]
Values = Mapping[str, Any]

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def is_formula(text: str) -> bool:
    """Whether the name of a metric is a formula."""
    return text not in METRICS and re.search(r"[-+*/() ]", text) is not None


@dataclass(frozen=True)
class Formula:
    """A formula of names: numbers, + - * / and parentheses. `names`: each once, sorted."""

    tree: ast.Expression
    names: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Formula:
        """ConfigError for what is no formula, and for one of no name."""
        tree = _parsed(text)
        names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
        if not names:
            raise ConfigError(f"metric: {text!r}: a formula of no metric")
        return cls(tree, tuple(names))

    def values(self, values: Values, rows: int) -> Array:
        """(rows,) its values; of each name (rows,) are given."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.asarray(_value(self.tree.body, values))
        return np.broadcast_to(found, (rows,)).astype(float)

    def rises(self, metrics: Mapping[str, Metric], better: str) -> bool:
        """Whether a higher value is better: whether it rises as its metrics get better; better: the
        answer where one pulls it up and another down."""
        ways = {self._helps(name, metrics) for name in metrics}
        return ways.pop() if len(ways) == 1 else better == "higher"

    def _helps(self, name: str, metrics: Mapping[str, Metric]) -> bool:
        """Whether the formula rises as a metric gets better.

        Raises ConfigError where it cannot be computed, or does not depend on the metric.
        """
        middle = dict.fromkeys(metrics, 0.5)
        more = {**middle, name: 0.5 + (1e-3 if metrics[name].greater_is_better else -1e-3)}
        tree = self.tree
        try:
            change = float(_value(tree.body, more)) - float(_value(tree.body, middle))
        except (ZeroDivisionError, OverflowError) as problem:
            raise ConfigError(
                f"metric: {ast.unparse(tree)!r} has no value ({problem})"
            ) from problem
        if not np.isfinite(change) or change == 0:
            raise ConfigError(f"metric: {ast.unparse(tree)!r} does not depend on {name}")
        return change > 0


def formula_metric(text: str, task: Task, better: str) -> Metric:
    """The metric of a formula of numbers, + - * / and parentheses, and names of metrics.

    Where all of them take decisions, so does it; else it takes probabilities, and metrics of
    decisions get those of the neutral rule. better: which way is up where one metric pulls up as it
    gets better, and another down.
    Raises ConfigError for what is no such formula, and for metrics that do not fit the task.
    """
    formula = Formula.of(text)
    fitting = {n: metric for n, metric in METRICS.items() if task.target_kind in metric.of}
    parts = {
        name: METRICS.get(_known(name)) or pick(fitting, name, "metric in a formula")
        for name in formula.names
    }
    for part in parts.values():
        check_metric(part, task)
        if part.wants == "counts":
            raise ConfigError(f"metric: {text!r}: {part.name} is of masks; a formula is not")
    labels = all(part.wants == "labels" for part in parts.values())

    def weighted(target: Array, answer: Array, classes: int, weights: Array) -> Array:
        decided = answer if labels else task.decide(answer)
        values = {
            name: part.weighted(
                target, decided if part.wants == "labels" else answer, classes, weights
            )
            for name, part in parts.items()
        }
        return formula.values(values, len(weights))

    return Metric(
        name=text,
        weighted=weighted,
        wants="labels" if labels else "probs",
        greater_is_better=formula.rises(parts, better),
        of=(task.target_kind,),
        known_only=all(part.known_only for part in parts.values()),
        searched=True,
    )


def _known(name: str) -> str:
    """The name of a metric; one with a point, such as macro_f0.5, is written macro_f0_5."""
    return next((known for known in METRICS if known.replace(".", "_") == name), name)


def _parsed(text: str) -> ast.Expression:
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError) as problem:
        raise ConfigError(f"metric: {text!r} is no formula ({problem})") from problem
    _check(tree.body, text)
    return tree


def _check(node: ast.expr, text: str) -> None:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        _check(node.left, text)
        _check(node.right, text)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        _check(node.operand, text)
    elif not isinstance(node, ast.Name) and not (
        isinstance(node, ast.Constant) and type(node.value) in (int, float)
    ):
        raise ConfigError(
            f"metric: {text!r}: {ast.unparse(node)!r} is not allowed; a formula has numbers, "
            "+ - * /, parentheses and names of metrics"
        )


def _value(node: ast.expr, values: Values) -> Any:
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.UnaryOp):
        found = _value(node.operand, values)
        return -found if isinstance(node.op, ast.USub) else found
    if isinstance(node, ast.Name):
        return values[node.id]
    assert isinstance(node, ast.Constant)
    return node.value

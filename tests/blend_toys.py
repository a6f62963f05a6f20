"""Targets and members that weights and votes are tried on."""

from __future__ import annotations

import numpy as np


def columns_case(
    members: int = 5, rows: int = 80, classes: int = 4
) -> tuple[np.ndarray, list[np.ndarray]]:
    draw = np.random.default_rng(3)
    target = (draw.random((rows, classes)) < 0.4).astype(np.int64)
    noise = draw.normal(0, 0.35, (members, rows, classes))
    probs = [np.clip(target * 0.3 + 0.35 + n, 0, 1).astype(np.float32) for n in noise]
    return target, probs


def classes_case(members: int = 5, rows: int = 80) -> tuple[np.ndarray, list[np.ndarray]]:
    """Three classes, and members that see them through noise."""
    draw = np.random.default_rng(4)
    target = draw.integers(0, 3, rows)
    raw = [draw.random((rows, 3)) + 0.4 * np.eye(3)[target] for _ in range(members)]
    return target, [(p / p.sum(axis=1, keepdims=True)).astype(np.float32) for p in raw]

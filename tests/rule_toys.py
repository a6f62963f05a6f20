"""Targets and probabilities that rules are tuned on."""

from __future__ import annotations

import numpy as np


def softmax_case(seed: int, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    rows = int(draw.integers(3, 25))
    probs = draw.dirichlet(np.full(classes, 0.7), rows).astype(np.float32)
    return draw.integers(classes - seed % 2, size=rows), probs  # odd seeds: an absent class

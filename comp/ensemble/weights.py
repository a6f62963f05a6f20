"""How much each member counts: equally, by greedy selection, or by a search over the simplex."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.plain_yaml import parse_yaml
from comp.core import rng
from comp.core.errors import ConfigError, first, unreadable
from comp.ensemble.blend_scores import Judge
from comp.ensemble.rules.cuts import TIE

Array = np.ndarray[Any, Any]

_ROUNDS = 60
_PATIENCE = 15  # rounds without a better prefix, after which a selection is over
_BAGS, _BAGGED_FROM = 8, 6  # bags of half the members, where there are this many
_MIXES, _CLIMBS = (-0.3, -0.1, 0.05, 0.1, 0.2, 0.5), 20  # of hill climbing
_FIRST_STEP, _LAST_STEP = 0.5, 0.01  # shares of the whole weight


def greedy_picks(judge: Judge, among: Array, rounds: int = _ROUNDS) -> list[int]:
    """Members in the order in which they were picked, with replacement, up to the best prefix.

    Each round adds the member of `among` with which the mean of all picks scores best; of equals
    the first. R. Caruana et al., Ensemble selection from libraries of models, ICML 2004.
    """
    total = np.zeros(judge.values.shape[1:], dtype=np.float32)
    picks: list[int] = []
    best, length = -np.inf, 0
    for count in range(rounds):
        scores = np.nan_to_num(judge.step(total, count, among), nan=-np.inf)
        pick = int(among[np.flatnonzero(scores >= scores.max() - TIE)[0]])
        picks.append(pick)
        total += judge.values[pick]
        if scores.max() > best + TIE:
            best, length = float(scores.max()), count + 1
        if count + 1 - length >= _PATIENCE:
            break
    return picks[: max(1, length)]


def _greedy(judge: Judge, seed: int) -> Array:
    """Shares of the picks; with six members and more, of selections from random halves too."""
    members = len(judge.values)
    bags = [np.arange(members)]
    if members >= _BAGGED_FROM:
        draw = rng.generator(seed, "bags")
        half = (members + 1) // 2
        bags += [np.sort(draw.choice(members, half, replace=False)) for _ in range(_BAGS)]
    total = np.zeros(members)
    for bag in bags:
        picks = greedy_picks(judge, bag)
        total += np.bincount(picks, minlength=members) / len(picks)
    return np.asarray(total / total.sum())


def _climb(judge: Judge, _: int) -> Array:
    """Hill climbing from the best single member, with weights that may be negative.

    Each round mixes the blend with one member, (1 - w) blend + w member, with the best w of _MIXES,
    until nothing gains: a member that errs as another one does can be taken off it. After Caruana
    et al. 2004, with the negative weights that competitors add to it.
    """
    members = len(judge.values)
    nothing = np.zeros_like(judge.values[0])
    singles = np.nan_to_num(judge.step(nothing, 0, np.arange(members)), nan=-np.inf)
    weights = np.eye(members)[int(singles.argmax())]
    best = float(singles.max())
    for _round in range(_CLIMBS):
        mean, found = _mean(judge, weights), (best, 0, 0.0)
        for m in range(members):
            for mix in _MIXES:
                there = np.float32(1 - mix) * mean + np.float32(mix) * judge.values[m]
                score = judge.score(there)
                if score > found[0] + TIE:
                    found = score, m, mix
        if not found[2]:
            break
        best, m, mix = found
        weights = (1 - mix) * weights + mix * np.eye(members)[m]
    return np.asarray(weights)


def _optimize(judge: Judge, _: int) -> Array:
    """A pattern search over the simplex, from equal weights and from the best single member.

    Weight is moved to or from one member at a time, half of the whole at first, and half as much
    as before when no move gains: scores that go in steps have no slope to follow from equal
    weights, but moves this large leave the step. Kolda, Lewis & Torczon, Optimization by direct
    search, SIAM Review 45 (2003).
    """
    members = len(judge.values)
    singles = np.nan_to_num(
        judge.step(np.zeros_like(judge.values[0]), 0, np.arange(members)), nan=-np.inf
    )
    starts = [np.full(members, 1 / members), np.eye(members)[singles.argmax()]]
    found = [_search(judge, start) for start in starts]
    best = max(score for _, score in found)
    return next(weights for weights, score in found if score >= best - TIE)


def _search(judge: Judge, weights: Array) -> tuple[Array, float]:
    step = _FIRST_STEP
    mean = _mean(judge, weights)
    best = judge.score(mean)
    while step >= _LAST_STEP:
        gained = False
        for m in range(len(weights)):
            for share in (step, -step * weights[m] / max(1 - weights[m], TIE)):
                moved = np.maximum((1 - share) * weights + share * np.eye(len(weights))[m], 0)
                if not 0 < moved.sum() < np.inf or (share < 0 and weights[m] in (0.0, 1.0)):
                    continue
                moved /= moved.sum()
                there = np.float32(1 - share) * mean + np.float32(share) * judge.values[m]
                score = judge.score(there)
                if score > best + TIE:
                    weights, mean, best, gained = moved, there, score, True
        mean = _mean(judge, weights)
        step = step if gained else step / 2
    return weights, best


def _mean(judge: Judge, weights: Array) -> Array:
    return np.asarray(np.einsum("m,mcn->cn", weights.astype(np.float32), judge.values))


WEIGHERS: dict[str, Callable[[Judge, int], Array] | None] = {
    "equal": None,
    "greedy": _greedy,
    "optimize": _optimize,
    "climb": _climb,
}
SIGNED = ("climb",)  # may find negative weights


def read_weights(path: Path, names: list[str]) -> Array:
    """(M,): the weight of each member in a YAML or JSON file of names and numbers; 0 where unnamed.

    Raises ConfigError for a file that cannot be read, for unknown names and wrong weights.
    """
    try:
        tree = parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(
            f"ensemble.weights: {str(path)!r} is neither one of {', '.join(WEIGHERS)} nor a file "
            f"of weights ({unreadable(problem)})"
        ) from problem
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected names of members with a weight each, as `name: 2`")
    tree = {str(name): value for name, value in tree.items()}
    unknown = [name for name in tree if name not in names]
    if unknown:
        raise ConfigError(f"{path}: no member {first(unknown)}; the members are {first(names, 20)}")
    values = [tree.get(name, 0) for name in names]
    wrong = [v for v in values if isinstance(v, bool) or not isinstance(v, int | float) or v < 0]
    if wrong or not sum(values) or not np.isfinite(values).all():
        raise ConfigError(f"{path}: {values}: weights are numbers >= 0, not all of them zero")
    return np.array(values, dtype=np.float64)

"""Entries of your own: metrics, losses, recipes, layouts, votes, samplers.

Each function takes a name and a function, or is a decorator:

    @comp.register_recipe("wet")
    def wet(size):
        return [A.RandomRain(p=0.5)]

    comp.register_metric("kappa", sklearn.metrics.cohen_kappa_score)

Call them in a file that the config names (`plugins: [my_parts.py]`), and the command line, worker
processes and manifests know them too; in a notebook's cell they are known to this process only.
All raise ConfigError (`comp.errors.ConfigError`) for a name that is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from comp.core.registry import enter

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from comp.config.schema import DataConfig

    Array = np.ndarray[Any, Any]

F = TypeVar("F", bound=Callable[..., Any])


def _apply(
    function: Callable[..., Any] | None, register: Callable[[Callable[..., Any]], None]
) -> Callable[[F], F]:
    """Register `function`, or give the decorator that does it."""

    def decorate(given: F) -> F:
        register(given)
        return given

    if function is not None:
        register(function)
    return decorate


def register_metric(
    name: str,
    function: Callable[..., float] | None = None,
    *,
    wants: Literal["labels", "probs"] = "labels",
    greater_is_better: bool = True,
    of: Sequence[Literal["class", "columns"]] = ("class", "columns"),
) -> Callable[[F], F]:
    """Add a metric: `metric: <name>` in a config.

    function: `f(target, answer, sample_weight=weights)` -> float, as scikit-learn's metrics are.
    target is (N,) class numbers or (N, C) zeros and ones; answer has the same shape, or with
    `wants="probs"` is (N, C) probabilities (binary: (N, 1), of the second class). NaN: not defined
    on these rows. Bootstrap intervals call it 500 times with other weights.
    of: "class" (binary, multiclass), "columns" (multilabel), or both.
    """
    from comp.tasks.custom import custom_metric
    from comp.tasks.metrics import METRICS

    def register(given: Callable[..., float]) -> None:
        metric = custom_metric(
            name, given, wants=wants, greater_is_better=greater_is_better, of=tuple(of)
        )
        enter(METRICS, "metric", name, metric)

    return _apply(function, register)


def register_loss(
    name: str,
    function: Callable[..., Any] | None = None,
    *,
    links: Sequence[Literal["sigmoid", "softmax"]] = ("sigmoid", "softmax"),
    whole_batch: bool = False,
) -> Callable[[F], F]:
    """Add a loss: `train.loss: <name>`, alone or in a sum.

    function: `f(logits, target)` -> tensor. Both are float tensors (N, C, ...), (N, C, H, W) for
    segmentation; target holds probabilities, soft after mixup or label smoothing. It gives the
    loss of each cell, in the shape of the logits, and `comp` weighs, masks and averages them.
    whole_batch: it gives one number for the batch instead, as Dice does; it then takes no class
    weights and is not for segmentation.
    links: the outputs that it is for; sigmoid: binary and multilabel, softmax: multiclass.
    """
    from comp.tasks.custom import custom_loss
    from comp.tasks.losses import LOSSES

    def register(given: Callable[..., Any]) -> None:
        loss = custom_loss(name, given, links=tuple(links), whole_batch=whole_batch)
        enter(LOSSES, "loss", name, loss)

    return _apply(function, register)


def register_recipe(
    name: str, function: Callable[[int], list[Any]] | None = None
) -> Callable[[F], F]:
    """Add an augmentation recipe: `augment.recipe: <name>`.

    function: `f(size)` -> a list of albumentations transforms for images (size, size, 3) uint8,
    which keep that size. All their draws come from a seed per image; none may draw elsewhere.
    """
    from comp.data.loader.recipes import RECIPES, custom_recipe

    def register(given: Callable[[int], list[Any]]) -> None:
        enter(RECIPES, "recipe", name, custom_recipe(name, given))

    return _apply(function, register)


def register_sampler(
    name: str,
    function: Callable[[Array, float, np.random.Generator], Array] | None = None,
) -> Callable[[F], F]:
    """Add a sampler: `train.sampler: <name>`.

    function: `f(target, strength, generator)` -> integer places among the training rows, the order
    of one epoch; as many each time. target: (N,) class numbers or (N, C) zeros and ones; strength:
    `train.sampler_strength` in (0, 1]; generator: NumPy's, for every draw that it makes.
    """
    from comp.data.loader.sampler import SAMPLERS, custom_sampler

    def register(given: Callable[..., Array]) -> None:
        enter(SAMPLERS, "sampler", name, custom_sampler(name, given))

    return _apply(function, register)


def register_vote(
    name: str,
    transform: Callable[[Array], Array] | None = None,
    inverse: Callable[[Array], Array] | None = None,
) -> None:
    """Add a vote: `ensemble.vote: <name>`; a mean on another scale.

    transform: probabilities (N, C) float64 in [0, 1] -> the values that are averaged over members.
    inverse: their weighted means (N, C) -> probabilities; they are clipped to [0, 1], and for one
    class per image divided by their sum. `None` leaves the numbers as they are. Both go cell by
    cell: members are merged in chunks of rows.
    """
    from comp.ensemble.votes import VOTES, custom_vote

    enter(VOTES, "vote", name, custom_vote(name, transform, inverse))


def register_layout(
    name: str,
    function: Callable[[Path, DataConfig], pd.DataFrame] | None = None,
    *,
    test_images: str | None = None,
) -> Callable[[F], F]:
    """Add a data layout: `data.layout: <name>`, for tasks with labels.

    function: `f(root, data)` -> a DataFrame with a row per training image and the columns `id`
    (text), `path` (of the image, relative to root), `label` (text; of several labels, joined by
    `data.separator` or "|"), and, where there are any, `group` (images that share one stay in one
    fold). root: the folder `data.root`; data: the section `data` of the config.
    test_images: the folder of the test images below root; None: `data.test_images`.
    """
    from comp.data.layouts.custom import custom_layout
    from comp.data.layouts.layouts import LAYOUTS

    def register(given: Callable[[Path, DataConfig], pd.DataFrame]) -> None:
        enter(LAYOUTS, "layout", name, custom_layout(name, given, test_images))

    return _apply(function, register)

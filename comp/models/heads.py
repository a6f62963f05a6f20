"""The last layers of a network: linear or MLP, their initial weights, one head per attribute.

Attribute heads give the logits of the joint classes, as sums of log-probabilities, so that nothing
downstream differs: probabilities stay (N, C), and cross-entropy on the joint
class is the sum of the cross-entropies of the attributes where every combination is a class.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from comp.config.schema import JOINT, ModelConfig
from comp.core.errors import ConfigError, ModelError, first, pick
from comp.models.bags.nets import BagNet
from comp.tasks.grades import Steps

_SMALL = 0.01  # standard deviation of the weights of `auto`


class Attributes(nn.Module):
    """(N, sum of levels) outputs, one part per attribute -> (N, C) logits of the joint classes.

    `levels` holds for each joint class the level of each attribute: (C, attributes), from 0 on.
    The softmax of the result is the product of the attributes' probabilities, over the classes
    that exist.
    """

    def __init__(self, levels: Sequence[Sequence[int]]) -> None:
        super().__init__()
        table = torch.tensor(levels)
        self.sizes: list[int] = (table.max(dim=0).values + 1).tolist()
        self.register_buffer("levels", table, persistent=False)

    def forward(self, outputs: Tensor) -> Tensor:
        """The sum over attributes of the log-probability of the level that the class has."""
        levels: Tensor = self.levels  # type: ignore[assignment]
        parts = outputs.float().split(self.sizes, dim=1)
        logs = [part.log_softmax(dim=1) for part in parts]
        return torch.stack([log[:, levels[:, number]] for number, log in enumerate(logs)]).sum(
            dim=0
        )


class Units(nn.Module):
    """(N, K) outputs near 0 -> the first C of them in the units of the target: `scale` times the
    output plus `shift`, both (C,), which `set_units` fills; the others as they are."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(columns))
        self.register_buffer("shift", torch.zeros(columns))

    def forward(self, outputs: Tensor) -> Tensor:
        """In float32: half precision has three digits."""
        scale: Tensor = self.scale  # type: ignore[assignment]
        shift: Tensor = self.shift  # type: ignore[assignment]
        wide = outputs.float()
        own = wide[:, : len(scale)] * scale + shift
        return torch.cat([own, wide[:, len(scale) :]], dim=1) if wide.shape[1] > len(scale) else own


class GradeSteps(nn.Module):
    """(N, 1) numbers -> (N, K - 1) steps of grades: the number minus the step, 0..K-2, or, where
    they are learned, plus a bias for each (`coral`)."""

    def __init__(self, grades: int, *, learned: bool) -> None:
        super().__init__()
        self.biases: nn.Parameter | None = None
        if learned:
            self.biases = nn.Parameter(torch.zeros(grades - 1))
        self.register_buffer("places", torch.arange(grades - 1.0), persistent=False)

    def forward(self, outputs: Tensor) -> Tensor:
        """In float32, as in `Units`."""
        places: Tensor = self.places  # type: ignore[assignment]
        return outputs.float() + (-places if self.biases is None else self.biases)


@dataclass(frozen=True)
class Tail:
    """What comes after the last layer: how many outputs that has, and what follows it."""

    outputs: int
    layers: tuple[nn.Module, ...] = ()


def tail_of(
    config: ModelConfig, columns: int, classes: Sequence[str], per_number: int, steps: Steps
) -> Tail:
    """The tail of a network with C columns; see `comp.models.networks.build_net`."""
    if steps != "none":
        units = [Units(1)] if steps == "fixed" else []
        return Tail(1, (*units, GradeSteps(columns, learned=steps == "learned")))
    if per_number:
        return Tail(columns * per_number, (Units(columns),))
    if config.heads == "attributes":
        levels = attribute_levels(classes)
        outputs = sum(max(column) + 1 for column in zip(*levels, strict=True))
        return Tail(outputs, (Attributes(levels),))
    return Tail(columns)


def set_units(module: nn.Module, shift: Tensor, scale: Tensor) -> None:
    """Let outputs of 0 be `shift` and of 1 be `shift + scale`, each (C,)."""
    for part in module.modules():
        if isinstance(part, Units):
            part.shift.copy_(shift)  # type: ignore[operator]
            part.scale.copy_(scale)  # type: ignore[operator]


def attribute_levels(classes: Sequence[str]) -> list[list[int]]:
    """The level of each attribute in each joint class ("a|x", "a|y", ...): (C, attributes).

    Raises ConfigError when the classes are not joined from several columns.
    """
    rows = [name.split(JOINT) for name in classes]
    widths = {len(row) for row in rows}
    if len(widths) != 1 or widths == {1}:
        raise ConfigError(
            "model.heads: attributes needs classes that are joined from several columns "
            f"(data.target: [a, b]); here they are {first(classes)}"
        )
    known = [list(dict.fromkeys(column)) for column in zip(*rows, strict=True)]
    return [[names.index(cell) for names, cell in zip(known, row, strict=True)] for row in rows]


def _default(_: nn.Module) -> None:
    """The initial weights of timm or torch."""


def _begin_with(weights: Callable[[Tensor], Tensor]) -> Callable[[nn.Module], None]:
    def begin(head: nn.Module) -> None:
        for layer in head.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                weights(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    return begin


def _small(weight: Tensor) -> Tensor:
    return nn.init.trunc_normal_(weight, std=_SMALL)


# `auto` begins with logits near the class prior, see `set_class_prior`: timm starts the classifier
# of EfficientNets with weights of 1 / sqrt(outputs), with which pretrained logits of one output
# have a standard deviation of 16 and the first steps only undo them.
INITS: dict[str, Callable[[nn.Module], None]] = {
    "auto": _begin_with(_small),
    "default": _default,
    "xavier": _begin_with(nn.init.xavier_uniform_),
    "kaiming": _begin_with(nn.init.kaiming_normal_),
}


def set_class_prior(module: nn.Module, config: ModelConfig, logits: Sequence[float]) -> None:
    """With `model.init: auto`, let the network begin with the class prior of its training rows.

    logits: (C,), the biases of the last layer, or (C - 1,) of the steps of grades. Networks without
    a last layer of their own, or with one head per attribute, are left as they are.
    """
    if config.init != "auto" or config.heads != "one":
        return
    for part in module.modules():
        if isinstance(part, GradeSteps) and part.biases is not None:
            with torch.no_grad():
                part.biases.copy_(torch.as_tensor(logits, dtype=part.biases.dtype))
            return
    with contextlib.suppress(ModelError):
        head = module.last if isinstance(module, BagNet) else head_of(module)
        layers = [m for m in head.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
        bias = layers[-1].bias if layers else None
        if bias is not None and len(bias) == len(logits):
            with torch.no_grad():
                bias.copy_(torch.as_tensor(logits, dtype=bias.dtype))


def _linear(last: nn.Module, config: ModelConfig) -> nn.Module:
    return last


def _mlp(last: nn.Module, config: ModelConfig) -> nn.Module:
    """A hidden layer of `model.hidden` units before the last, with dropout after it."""
    if not isinstance(last, nn.Linear):
        raise ModelError(
            f"model.head: mlp needs a network that ends in a linear layer; {config.name} ends in "
            f"{type(last).__name__}. Use model.head: linear."
        )
    return nn.Sequential(
        nn.Linear(last.in_features, config.hidden),
        nn.ReLU(),
        nn.Dropout(config.drop_rate),
        nn.Linear(config.hidden, last.out_features),
    )


class Cosine(nn.Module):
    """Features (N, F) -> (N, C) `scale` times the cosine to the nearest centre of each class.

    One centre per class: Wang et al. 2018. Several: Deng et al. 2020, sub-centre ArcFace, for
    classes that look several ways or hold wrong labels.
    """

    def __init__(self, features: int, columns: int, centres: int, scale: float) -> None:
        super().__init__()
        self.columns, self.scale = columns, scale
        self.weight = nn.Parameter(torch.empty(columns * centres, features))
        nn.init.xavier_normal_(self.weight)

    def forward(self, features: Tensor) -> Tensor:
        """In float32: cosines in half precision are coarse."""
        rows = nn.functional.normalize(features.float())
        cosines = nn.functional.linear(rows, nn.functional.normalize(self.weight.float()))
        return self.scale * cosines.view(len(rows), self.columns, -1).amax(dim=2)


def _cosine(last: nn.Module, config: ModelConfig) -> nn.Module:
    if not isinstance(last, nn.Linear):
        raise ModelError(
            f"model.head: cosine needs a network that ends in a linear layer; {config.name} ends "
            f"in {type(last).__name__}. Use model.head: linear"
        )
    return Cosine(last.in_features, last.out_features, config.centres, config.scale)


HEADS: dict[str, Callable[[nn.Module, ModelConfig], nn.Module]] = {
    "linear": _linear,
    "mlp": _mlp,
    "cosine": _cosine,
}


def dress_head(module: nn.Module, config: ModelConfig, layers: Sequence[nn.Module] = ()) -> None:
    """Replace the last layer of a timm network by the head of the config.

    layers: what follows it, see `tail_of`.
    Raises ModelError for a network without one, or whose last layer does not take that head.
    """
    if (config.head, config.init) == ("linear", "default") and not layers:
        return
    try:
        last = head_of(module)
    except ModelError:
        if (config.head, config.init) == ("linear", "auto") and not layers:
            return
        raise
    head = dressed(last, config, layers)
    if head is not last:
        name = next(name for name, part in module.named_modules() if part is last)
        module.set_submodule(name, head)


def dressed(last: nn.Module, config: ModelConfig, layers: Sequence[nn.Module] = ()) -> nn.Module:
    """The head of the config in the place of a last layer, with its initial weights; `layers`
    behind it. Raises ModelError for a last layer that does not take that head."""
    head = pick(HEADS, config.head, "model.head")(last, config)
    pick(INITS, config.init, "model.init")(head)
    return nn.Sequential(head, *layers) if layers else head


def head_of(module: nn.Module) -> nn.Module:
    """The last layers of a network; ModelError where it has none of its own."""
    find = getattr(module, "get_classifier", None)
    found = find() if find else None
    if not isinstance(found, nn.Module) or not any(True for _ in found.parameters()):
        raise ModelError(
            f"{type(module).__name__} has no last layer of its own: model.head, model.init, "
            "model.heads, train.head_lr and train.freeze_epochs do not work with it"
        )
    return found

"""What of an experiment the rules of its competition do not allow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from comp.config.schema import Config

_PATHS = ("train_csv", "train_images", "masks")  # of `data`, below its root


def broken_rules(config: Config, added: Sequence[str] = ()) -> list[str]:
    """Where an experiment breaks `rules`, as sentences; empty where it keeps them.

    added: tables of predictions from elsewhere. What weights in a file were trained on is not
    known, so they count as pretrained ones.
    """
    found: list[str] = []
    if not config.rules.pretrained:
        if config.model.weights is not None:
            found.append(
                f"rules.pretrained: false, but model.weights starts from {config.model.weights}; "
                "unless these were trained on the competition's own data, leave them out"
            )
        elif config.model.pretrained:
            found.append(
                "rules.pretrained: false, but model.pretrained: true starts from weights of other "
                "data; set model.pretrained: false"
            )
    if not config.rules.external_data:
        found += [
            f"rules.external_data: false, but data.extra trains on the images of {extra.root}"
            for extra in config.data.extra
        ]
        found += [
            f"rules.external_data: false, but data.{key}: {place} lies outside data.root "
            f"({config.data.root}); is it the competition's?"
            for key, place in _outside(config)
        ]
        found += [
            f"rules.external_data: false, but {name} holds predictions from elsewhere; were they "
            "made with the competition's data alone?"
            for name in added
        ]
    return found


def _outside(config: Config) -> list[tuple[str, str]]:
    """The paths of the training data that lead out of `data.root`."""
    data = config.data
    named = [(key, str(getattr(data, key))) for key in _PATHS]
    named += [("annotations", place) for place in data.annotations]
    root = Path(data.root).resolve()
    return [(k, p) for k, p in named if not (root / p).resolve().is_relative_to(root)]

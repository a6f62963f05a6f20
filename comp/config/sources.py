"""The sections of the config about what a fold is trained on beside the labelled images."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from comp.config.values import (
    Cells,
    Edges,
    Encoding,
    FileName,
    LabelPattern,
    Names,
    Positive,
    Section,
    as_tuple,
)


class ExtraConfig(Section):
    """Labelled images of another data set, which are only trained on."""

    root: str  # the folder of the other data set
    layout: str = "csv"  # how its images and labels are kept, as data.layout
    train_csv: str = "train.csv"  # as data.train_csv
    columns: Names = ()  # as data.columns
    encoding: Encoding | None = None  # as data.encoding
    id: str = "id"  # as data.id
    target: Names = ()  # as data.target
    bins: dict[str, Edges] = Field({})  # as data.bins
    rows: Literal["image", "label", "class", "mean"] = "image"  # as data.rows
    class_column: str | None = None  # as data.class_column
    separator: str | None = None  # as data.separator
    blank: Literal["refuse", "zero", "unknown"] = "refuse"  # as data.blank
    unknown: Cells = ()  # as data.unknown
    train_images: str = "train"  # as data.train_images
    label_from_name: LabelPattern | None = None  # as data.label_from_name
    annotations: Names = ()  # as data.annotations
    # Its classes and what they are here, such as {feline: cat}; null: these images are left out
    map: dict[str, str | None] = Field({})
    # The share of each batch; null: each image once per epoch, as a labelled one of one's own
    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    # Near copies of training or test images: refuse is an error, drop leaves them out
    copies: Literal["refuse", "drop"] = "refuse"


class OfficialConfig(Section):
    """A metric that is a file of the competition, or a formula."""

    better: Literal["higher", "lower"] = "higher"  # which score is better; a file cannot say
    # Further arguments of its `score`, such as {beta: 2}
    arguments: dict[str, str | int | float | bool] = Field({})
    seconds: Positive = 60.0  # how long one score may take
    # What it scores: labels or probs; auto: what the sample submission holds
    wants: Literal["auto", "labels", "probs"] = "auto"
    sha256: str | None = None  # of the file; filled in by comp


def _metric_text(value: object) -> object:
    """A formula as its text."""
    if isinstance(value, dict) and [*value] == ["formula"] and isinstance(value["formula"], str):
        return " ".join(value["formula"].split()) or value
    return value


MetricName = Annotated[str, BeforeValidator(_metric_text)]

Extras = Annotated[tuple[ExtraConfig, ...], BeforeValidator(as_tuple)]


# What runs before, as a config of its own; see `comp.config.loading.stage_config`
Stages = Annotated[
    tuple[dict[str, Any], ...],
    "list of one config",
    BeforeValidator(as_tuple),
    Field(max_length=1),
]


class AuxConfig(Section):
    """A further column of the training table that is learned beside the answer, never answered."""

    column: str  # of data.train_csv
    # ce: its cells are classes; mse, mae, huber: numbers
    loss: Literal["ce", "mse", "mae", "huber"] = "ce"
    weight: Positive = 0.3  # of its loss, beside 1 of the answer's


Auxiliary = Annotated[tuple[AuxConfig, ...], BeforeValidator(as_tuple)]


class PseudoConfig(Section):
    """Images without labels that are trained on with the answers of earlier runs."""

    name: FileName  # what `comp pseudo` wrote to pseudo/<name>/
    # The share of each batch; null: each image once per epoch, as a labelled one
    share: Annotated[float, Field(gt=0, lt=1)] | None = None


class TeacherConfig(Section):
    """Soft targets from another run (Hinton et al. 2015): fold k learns from fold k of it."""

    run: FileName  # a run with the same plan, trained to its end
    # The share of the teacher in the target; the rest is the label
    weight: Annotated[float, Field(gt=0, le=1)] = 0.5
    temperature: Positive = 1.0  # above 1: the probabilities of the teacher get softer


class CleanConfig(Section):
    """Training labels that a probe doubts (confident learning, Northcutt et al. 2021)."""

    run: FileName  # a probe run (model.probe) with the same plan, trained to its end
    # drop: not trained on; weigh: counts less; soften: a mixture with what the probe says; relabel:
    # what it says
    how: Literal["drop", "weigh", "soften", "relabel"] = "drop"
    # how: soften: the share of the probe in the target; weigh: how much such an image counts
    weight: Annotated[float, Field(gt=0, lt=1)] = 0.5
    # At most this share of the training labels, the most doubted ones
    most: Annotated[float, Field(gt=0, le=0.5)] = 0.1

"""One frozen object holds the whole experiment, made from one YAML file plus `--set key=value`.

Nothing is guessed: an unknown key, a wrong type or an impossible value is an error that names the
path of the key, what is allowed and the nearest valid name. Names that are looked up in a table
(metric, recipe, loss, ...) are checked against that table by `comp.stages.experiment`.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

JOINT = "|"  # between the columns, or attributes, that are joined into one class
AUTO_GROUP = "auto"  # data.group: what `comp check` proposes; else the name of a column


def _as_tuple(value: object) -> object:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


_NAME_BYTES = 200  # of a name in UTF-8; file systems allow 255, and suffixes are added
_JOINER = "\u200d"  # between the parts of an emoji


def _file_name(value: object) -> object:
    """A name in one Unicode form: letters, marks, digits, emoji, and ` _.+-` after the first."""
    if not isinstance(value, str):
        return value
    name = unicodedata.normalize("NFC", value)
    if not name or name[0] in " _.+-" or not all(map(_may_be_in_a_name, name)):
        raise ValueError(
            "it names folders and files: begin with a letter, a digit or an emoji, "
            "then letters, digits, emoji, spaces, '_', '.', '+', '-'"
        )
    if len(name.encode()) > _NAME_BYTES:
        raise ValueError(f"{len(name.encode())} bytes; at most {_NAME_BYTES} fit in file names")
    return name


def _may_be_in_a_name(letter: str) -> bool:
    kind = unicodedata.category(letter)
    if letter.isascii():
        return letter.isalnum() or letter in " _.+-"
    return kind[0] in "LMN" or kind in ("So", "Sk") or letter == _JOINER


FileName = Annotated[str, BeforeValidator(_file_name)]
Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
Count = Annotated[int, Field(ge=1)]
Counts = Annotated[tuple[Count, ...], BeforeValidator(_as_tuple)]
Edges = Annotated[
    tuple[Annotated[float, Field(allow_inf_nan=False)], ...],
    BeforeValidator(_as_tuple),
    Field(min_length=1),
]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A part of the config: frozen, without unknown keys, without silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


class DataConfig(Section):
    """Where the competition lies and what its columns mean."""

    root: str
    make: str | None = None  # an embedded sample that is written to `root` when it is absent
    layout: str = "csv"
    train_csv: str = "train.csv"
    id: str = "id"
    target: Names = ()
    bins: dict[str, Edges] = {}  # column -> where a number becomes the next class: {age: [30, 60]}
    separator: str | None = None  # of the labels in a single multilabel column
    classes: Names = ()  # the order of the classes; of two, the last is the positive one
    group: str | None = None  # a column, or auto
    fold: str | None = None  # the column of folds that were decided elsewhere
    train_images: str = "train"
    test_images: str = "test"
    annotations: Names = ()  # layout: coco; the json files of the training images, () to look
    masks: str = "train_masks"  # layout: masks; the folder of the mask files
    rle_class: str | None = None  # layout: rle; the column of the class, where there is one
    rle_order: Literal["columns", "rows"] = "columns"  # the way runs go, from pixel 1 on
    on_top: Literal["larger_id", "later", "smaller"] = "larger_id"  # where objects overlap
    ignore: Annotated[int, Field(ge=0, le=255)] | None = None  # of mask files: is not judged
    sample_submission: str | None = "sample_submission.csv"
    test_answers: str | None = None  # a table like train_csv, where the true answers are known

    @model_validator(mode="after")
    def _rising(self) -> DataConfig:
        for name, edges in self.bins.items():
            if list(edges) != sorted({*edges}):
                raise ValueError(f"bins.{name}: the edges must rise, found {list(edges)}")
        return self


class FoldsConfig(Section):
    """How the training ids are parted."""

    count: Annotated[int, Field(ge=2)] = 5
    scheme: str = "auto"
    plan: FileName | None = None  # the name of another experiment whose plan this one shares
    # The share that is validated on, in one fold instead of `count`; the rest is only trained on
    holdout: Annotated[float, Field(gt=0, le=0.5)] | None = None

    @property
    def parts(self) -> int:
        """The number of folds that the plan has."""
        return self.count if self.holdout is None else 1


class ImageConfig(Section):
    """The square that every image is brought to once, before training.

    For answers a pixel also `resize: none` (images keep their size; a batch is padded to its
    largest) and `tiles` (windows of `size`; at prediction they overlap and are stitched).
    """

    size: Annotated[int, Field(ge=8, le=4096)] = 331
    resize: str = "stretch"
    # How images are kept in cache/: as pixels, as the files' own bytes, or not at all
    pack: Literal["memmap", "encoded", "none"] = "memmap"
    # Of the channels, in units of [0, 1]; null: what the network was made for; auto: measured
    mean: Literal["auto"] | Annotated[tuple[float, ...], BeforeValidator(_as_tuple)] | None = None
    std: Literal["auto"] | Annotated[tuple[float, ...], BeforeValidator(_as_tuple)] | None = None
    overlap: Annotated[float, Field(ge=0, le=0.75)] = 0.25  # of neighbouring tiles


class CopiesConfig(Section):
    """More training images of rare classes: each turned and flipped. Never validated on."""

    classes: Names  # those that are copied
    turns: Annotated[int, Field(ge=1, le=360)] = 36  # angles, evenly around the circle
    flips: Annotated[int, Field(ge=1, le=3)] = 3  # as it is; left-right; upside down
    # The most images of these classes, copies and originals, for each image of the others
    ratio: Positive | None = None


class AugmentConfig(Section):
    """What training images go through each time they are seen."""

    recipe: str = "flips_rotate"
    mixup: NotNegative = 0.0  # alpha of its Beta distribution; 0: none. With cutmix: half of each
    cutmix: NotNegative = 0.0
    erasing: Annotated[float, Field(ge=0, le=1)] = 0.0  # probability, an image
    cutpaste: Annotated[float, Field(ge=0, le=1)] = 0.0  # probability, an image without a defect
    copies: CopiesConfig | None = None


class ModelConfig(Section):
    """Any timm model; the number of outputs follows from the task.

    With an answer for each pixel `name` is an architecture (unet, fpn, ...) and `encoder` what it
    looks through: any encoder of segmentation_models_pytorch or of timm.
    """

    name: str = "efficientnet_b0"
    encoder: str | None = None
    pretrained: bool = True
    weights: str | None = None  # a local file: .pt, .pth or .safetensors
    drop_rate: Share = 0.0
    head: str = "linear"  # linear | mlp
    hidden: Count = 512  # units of the hidden layer of head: mlp
    init: str = "default"  # of the head: default | xavier | kaiming
    heads: Literal["one", "attributes"] = "one"  # attributes: one a column of data.target


class TrainConfig(Section):
    """The loop."""

    epochs: Count = 25
    batch_size: Count = 32
    micro_batch: Count | None = None  # images on the device at once; null: the whole batch
    lr: Positive = 1e-3
    opt: str = "adamw"
    weight_decay: NotNegative = 0.01
    head_lr: Positive | None = None  # of the last layers; null: lr
    layer_decay: Annotated[float, Field(gt=0, le=1)] | None = None  # of lr, a layer downwards
    freeze_epochs: Annotated[int, Field(ge=0)] = 0  # in which the head alone learns
    sched: str = "cosine"
    sched_by: Literal["update", "epoch"] = "update"
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    min_lr: NotNegative = 0.0  # sched: cosine, restarts, poly, onecycle, plateau
    decay_epochs: Count = 5  # sched: step, plateau; together with the next
    decay_rate: Annotated[float, Field(gt=0, lt=1)] = 0.75
    milestones: Counts = ()  # sched: multistep; the epochs after which the rate falls
    cycles: Count = 3  # sched: restarts
    top_k: Count = 1  # checkpoints kept for predict.checkpoint: average
    patience: Count | None = None  # epochs without a better score after which a fold ends
    clip_grad: Positive | None = None
    subset: Annotated[int, Field(ge=4)] | None = None  # images, over all folds; null: all
    loss: str | dict[str, Positive] = "auto"  # a name, or names with their weights in the sum
    focal_gamma: NotNegative = 2.0
    focal_alpha: Annotated[float, Field(gt=0, lt=1)] | None = None  # of ones; 1 - alpha: of zeros
    # loss: tversky; how much false positives and false negatives cost
    tversky: Annotated[tuple[Positive, Positive], BeforeValidator(_as_tuple)] = (0.3, 0.7)
    label_smoothing: Share = 0.0
    class_weights: Literal["none", "inverse", "effective"] = "none"  # of the fold's training part
    pos_weight: Literal["auto"] | Positive | None = None  # of a one in a 0/1 column
    sampler: str = "shuffle"
    sampler_strength: Annotated[float, Field(gt=0, le=1)] = 1.0  # 1: all classes alike
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    workers: Literal["auto"] | Annotated[int, Field(ge=0)] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    deterministic: bool = False
    track: Literal["none", "tensorboard", "wandb"] = "none"
    # Answers a pixel: epochs between pictures of the worst, median and best validation images
    show_every: Count | None = None
    checkpoint_minutes: Positive | None = 10.0  # inside an epoch; null: at the end of each only
    max_hours: Positive | None = None  # of one command, over all its folds

    @model_validator(mode="after")
    def _possible(self) -> TrainConfig:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs ({self.warmup_epochs}) must be fewer than epochs ({self.epochs})"
            )
        if self.sched == "multistep" and list(self.milestones) != sorted({*self.milestones}):
            raise ValueError(f"milestones must rise, found {list(self.milestones)}")
        if self.sched == "multistep" and not self.milestones:
            raise ValueError("sched: multistep needs milestones, such as [10, 20]")
        if self.sched == "restarts" and self.cycles > self.epochs:
            raise ValueError(f"cycles ({self.cycles}) cannot exceed epochs ({self.epochs})")
        if self.min_lr >= self.lr:
            raise ValueError(f"min_lr ({self.min_lr}) must be lower than lr ({self.lr})")
        if self.loss == {}:
            raise ValueError("loss: an empty sum; name a loss, or write auto")
        if self.pos_weight is not None and self.class_weights != "none":
            raise ValueError("pos_weight and class_weights weigh the same thing; set one of them")
        if self.micro_batch is not None and self.micro_batch > self.batch_size:
            raise ValueError(
                f"micro_batch ({self.micro_batch}) cannot exceed batch_size ({self.batch_size})"
            )
        return self


class PredictConfig(Section):
    """How a trained fold turns images into probabilities."""

    tta: str = "none"
    checkpoint: Literal["best", "last", "average"] = "best"
    batch_size: Count | None = None  # null: twice the training batch
    # Answers a pixel: the side of the square of probabilities that is kept; null: image.size
    mask_size: Annotated[int, Field(ge=8, le=4096)] | None = None


class EnsembleConfig(Section):
    """How folds become one answer."""

    vote: str = "soft"
    weights: str = "equal"  # equal, greedy, optimize, or a YAML or JSON file: member -> weight
    tune: bool = True
    prior: Literal["auto"] | dict[str, Share] | None = None  # class -> its share of the test set
    combine: Literal["product"] | None = None  # runs of one attribute each make a joint class

    @field_validator("prior", mode="before")
    @classmethod
    def _names_are_text(cls, value: Any) -> Any:
        return {str(k): v for k, v in value.items()} if isinstance(value, dict) else value

    @field_validator("prior")
    @classmethod
    def _adds_up(cls, value: Any) -> Any:
        total = sum(value.values()) if isinstance(value, dict) else 1.0
        if abs(total - 1) > 1e-3:
            raise ValueError(f"the shares of the classes must sum to 1, these to {total:g}")
        return value


class SubmissionConfig(Section):
    """What the answer file holds."""

    write: Literal["auto", "label", "probability", "rle", "masks", "coco"] = "auto"
    extra_images: Literal["refuse", "ignore"] = "refuse"  # test images that the sample leaves out
    site: Literal["kaggle", "dacon"] | None = None
    competition: str | None = None  # Kaggle: the name in its address; Dacon: the number
    team: str = ""  # Dacon asks for it


class Config(Section):
    """The whole experiment, validated."""

    name: FileName
    task: str
    metric: str
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    data: DataConfig
    folds: FoldsConfig = FoldsConfig()
    image: ImageConfig = ImageConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    predict: PredictConfig = PredictConfig()
    ensemble: EnsembleConfig = EnsembleConfig()
    submission: SubmissionConfig = SubmissionConfig()

    @model_validator(mode="after")
    def _together(self) -> Config:
        if self.predict.checkpoint == "average" and self.train.top_k < 2:
            raise ValueError("predict.checkpoint: average needs train.top_k of 2 or more")
        return self

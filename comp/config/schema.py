"""The whole experiment as one frozen object, made from one YAML file plus `--set key=value`.

Nothing is guessed: an unknown key, a wrong type or an impossible value is an error that names the
path of the key, what is allowed and the nearest valid name. Names that are looked up in a table
(metric, recipe, loss, ...) are checked against that table by `comp.stages.experiment`.

The comment beside or above a field is what `comp.config.reference` prints as its meaning.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from comp.config.pixel_values import RangeValue, WindowsValue
from comp.config.sources import (
    Auxiliary,
    CleanConfig,
    Extras,
    MetricName,
    OfficialConfig,
    PseudoConfig,
    Stages,
    TeacherConfig,
)
from comp.config.tasks import Tasks
from comp.config.values import (
    Bounds,
    Cell,
    Cells,
    Colour,
    Count,
    Counts,
    Deviations,
    Edges,
    Encoding,
    FileName,
    Files,
    LabelPattern,
    Means,
    Names,
    NotNegative,
    Positive,
    Section,
    Share,
    as_tuple,
    cell_text,
)

JOINT = "|"  # between the columns, or attributes, that are joined into one class
BACKGROUND = "background"  # in data.colours: what no class has
BOXES = "boxes.csv"  # in the folder of a stage's run: where it found what the next one sees
USUAL_LEAST = 0.1  # image.crop_least, up to 0.2.0 the only one
AUTO_GROUP = "auto"  # data.group: what `comp check` proposes; else the name of a column
FOLDER_BAG, AUTO_BAG = "folder", "auto"  # data.bag; else the name of a column
BY_NAME = "name"  # data.bag_order; else the name of a column


class DataConfig(Section):
    """Where the competition lies and what its columns mean."""

    root: str  # the folder of the competition's data
    make: str | None = None  # an embedded sample that is written to `root` when that is empty
    # How images and labels are kept: csv, folders, names, defects, profiles, coco, masks or rle
    layout: str = "csv"
    train_csv: str = "train.csv"  # the table of training ids and labels
    columns: Names = ()  # the names of its columns, for a table without a header
    # What the tables were saved in, such as cp949 or cp1252; null: UTF-8, others are recognised
    encoding: Encoding | None = None
    id: str = "id"  # the column of the image ids
    target: Names = ()  # the column or columns of the labels
    # Column: the edges where a number becomes the next class, such as {age: [30, 60]}
    bins: dict[str, Edges] = Field({})
    # The column of how much each image counts, in scores and losses; null: all alike
    weight: str | None = None
    # What a row of the table is: an image; a label (the rows of an id are joined); a class (an
    # image and a class with 0 or 1); what one of several people said (mean: of an id's rows)
    rows: Literal["image", "label", "class", "mean"] = "image"
    # Rows class: the column of the class; null: it follows the image in the id, as img_1_cat
    class_column: str | None = None
    separator: str | None = None  # between the labels in a single multilabel column
    rename: dict[str, str] = Field({})  # labels that are read as others, such as {Dog: dog}
    # Multilabel: a blank cell is refused, is a zero, or is unknown (no loss and no score)
    blank: Literal["refuse", "zero", "unknown"] = "refuse"
    unknown: Cells = ()  # multilabel: cells that say that nobody knows, such as [-1]
    # Numbers that are shares of the classes: refuse; argmax: the largest is the class (one class
    # per image); round: 0.5 and more is a 1 (multilabel); learn: as one of these where a label is
    # needed, and the loss learns the shares
    soft: Literal["refuse", "argmax", "round", "learn"] = "refuse"
    # Many different numbers as labels: auto refuses what looks measured; classes: they are names
    numbers: Literal["auto", "classes"] = "auto"
    # Regression: log1p predicts log(1 + number), for numbers of very different size
    transform: Literal["none", "log1p"] = "none"
    bounds: Bounds | None = None  # regression: answers stay between these two numbers
    classes: Names = ()  # the order of the classes; of two, the last is the positive one
    # One class per image: what is answered where no known class is likely, such as new_whale; each
    # fold leaves some classes out of its training, so that the threshold is tuned on such images
    new: str | None = None
    new_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1  # of the classes that a fold leaves out
    group: str | None = None  # the column of what must stay in one fold; auto: what `check` found
    # What has an answer: null: each image; else a bag of several: those with the same cell of a
    # column (such as patient); folder: of a folder; auto: of the groups that `comp check` found
    bag: str | None = None
    # The order of the images of a bag: a column, or name: by the names of the files; null: none
    bag_order: str | None = None
    # Images without a group: own makes each a group of its own, refuse is an error
    group_blank: Literal["own", "refuse"] = "own"
    fold: str | None = None  # the column of folds that were decided elsewhere
    train_images: str = "train"  # the folder of the training images
    # Layout names: a regular expression whose group is the label in a name without suffix, such as
    # '^([^.]+)\.' for cat.0.jpg; null: the word beside the running number
    label_from_name: LabelPattern | None = None
    # Layout csv: the files of each image as patterns, below the folders of images, where it has
    # several or another one than its id says: ['{id}_red.png', '{id}_green.png'], '{path}' for a
    # column, '{case}.nii.gz#{slice}' for a slice of a volume
    files: Names = ()
    test_images: str = "test"  # the folder of the test images
    annotations: Names = ()  # layout coco: the JSON files of the training images; empty: find them
    masks: str = "train_masks"  # layout masks: the folder of the mask files
    # Layout masks: the colour of each class, such as {disc: [255, 0, 0]} or {disc: "#ff0000"}; the
    # background is black, or what `background` names
    colours: dict[str, Colour] = Field({})
    # How far each channel of a pixel may be from a colour of `colours`; 0: not at all
    colour_tolerance: Annotated[int, Field(ge=0, le=127)] = 0
    rle_class: str | None = None  # layout rle: the column of the class, where there is one
    rle_order: Literal["columns", "rows"] = "columns"  # layout rle: how pixels are numbered
    # Layout coco: which object is seen where several overlap
    on_top: Literal["larger_id", "later", "smaller"] = "larger_id"
    # Pixels of mask files with this value are neither trained on nor scored
    ignore: Annotated[int, Field(ge=0, le=255)] | None = None
    # The table that a submission is written like; null: answer for every test image
    sample_submission: str | None = "sample_submission.csv"
    # Further columns of the tables that the second level of `comp stack` sees, such as [age, sex]
    tabular: Names = ()
    # The table of data.tabular and data.bag for the test images; null: the sample
    test_csv: str | None = None
    # Further columns of train_csv that the network learns beside the answer, such as
    # [{column: site}, {column: age, loss: mse}]; they are never answered
    aux: Auxiliary = ()
    test_answers: str | None = None  # a table like train_csv, where the true answers are known
    # A table of the part of each image that matters (id, left, top, right, bottom as shares), such
    # as `comp boxes` writes
    boxes: str | None = None
    # Labelled images of other data sets that are only trained on, each with root, layout, map, ...
    extra: Extras = ()

    _cache: Path = PrivateAttr(Path("cache"))

    @property
    def cache(self) -> Path:
        """The folder where notes about data files are kept, such as the values of masks."""
        return self._cache

    def at(self, workspace: Path) -> DataConfig:
        """The same data with paths below a workspace folder; itself for the current folder."""
        if workspace == Path():
            return self
        found = self.model_copy(update={"root": str(workspace / self.root)})
        found._cache = workspace / "cache"
        return found

    @field_validator("rename", mode="before")
    @classmethod
    def _labels_are_text(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {cell_text(old): cell_text(new) for old, new in value.items()}

    @model_validator(mode="after")
    def _rising(self) -> DataConfig:
        for name, edges in self.bins.items():
            if list(edges) != sorted({*edges}):
                raise ValueError(f"bins.{name}: the edges must rise, found {list(edges)}")
        if self.bounds is not None and self.bounds[0] >= self.bounds[1]:
            raise ValueError(f"bounds: the first must be lower, found {list(self.bounds)}")
        return self


class FoldsConfig(Section):
    """How the training images are divided into folds."""

    count: Annotated[int, Field(ge=2)] = 5  # the number of folds
    # auto, random, stratified, group, stratified_group, multilabel or multilabel_group
    scheme: str = "auto"
    # Where a multilabel plan starts before folds exchange images: dealt out in sorted order, or
    # iterative stratification
    start: Literal["deal", "iterative"] = "deal"
    plan: FileName | None = None  # the name of another experiment whose plan this one shares
    # One validation part of this share instead of `count` folds; the rest is only trained on
    holdout: Annotated[float, Field(gt=0, le=0.5)] | None = None

    @property
    def parts(self) -> int:
        """The number of folds that the plan has."""
        return self.count if self.holdout is None else 1


class ImageConfig(Section):
    """The square that each image is brought to once, before training.

    Segmentation has two more values of `resize`: `none` (images keep their size, and a batch is
    padded to its largest image) and `tiles` (windows of `size`; at prediction they overlap and are
    stitched).
    """

    size: Annotated[int, Field(ge=8, le=4096)] = 331  # side of the square, in pixels
    resize: str = "stretch"  # stretch, pad or crop; for segmentation also none or tiles
    # Cut out before resizing: none; border: all but a border of one colour; object: the largest
    # thing on a plain background. data.boxes goes before it
    crop: Literal["none", "border", "object"] = "none"
    crop_margin: Annotated[float, Field(ge=0, le=2)] = 0.05  # around a crop, in shares of its sides
    # The least size of a crop, in shares of the sides of the image; a smaller one is grown
    crop_least: Annotated[float, Field(gt=0, le=1)] = USUAL_LEAST
    # How images are kept in cache/: as pixels, as the bytes of their files, or not at all
    pack: Literal["memmap", "encoded", "none"] = "memmap"
    channels: Annotated[int, Field(ge=1, le=16)] = 3  # of an image; 3: red, green and blue
    bits: Literal[8, 16] = 8  # of each value that is kept and trained on
    # Of more than 8 bits: the values that become black and white, for all channels or a pair for
    # each; auto: 0 and the highest number of as many bits as the training images have, of signed
    # numbers and floats their lowest and highest; channels: the lowest and highest of each channel
    range: RangeValue = "auto"
    # In the place of a range, centre and width of windows: each is a channel (or several) of its
    # own, such as [[40, 80], [600, 2800]]; file: the window that a DICOM file states
    windows: WindowsValue = None
    # Of a file with more planes (pages, slices, frames) than are asked for: refuse it (all), take
    # some spread evenly, or those in the middle
    slices: Literal["all", "spread", "middle"] = "all"
    # Mean of each channel in [0, 1]; null: the network's own; auto: measured on the training part
    mean: Literal["auto"] | Means | None = None
    # Standard deviation of each channel, in the same way
    std: Literal["auto"] | Deviations | None = None
    bag_size: Count = 8  # data.bag: so many images of each bag are trained on at a time
    # Which these are: even, evenly spaced from a random start; random; window, consecutive ones
    bag_sample: Literal["even", "random", "window"] = "even"
    # Whether the pack stays in the memory of the device while training; auto: on CUDA where it
    # fits into 6 tenths of what is free
    resident: Literal["auto", "on", "off"] = "auto"
    # resize tiles: the share of a tile that overlaps its neighbour
    overlap: Annotated[float, Field(ge=0, le=0.75)] = 0.25

    @model_validator(mode="after")
    def _alike(self) -> ImageConfig:
        given = [v for v in (self.mean, self.std) if isinstance(v, tuple)]
        if len({len(v) for v in given}) > 1:
            raise ValueError(
                "mean and std must have as many numbers as each other, one per channel"
            )
        if any(len(value) != self.channels for value in given):
            what = "three numbers each: of red, green and blue" if self.channels == 3 else \
                f"{self.channels} numbers each, one per channel (image.channels)"  # fmt: skip
            raise ValueError(f"mean and std take {what}")
        return self

    @model_validator(mode="after")
    def _ranges(self) -> ImageConfig:
        ranges = self.range if isinstance(self.range, tuple) else ()
        if ranges and isinstance(ranges[0], tuple) and len(ranges) != self.channels:
            raise ValueError(
                f"range has {len(ranges)} pairs; it takes one, or one per channel "
                f"({self.channels}, image.channels)"
            )
        if self.windows is None:
            return self
        if self.range != "auto":
            raise ValueError("range and windows exclude each other; leave one of them out")
        if self.windows != "file" and self.channels % len(self.windows):
            raise ValueError(
                f"windows: {len(self.windows)} windows cannot make {self.channels} channels; "
                "image.channels is a multiple of them"
            )
        return self


class CopiesConfig(Section):
    """Copies of rare classes in the training part, turned and flipped. Never validated on."""

    classes: Names  # the classes that are copied
    turns: Annotated[int, Field(ge=1, le=360)] = 36  # angles, evenly around the circle
    # 1: as it is; 2: left-right too; 3: upside down too
    flips: Annotated[int, Field(ge=1, le=3)] = 3
    # At most so many images of these classes, with their copies, for each image of the others
    ratio: Positive | None = None


class AugmentConfig(Section):
    """How training images are augmented."""

    # none, flips, flips_rotate, flips_turn, portrait, light, medium, heavy, or a registered one
    recipe: str = "light"
    # What changes the images: cpu (one by one), device (whole batches); auto: device on CUDA where
    # it can do what the recipe draws
    backend: Literal["auto", "cpu", "device"] = "auto"
    mixup: NotNegative = 0.0  # alpha of its Beta distribution; 0: off. With cutmix: half of each
    cutmix: NotNegative = 0.0  # alpha of its Beta distribution; 0: off
    erasing: Annotated[float, Field(ge=0, le=1)] = 0.0  # probability of random erasing, per image
    # Probability that an image without a defect gets one pasted from another image
    cutpaste: Annotated[float, Field(ge=0, le=1)] = 0.0
    copies: CopiesConfig | None = None  # copies of rare classes
    # data.bag: whether the images of a bag are changed alike; auto: where their order matters
    bag: Literal["auto", "alike", "each"] = "auto"


class ModelConfig(Section):
    """The network. The number of its outputs follows from the task.

    Classification takes any timm model. For segmentation `name` is an architecture of
    segmentation_models_pytorch and `encoder` its backbone.
    """

    name: str = "efficientnet_b0"  # a timm model; for segmentation unet, fpn, deeplabv3plus, ...
    encoder: str | None = None  # segmentation: an encoder of smp, or any timm model
    pretrained: bool = True  # start from pretrained weights
    weights: str | None = None  # a local file of weights: .pt, .pth or .safetensors
    drop_rate: Share = 0.0  # dropout before the head
    head: str = "linear"  # linear, mlp or cosine (scaled cosines to the centres of the classes)
    centres: Count = 1  # head cosine: centres per class, the nearest counts (sub-centre ArcFace)
    scale: Positive = 30.0  # head cosine: the factor of the cosines
    hidden: Count = 512  # units of the hidden layer of head mlp
    # how the head starts: auto (small, at the class prior), default (of timm), xavier or kaiming
    init: str = "auto"
    # attributes: one head for each column of data.target
    heads: Literal["one", "attributes"] = "one"
    # Grades (task: ordinal) are learned as one number, by cumulative logits (coral), or as classes
    ordinal: Literal["regression", "coral", "classes"] = "regression"
    # How the last maps become a vector: own (of the network), avg, max, avgmax, gem or attention
    pool: str = "own"
    # data.bag: from the vectors of the images to one: mean, max, attention (gated), gru or
    # transformer; or channels: the images are the channels of one (2.5D)
    pool_bag: str = "attention"
    bag_width: Count = 128  # units of pool_bag attention, gru and transformer
    # null: the network is trained; logistic, knn or mlp: it stays as it is, and this is fitted on
    # its features (see `comp embed`)
    probe: str | None = None
    # model.probe and comp embed: features of the maps of all stages side by side, or of the last
    maps: Literal["all", "last"] = "all"
    # model.probe: each image has the mean of its features in these views, for fitting and for its
    # answer: none (as it is), hflip, flips, d4, or names such as id+flip
    views: str = "none"
    # LoRA: the weights stay, and matrices of this rank beside them learn, with the head; null: all
    # weights learn
    lora: Annotated[int, Field(ge=1, le=512)] | None = None
    lora_scale: Positive = 2.0  # the factor of the product of these matrices

    def at(self, workspace: Path) -> ModelConfig:
        """The same network with the file of its weights below a workspace folder."""
        if self.weights is None or workspace == Path():
            return self
        return self.model_copy(update={"weights": str(workspace / self.weights)})


SCRATCH_LR = 3e-3  # of a network without pretrained weights


class TrainConfig(Section):
    """The training loop."""

    epochs: Count = 25  # passes over the training part
    batch_size: Count = 32  # images per update; with data.bag, bags
    # Images, with data.bag bags, on the device at once; null: the whole batch; auto: what fits,
    # found once by trial. Where memory is short, half of it
    micro_batch: Count | Literal["auto"] | None = None
    # Highest learning rate; left out: 1e-3 from pretrained weights, 3e-3 from scratch
    lr: Positive = 1e-3
    opt: str = "adamw"  # any optimizer of timm
    weight_decay: NotNegative = 0.01  # weight decay of the optimizer
    head_lr: Positive | None = None  # learning rate of the head; null: lr
    # Factor on the learning rate for each layer further from the head
    layer_decay: Annotated[float, Field(gt=0, le=1)] | None = None
    freeze_epochs: Annotated[int, Field(ge=0)] = 0  # first epochs in which only the head is trained
    # cosine, restarts, step, multistep, poly, constant, onecycle or plateau
    sched: str = "onecycle"
    sched_by: Literal["update", "epoch"] = "update"  # when the schedule changes the learning rate
    warmup_epochs: Annotated[int, Field(ge=0)] = 0  # epochs of linear warm-up
    min_lr: NotNegative = 0.0  # lowest learning rate of cosine, restarts, poly, onecycle, plateau
    decay_epochs: Count = 5  # sched step, plateau: epochs after which the learning rate falls
    # sched step, multistep, plateau: the factor by which it falls
    decay_rate: Annotated[float, Field(gt=0, lt=1)] = 0.75
    milestones: Counts = ()  # sched multistep: the epochs after which the learning rate falls
    cycles: Count = 3  # sched restarts: the number of cycles
    top_k: Count = 1  # how many of the best checkpoints predict.checkpoint average has
    patience: Count | None = None  # epochs without a better score after which a fold ends
    clip_grad: Positive | None = None  # largest norm of the gradient; null: no clipping
    # Train on this many images over all folds, with the class balance of all; null: all
    subset: Annotated[int, Field(ge=4)] | None = None
    # A name, or names with their weights in a sum; auto: that of the task
    loss: str | dict[str, Positive] = "auto"
    focal_gamma: NotNegative = 2.0  # focal loss: how strongly easy examples are down-weighted
    # Focal loss: the weight of positives; negatives have 1 - alpha; null: none
    focal_alpha: Annotated[float, Field(gt=0, lt=1)] | None = None
    margin: Positive = 0.3  # loss arcface: in radians; cosface: of the cosine; of the rarest class
    # Losses with a margin: a class n times as frequent has margin / n ** power; 0: all the same
    margin_power: NotNegative = 0.0
    # Tversky loss: the costs of false positives and of false negatives
    tversky: Annotated[tuple[Positive, Positive], BeforeValidator(as_tuple)] = (0.3, 0.7)
    label_smoothing: Share = 0.0  # label smoothing
    # Class weights of the loss, from the training part of the fold
    class_weights: Literal["none", "inverse", "effective"] = "none"
    # Weight of the positives of each 0/1 column; auto: negatives / positives
    pos_weight: Literal["auto"] | Positive | None = None
    sampler: str = "shuffle"  # shuffle, balanced, undersample, or a registered one
    # How far balanced and undersample go: 1 shows all classes equally often
    sampler_strength: Annotated[float, Field(gt=0, le=1)] = 1.0
    teacher: TeacherConfig | None = None  # a run whose probabilities are learned beside the labels
    pseudo: PseudoConfig | None = None  # images without labels, answered by `comp pseudo`
    clean: CleanConfig | None = None  # training labels that a probe doubts, taken away or changed
    # Decay of the exponential moving average of the weights; null: none
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    # Processes that prepare batches; auto: some for a GPU, none on a CPU
    workers: Literal["auto"] | Annotated[int, Field(ge=0)] = "auto"
    # auto (CUDA, else MPS, else the CPU), cuda, cuda:1, mps or cpu
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    # Number format of the network; auto: bf16 or fp16 on a GPU, fp32 on a CPU
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    # torch.compile of the network; auto: off until it is measured where it pays
    compile: Literal["auto", "on", "off"] = "auto"
    # Gradient checkpointing: activations are computed again for the gradient; less memory, slower
    grad_checkpointing: bool = False
    # Where several processes train one fold: batch norms see the whole batch, not that of one
    # process (CUDA only)
    sync_norm: bool = False
    deterministic: bool = False  # the same bits on CUDA too, slower
    track: Literal["none", "tensorboard", "wandb"] = "none"  # where metrics are logged too
    # Segmentation: epochs between pictures of the worst, median and best validation images
    show_every: Count | None = None
    # Minutes between checkpoints inside an epoch; null: only at the end of each epoch
    checkpoint_minutes: Positive | None = 10.0
    max_hours: Positive | None = None  # of one command, over all its folds; then it stops

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
        if self.loss == {}:
            raise ValueError("loss: an empty sum; name a loss, or write auto")
        if self.pos_weight is not None and self.class_weights != "none":
            raise ValueError("pos_weight and class_weights exclude each other; set one of them")
        if isinstance(self.micro_batch, int) and self.micro_batch > self.batch_size:
            raise ValueError(
                f"micro_batch ({self.micro_batch}) cannot exceed batch_size ({self.batch_size})"
            )
        return self


class PredictConfig(Section):
    """How a trained fold turns images into probabilities."""

    # Test-time augmentation: none, hflip, flips, d4, auto, or views such as id+flip+rot180
    tta: str = "none"
    checkpoint: Literal["best", "last", "average"] = "best"  # which checkpoint predicts
    batch_size: Count | None = None  # images at once; null: twice the training batch
    # Segmentation: side of the square of probabilities that is kept; null: image.size
    mask_size: Annotated[int, Field(ge=8, le=4096)] | None = None


class EnsembleConfig(Section):
    """How the predictions of folds and runs are merged."""

    # soft, geometric, logit, power2, power4, rank, median, trimmed, hard, or a registered one
    vote: str = "soft"
    # equal, greedy, optimize, climb, or a YAML or JSON file: member -> weight
    weights: str = "equal"
    tune: bool = True  # tune thresholds or offsets out of fold
    # Class prior of the test set: class -> share; auto: estimated; null: that of training
    prior: Literal["auto"] | dict[str, Share] | None = None
    refit: bool = False  # what `comp train --refit` trained votes beside the folds
    # product: runs of one attribute each are multiplied into joint classes
    combine: Literal["product"] | None = None

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
    """What the submission file holds."""

    # What is written; auto: what the metric wants
    write: Literal["auto", "label", "probability", "rle", "masks", "coco", "boxes", "objects"] = (
        "auto"
    )
    # What to do with test images that the sample submission does not list
    extra_images: Literal["refuse", "ignore"] = "refuse"
    # Run lengths of an empty mask: '' for nothing, '-1', '1 1', ...; auto: as the sample says
    empty: Cell = "auto"
    # How many classes a cell holds, the likeliest first; auto: as many as the sample's cells
    likely: Count | Literal["auto"] = "auto"
    # Write boxes: the words of an object, such as "score x y w h" or "class score x y x2 y2"; auto:
    # as many as in the cells of the sample
    boxes: str = "auto"
    # Places behind the point; auto: of numbers as many as all cells of the sample have, else all
    decimals: Annotated[int, Field(ge=0, le=15)] | Literal["auto"] = "auto"
    site: Literal["kaggle", "dacon"] | None = None  # where `comp submission send` sends it
    competition: str | None = None  # Kaggle: the name in its address; Dacon: the number
    team: str = ""  # Dacon: the name of the team


class RulesConfig(Section):
    """What the rules of the competition allow. Where an experiment breaks one, a warning says so
    before it trains; nothing is refused."""

    external_data: bool = True  # data from elsewhere
    pretrained: bool = True  # weights that were trained on data from elsewhere


class Config(Section):
    """The whole experiment, validated."""

    name: FileName  # names runs/<name>/, folds/<name>.csv and submissions/<name>.csv
    # binary, multiclass, multilabel, regression, ordinal, several, segmentation or
    # multilabel_segmentation
    task: str
    tasks: Tasks = ()  # task several: what one network answers, each with columns, kind and metric
    # What models are chosen and rules are tuned by: a name; a file such as official_metric.py with
    # Kaggle's `score`; or {formula: "0.5*macro_f1 + 0.5*roc_auc"}
    metric: MetricName
    official: OfficialConfig = OfficialConfig()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42  # random seed of everything
    # Python files that register metrics, losses, ...; relative to the workspace
    plugins: Files = Field({})
    data: DataConfig
    folds: FoldsConfig = FoldsConfig()
    image: ImageConfig = ImageConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    predict: PredictConfig = PredictConfig()
    ensemble: EnsembleConfig = EnsembleConfig()
    submission: SubmissionConfig = SubmissionConfig()
    rules: RulesConfig = RulesConfig()
    # A run of masks that is trained before this one: a config with a name of its own, and
    # `classes` (default: all). Its out-of-fold masks say which part of each image is used
    stages: Stages = ()

    @property
    def passes(self) -> int:
        """The epochs that a finished fold has: `train.epochs`, or 1 of a probe."""
        return self.train.epochs if self.model.probe is None else 1

    @model_validator(mode="after")
    def _rate_of_the_start(self) -> Config:
        """Without `train.lr`, the learning rate is that of how the network starts."""
        scratch = not self.model.pretrained and self.model.weights is None
        if scratch and "lr" not in self.train.model_fields_set:
            self.__dict__["train"] = self.train.model_copy()
            self.train.__dict__["lr"] = SCRATCH_LR  # it still counts as left out
        low, high = self.train.min_lr, self.train.lr
        if low >= high:
            raise ValueError(f"train.min_lr ({low}) must be lower than train.lr ({high})")
        return self

    @model_validator(mode="after")
    def _together(self) -> Config:
        if self.predict.checkpoint == "average" and self.train.top_k < 2:
            raise ValueError("predict.checkpoint: average needs train.top_k of 2 or more")
        if self.model.views != "none":
            if self.model.probe is None:
                raise ValueError("model.views is for probes; a network has predict.tta")
            if self.predict.tta != "none":
                raise ValueError(
                    "predict.tta: a probe with model.views answers from all its views at once; "
                    "leave predict.tta out"
                )
        if self.predict.checkpoint == "average" and self.model.probe is not None:
            raise ValueError("predict.checkpoint: a probe has one checkpoint; use best")
        if "auto" in (self.image.mean, self.image.std) and self.model.probe is not None:
            raise ValueError(
                "image.mean, image.std: auto is measured in each fold, the features of a probe are "
                "made once for all; give numbers, or null for those of the network"
            )
        return self

    @model_validator(mode="after")
    def _columns_of_tasks(self) -> Config:
        """The columns of several tasks are those of data.target, which may be left out."""
        columns = tuple(column for one in self.tasks for column in one.of)
        if (self.task == "several") != bool(self.tasks):
            raise ValueError("task: several and a list of tasks (tasks) go together")
        if columns and self.data.target not in ((), columns):
            raise ValueError(
                f"data.target: with tasks it is the columns of these, {list(columns)}; leave it out"
            )
        if columns:
            self.__dict__["data"] = self.data.model_copy(update={"target": columns})
        return self

    @model_validator(mode="after")
    def _cut_by_stage(self) -> Config:
        """With a stage before, `data.boxes` is the table that it makes."""
        if not self.stages:
            return self
        name = self.stages[0].get("name")
        if not isinstance(name, str) or name == self.name:
            raise ValueError("stages: the stage needs a name of its own, which names its run")
        if self.folds.holdout is not None or self.data.bag is not None:
            raise ValueError("stages: not with folds.holdout or data.bag: each image needs a fold")
        made = f"runs/{name}/{BOXES}"
        if self.data.boxes not in (None, made):
            raise ValueError("stages: not with data.boxes, which are made by the stage")
        self.__dict__["data"] = self.data.model_copy(update={"boxes": made})
        return self

    @model_validator(mode="after")
    def _own_plan(self) -> Config:
        """The plan of an experiment's own name is its own plan, as without `folds.plan`."""
        if self.folds.plan == self.name:
            self.__dict__["folds"] = self.folds.model_copy(update={"plan": None})
        return self

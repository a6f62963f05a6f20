"""Every option of training once, as values laid over a config."""

from __future__ import annotations

from typing import Any

from comp.data.loader.sampler import SAMPLERS
from comp.models.heads import HEADS, INITS
from comp.tasks.losses import LOSSES
from comp.train.optim import SCHEDULES

MORE = {
    "multistep": {"train__milestones": [1, 2]},
    "plateau": {"train__decay_epochs": 1, "train__decay_rate": 0.5},
    "restarts": {"train__cycles": 2},
}
OPTIONS: dict[str, dict[str, Any]] = {
    **{
        f"loss {name}": {"train__loss": name, **({"model__head": "cosine"} if loss.cosines else {})}
        for name, loss in LOSSES.items()
    },
    "loss sum": {"train__loss": {"focal": 1.0, "soft_f1": 0.5}},
    "smoothing": {"train__label_smoothing": 0.1},
    "inverse": {"train__class_weights": "inverse"},
    "effective": {"train__class_weights": "effective"},
    "pos_weight": {"train__pos_weight": "auto"},
    **{f"sampler {name}": {"train__sampler": name} for name in SAMPLERS},
    "partly balanced": {"train__sampler": "balanced", "train__sampler_strength": 0.5},
    **{f"sched {name}": {"train__sched": name, **MORE.get(name, {})} for name in SCHEDULES},
    **{
        f"sched {name} by epoch": {
            **{"train__sched": name, "train__sched_by": "epoch", "train__warmup_epochs": 1},
            **MORE.get(name, {}),
        }
        for name in SCHEDULES
    },
    "min_lr": {"train__min_lr": 1e-4, "train__sched": "onecycle"},
    "opt sgd": {"train__opt": "sgd", "train__lr": 0.01},
    "opt adam": {"train__opt": "adam"},
    "layer_decay": {"train__layer_decay": 0.8},
    "head_lr": {"train__head_lr": 1e-2},
    "freeze": {"train__freeze_epochs": 1, "train__head_lr": 1e-2},
    "clip": {"train__clip_grad": 0.5},
    "patience": {"train__patience": 1},
    "top_k": {"train__top_k": 2},
    "ema": {"train__ema": 0.9},
    **{f"head {name}": {"model__head": name, "model__hidden": 16} for name in HEADS},
    **{f"init {name}": {"model__init": name} for name in INITS},
    "heads": {"model__heads": "attributes"},
    "mixup": {"augment__mixup": 0.2},
    "cutmix": {"augment__cutmix": 1.0},
    "both mixed": {"augment__mixup": 0.2, "augment__cutmix": 1.0, "train__micro_batch": 3},
    "erasing": {"augment__erasing": 0.5},
    "cutpaste": {"augment__cutpaste": 0.5},
    "copies": {"augment__copies": {"classes": ["y"], "turns": 4, "ratio": 2.0}},
    "norms": {"image__mean": "auto", "image__std": "auto"},
    "tiles": {"image__resize": "tiles", "image__size": 32},
    "own size": {"image__resize": "none"},
    "gamma": {"train__loss": "focal", "train__focal_gamma": 1.0, "train__focal_alpha": 0.6},
    "tversky": {"train__loss": "tversky", "train__tversky": [0.5, 0.5]},
    "decoder": {"model__name": "unetplusplus"},
    "vanilla": {"model__name": "unet_vanilla", "model__encoder": None},
}
# Killed three times by tests/test_survival.py, the others once by tests/test_train_options.py
THRICE = ("sched", "sampler", "both", "top_k")

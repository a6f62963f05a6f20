"""From a trained fold to probabilities: every view of test-time augmentation, merged as such.

ttach makes the views and undoes them; its wrappers are not used, because they merge raw outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import ttach
from torch import Tensor

from comp.config import Config
from comp.data.dataset import eval_batches
from comp.device import Device
from comp.errors import RunError, pick, reason
from comp.models import Net, build_empty_net
from comp.progress import track
from comp.tasks import Task

if TYPE_CHECKING:
    from comp.train.checkpoint import State

# name -> the views; each is a chain of ttach transforms, the first leaves the image as it is
TTAS: dict[str, Callable[[], ttach.Compose]] = {
    "none": lambda: ttach.Compose([]),
    "hflip": lambda: ttach.Compose([ttach.HorizontalFlip()]),
    "flips": ttach.aliases.flip_transform,
    "d4": ttach.aliases.d4_transform,
}


def net_of(state: State, config: Config, task: Task, device: Device) -> Net:
    """The network of a checkpoint, ready to predict. RunError when the weights do not fit."""
    outputs = task.columns(len(state["classes"]))
    classes = state["classes"]
    net = build_empty_net(config.model, outputs, config.image.size, device, classes)
    try:
        net.module.load_state_dict(state["model"])
    except RuntimeError as problem:
        raise RunError(
            f"the checkpoint of fold {state.get('fold')} does not fit {config.model.name}: "
            f"{reason(problem)}"
        ) from problem
    net.module.eval()
    return Net(net.module, device, tuple(state["mean"]), tuple(state["std"]))


@torch.inference_mode()
def view_probs(net: Net, task: Task, images: Tensor, views: ttach.Compose) -> Tensor:
    """(B, C, ...) float32: the mean over the views of the probabilities of uint8 (B, 3, H, W).

    For a spatial task each view's probabilities are turned back before they are merged.
    """
    total: Tensor | None = None
    for view in views:
        probs = task.link.probs(net.logits(view.augment_image(images)))
        probs = view.deaugment_mask(probs) if task.spatial else probs
        total = probs if total is None else total + probs
    assert total is not None, "a list of views holds the image itself at least"
    return total / len(views)


def predict_probs(
    net: Net,
    task: Task,
    images: np.ndarray[Any, Any],
    rows: np.ndarray[Any, Any],
    *,
    tta: str,
    batch_size: int,
    what: str = "predicting",
) -> np.ndarray[Any, Any]:
    """(n, C) float32 probabilities of the `rows` of packed images (N, S, S, 3), in their order."""
    views = pick(TTAS, tta, "predict.tta")()
    steps = -(-len(rows) // batch_size)

    def parts() -> Iterator[np.ndarray[Any, Any]]:
        for batch in track(eval_batches(images, rows, batch_size), steps, what):
            yield view_probs(net, task, net.to_device(batch), views).cpu().numpy()

    return np.concatenate(list(parts()))

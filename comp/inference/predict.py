"""From a trained fold to probabilities: every view of test-time augmentation, merged as such.

ttach makes the views and undoes them; its wrappers are not used, because they merge raw outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import ttach
from torch import Tensor

from comp.config.schema import Config, ImageConfig
from comp.core.errors import PredictionsError, RunError, pick, reason
from comp.core.progress import say, track
from comp.data.images.decode import image_size
from comp.data.images.geometry import unfit
from comp.data.loader.loader import eval_batches
from comp.inference.pieces import Parts
from comp.models.device import Device
from comp.models.networks import Net, build_empty_net, look
from comp.tasks.kinds import Task

if TYPE_CHECKING:
    from comp.train.checkpoint import State

PIECE_ROWS = 512  # images between two files of a long prediction
PIECE_BYTES = 64 << 20  # of maps

# name -> the views; each is a chain of ttach transforms, the first leaves the image as it is
TTAS: dict[str, Callable[[], ttach.Compose]] = {
    "none": lambda: ttach.Compose([]),
    "hflip": lambda: ttach.Compose([ttach.HorizontalFlip()]),
    "flips": ttach.aliases.flip_transform,
    "d4": ttach.aliases.d4_transform,
}
AUTO = "auto"  # judged on the out-of-fold predictions, see `comp.ensemble.tta_choice`
# The eight views of a square, by name, in the order of ttach's d4; `flip` is left to right.
VIEWS = ("id", "rot90", "rot180", "rot270", "flip", "flip90", "flip180", "flip270")


def views_of(tta: str) -> list[Any]:
    """The views of a name in TTAS, or of names in VIEWS with `+` between: `id+flip`.

    Raises ConfigError for other names.
    """
    if tta in TTAS:
        return list(TTAS[tta]())
    known = dict(zip(VIEWS, TTAS["d4"](), strict=True))
    if "+" not in tta and tta not in known:
        pick({**TTAS, AUTO: None, **known}, tta, "predict.tta")
    return [pick(known, name, "view in predict.tta") for name in tta.split("+")]


def check_tta(tta: str) -> None:
    """Raise ConfigError for what is neither `auto` nor names of views."""
    if tta != AUTO:
        views_of(tta)


def net_of(state: State, config: Config, task: Task, device: Device) -> Net:
    """The network of a checkpoint, ready to predict. RunError when the weights do not fit."""
    outputs = task.columns(len(state["classes"]))
    classes = state["classes"]
    net = build_empty_net(
        config.model, outputs, config.image.size, device, classes, spatial=task.spatial
    )
    try:
        net.module.load_state_dict(state["model"])
    except RuntimeError as problem:
        raise RunError(
            f"the checkpoint of fold {state.get('fold')} does not fit {config.model.name}: "
            f"{reason(problem)}"
        ) from problem
    net.module.eval()
    net = Net(net.module, device, tuple(state["mean"]), tuple(state["std"]))
    return look(net, config.image)


@torch.inference_mode()
def view_probs(net: Net, task: Task, images: Tensor, views: Sequence[Any]) -> Tensor:
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


def predict_maps(
    net: Net,
    task: Task,
    images: Any,
    rows: np.ndarray[Any, Any],
    paths: Sequence[Path],
    image: ImageConfig,
    *,
    side: int,
    columns: int,
    tta: str,
    batch_size: int,
    what: str,
    keep: Parts | None = None,
) -> Iterator[np.ndarray[Any, Any]]:
    """Pieces (n, C, side, side) uint8 of the probabilities of `rows`, in their order, as 255ths.

    Each covers its whole upright image, stretched to a square. paths: the file of each row of
    `images`. keep: where pieces are kept until all are there. One is in memory at a time.
    """
    views = views_of(tta)
    piece = max(1, min(PIECE_ROWS, PIECE_BYTES // (side * side * columns)))

    def made(start: int) -> np.ndarray[Any, Any]:
        some, maps = rows[start : start + piece], list[np.ndarray[Any, Any]]()
        for batch in eval_batches(images, some, batch_size):
            probs = view_probs(net, task, net.to_device(batch), views).cpu().numpy()
            places = some[len(maps) : len(maps) + len(probs)]
            maps += [
                _kept(one, paths[int(row)], image.resize, side, background=task.link.normalized)
                for one, row in zip(probs, places, strict=True)
            ]
        return np.stack(maps)

    starts = range(0, len(rows), piece)
    if keep is None:
        yield from (made(start) for start in track(starts, len(starts), what))
        return
    missing = [start for start in starts if not keep.there(start)]
    if len(missing) < len(starts):
        say(f"{what}: {len(starts) - len(missing)} of {len(starts)} parts were there already")
    for start in track(missing, len(missing), what):
        keep.write(start, made(start))
    for start in starts:
        found = keep.read(start)
        if found is None:
            raise PredictionsError(f"{keep.path}: a part is damaged; run the same command again")
        yield found


def _kept(
    probs: np.ndarray[Any, Any], path: Path, resize: str, side: int, *, background: bool
) -> np.ndarray[Any, Any]:
    height, width = image_size(path) if resize in ("pad", "crop") else probs.shape[1:]
    if not np.isfinite(probs).all():
        raise PredictionsError(
            f"{path}: the network gives NaN for this image; was it trained well?"
        )
    whole = unfit(probs, height, width, resize, side, background=background)
    return np.asarray((whole * 255).round().clip(0, 255), dtype=np.uint8)


def predict_probs(
    net: Net,
    task: Task,
    images: np.ndarray[Any, Any],
    rows: np.ndarray[Any, Any],
    *,
    tta: str,
    batch_size: int,
    what: str = "predicting",
    keep: Parts | None = None,
) -> np.ndarray[Any, Any]:
    """(n, C) float32 probabilities of the `rows` of packed images (N, S, S, 3), in their order.

    keep: where the pieces of about PIECE_ROWS rows are kept; those that are there are not made.
    """
    views = views_of(tta)
    piece = batch_size * max(1, PIECE_ROWS // batch_size)
    found = {s: keep.read(s) if keep else None for s in range(0, len(rows), piece)}

    def predicted(start: int) -> Iterator[np.ndarray[Any, Any]]:
        for batch in eval_batches(images, rows[start : start + piece], batch_size):
            yield view_probs(net, task, net.to_device(batch), views).cpu().numpy()

    missing = [start for start, part in found.items() if part is None]
    if keep and len(missing) < len(found):
        say(f"{what}: {len(found) - len(missing)} of {len(found)} parts were there already")
    for start in track(missing, len(missing), what):
        part = np.concatenate(list(predicted(start)))
        found[start] = part
        if keep:
            keep.write(start, part)
    return np.concatenate([part for part in found.values() if part is not None])

"""From a trained fold to the probabilities of its images, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from comp.config.schema import Config
from comp.core.errors import RunError, reason
from comp.core.progress import say, track
from comp.data.cache.store import Images
from comp.data.loader.batches import eval_batches
from comp.inference.outputs import Output
from comp.inference.pieces import Pieces
from comp.inference.views import view_probs, views_of
from comp.models.bags.pools import bag_form
from comp.models.device import Device
from comp.models.halving import Halving
from comp.models.lora import merged
from comp.models.networks import Net, build_net, for_images, with_parts
from comp.tasks.kinds import Task
from comp.tasks.number_losses import outputs_per_number

if TYPE_CHECKING:
    from comp.train.checkpoints.checkpoint import Saved

Array = np.ndarray[Any, Any]


def net_of(saved: Saved, config: Config, task: Task, device: Device) -> Net:
    """The network of a checkpoint, ready to predict: its moving average where it has one.

    Raises RunError when the weights do not fit.
    """
    net = build_net(
        config.model,
        task.columns(len(saved["classes"])),
        config.image.size,
        device,
        saved["classes"],
        spatial=task.spatial,
        empty=True,
        per_number=outputs_per_number(config.train.loss) if task.link.measures else 0,
        steps=task.link.steps,
        channels=config.image.channels,
        bag=bag_form(config),
    )
    try:
        weights = saved.get("ema") or saved["model"]
        net.module.load_state_dict(merged(weights, config.model.lora_scale))
    except RuntimeError as problem:
        raise RunError(
            f"the checkpoint of fold {saved.get('fold')} does not fit {config.model.name}: "
            f"{reason(problem)}"
        ) from problem
    net.module.eval()
    net = Net(net.module, device, tuple(saved["mean"]), tuple(saved["std"]))
    return for_images(net, config.image)


@dataclass(frozen=True)
class PieceMaker:
    """From the rows of one piece to what is kept of their probabilities, batch by batch.

    `views`       see `views_of`
    `forward`     how many images go through the network at once
    `batch_size`  images that are brought to the device at once
    """

    net: Net
    task: Task
    output: Output
    views: Sequence[Any]
    forward: Halving
    batch_size: int

    def make(self, images: Images, rows: Array, kept_as: Array | None = None) -> Array:
        """(n, ...) what `output` keeps of the `rows` of `images`, in their order.

        kept_as: (n,) the rows of the index that they are, where `images` holds a part of it.
        """
        out = list[Array]()
        before: tuple[list[Callable[[], Array]], Array] | None = None
        names = dict(zip(rows.tolist(), rows if kept_as is None else kept_as, strict=True))
        for some, batch in self.net.ahead(eval_batches(images, rows, self.batch_size)):
            probs = self.forward(self._seen, batch)
            coming = [self.net.device.fetch(part) for part in self.output.shrunk(probs)]
            some = np.asarray([names[row] for row in some.tolist()])
            if before:  # is saved while the device works on this one
                out.append(self._kept(*before))
            before = coming, some
        if before:
            out.append(self._kept(*before))
        return np.concatenate(out)

    def _kept(self, coming: list[Callable[[], Array]], rows: Array) -> Array:
        probs, *finite = (arrived() for arrived in coming)
        return self.output.keep(probs, rows, *finite)

    def _seen(self, part: Tensor) -> Tensor:
        return view_probs(self.net, self.task, part, self.views)


def predict_pieces(
    net: Net,
    task: Task,
    images: Images,
    rows: Array,
    output: Output,
    *,
    tta: str,
    batch_size: int,
    name: str = "predicting",
    pieces: Pieces | None = None,
) -> Iterator[Array]:
    """What `output` keeps of the probabilities of the `rows` of packed images, in their order.

    Together the pieces are (n, C) float32 or (n, C, side, side) uint8; one is in memory at a time.
    tta: see `views_of`. pieces: where each piece is kept as soon as it is there; whole ones that
    are there already are not made again.
    """
    step = output.piece_rows(batch_size)
    net = with_parts(net, batch_size, name)
    maker = PieceMaker(net, task, output, views_of(tta), Halving(batch_size, name), batch_size)
    starts = range(0, len(rows), step)
    done = sum(pieces.there(start) for start in starts) if pieces else 0
    if done:
        say(f"{name}: {done} of {len(starts)} parts were there already")
    for start in track(starts, len(starts), name):
        piece = pieces.read(start) if pieces else None
        if piece is None:
            piece = maker.make(images, rows[start : start + step])
            if pieces:
                pieces.write(start, piece)
        yield piece

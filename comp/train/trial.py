"""One trial before the first step of a fold: what cannot be trained is told at once, in words.

The smallest part of a batch that an epoch has, at its real size, goes forward and backward in
training mode. A fold that was resumed has passed it, so that a resumed run pays nothing for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from comp.core.errors import CompError, ConfigError, ModelError, TrainError, reason
from comp.core.progress import say
from comp.core.rng import seed_torch
from comp.data.loader.loader import Loader
from comp.models.device import Device, is_oom
from comp.models.freezing import set_training_mode
from comp.models.networks import build_net
from comp.models.sizes import advice, takes
from comp.train.job import Job
from comp.train.train_state import TrainState
from comp.train.update import backward, mixed, parts_of


def try_out(job: Job, state: TrainState, loader: Loader) -> None:
    """Train on the smallest part of a batch for trial; weights, BatchNorm and chance stay as they
    are. A fold that has made an update already is not tried.

    Raises ModelError for a network that cannot be trained on such images, ConfigError for one that
    is not deterministic where the config asks for it, and OutOfMemoryError as a step does.
    """
    if state.updates or state.skipped:
        return
    images, target = _smallest(job, state, loader)
    _note_border(job, state.net.module)
    with _as_it_was(state):
        seed_torch(job.config.seed, "step", job.fold, 0, 0)
        set_training_mode(state.net.module, head_only=False)
        try:
            batch, aux = mixed(job, state, images, target)
            for part, truth in batch.parts(1):
                backward(job, state, part, truth, 1.0, None if aux is None else (aux, len(part)))
        except CompError:
            raise
        except Exception as problem:  # whatever a network raises
            if is_oom(problem):
                raise
            raise _in_words(job, images, problem) from problem


def _smallest(job: Job, state: TrainState, loader: Loader) -> tuple[torch.Tensor, torch.Tensor]:
    """The first images of the last batch of an epoch: as many as the smallest part has."""
    batches = loader.epoch(0, len(loader) - 1)
    images, target = next(iter(batches))
    if isinstance(batches, Iterator) and hasattr(batches, "close"):
        batches.close()
    counts = {len(images)} | ({job.config.train.batch_size} if len(loader) > 1 else set())
    few = min(count // parts_of(count, state.micro_batch) for count in counts)
    return images[:few], target[:few]


@contextlib.contextmanager
def _as_it_was(state: TrainState) -> Iterator[None]:
    """Leave buffers, gradients and torch's generators as they were, whatever the block does."""
    module = state.net.module
    kept = [buffer.clone() for buffer in module.buffers()]
    cuda = [torch.cuda.current_device()] if state.net.device.torch_device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        try:
            yield
        finally:
            state.optimizer.zero_grad(set_to_none=True)
            module.zero_grad(set_to_none=True)
            with torch.no_grad():
                for buffer, before in zip(module.buffers(), kept, strict=True):
                    buffer.copy_(before)


def _note_border(job: Job, module: nn.Module) -> None:
    """Say where patches leave a part of the images unseen."""
    embed, size = getattr(module, "patch_embed", None), job.config.image.size
    patch = getattr(embed, "patch_size", None)
    if getattr(embed, "dynamic_img_pad", True) or not isinstance(patch, tuple):
        return
    rest = size % int(patch[0])
    if rest:
        say(
            f"note: {job.config.model.name} cuts images into patches of {patch[0]} px; of "
            f"{size} px, {rest} at the border are not seen. image.size {size - rest} or "
            f"{size - rest + patch[0]} is seen whole"
        )


def _in_words(job: Job, images: torch.Tensor, problem: Exception) -> CompError:
    config, text, count = job.config, str(problem), len(images)
    name = config.model.name
    if "more than 1 value per channel" in text:
        return ModelError(
            f"model.name: {name} cannot be trained on {count} image at a time: its BatchNorm needs "
            "more than one value per channel. Set train.batch_size, and train.micro_batch where "
            "it is given, to 2 or more."
        )
    if "deterministic" in text:
        return ConfigError(
            f"train.deterministic: true is not possible with {name}: {reason(problem)} Set it to "
            "false, or use another network (model.name) or image.size."
        )
    if "allocate memory" in text or "not enough memory" in text:
        return TrainError(
            f"out of memory with {count} images at a time: {reason(problem)} Use a smaller "
            "image.size, train.micro_batch or model.name."
        )
    why, size = f"{type(problem).__name__}: {reason(problem)}", config.image.size
    if not takes(lambda side: _on_meta(job, side), size):
        hint = advice(lambda side: _on_meta(job, side), size)
        return ModelError(
            f"model.name: {name} cannot be trained on images of {size} px ({why}). {hint}"
        )
    height, width = images.shape[1:3]
    return ModelError(
        f"model.name: {name} fails in a trial step on {count} images of {height} x {width} px "
        f"({why}). Look at model.*, image.* and train.loss, or use another network."
    )


def _on_meta(job: Job, size: int) -> nn.Module:
    """The network of the config for images of `size` px, without weights."""
    nowhere = Device(torch.device("meta"), "fp32", None, scaled=False)
    model, spatial = job.config.model, job.task.spatial
    return build_net(
        *(model, job.columns, size, nowhere, job.classes),
        spatial=spatial,
        empty=True,
        per_number=job.per_number,
        steps=job.task.link.steps,
    ).module

"""Networks: any timm model with the number of outputs that the task needs."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import timm
import torch
from timm.data import resolve_data_config
from timm.models import adapt_input_conv
from torch import Tensor, nn

from comp.config.schema import ImageConfig, ModelConfig
from comp.core.errors import ModelError, did_you_mean, first, reason
from comp.core.progress import say
from comp.data.images.pixel_form import form_of
from comp.data.images.tiles import AT_ONCE, stitched
from comp.models.bags.nets import BagNet, wrap
from comp.models.bags.pools import POOLS, BagForm
from comp.models.device import Device, sent_ahead
from comp.models.halving import Halving
from comp.models.heads import Tail, dress_head, dressed, tail_of
from comp.models.pools import StageMaps, set_pool
from comp.models.segmenters import Segmenter, build_segmenter, channel_norms
from comp.models.sizes import advice, takes
from comp.models.weight_files import best_fit, read_tensors
from comp.tasks.grades import Steps

T = TypeVar("T")
_PLACES = ("", "inner.", "inner.encoder.", "inner.encoder.model.")  # in a Segmenter


@dataclass
class Net:
    """A network on its device, with the normalisation that it was made for.

    `mean`, `std`: a number each per channel, in units of [0, 1]. `tiles`: None, or side and overlap
    of the tiles that larger images are cut into; logits are averaged where tiles overlap.
    `fast`: what is called for `module`, see `comp.models.compiled`; None: the module itself.
    `top`: the value of white in images, 255 or 65,535.
    `parts`: how many images of bags go through the module at once; None: all.
    """

    module: nn.Module
    device: Device
    mean: tuple[float, ...]
    std: tuple[float, ...]
    tiles: tuple[int, float] | None = None
    fast: Callable[[Tensor], Tensor] | None = None
    top: int = 255
    parts: Halving | None = None
    halving: Halving | None = None  # of tiles, once there are some

    def logits(self, images: Tensor) -> Tensor:
        """(B, C), or (B, C, H, W), from images (B, C, H, W) uint8 or int32 on the device; or from
        bags of n images each (B, n, 3, H, W)."""
        if isinstance(self.module, BagNet):
            return self._of_bags(self.module, images)
        if self.tiles is not None and max(images.shape[-2:]) > self.tiles[0]:
            return stitched(partial(self._tiles_at_once, self._logits), images, *self.tiles)
        return self._logits(images)

    def _tiles_at_once(self, forward: Callable[[Tensor], Tensor], tiles: Tensor) -> Tensor:
        """Half as many tiles at once as often as memory is short."""
        if self.halving is None:
            self.halving = Halving(AT_ONCE, "tiles")
        return self.halving(forward, tiles)

    def _logits(self, images: Tensor) -> Tensor:
        with self.device.autocast():
            logits: Tensor = (self.fast or self.module)(self.normalize(images))
        return logits

    def _of_bags(self, module: BagNet, images: Tensor) -> Tensor:
        if module.training:
            return self._logits(module.inputs(images)[0])
        features, shape = self.features_of_bags(module, images)
        with self.device.autocast():
            return module.answers(features.unflatten(0, shape))

    def features_of_bags(self, module: BagNet, images: Tensor) -> tuple[Tensor, tuple[int, ...]]:
        """The features of the images of bags (B, n, 3, H, W), `parts` at once, and the shape of
        what they are of, see `BagNet.inputs`."""

        def features(part: Tensor) -> Tensor:
            with self.device.autocast():
                found: Tensor = module.inner(self.normalize(part))
            return found

        inputs, shape = module.inputs(images)
        return (self.parts(features, inputs) if self.parts else features(inputs)), shape

    def normalize(self, images: Tensor) -> Tensor:
        """Float images, normalised by the network's mean and standard deviation, channels last.
        Where several images are the channels of one, each by the same."""
        many = images.shape[1] // len(self.mean)
        scale, shift = _scale_shift(self.mean * many, self.std * many, self.top, images.device)
        out = images.float().mul_(scale).add_(shift)
        return out.contiguous(memory_format=torch.channels_last)

    def to_device(self, images: Tensor) -> Tensor:
        """(B, H, W, C) from a loader -> (B, C, H, W), channels last, on the device; so are bags
        (B, n, H, W, 3) -> (B, n, 3, H, W). Pixels of 16 bits are int32 there, because CUDA has few
        operations for uint16."""
        sent = self.device.send(images)
        if sent.dtype == torch.uint16:
            sent = sent.view(torch.int16).to(torch.int32).bitwise_and_(0xFFFF)
        return sent.movedim(-1, -3)

    def ahead(self, batches: Iterable[tuple[T, Tensor]]) -> Iterator[tuple[T, Tensor]]:
        """The same batches with their images as `to_device` gives them, copied to a CUDA device
        beside the work on the batch before."""

        def send(batch: tuple[T, Tensor]) -> tuple[T, Tensor]:
            return batch[0], self.to_device(batch[1])

        return sent_ahead(batches, self.device, send)


@functools.lru_cache(maxsize=16)
def _scale_shift(
    mean: tuple[float, ...], std: tuple[float, ...], top: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Factor and summand (1, C, 1, 1) that normalise pixels of [0, top], on the device once."""
    with torch.inference_mode(False):
        scale = torch.tensor([1 / (top * value) for value in std])
        shift = torch.tensor([-m / value for m, value in zip(mean, std, strict=True)])
        return tuple(value.view(1, -1, 1, 1).to(device) for value in (scale, shift))  # type: ignore[return-value]


def build_net(
    config: ModelConfig,
    outputs: int,
    image_size: int,
    device: Device,
    classes: Sequence[str] = (),
    *,
    spatial: bool = False,
    empty: bool = False,
    per_number: int = 0,
    steps: Steps = "none",
    channels: int = 3,
    bag: BagForm | None = None,
) -> Net:
    """A network for training: new, pretrained, or from a local file, as the config says.

    outputs: C. classes: their names; `model.heads: attributes` reads them. spatial: whether it is a
    segmenter, with (B, C, H, W) logits. empty: no weights are loaded, because a checkpoint is about
    to fill them; that needs no network access. per_number: for C columns of numbers, how many
    outputs each has; 0 for classes. steps: see `comp.tasks.kinds.Link`.
    channels: of its images; pretrained first layers are adapted to them (by timm).
    bag: the form of the bags that it answers for; None: for images.
    Raises ModelError for an unknown name (with the nearest one), for weights that cannot be had or
    do not fit, and for an image size that the architecture cannot take.
    """
    pretrained = config.pretrained and not empty and config.weights is None
    if spatial:
        module: nn.Module = build_segmenter(
            config, outputs, pretrained=pretrained, channels=channels
        )
    else:
        module = _build_classifier(
            config, outputs, image_size, classes, pretrained, per_number, steps, channels, bag
        )
    if config.weights and not empty:
        _say_taken(config.weights, *load_weights(module, Path(config.weights)))
    return as_net(module, device, config, channels)


def build_backbone(config: ModelConfig, image: ImageConfig, device: Device) -> Net:
    """A network without its last layer, ready to give features: (B, D) from images.

    Its mean and standard deviation are its own, or the numbers of `image`. Raises as `build_net`.
    """
    pretrained = config.pretrained and config.weights is None
    module = _create(config, 0, image.size, image.channels, pretrained=pretrained)
    set_pool(module, config.pool, config.name)
    if config.weights:
        _say_taken(config.weights, *load_weights(module, Path(config.weights)))
    if config.maps == "all":
        module = StageMaps(module, config.pool, image.channels, image.size, config.name)
    net = as_net(module.eval(), device, config, image.channels)
    mean = image.mean if isinstance(image.mean, tuple) else net.mean
    std = image.std if isinstance(image.std, tuple) else net.std
    return replace(net, mean=mean, std=std, top=form_of(image).top)


def for_images(net: Net, image: ImageConfig) -> Net:
    """The same network for pixels of `image.bits`; it sees large images through tiles where
    `image.resize` is `tiles`."""
    tiles = (image.size, image.overlap) if image.resize == "tiles" else None
    return replace(net, tiles=tiles, top=form_of(image).top)


def _build_classifier(
    config: ModelConfig,
    outputs: int,
    image_size: int,
    classes: Sequence[str],
    pretrained: bool,
    per_number: int,
    steps: Steps,
    channels: int,
    bag: BagForm | None,
) -> nn.Module:
    if config.encoder is not None:
        raise ModelError(
            f"model.encoder: {config.encoder!r} is for segmentation; for classification write it "
            "as model.name"
        )
    if per_number and config.heads != "one":
        raise ModelError("model.heads: attributes is for classes; with numbers use one")
    tail = tail_of(config, outputs, classes, per_number, steps)
    if bag is not None:
        return _build_for_bags(config, image_size, tail, channels, pretrained, bag)
    module = _create(config, tail.outputs, image_size, channels, pretrained=pretrained)
    set_pool(module, config.pool, config.name)
    dress_head(module, config, tail.layers)
    return module


def _build_for_bags(
    config: ModelConfig, image_size: int, tail: Tail, channels: int, pretrained: bool, form: BagForm
) -> nn.Module:
    wide = channels * form.size if POOLS[config.pool_bag].stacks else channels
    plain = config.model_copy(update={"drop_rate": 0.0})  # dropout comes after the pool
    inner = _create(plain, 0, image_size, wide, pretrained=pretrained)
    set_pool(inner, config.pool, config.name)
    units, drop = config.bag_width, config.drop_rate

    def head(width: int) -> nn.Module:
        return dressed(nn.Linear(width, tail.outputs), config, tail.layers)

    return wrap(inner, config.pool_bag, units, drop, form, head)


def with_parts(net: Net, size: int, what: str) -> Net:
    """The same network, which is given `size` images of bags at once; see `Halving`."""
    return replace(net, parts=Halving(size, what)) if isinstance(net.module, BagNet) else net


def as_net(module: nn.Module, device: Device, config: ModelConfig, channels: int = 3) -> Net:
    """A module on `device`, channels last, with its own mean and standard deviation."""
    if isinstance(module, Segmenter):
        mean, std = channel_norms(config)
    else:
        data = resolve_data_config({}, model=module)
        mean, std = tuple(data["mean"]), tuple(data["std"])
    module = module.to(device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Net(module, device, _for_channels(mean, channels), _for_channels(std, channels))


def noise(shape: tuple[int, ...], bits: int, generator: torch.Generator | None = None) -> Tensor:
    """Images of random pixels, uint8 or uint16."""
    if bits == 8:
        return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    drawn = torch.randint(0, 1 << bits, shape, generator=generator, dtype=torch.int32)
    return drawn.to(torch.uint16)


def _for_channels(values: Sequence[float], channels: int) -> tuple[float, ...]:
    """A number for each channel, of those of red, green and blue: one channel has their mean, more
    than three begin again, as the weights of an adapted first layer do."""
    if channels == len(values):
        return tuple(values)
    if channels == 1:
        return (sum(values) / len(values),)
    return tuple(values[place % len(values)] for place in range(channels))


def _create(
    config: ModelConfig, outputs: int, size: int, channels: int, *, pretrained: bool
) -> nn.Module:
    name = config.name
    if not timm.is_model(name):
        hint = did_you_mean(name.split(".")[0], timm.list_models())
        raise ModelError(
            f"model.name: timm {timm.__version__} has no {name!r}.{hint} "
            "`python -c \"import timm; print(timm.list_models('*net*'))\"` lists what it has."
        )
    options: dict[str, Any] = {"num_classes": outputs, "drop_rate": config.drop_rate}
    if channels != 3:
        options["in_chans"] = channels
    if _takes_size(name):
        options["img_size"] = size
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it reports every retry

    def built(side: int) -> nn.Module:
        own = {"img_size": side} if "img_size" in options else {}
        module: nn.Module = timm.create_model(name, **{**options, **own})
        return module

    try:
        loaded: nn.Module = timm.create_model(name, pretrained=pretrained, **options)
        return loaded
    except Exception as problem:  # timm, its networks and the hub raise whatever they like
        if pretrained and not isinstance(problem, AssertionError) and takes(built, size, channels):
            raise ModelError(_no_weights(name, problem)) from problem
        raise ModelError(
            f"model.name: {name} cannot be built for {size} px ({reason(problem)}). "
            f"{advice(built, size, channels)}"
        ) from problem


def _takes_size(name: str) -> bool:
    """Whether the architecture is built for one image size, as vision transformers are."""
    entry = timm.model_entrypoint(name)
    config = getattr(inspect.getmodule(entry), "default_cfgs", {}).get(name.split(".")[0])
    default = getattr(config, "default", config)
    return bool(getattr(default, "fixed_input_size", False))


def _no_weights(name: str, problem: Exception) -> str:
    return (
        f"model.pretrained: no pretrained weights for {name} here ({reason(problem)}). "
        "Where there is a network, fetch them once with "
        f"`python -c \"import timm; timm.create_model('{name}', pretrained=True)\"`; without one, "
        "give a local file (model.weights) or train from scratch (--set model.pretrained=false)."
    )


def load_weights(module: nn.Module, path: Path) -> tuple[int, list[str]]:
    """Fill `module` from a local file; how many tensors were taken, and the names left.

    Reads .safetensors, and all else with `weights_only=True`: code in a pickle is never run.
    Wrappers (`state_dict`, `model`, ...) and what names begin with (`_orig_mod.module.`, `model.`,
    `ema.`, ...) are undone as often as they occur; tensors of another shape, such as the head of
    another number of classes, and tensors that are no weights are left out.
    Raises ModelError when the file is missing, is not made of tensors, or fits nothing.
    """
    own = module.state_dict()
    loaded = _widened(read_tensors(path), module, own)
    fitting = best_fit(loaded, own, _PLACES)
    if not any(own[name].dim() > 1 for name in fitting):
        raise ModelError(
            f"model.weights: {path} fits nothing of this network; it holds names like "
            f"{list(loaded)[:3]}, the network wants names like {list(own)[:3]}"
        )
    broken = [n for n, value in fitting.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise ModelError(
            f"model.weights: {path}: {len(broken)} tensors hold NaN or infinity: {first(broken)}. "
            "The training that saved them had failed; take an earlier file"
        )
    module.load_state_dict(fitting, strict=False)
    return len(fitting), [name for name in own if name not in fitting]


def _widened(
    loaded: dict[str, Tensor], module: nn.Module, own: dict[str, Tensor]
) -> dict[str, Tensor]:
    """The tensors of a file, those of the first layer for as many channels as a network of bags has
    there, as timm widens them."""
    if not isinstance(module, BagNet) or not module.kind.stacks:
        return loaded
    firsts = module.pretrained_cfg.get("first_conv") or ()
    firsts = (firsts,) if isinstance(firsts, str) else firsts
    out = dict(loaded)
    for first_layer in firsts:
        wide = own.get(f"inner.{first_layer}.weight")
        for name, value in loaded.items():
            if wide is not None and name.endswith(f"{first_layer}.weight") and value.dim() == 4:
                out[name] = adapt_input_conv(wide.shape[1], value)
    return out


def _say_taken(weights: str, taken: int, left: list[str]) -> None:
    text = (
        f"model.weights: {taken} of {taken + len(left)} tensors of the network are from {weights}"
    )
    say(f"{text}; new ones: {first(left, 4)}" if left else text)

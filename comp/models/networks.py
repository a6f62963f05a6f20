"""Networks: any timm model with the number of outputs that the task needs."""

from __future__ import annotations

import inspect
import logging
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import timm
import torch
from timm.data import resolve_data_config
from torch import Tensor, nn

from comp.config.schema import ImageConfig, ModelConfig
from comp.core.errors import ModelError, did_you_mean, reason
from comp.data.images.tiles import stitched
from comp.models.device import Device
from comp.models.heads import dress_head, outputs_of
from comp.models.segmenters import Segmenter, build_segmenter, channel_norms

_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
_PLACES = ("", "inner.", "inner.encoder.", "inner.encoder.model.")  # in a Segmenter
_PREFIXES = ("module.", "_orig_mod.", "model.")


@dataclass
class Net:
    """A network on its device, with the normalisation that it was made for.

    `mean`, `std`: three numbers each, in units of [0, 1]. `tiles`: None, or side and overlap of
    the tiles that larger images are cut into; logits are averaged where tiles overlap.
    """

    module: nn.Module
    device: Device
    mean: tuple[float, ...]
    std: tuple[float, ...]
    tiles: tuple[int, float] | None = None

    def logits(self, images: Tensor) -> Tensor:
        """(B, C), or (B, C, H, W), from uint8 RGB images (B, 3, H, W) on the device."""
        if self.tiles is not None and max(images.shape[-2:]) > self.tiles[0]:
            return stitched(self._logits, images, *self.tiles)
        return self._logits(images)

    def _logits(self, images: Tensor) -> Tensor:
        with self.device.autocast():
            logits: Tensor = self.module(self.normalize(images))
        return logits

    def normalize(self, images: Tensor) -> Tensor:
        """Float images, normalised by the network's mean and standard deviation, channels last."""
        shape = (1, -1, 1, 1)
        scale = [1 / (255 * value) for value in self.std]
        shift = [-mean / value for mean, value in zip(self.mean, self.std, strict=True)]
        out = images.float().mul_(torch.tensor(scale, device=images.device).view(shape))
        out = out.add_(torch.tensor(shift, device=images.device).view(shape))
        return out.contiguous(memory_format=torch.channels_last)

    def to_device(self, images: Tensor) -> Tensor:
        """uint8 (B, H, W, 3) from a loader -> uint8 (B, 3, H, W), channels last, on the device."""
        return images.to(self.device.torch_device, non_blocking=True).permute(0, 3, 1, 2)


def build_net(
    config: ModelConfig,
    outputs: int,
    image_size: int,
    device: Device,
    classes: Sequence[str] = (),
    *,
    spatial: bool = False,
    empty: bool = False,
) -> Net:
    """A network for training: new, pretrained, or from a local file, as the config says.

    outputs: C. classes: their names; `model.heads: attributes` reads them. spatial: whether it is a
    segmenter, with (B, C, H, W) logits. empty: no weights are loaded, because a checkpoint is about
    to fill them; that needs no network access.
    Raises ModelError for an unknown name (with the nearest one), for weights that cannot be had or
    do not fit, and for an image size that the architecture cannot take.
    """
    pretrained = config.pretrained and not empty
    if spatial:
        module: nn.Module = build_segmenter(config, outputs, pretrained=pretrained)
    else:
        module = _build_classifier(config, outputs, image_size, classes, pretrained)
    if config.weights and not empty:
        load_weights(module, Path(config.weights))
    return as_net(module, device, config)


def with_tiles(net: Net, image: ImageConfig) -> Net:
    """The same network, which sees large images through tiles where `image.resize` is `tiles`."""
    return replace(net, tiles=(image.size, image.overlap) if image.resize == "tiles" else None)


def _build_classifier(
    config: ModelConfig, outputs: int, image_size: int, classes: Sequence[str], pretrained: bool
) -> nn.Module:
    if config.encoder is not None:
        raise ModelError(
            f"model.encoder: {config.encoder!r} is for segmentation; for classification write it "
            "as model.name"
        )
    outputs = outputs_of(config, outputs, classes)
    module = _create(config, outputs, image_size, pretrained=pretrained)
    dress_head(module, config, classes)
    return module


def as_net(module: nn.Module, device: Device, config: ModelConfig) -> Net:
    """A module on `device`, channels last, with its own mean and standard deviation."""
    if isinstance(module, Segmenter):
        mean, std = channel_norms(config)
    else:
        data = resolve_data_config({}, model=module)
        mean, std = tuple(data["mean"]), tuple(data["std"])
    module = module.to(device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Net(module, device, mean, std)


def _create(config: ModelConfig, outputs: int, size: int, *, pretrained: bool) -> nn.Module:
    name = config.name
    if not timm.is_model(name):
        hint = did_you_mean(name.split(".")[0], timm.list_models())
        raise ModelError(
            f"model.name: timm {timm.__version__} has no {name!r}.{hint} "
            "`python -c \"import timm; print(timm.list_models('*net*'))\"` lists what it has."
        )
    options: dict[str, Any] = {"num_classes": outputs, "drop_rate": config.drop_rate}
    if _takes_size(name):
        options["img_size"] = size
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it reports every retry
    try:
        module: nn.Module = timm.create_model(name, pretrained=pretrained, **options)
        return module
    except (OSError, RuntimeError, ValueError) as problem:
        if pretrained:
            raise ModelError(_no_weights(name, problem)) from problem
        raise ModelError(
            f"model.name: {name} cannot be built for {size} px: {problem}"
        ) from problem
    except AssertionError as problem:
        raise ModelError(
            f"model.name: {name} cannot be built for {size} px: {problem}"
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

    Reads .safetensors, and .pt / .pth with `weights_only=True`: code in a pickle is never run.
    Wrappers (`state_dict`, `model`) and prefixes (`module.`, `_orig_mod.`) are undone; tensors of
    another shape, such as the head of another number of classes, are left out.
    Raises ModelError when the file is missing, is not made of tensors, or fits nothing.
    """
    loaded = _strip(_read_tensors(path))
    own = module.state_dict()
    fitting: dict[str, Tensor] = {}
    for before in _PLACES:  # of an encoder alone, where the whole network fits nothing
        fitting = {
            before + name: value
            for name, value in loaded.items()
            if before + name in own and own[before + name].shape == value.shape
        }
        if any(own[name].dim() > 1 for name in fitting):
            break
    if not any(own[name].dim() > 1 for name in fitting):
        raise ModelError(
            f"model.weights: {path} fits nothing of this network; it holds names like "
            f"{list(loaded)[:3]}, the network wants names like {list(own)[:3]}"
        )
    module.load_state_dict(fitting, strict=False)
    return len(fitting), [name for name in own if name not in fitting]


def _read_tensors(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ModelError(
            f"model.weights: {path}: no such file; the path is relative to the workspace folder"
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as problem:
        raise ModelError(
            f"model.weights: {path} is not a plain file of tensors and is not opened any other "
            f"way ({reason(problem)})"
        ) from problem
    except Exception as problem:  # safetensors raises its own type
        raise ModelError(f"model.weights: {path} cannot be read ({problem})") from problem
    for wrapper in _WRAPPERS:
        if isinstance(loaded, dict) and isinstance(loaded.get(wrapper), dict):
            loaded = loaded[wrapper]
    if not isinstance(loaded, dict):
        raise ModelError(f"model.weights: {path} holds a {type(loaded).__name__}, not tensors")
    return loaded


def _strip(tensors: dict[str, Any]) -> dict[str, Tensor]:
    out = {name: value for name, value in tensors.items() if isinstance(value, Tensor)}
    for prefix in _PREFIXES:
        if out and all(name.startswith(prefix) for name in out):
            out = {name.removeprefix(prefix): value for name, value in out.items()}
    return out

"""Segmentation networks of segmentation_models_pytorch, at any image size.

`model.name` is the architecture, `model.encoder` its encoder: one of smp (`vgg19`, `resnet50`,
`efficientnet-b0`) or any timm model (`tu-convnext_tiny`, `convnext_tiny`).
"""

from __future__ import annotations

import logging
from typing import Any

import timm
import torch
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn
from torch.nn.functional import pad

from comp.config.schema import ModelConfig
from comp.core.errors import ModelError, did_you_mean, first, reason

VANILLA = "unet_vanilla"
DEFAULT_ENCODER = "resnet34"
_TIMM = "tu-"  # in front of a timm model, for smp
_WIDTHS = (64, 128, 256, 512, 1024)  # of the first U-Net


class Segmenter(nn.Module):
    """A network that takes images of any size: padded to its stride, and cropped back.

    The padding repeats the border pixels. `inner` has an encoder, a decoder and a head.
    """

    def __init__(self, inner: nn.Module, stride: int) -> None:
        super().__init__()
        self.inner = inner
        self.stride = stride

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) logits of images of any number of channels."""
        height, width = images.shape[-2:]
        down, across = -height % self.stride, -width % self.stride
        if down or across:
            sides = (across // 2, across - across // 2, down // 2, down - down // 2)
            images = pad(images, sides, mode="replicate")
        logits: Tensor = self.inner(images)
        top, left = down // 2, across // 2
        return logits[..., top : top + height, left : left + width]

    def get_classifier(self) -> nn.Module:
        """The parts that are new when the encoder is pretrained: the decoder and the head."""
        parts = [getattr(self.inner, name) for name in ("decoder", "segmentation_head")]
        return nn.ModuleList(parts)


class _DoubleConv(nn.Sequential):
    """Two convolutions, each with batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        layers: list[nn.Module] = []
        for width in (inputs, outputs):
            layers += [nn.Conv2d(width, outputs, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        super().__init__(*layers)


class _Decoder(nn.Module):
    """The decoder of a U-Net: each level is upsampled by a transposed convolution and joined with
    the encoder's."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, own, 2, 2) for deep, own in pairs)
        self.mix = nn.ModuleList(_DoubleConv(2 * own, own) for _, own in pairs)

    def forward(self, levels: list[Tensor]) -> Tensor:
        """The finest (B, width, H, W) map. levels: of the encoder, the finest first."""
        out = levels[-1]
        for up, mix, beside in zip(self.up, self.mix, levels[-2::-1], strict=True):
            out = mix(torch.cat([beside, up(out)], dim=1))
        return out


class VanillaUnet(nn.Module):
    """The U-Net of Ronneberger et al. 2015 at its full width, padded and with batch norm."""

    def __init__(self, outputs: int, widths: tuple[int, ...] = _WIDTHS, channels: int = 3) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(
            _DoubleConv(before, width)
            for before, width in zip((channels, *widths), widths, strict=False)
        )
        self.shrink = nn.MaxPool2d(2)
        self.decoder = _Decoder(widths)
        self.segmentation_head = nn.Sequential(nn.Conv2d(widths[0], outputs, 1))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) logits; H and W are multiples of 16."""
        levels: list[Tensor] = []
        for number, stage in enumerate(self.encoder):
            images = stage(self.shrink(images) if number else images)
            levels.append(images)
        logits: Tensor = self.segmentation_head(self.decoder(levels))
        return logits


def architectures() -> list[str]:
    """The names that `model.name` may have for segmentation."""
    import segmentation_models_pytorch as smp

    return [VANILLA, *smp.MODEL_ARCHITECTURES_MAPPING]


def build_segmenter(
    config: ModelConfig, outputs: int, *, pretrained: bool, channels: int = 3
) -> Segmenter:
    """A network with `outputs` maps, of images of so many channels.

    Raises ModelError for names that are unknown, for a pair that does not fit, and for pretrained
    weights that cannot be had.
    """
    known = architectures()
    if config.name not in known:
        hint = did_you_mean(config.name, known)
        if timm.is_model(config.name):
            hint = f" Use model.name: unet with model.encoder: {config.name}."
        raise ModelError(
            f"model.name: {config.name!r} is not a segmentation network; there are: "
            f"{', '.join(known)}.{hint}"
        )
    build = _vanilla if config.name == VANILLA else _by_smp
    inner = build(config, outputs, pretrained, channels)
    if config.drop_rate:
        head: Any = inner.segmentation_head
        inner.segmentation_head = nn.Sequential(nn.Dropout2d(config.drop_rate), *head)
    stride = 2 ** (len(_WIDTHS) - 1) if config.name == VANILLA else 32
    return Segmenter(inner, stride)


def _vanilla(config: ModelConfig, outputs: int, pretrained: bool, channels: int) -> nn.Module:
    if config.encoder is not None or pretrained:
        raise ModelError(
            f"model.name: {VANILLA} has its own encoder, without pretrained weights; set "
            "model.encoder to null and model.pretrained to false, or use unet"
        )
    return VanillaUnet(outputs, channels=channels)


def encoder_name(config: ModelConfig) -> str:
    """The name of `model.encoder` in smp. ModelError, with the nearest name, for an unknown one."""
    from segmentation_models_pytorch.encoders import get_encoder_names

    name = config.encoder or DEFAULT_ENCODER
    known: list[str] = get_encoder_names()
    if name in known:
        return name
    bare = name.removeprefix(_TIMM)
    if timm.is_model(bare):
        return _TIMM + bare
    hint = did_you_mean(bare, [*known, *timm.list_models()])
    raise ModelError(
        f"model.encoder: neither segmentation_models_pytorch nor timm has {name!r}; the former "
        f"has {first(known, 8)}.{hint}"
    )


def _by_smp(config: ModelConfig, outputs: int, pretrained: bool, channels: int) -> nn.Module:
    import segmentation_models_pytorch as smp

    name = encoder_name(config)
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it reports every retry
    weights: Any = (True if name.startswith(_TIMM) else "imagenet") if pretrained else None
    try:
        module: nn.Module = smp.create_model(
            config.name,
            encoder_name=name,
            encoder_weights=weights,
            classes=outputs,
            in_channels=channels,
        )
        return module
    except Exception as problem:  # smp, timm and the hub raise whatever a pair makes them
        if pretrained:
            raise ModelError(
                f"model.pretrained: no pretrained weights for the encoder {name} here "
                f"({reason(problem)}). Where there is a network, they are fetched and kept by the "
                "first run; without one, give a local file (model.weights) or train from scratch "
                "(--set model.pretrained=false)"
            ) from problem
        raise ModelError(
            f"model: {config.name} cannot be built on the encoder {name}: {reason(problem)}"
        ) from problem


def channel_norms(config: ModelConfig) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the channels, in units of [0, 1], for the encoder."""
    if config.name == VANILLA:
        return IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
    bare = encoder_name(config).removeprefix(_TIMM)
    found = timm.get_pretrained_cfg(bare) if timm.is_model(bare) else None
    if found is None:
        return IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
    return tuple(found.mean), tuple(found.std)

"""Which weights a network starts from, where they come from, and their licence."""

from __future__ import annotations

from dataclasses import dataclass

import timm

from comp.config.schema import ModelConfig
from comp.models.licences import UNKNOWN, kind_of
from comp.models.segmenters import VANILLA, architectures, encoder_name

_TIMM = "tu-"  # before the names of timm's encoders in smp


@dataclass(frozen=True)
class Origin:
    """The weights that training starts from.

    `weights`  their name, or the file; `source`: where they are published, or ""
    `data`     what they were trained on, as their publisher tags it, or ""
    `licence`  as their publisher says, or "unknown"; `kind`: what it means (`comp.models.licences`)
    """

    weights: str
    source: str
    data: str
    licence: str
    kind: str


def origin_of(model: ModelConfig) -> Origin | None:
    """Where the weights of a network come from; None for a network from scratch."""
    if model.weights is not None:
        return Origin(model.weights, "a local file", "", UNKNOWN, UNKNOWN)
    if not model.pretrained:
        return None
    name = model.name
    if name in architectures():
        if name == VANILLA:
            return None
        name = encoder_name(model)
        if not name.startswith(_TIMM):
            return Origin(name, _of_smp(name), "imagenet", UNKNOWN, UNKNOWN)
    known = timm.get_pretrained_cfg(name.removeprefix(_TIMM))
    if known is None:
        return Origin(name, "", "", UNKNOWN, UNKNOWN)
    licence = str(known.license or UNKNOWN)
    full = ".".join(part for part in (known.architecture, known.tag) if part)
    source = str(known.hf_hub_id or known.url or known.origin_url or "")
    return Origin(full, source, str(known.tag or ""), licence, kind_of(licence))


def _of_smp(name: str) -> str:
    from segmentation_models_pytorch.encoders import encoders

    return str(encoders[name]["pretrained_settings"].get("imagenet", {}).get("repo_id", ""))

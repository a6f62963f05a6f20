"""Where pretrained weights come from."""

from __future__ import annotations

from comp.config.schema import ModelConfig
from comp.models.licences import NOT_COMMERCIAL, OPEN, UNKNOWN
from comp.models.origin import Origin, origin_of
from comp.models.segmenters import VANILLA


def test_timm_says_source_and_licence() -> None:
    assert origin_of(ModelConfig(name="tf_efficientnet_lite0")) == Origin(
        "tf_efficientnet_lite0.in1k", "timm/tf_efficientnet_lite0.in1k", "in1k", "apache-2.0", OPEN
    )
    found = origin_of(ModelConfig(name="convnextv2_tiny"))
    assert found is not None
    assert (found.licence, found.kind) == ("cc-by-nc-4.0", NOT_COMMERCIAL)


def test_an_encoder_of_a_segmenter_has_its_own() -> None:
    found = origin_of(ModelConfig(name="unet", encoder="tf_efficientnet_lite0"))
    assert found is not None
    assert (found.weights, found.licence) == ("tf_efficientnet_lite0.in1k", "apache-2.0")
    found = origin_of(ModelConfig(name="unet", encoder="resnet34"))
    assert found == Origin("resnet34", "smp-hub/resnet34.imagenet", "imagenet", UNKNOWN, UNKNOWN)


def test_scratch_has_none_and_a_file_is_unknown() -> None:
    assert origin_of(ModelConfig(pretrained=False)) is None
    assert origin_of(ModelConfig(name=VANILLA, pretrained=True)) is None
    found = origin_of(ModelConfig(weights="a/b.pt"))
    assert found == Origin("a/b.pt", "a local file", "", UNKNOWN, UNKNOWN)

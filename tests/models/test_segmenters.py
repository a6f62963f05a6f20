import pytest
import torch

from comp.config.schema import ModelConfig
from comp.core.errors import ModelError
from comp.models.segmenters import build_segmenter, channel_norms, encoder_name


def config(**over: object) -> ModelConfig:
    plain = {"name": "unet", "encoder": "tu-test_resnet", "pretrained": False, **over}
    return ModelConfig.model_validate(plain)


@pytest.mark.parametrize("size", [(32, 32), (33, 70)])
def test_any_size_gives_maps_of_that_size(size: tuple[int, int]) -> None:
    model = build_segmenter(config(), 3, pretrained=False).eval()
    with torch.no_grad():
        assert model(torch.rand(1, 3, *size)).shape == (1, 3, *size)


def test_what_is_padded_is_cut_off_where_it_was_put() -> None:
    model = build_segmenter(config(), 3, pretrained=False)
    model.inner = torch.nn.Identity()  # type: ignore[assignment]
    images = torch.rand(2, 3, 33, 70)
    assert model(images).equal(images)


def test_decoder_and_head_are_what_is_new() -> None:
    model = build_segmenter(config(drop_rate=0.3), 2, pretrained=False)
    new = {id(p) for p in model.get_classifier().parameters()}
    rest = {name.split(".")[1] for name, p in model.named_parameters() if id(p) not in new}
    assert rest == {"encoder"}


@pytest.mark.parametrize(
    ("given", "found"),
    [("vgg19", "vgg19"), ("test_resnet", "tu-test_resnet"), (None, "resnet34")],
)
def test_encoders_have_the_names_of_smp_or_timm(given: str | None, found: str) -> None:
    assert encoder_name(config(encoder=given)) == found
    assert len(channel_norms(config(encoder=given))[0]) == 3


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"encoder": "resnet5"}, "model.encoder: neither .* has 'resnet5'.*Did you mean 'resnet"),
        ({"name": "unett"}, "'unett' is not a segmentation network.*Did you mean 'unet'"),
        ({"name": "resnet18"}, "Use model.name: unet with model.encoder: resnet18"),
        ({"name": "unet_vanilla"}, "unet_vanilla has its own encoder"),
    ],
)
def test_wrong_names_are_refused_with_the_nearest(over: dict[str, str], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build_segmenter(config(**over), 2, pretrained=False)


@pytest.mark.parametrize("name", ["unet_vanilla", "unet"])
def test_a_segmenter_takes_any_number_of_channels(name: str) -> None:
    encoder = None if name == "unet_vanilla" else "tu-test_resnet"
    config = ModelConfig(name=name, encoder=encoder, pretrained=False)
    net = build_segmenter(config, 2, pretrained=False, channels=5)
    assert net(torch.zeros(2, 5, 32, 40)).shape == (2, 2, 32, 40)

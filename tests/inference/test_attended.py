import numpy as np
import pytest
import torch

from comp.config.schema import ModelConfig
from comp.inference.activation_maps import class_target
from comp.inference.attended import attended
from comp.models.bags.pools import POOLS, BagForm
from comp.models.device import choose_device
from comp.models.networks import Net, build_net

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3)).astype(np.uint8)


def net(pool: str, *, windows: bool = False) -> Net:
    torch.manual_seed(0)
    config = ModelConfig(name="test_resnet", pretrained=False, pool_bag=pool, bag_width=8)
    made = build_net(config, 2, 32, choose_device("fp32"), bag=BagForm(3, True, windows))
    for value in made.module.get_classifier().parameters():  # type: ignore[operator]
        torch.nn.init.normal_(value, std=0.5)
    made.module.eval()
    return made


@pytest.mark.parametrize("windows", [False, True])
def test_the_weights_of_attention_sum_to_one(windows: bool) -> None:
    seen = attended(net("attention", windows=windows), IMAGES, class_target(1, 1))
    assert seen is not None
    assert seen.weights
    assert seen.values.shape == (7,)
    assert seen.values.sum() == pytest.approx(1)
    assert (seen.values >= 0).all()
    assert seen.values.std() > 1e-4


@pytest.mark.parametrize("pool", [name for name in POOLS if name not in ("attention", "channels")])
def test_elsewhere_it_is_what_the_answer_loses_without_the_image(pool: str) -> None:
    made, target = net(pool), class_target(1, 1)
    seen = attended(made, IMAGES, target)
    assert seen is not None
    assert not seen.weights

    def logit(images: np.ndarray) -> float:
        with torch.inference_mode():
            return float(made.logits(made.to_device(torch.from_numpy(images)[None]))[0, 1])

    falls = [logit(IMAGES) - logit(np.delete(IMAGES, n, axis=0)) for n in range(7)]
    np.testing.assert_allclose(seen.values, falls, atol=1e-5)
    against = attended(made, IMAGES, class_target(1, -1))
    assert against is not None
    np.testing.assert_allclose(against.values, -seen.values, atol=1e-5)


def test_an_image_alone_has_nothing_to_be_left_out() -> None:
    seen = attended(net("mean"), IMAGES[:1], class_target(0, 1))
    assert seen is not None
    assert seen.values.tolist() == [0.0]


def test_there_is_nothing_to_show_of_channels_and_of_single_images() -> None:
    assert attended(net("channels"), IMAGES, class_target(0, 1)) is None
    plain = build_net(ModelConfig(name="test_resnet", pretrained=False), 2, 32, choose_device())
    assert attended(plain, IMAGES, class_target(0, 1)) is None

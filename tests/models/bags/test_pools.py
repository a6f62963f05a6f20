import pytest
import torch
from bag_toys import bag_tree, video_tree
from toys import toy_tree

from comp.config.loading import make_config
from comp.models.bags.pools import POOLS, BagForm, GatedAttention, bag_form

FORM = BagForm(4, ordered=True, windows=False)


@pytest.mark.parametrize("name", POOLS)
def test_a_pool_makes_a_vector_of_its_width_for_any_number_of_images(name: str) -> None:
    pool = POOLS[name].make(12, 8, FORM)
    for count in (1, 4, 9):
        assert pool(torch.randn(3, count, 12)).shape == (3, pool.width)


def test_attention_begins_with_the_mean() -> None:
    pool, features = GatedAttention(12, 8, FORM), torch.randn(3, 5, 12)
    torch.testing.assert_close(pool(features), features.mean(dim=1))
    assert torch.allclose(pool.weights(features), torch.full((3, 5), 0.2))


def test_a_config_without_bags_has_no_form() -> None:
    assert bag_form(make_config(toy_tree("binary"))) is None
    assert bag_form(make_config(bag_tree())) == BagForm(3, ordered=True, windows=False)
    over = {"image__bag_sample": "window"}
    assert bag_form(make_config(video_tree(**over))) == BagForm(6, ordered=True, windows=True)

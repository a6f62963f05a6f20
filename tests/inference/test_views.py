"""Views of an image are made, undone, and merged as probabilities."""

import pytest
import torch
from net_toys import DEVICE, FULL, Corner, Pixels
from torch import Tensor

from comp.core.errors import ConfigError
from comp.inference.views import TTAS, check_tta, view_probs
from comp.models.networks import Net
from comp.tasks.kinds import TASKS, Task


def picture(height: int = 5, width: int = 7) -> Tensor:
    numbers = torch.randperm(3 * height * width, generator=torch.Generator().manual_seed(0))
    return numbers.reshape(1, 3, height, width).to(torch.uint8)


@pytest.mark.parametrize(("name", "views"), [("none", 1), ("hflip", 2), ("flips", 4), ("d4", 8)])
def test_a_set_of_views_has_as_many_as_its_name_says(name: str, views: int) -> None:
    found = [view.augment_image(picture(5, 5)) for view in TTAS[name]()]
    assert len({tuple(view.flatten().tolist()) for view in found}) == len(found) == views


def test_views_are_merged_as_probabilities() -> None:
    net = Net(Corner(), DEVICE, *FULL)
    image = picture()
    corners = torch.stack([image[..., 0, 0], image[..., 0, -1]]).float() / 255
    want = (8 * corners - 4).sigmoid().mean(0)
    got = view_probs(net, TASKS["multilabel"], image, TTAS["hflip"]())
    torch.testing.assert_close(got, want)
    rows = view_probs(net, TASKS["multiclass"], image, TTAS["d4"]())
    torch.testing.assert_close(rows.sum(1), torch.ones(1))


@pytest.mark.parametrize("name", TTAS)
def test_views_of_a_spatial_answer_are_turned_back(name: str) -> None:
    base = TASKS["multilabel"]
    task = Task("pixels", base.link, True, "bce", 2, base.columns)
    image = picture()
    got = view_probs(Net(Pixels(), DEVICE, *FULL), task, image, TTAS[name]())
    torch.testing.assert_close(got, (image.float() / 255).sigmoid())


def test_an_unknown_set_of_views_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"unknown predict\.tta 'flop'.*none, hflip, flips, d4"):
        check_tta("flop")
    with pytest.raises(ConfigError, match=r"unknown view in predict\.tta 'flop'"):
        check_tta("id+flop")
    check_tta("auto")
    check_tta("id+flip")

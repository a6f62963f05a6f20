from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from comp.config.schema import ModelConfig
from comp.core.errors import ConfigError
from comp.inference import outputs
from comp.inference.outputs import RowOutput
from comp.inference.pieces import Pieces
from comp.inference.predict import predict_pieces
from comp.inference.views import TTAS, view_probs
from comp.models.device import choose_device
from comp.models.networks import Net, build_net
from comp.tasks.kinds import TASKS, Task

DEVICE = choose_device("fp32")
FULL = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


class Corner(nn.Module):
    """Logits that tell the brightness of the top left pixel of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        return 8 * x[:, :, 0, 0] - 4


class Pixels(nn.Module):
    """Logits that are the image itself: a spatial answer."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def predicted(net: Net, task: Task, images: np.ndarray, rows: np.ndarray, **given: Any) -> Any:
    pieces = predict_pieces(net, task, images, rows, RowOutput(task.columns(3)), **given)
    return np.concatenate(list(pieces))


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


def test_probabilities_follow_the_rows_and_not_the_batches() -> None:
    net = build_net(ModelConfig(name="test_resnet", pretrained=False), 3, 24, DEVICE)
    net.module.eval()
    images = np.random.default_rng(0).integers(0, 256, (7, 24, 24, 3), dtype=np.uint8)
    task = TASKS["multiclass"]
    rows = np.array([5, 0, 3, 6, 2])
    some = predicted(net, task, images, rows, tta="none", batch_size=2)
    every = predicted(net, task, images, np.arange(7), tta="none", batch_size=7)
    np.testing.assert_allclose(some, every[rows], atol=1e-6)
    assert some.dtype == np.float32


def test_an_unknown_set_of_views_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"unknown predict\.tta 'flop'.*none, hflip, flips, d4"):
        net = Net(Corner(), DEVICE, *FULL)
        images = np.zeros((1, 8, 8, 3), np.uint8)
        predicted(net, TASKS["binary"], images, np.array([0]), tta="flop", batch_size=1)


def test_a_damaged_piece_of_a_long_prediction_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(outputs, "PIECE_ROWS", 2)
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    pieces = Pieces(tmp_path, "a" * 64)
    given: tuple[Any, ...] = (Net(Corner(), DEVICE, *FULL), TASKS["multilabel"], images)
    more: dict[str, Any] = {"tta": "none", "batch_size": 2, "pieces": pieces}
    whole = predicted(*given, np.arange(6), **more)
    path = sorted(pieces.path.iterdir())[1]
    path.write_bytes(path.read_bytes()[:-1])
    np.testing.assert_array_equal(predicted(*given, np.arange(6), **more), whole)
    assert "3 of 3 parts were there already" in capsys.readouterr().err
    found = pieces.read(2)
    assert found is not None
    np.testing.assert_array_equal(found, whole[2:4])

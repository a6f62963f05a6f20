from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cards import Card
from net_toys import DEVICE, FULL, Corner

from comp.config.schema import ModelConfig
from comp.inference import outputs
from comp.inference.outputs import MapOutput, RowOutput
from comp.inference.pieces import Pieces
from comp.inference.predict import predict_pieces
from comp.models.networks import Net, build_net
from comp.tasks.kinds import TASKS, Task


def predicted(net: Net, task: Task, images: np.ndarray, rows: np.ndarray, **given: Any) -> Any:
    pieces = predict_pieces(net, task, images, rows, RowOutput(task.columns(3)), **given)
    return np.concatenate(list(pieces))


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


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_card_predicts_what_the_cpu_predicts(card: Card, kind: Any) -> None:
    images = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (7, 24, 24, 3), dtype=kind)
    found = []
    for device in (DEVICE, card.device(deterministic=True)):
        torch.manual_seed(0)
        net = build_net(ModelConfig(name="test_resnet", pretrained=False), 3, 24, device)
        net.module.eval()
        net.top = int(np.iinfo(kind).max)
        asked = {"tta": "d4", "batch_size": 3}
        found.append(predicted(net, TASKS["multiclass"], images, np.arange(7), **asked))
    np.testing.assert_allclose(*found, atol=1e-3)


@pytest.mark.parametrize("maps", [False, True])
def test_a_prediction_is_copied_and_saved_beside_the_work_on_other_batches(
    monkeypatch: pytest.MonkeyPatch, card: Card, maps: bool
) -> None:
    """Nobody waits for a batch before the next one is given to the device."""
    model = ModelConfig(name="test_resnet", pretrained=False)
    if maps:
        model = ModelConfig(name="unet", encoder="test_resnet", pretrained=False)
    net = build_net(model, 3, 32, card.device(), spatial=maps)
    net.module.eval()
    images = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
    task = TASKS["segmentation" if maps else "multiclass"]
    out: Any = MapOutput(3, 32, [Path("x")] * 7, "stretch", True) if maps else RowOutput(3)
    asked: dict[str, Any] = {"tta": "none", "batch_size": 2}
    expected = [*predict_pieces(net, task, images, np.arange(7), out, **asked)]
    order = card.told(monkeypatch)
    with card.nobody_waits():
        found = [*predict_pieces(net, task, images, np.arange(7), out, **asked)]
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))
    parts = 1 + maps  # of a map, whether it is finite
    given, taken = ["copy beside", "work", *["fetch"] * parts], ["arrived"] * parts
    assert order == [*given, *[*given, *taken] * 3, *taken]


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

"""The pictures of a report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comp.config.loading import make_config
from comp.data.images.pixel_form import PixelForm
from comp.stages.experiment import open_experiment
from comp.stages.reporting import pictures as stage
from comp.stages.reporting.opened import OpenedRun, answers_of, open_run
from comp.stages.reporting.pictures import Pictures, activation_pictures, look_slices, painted


@pytest.fixture
def opened(finished: Callable[..., dict[str, Any]]) -> OpenedRun:
    return open_run(open_experiment(make_config(finished())))


def test_a_file_that_cannot_be_read_has_no_picture(opened: OpenedRun) -> None:
    shown = Pictures(opened)
    assert shown.picture(0).startswith("data:image/jpeg;base64,")
    opened.part.paths[1].write_bytes(b"no image")
    assert shown.picture(1) == ""


def test_each_row_is_explained_by_the_network_of_its_fold(opened: OpenedRun) -> None:
    pytest.importorskip("pytorch_grad_cam")
    found = answers_of(opened)
    rows = [0, 1, int(np.flatnonzero(found.fold != found.fold[0])[0])]
    seen = activation_pictures(opened, found, rows)
    assert sorted(seen) == sorted({*rows})
    assert all(source.startswith("data:image/jpeg;base64,") for source in seen.values())


def test_without_pytorch_grad_cam_there_are_none_and_it_is_said(
    opened: OpenedRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stage, "can_map", lambda: False)
    assert activation_pictures(opened, answers_of(opened), [0]) == {}
    assert "pip install comp[cam]" in capsys.readouterr().err


def test_what_a_network_cannot_explain_does_not_fail_the_report(
    opened: OpenedRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise ValueError("no gradient")

    monkeypatch.setattr(stage, "activation_maps", broken)
    assert activation_pictures(opened, answers_of(opened), [0]) == {}
    assert "no activation maps: ValueError: no gradient" in capsys.readouterr().err


def test_bright_images_are_told_from_dark_ones(opened: OpenedRun) -> None:
    found = answers_of(opened)
    parts = look_slices(opened, found, PixelForm(), 0)
    assert {part.kind for part in parts} == {"brightness"}  # all have one size
    assert sum(part.images for part in parts) == 24
    Path(opened.part.paths[0]).write_bytes(b"")
    assert sum(part.images for part in look_slices(opened, found, PixelForm(), 0)) == 23


def test_a_painted_image_is_brighter_where_the_map_is() -> None:
    out = painted(np.full((4, 4, 3), 100, np.uint8), np.eye(4, dtype=np.float32))
    assert out.shape == (4, 4, 3)
    assert out[0, 0].sum() > out[0, 1].sum()

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from toys import toy_tree

from comp.config.loading import make_config
from comp.core.errors import Interrupted, TrainError, UsageError
from comp.models.networks import Net
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.folds import make_folds
from comp.stages.search import find
from comp.stages.search.find import find_batch, find_rate

Toy = Callable[..., dict[str, Any]]


@pytest.fixture
def experiment(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.setattr(find, "_SECONDS", 0.0)
    made = open_experiment(make_config(toy("multiclass")))
    make_folds(made, replace=False)
    return made


def test_the_suggestion_is_where_the_loss_falls_fastest(experiment: Experiment) -> None:
    found = find_rate(experiment, 0, steps=40)
    assert len(found.rates) == len(found.losses) <= 40
    assert found.rates[0] == pytest.approx(1e-6)
    assert list(found.rates) == sorted(found.rates)
    slopes = np.gradient(np.array([x for x in found.losses if np.isfinite(x)]))
    low = int(np.argmin(found.losses))
    assert found.suggestion == found.rates[int(slopes[: low + 1].argmin())]
    assert found.picture.read_bytes()[:4] == b"\x89PNG"
    table = (found.picture.parent / "find_lr.csv").read_text().splitlines()
    assert (table[0], len(table)) == ("lr,loss", len(found.rates) + 1)
    assert not list(Path("runs").rglob("*.pt"))


def test_a_search_that_is_repeated_finds_the_same(experiment: Experiment) -> None:
    assert find_rate(experiment, 1, steps=12) == find_rate(experiment, 1, steps=12)


def test_it_ends_where_the_loss_explodes(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "_step", lambda *args: 1.0 if args[-1] < 5 else 100.0 - args[-1])
    with pytest.raises(TrainError, match="the loss never falls"):
        find_rate(experiment, 0, steps=30)
    losses = iter([3.0, 2.0, 1.0, 1.0, 500.0, 1.0])
    monkeypatch.setattr(find, "_step", lambda *_: next(losses))
    assert len(find_rate(experiment, 0, steps=30).losses) == 5


def test_the_largest_batch_that_fits_is_found_between_powers_of_two(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Net.logits

    def limited(self: Net, images: torch.Tensor) -> torch.Tensor:
        if len(images) > 21:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, images)

    monkeypatch.setattr(Net, "logits", limited)
    found = find_batch(experiment, 0, limit=1024)
    assert found.largest in (20, 21)
    assert not found.limited
    assert [trial.size for trial in found.trials][:4] == [2, 4, 8, 16]
    assert all(trial.speed > 0 and trial.memory is None for trial in found.trials)
    assert found.picture.read_bytes()[:4] == b"\x89PNG"
    loops = {trial.size: trial.loop for trial in found.trials}
    assert loops[2] > 0
    assert loops[16] is None, "the fold has 12 images"
    best = max((trial for trial in found.trials if trial.loop), key=lambda trial: trial.loop)
    assert found.fastest == best.size


def test_nothing_fits_is_a_clear_error(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: Net, images: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Net, "logits", never)
    with pytest.raises(TrainError, match="not even two images of 24 px fit"):
        find_batch(experiment, 0, limit=8)


def test_a_limit_ends_the_search(
    experiment: Experiment, capsys: pytest.CaptureFixture[str]
) -> None:
    found = find_batch(experiment, 0, limit=8)
    assert (found.largest, found.limited) == (8, True)
    said = capsys.readouterr().err.splitlines()
    ours = [line for line in said if line.startswith("find batch: ")]
    assert [line.split()[2] for line in ours] == ["2", "4", "8"]  # each as soon as it is known
    first = found.trials[0]
    speeds = f"{first.loop:.1f} images/s in training, {first.speed:.1f} the device alone"
    assert ours[0] == f"find batch: 2 at once: {speeds}"


@pytest.mark.usefixtures("experiment")
@pytest.mark.parametrize(
    ("stopped", "code"), [(KeyboardInterrupt(), 130), (Interrupted("terminated", 15), 143)]
)
@pytest.mark.parametrize("what", ["batch", "rate"])
def test_a_search_that_is_stopped_says_that_it_begins_anew(
    comp: Any, monkeypatch: pytest.MonkeyPatch, stopped: BaseException, code: int, what: str
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise stopped

    monkeypatch.setattr(find, f"find_{what}", stop)
    Path("c.yaml").write_text(yaml.safe_dump(toy_tree("multiclass")))
    command = f"find {'lr' if what == 'rate' else what}"
    found, _, said = comp(*command.split(), "--config", "c.yaml")
    assert found == code
    assert f"stopped; nothing is kept of it, `comp {command} -c c.yaml` begins anew" in said
    assert "goes on" not in said


def test_a_fold_out_of_range_is_refused(experiment: Experiment) -> None:
    with pytest.raises(UsageError, match="there is no fold 2"):
        find_rate(experiment, 2, steps=10)


def test_the_search_for_a_rate_has_the_workers_of_training(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = find.make_loader, list[int]()
    monkeypatch.setattr(
        find, "make_loader", lambda job, workers: (asked.append(workers), real(job, 0))[1]
    )
    monkeypatch.setattr("comp.stages.train.count_workers", lambda *_: 3)
    find_rate(experiment, 0, steps=6)
    assert asked == [3]


def test_batch_sizes_are_timed_with_the_loader_and_the_workers_of_training(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loader that needs 50 ms for a batch: the device alone does not wait for it."""
    asked: list[tuple[int, int]] = []
    real, endless = find.make_loader, find._endless

    def make(job: Any, workers: int) -> Any:
        asked.append((job.config.train.batch_size, workers))
        return real(job, 0)

    def slow(job: Any, loader: Any) -> Any:
        for batch in endless(job, loader):
            time.sleep(0.05)
            yield batch

    monkeypatch.setattr(find, "make_loader", make)
    monkeypatch.setattr(find, "_endless", slow)
    monkeypatch.setattr("comp.stages.train.count_workers", lambda *_: 1)
    found = find_batch(experiment, 0, limit=4)
    assert asked[1:] == [(2, 1), (4, 1)]  # the first is that of the trial step
    for trial in found.trials:
        assert trial.loop is not None
        assert trial.loop < trial.size / 0.05 < 1e6
        assert trial.loop < trial.speed


def test_out_of_memory_halves_the_images_of_the_search(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = Net.logits

    def small(self: Net, images: torch.Tensor) -> torch.Tensor:
        if len(images) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, images)

    monkeypatch.setattr(Net, "logits", small)
    assert len(find_rate(experiment, 0, steps=12).losses) > 3
    assert "find lr: out of device memory; again with 4 images at a time" in capsys.readouterr().err

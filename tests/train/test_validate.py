"""The loss and the score of the validation rows are those of scikit-learn and of the textbook."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cards import Card
from sklearn.metrics import f1_score, log_loss
from train_jobs import make_job

from comp.data.loader.batched.resident import Resident
from comp.models.networks import Net
from comp.tasks.metrics import METRICS
from comp.train.train_state import new_state
from comp.train.validate import validate


def brightness(self: Net, images: torch.Tensor) -> torch.Tensor:
    """Logits of three classes from the mean of an image alone."""
    level = images.float().mean(dim=(1, 2, 3))
    return torch.stack([60 - level, level - 90, (level - 120) * 2], dim=1) / 30


def test_loss_and_score_are_those_of_all_validation_rows_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Net, "logits", brightness)
    job = make_job(tmp_path, train__batch_size=2)  # judged by fours: the last batch is smaller
    state = new_state(job, 2, 2)
    pauses: list[None] = []
    found = validate(job, state, state.net, lambda: pauses.append(None))
    images = torch.from_numpy(job.images[job.valid_rows]).permute(0, 3, 1, 2)
    probs = brightness(state.net, images).softmax(dim=1).numpy()
    target = job.target[job.valid_rows]
    assert found.loss == pytest.approx(log_loss(target, probs, labels=[0, 1, 2]), rel=1e-5)
    assert found.score == pytest.approx(f1_score(target, probs.argmax(axis=1), average="macro"))
    assert found.counts is None
    assert found.by_class(job) == {}
    assert len(pauses) == 4


def test_a_metric_of_probabilities_gets_probabilities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.metrics import roc_auc_score

    monkeypatch.setattr(Net, "logits", lambda self, images: brightness(self, images)[:, 1:2])
    job = replace(make_job(tmp_path, "binary"), metric=METRICS["roc_auc"])
    state = new_state(job, 2, 8)
    found = validate(job, state, state.net, lambda: None)
    level = job.images[job.valid_rows].mean(axis=(1, 2, 3))
    assert found.score == pytest.approx(roc_auc_score(job.target[job.valid_rows], level))


def test_masks_are_judged_class_by_class_over_all_their_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bright(self: Net, images: torch.Tensor) -> torch.Tensor:
        disc = images.float().mean(dim=1) - 178
        return torch.stack([0 * disc, disc, 0 * disc - 99], dim=1)

    monkeypatch.setattr(Net, "logits", bright)
    job = make_job(tmp_path, "segmentation")
    state = new_state(job, 2, 4)
    found = validate(job, state, state.net, lambda: None)
    assert job.masks is not None
    truth = np.stack([np.asarray(job.masks[int(row)])[..., 0] for row in job.valid_rows])
    level = torch.from_numpy(job.images[job.valid_rows]).float().mean(dim=-1).numpy()
    given = (level > 178).astype(int)  # the disc, or nothing
    scores = {
        name: 2 * ((truth == n) & (given == n)).sum() / ((truth == n).sum() + (given == n).sum())
        for n, name in enumerate(("background", "disc", "box"))
    }
    by_class = found.by_class(job)
    assert by_class["dice[disc]"] == pytest.approx(scores["disc"])
    assert by_class["dice[box]"] == 0
    assert 0 < scores["disc"] < 1
    assert found.score == pytest.approx(scores["disc"] / 2)  # the background does not count
    assert found.counts is not None
    assert found.counts.shape[0] == len(job.valid_rows)


@pytest.mark.parametrize("kind", ["multiclass", "segmentation"])
def test_a_card_validates_as_the_cpu_does(tmp_path: Path, kind: str, card: Card) -> None:
    found = []
    for device in (None, card.device(deterministic=True)):
        job = make_job(tmp_path, kind, train__batch_size=2)
        job = job if device is None else replace(job, device=device)
        state = new_state(job, 2, 2)
        found.append(validate(job, state, state.net, lambda: None))
    own, theirs = found
    assert own.loss == pytest.approx(theirs.loss, abs=1e-3)
    assert own.score == pytest.approx(theirs.score, abs=0.02)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel_segmentation"])
@pytest.mark.parametrize("stays", [False, True])
def test_a_validation_waits_for_nothing_between_two_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, card: Card, kind: str, stays: bool
) -> None:
    """Copies go beside the work, and what is counted crosses after the last batch."""
    job = make_job(
        tmp_path, kind, train__batch_size=2, train__loss="bce" if kind[5] == "l" else "ce"
    )
    job = replace(job, device=card.device())
    if stays:
        job = replace(job, resident=Resident(job.images, card.place))
    state, seen = new_state(job, 2, 2), list[None]()
    validate(job, state, state.net, lambda: None)  # kernels are chosen, memory is got
    batches, order = -(-len(job.valid_rows) // 4), card.told(monkeypatch)
    with contextlib.ExitStack() as quiet:

        def pause() -> None:
            seen.append(None)
            if len(seen) == 1:
                quiet.enter_context(card.nobody_waits())
            if len(seen) == batches:
                quiet.close()

        validate(job, state, state.net, pause)
    assert len(seen) == batches == 3 + (kind == "multiclass")
    copies = 1 + (job.masks is not None)
    assert order == [*["copy beside"] * copies, "work"] * batches

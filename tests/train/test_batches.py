"""The batches of a fold hold its training rows, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from train_jobs import make_job

from comp.train.batches import make_loader


def test_an_epoch_shows_each_training_row_once(tmp_path: Path) -> None:
    job = make_job(tmp_path, augment__recipe="none")
    found = [(images.numpy(), target.numpy()) for images, target in make_loader(job, 0).epoch(0)]
    assert [len(images) for images, _ in found] == [8, 5]
    shown = np.concatenate([images for images, _ in found])
    labels = np.concatenate([target for _, target in found])
    rows = [int(np.flatnonzero((job.images == image).all(axis=(1, 2, 3)))[0]) for image in shown]
    assert sorted(rows) == job.train_rows.tolist()
    assert (labels == job.target[rows]).all()


def test_the_batches_of_masks_hold_images_with_their_own_masks(tmp_path: Path) -> None:
    job = make_job(tmp_path, "segmentation", augment__recipe="none")
    assert job.masks is not None
    for images, masks in make_loader(job, 0).epoch(0):
        for image, mask in zip(images.numpy(), masks.numpy(), strict=True):
            (row,) = np.flatnonzero((job.images == image).all(axis=(1, 2, 3)))
            assert row in job.train_rows
            assert (mask == np.asarray(job.masks[int(row)])[..., 0]).all()


def test_copies_of_a_class_are_shown_in_addition(tmp_path: Path) -> None:
    over = {"augment__copies": {"classes": ["y"], "turns": 4, "ratio": 2.0}}
    job = make_job(tmp_path, augment__recipe="none", **over)
    labels = np.concatenate([t.numpy() for _, t in make_loader(job, 0).epoch(0)])
    plain = np.bincount(job.target[job.train_rows])
    found = np.bincount(labels)
    assert (found[[0, 2]] == plain[[0, 2]]).all()
    assert found[1] > plain[1]


def test_the_sampler_of_the_config_decides_how_often_a_row_is_shown(tmp_path: Path) -> None:
    job = make_job(tmp_path, train__sampler="balanced", augment__recipe="none")
    rare = replace(job, target=np.where(np.arange(len(job.target)) < 4, 1, 0))
    shares = np.mean(
        [
            float((t == 1).float().mean())
            for n in range(40)
            for _, t in make_loader(rare, 0).epoch(n)
        ]
    )
    assert 0.4 < shares < 0.6

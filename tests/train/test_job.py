"""All that one fold is trained from."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from train_jobs import make_job

from comp.train.job import Job


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("binary", 1),
        ("multiclass", 3),
        ("multilabel", 2),
        ("segmentation", 3),
        ("multilabel_segmentation", 2),
    ],
)
def test_a_network_has_a_column_per_class_but_for_two_classes_and_the_background(
    tmp_path: Path, kind: str, columns: int
) -> None:
    assert make_job(tmp_path, kind).columns == columns


def needed(job: Job) -> Job:
    """The same job from what has no default alone."""
    names = [field.name for field in fields(Job)]
    return Job(**{name: getattr(job, name) for name in names[: names.index("mask_paths")]})


def test_jobs_do_not_share_their_stop_and_have_nothing_that_is_not_asked_for(
    tmp_path: Path,
) -> None:
    """A stop that was shared would end the next fold with the first one."""
    one, other = needed(make_job(tmp_path)), needed(make_job(tmp_path))
    assert one.stop is not other.stop
    assert (one.mask_paths, one.masks, one.show, one.content) == (None, None, None, "")
    assert one.workspace == Path()

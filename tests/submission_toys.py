"""Samples of a submission: what the tests of submissions share."""

from __future__ import annotations

from pathlib import Path

from comp.submission import (
    Form,
    Sample,
    make_form,
    read_sample,
)
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

BINARY, MULTICLASS, MULTILABEL = (TASKS[n] for n in ("binary", "multiclass", "multilabel"))


F1, AUC = METRICS["macro_f1"], METRICS["roc_auc"]


def sample_of(folder: Path, text: str | bytes, id_column: str = "id") -> Sample:
    path = folder / "sample_submission.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_sample(path, id_column)


def letters(folder: Path) -> tuple[Sample, Form]:
    sample = sample_of(folder, "id,c,a,b\n007,0,0,0\n003,0,0,0\n")
    return sample, make_form(sample, MULTILABEL, "abc", F1)

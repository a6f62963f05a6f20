"""Samples of a submission and their formats: what the tests of submissions share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from toys import save

from comp.config.schema import DataConfig
from comp.data.index.index import Index
from comp.data.index.sample_rows import SampleRows
from comp.submission import Answers, Competition, Format, check_submission
from comp.submission.formats.cells import make_cells
from comp.submission.formats.csv import CsvFormat
from comp.submission.formats.masks import MaskRows
from comp.submission.sample import Sample, make_sample, read_sample
from comp.submission.sample import render as render_columns
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

BINARY, MULTICLASS, MULTILABEL = (TASKS[n] for n in ("binary", "multiclass", "multilabel"))
F1, AUC = METRICS["macro_f1"], METRICS["roc_auc"]


SIZES = {"a": (5, 8), "b": (6, 4)}
MASKS = MaskRows(
    rows=SampleRows(("a", "a", "b", "b"), ("10", "20", "10", "20")),
    codes=("10", "20"),
    classes=("dent", "rust"),
    exclusive=True,
    size=SIZES.__getitem__,
    order="columns",
)
MASK_SAMPLE = make_sample("id", ["runs"], ["a_10", "a_20", "b_10", "b_20"])


def numbered(name: str) -> np.ndarray[Any, Any]:
    """The mask of an image as class numbers (H, W)."""
    return np.random.default_rng(len(name)).integers(0, 3, SIZES[name]).astype(np.uint8)


def mask_cells(file_format: Format, path: Path) -> list[str]:
    """The run lengths of a file that passes the gate."""
    return list(check_submission(path, file_format)["runs"])


def sample_of(folder: Path, text: str | bytes, id_column: str = "id") -> Sample:
    path = folder / "sample_submission.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_sample(path, id_column)


def table_format(sample: Sample, *given: Any, **more: Any) -> CsvFormat:
    """The format of a sample; given: task, classes, metric and so on."""
    return CsvFormat(sample, make_cells(sample, *given, **more))


def letters(folder: Path) -> CsvFormat:
    sample = sample_of(folder, "id,c,a,b\n007,0,0,0\n003,0,0,0\n")
    return table_format(sample, MULTILABEL, "abc", F1)


def render(file_format: CsvFormat, ids: Any, labels: Any, probs: Any) -> bytes:
    """The content of the file with these answers."""
    return render_columns(file_format.sample, file_format.columns(ids, labels, probs))


def check(folder: Path, content: bytes, file_format: CsvFormat) -> None:
    """Pass a file with this content through the gate."""
    path = folder / "checked.csv"
    path.write_bytes(content)
    check_submission(path, file_format)


def mask_competition(folder: Path, sample: str | None, **data: Any) -> Competition:
    """Test images of SIZES whose pixels have one class each: dent (10) or rust (20)."""
    for name, size in SIZES.items():
        save(folder / f"{name}.png", np.zeros((*size, 3), np.uint8))
    path = None
    if sample is not None:
        path = folder / "sample_submission.csv"
        path.write_text(sample)
    test = Index(tuple(SIZES), tuple(folder / f"{name}.png" for name in SIZES), ("dent", "rust"))
    return Competition(
        sample=path,
        data=DataConfig(root=str(folder), id="id", **data),
        task=TASKS["segmentation"],
        metric=METRICS["dice"],
        test=test,
        classes=test.classes,
        codes=("10", "20"),
        write="auto",
        coco_numbers={},
    )


def mask_answers(order: str = "ba") -> list[Answers]:
    """`numbered` masks of the images, one after the other."""
    return [Answers((name,), numbered(name)[None, None], None) for name in order]

"""The file: rows by id, bytes like the sample, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from submission_toys import (
    AUC,
    F1,
    MULTICLASS,
    MULTILABEL,
    letters,
    render,
    sample_of,
    table_format,
)

from comp.core.errors import SubmissionError
from comp.submission import Answers, write_submission


def write(folder: Path, **more: Any) -> None:
    answers = Answers(["003", "007"], np.array([[1, 0, 0], [0, 0, 1]]), more.get("probs"))
    file_format = more.get("file_format") or letters(folder)
    write_submission(folder / "out.json", file_format, [answers], {"plan": "abc"})


def test_the_manifest_names_what_was_written(tmp_path: Path) -> None:
    write(tmp_path)
    content = (tmp_path / "out.csv").read_bytes()
    assert content == b"id,c,a,b\n007,1,0,0\n003,0,1,0\n"
    digest = hashlib.sha256(content).hexdigest()
    assert json.loads((tmp_path / "out.json").read_text()) == {
        "plan": "abc", "file": "out.csv", "rows": 2, "sha256": digest,
    }  # fmt: skip


def test_a_refused_submission_leaves_the_old_one_as_it_was(tmp_path: Path) -> None:
    write(tmp_path)
    names = {path: path.read_bytes() for path in tmp_path.iterdir()}
    form = table_format(letters(tmp_path).sample, MULTILABEL, "abc", AUC)
    bad = np.full((2, 3), np.nan)
    with pytest.raises(SubmissionError, match="6 cells are empty or NaN"):
        write(tmp_path, file_format=form, probs=bad)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == names


def test_a_label_that_the_encoding_has_not_is_refused(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,정답\nx,가\n".encode("cp949"))
    form = table_format(sample, MULTICLASS, ("가", "😀"), F1)
    with pytest.raises(SubmissionError, match="cp949 text, which has no '😀'"):
        render(form, ["x"], np.array([1]), None)

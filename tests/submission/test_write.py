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
    BINARY,
    F1,
    MULTICLASS,
    MULTILABEL,
    check,
    letters,
    render,
    sample_of,
    table_format,
)
from toys import SHARED

from comp.core.errors import SubmissionError
from comp.submission import Answers, write_submission
from comp.submission.sample import read_sample


def test_columns_are_filled_by_name_and_rows_by_id(tmp_path: Path) -> None:
    form = letters(tmp_path)
    labels = np.array([[1, 0, 0], [0, 0, 1]])  # of 003 and 007, columns a b c
    assert render(form, ["003", "007"], labels, None) == (b"id,c,a,b\n007,1,0,0\n003,0,1,0\n")


def test_shuffled_rows_give_the_same_submission(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,y\n" + "".join(f"{i},0\n" for i in range(20)))
    form = table_format(sample, BINARY, ("0", "1"), F1)
    ids, labels = [str(i) for i in range(20)], np.arange(20) % 3 // 2
    order = np.random.default_rng(0).permutation(20)
    shuffled = render(form, [ids[row] for row in order], labels[order], None)
    assert shuffled == render(form, ids, labels, None)


@pytest.mark.parametrize(
    "text",
    [
        b"id,y\n1,0\n2,1\n",
        b"\xef\xbb\xbfid,y\r\n1,0\r\n2,1\r\n",
        b"id,y\n1,0\n2,1",
        b"id\ty\n1\t0\n2\t1\n",
        b'"id","y"\n1,0\n2,1\n',
        "id,정답\n사진1,0\n사진2,1\n".encode("cp949"),
    ],
    ids=["plain", "bom crlf", "no final newline", "tabs", "quoted header", "cp949"],
)
def test_the_form_of_the_sample_is_kept_to_the_byte(tmp_path: Path, text: bytes) -> None:
    sample = sample_of(tmp_path, text)
    form = table_format(sample, BINARY, ("0", "1"), F1)
    content = render(form, form.sample.ids, np.array([0, 1]), None)
    assert content == text
    check(tmp_path, content, form)


def test_ids_that_are_not_those_of_the_sample_show_both_counts(tmp_path: Path) -> None:
    form = letters(tmp_path)
    with pytest.raises(SubmissionError) as caught:
        render(form, ["003", "8", "9"], np.zeros((3, 3), int), None)
    text = str(caught.value)
    assert "2 ids in the sample, 3 images answered" in text
    assert "no answer for 1 ids: '007'" in text
    assert "2 answers to ids that are not in it: '8', '9'" in text


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


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real competitions are not here")
@pytest.mark.parametrize(
    ("path", "id_column", "task", "classes"),
    [
        ("tiles/test/sample_submission.csv", "id", BINARY, ("normal", "defect")),
        ("signs/sample_submission.csv", "id", MULTICLASS, tuple("0123456789")),
        ("letters/sample_submission.csv", "index", MULTILABEL, "abcdefghijklmnopqrstuvwxyz"),
    ],
)
def test_zeros_give_back_the_sample_of_a_real_competition(path, id_column, task, classes) -> None:  # type: ignore[no-untyped-def]
    sample = read_sample(SHARED / path, id_column)
    form = table_format(sample, task, tuple(classes), F1)
    shape = (len(sample.ids),) if task.one_answer else (len(sample.ids), len(classes))
    content = render(form, form.sample.ids, np.zeros(shape, int), None)
    assert content == (SHARED / path).read_bytes()

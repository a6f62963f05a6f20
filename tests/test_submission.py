"""The submission: the form of the sample, by id, refused before it is written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comp.core.errors import ConfigError, DataError, SubmissionError
from comp.submission import (
    Form,
    Sample,
    check_submission,
    make_form,
    make_sample,
    read_sample,
    render,
    write_submission,
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


def test_a_sample_is_read_as_text_in_its_order(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "label,id\n0,007\n1,NA\n")
    assert (sample.id_column, sample.answers, sample.ids) == ("id", ("label",), ("007", "NA"))
    assert sample.texts == {"label": frozenset({"0", "1"})}


def test_without_the_id_column_the_first_column_holds_the_ids(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "ImageId,answer\na.jpg,0\n")
    assert (sample.id_column, sample.ids) == ("ImageId", ("a.jpg",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,x\n1,0\n2,0\n1,0\n", "ids repeated in column 'id': '1'"),
        ("id,x\n", "no rows"),
        ("id\n1\n", "only one column, 'id'"),
    ],
)
def test_what_is_no_sample_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        sample_of(tmp_path, text)


def test_columns_are_filled_by_name_and_rows_by_id(tmp_path: Path) -> None:
    sample, form = letters(tmp_path)
    labels = np.array([[1, 0, 0], [0, 0, 1]])  # of 003 and 007, columns a b c
    assert render(sample, form, ["003", "007"], labels, None) == (
        b"id,c,a,b\n007,1,0,0\n003,0,1,0\n"
    )


def test_shuffled_rows_give_the_same_submission(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,y\n" + "".join(f"{i},0\n" for i in range(20)))
    form = make_form(sample, BINARY, ("0", "1"), F1)
    ids, labels = [str(i) for i in range(20)], np.arange(20) % 3 // 2
    order = np.random.default_rng(0).permutation(20)
    shuffled = render(sample, form, [ids[row] for row in order], labels[order], None)
    assert shuffled == render(sample, form, ids, labels, None)


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
    form = make_form(sample, BINARY, ("0", "1"), F1)
    content = render(sample, form, sample.ids, np.array([0, 1]), None)
    assert content == text
    check_submission(content, sample, form)


CASES = [  # sample, task, classes, metric, write -> the first row of answers
    ("id,y\nx,0\n", BINARY, ("0", "1"), F1, "auto", "1"),
    ("id,y\nx,0\n", BINARY, ("normal", "defect"), F1, "auto", "1"),
    ("id,y\nx,normal\n", BINARY, ("normal", "defect"), F1, "auto", "defect"),
    ("id,y\nx,0.5\n", BINARY, ("0", "1"), AUC, "auto", "0.75"),
    ("id,y\nx,0\n", BINARY, ("0", "1"), F1, "probability", "0.75"),
    ("id,y\nx,0\n", BINARY, ("0", "1"), AUC, "label", "1"),
    ("id,cat,dog\nx,0,0\n", BINARY, ("dog", "cat"), AUC, "auto", "0.75,0.25"),
    ("id,y\nx,a\n", MULTICLASS, ("a", "b", "c"), F1, "auto", "c"),
    ("id,y\nx,?\n", MULTICLASS, ("a", "b", "c, d"), F1, "auto", '"c, d"'),
    ("id,c,a,b\nx,0,0,0\n", MULTICLASS, ("a", "b", "c"), F1, "auto", "0.625,0.125,0.25"),
    ("id,c,a,b\nx,0,0,0\n", MULTICLASS, ("a", "b", "c"), F1, "label", "1,0,0"),
    ("id,c,a,b\nx,0,0,0\n", MULTILABEL, ("a", "b", "c"), F1, "auto", "1,1,0"),
    ("id,c,a,b\nx,0,0,0\n", MULTILABEL, ("a", "b", "c"), AUC, "auto", "0.625,0.125,0.25"),
    ("id,tags\nx,a\n", MULTILABEL, ("a", "b", "c"), F1, "auto", "a c"),
]


@pytest.mark.parametrize(("text", "task", "classes", "metric", "write", "row"), CASES)
def test_what_is_written(  # type: ignore[no-untyped-def]
    tmp_path, text, task, classes, metric, write, row
) -> None:
    sample = sample_of(tmp_path, text)
    form = make_form(sample, task, classes, metric, write)
    labels = {"binary": [1], "multiclass": [2], "multilabel": [[1, 0, 1]]}[task.name]
    probs = np.array([[0.75]] if task is BINARY else [[0.125, 0.25, 0.625]], np.float32)
    content = render(sample, form, ["x"], np.array(labels), probs)
    assert content == f"{text.splitlines()[0]}\nx,{row}\n".encode()
    check_submission(content, sample, form)


def test_a_list_of_labels_may_be_empty_and_has_the_separator_of_the_data(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,tags\nx,\ny,\n")
    form = make_form(sample, MULTILABEL, ("a", "b"), F1, separator="|")
    content = render(sample, form, ["x", "y"], np.array([[1, 1], [0, 0]]), None)
    assert content == b"id,tags\nx,a|b\ny,\n"
    check_submission(content, sample, form)
    with pytest.raises(SubmissionError, match="1 cells are no label"):
        check_submission(b"id,tags\nx,a|d\ny,\n", sample, form)


def test_probabilities_give_back_every_float32(tmp_path: Path) -> None:
    probs = np.random.default_rng(0).random((500, 1), dtype=np.float32)
    probs[:3, 0] = [1e-30, 1, 0]
    sample = make_sample("id", ["y"], [str(row) for row in range(500)])
    form = make_form(sample, BINARY, ("0", "1"), AUC)
    content = render(sample, form, sample.ids, np.zeros(500, int), probs)
    cells = [line.split(",")[1] for line in content.decode().splitlines()[1:]]
    assert np.array(cells, dtype=np.float32).tolist() == probs[:, 0].tolist()


@pytest.mark.parametrize(
    ("text", "task", "message"),
    [
        ("id,a,b,d\nx,0,0,0\n", MULTILABEL, r"(?s)no column for the classes 'c'.*no class: 'd'"),
        ("id,a,b\nx,0,0\n", MULTILABEL, "no column for the classes 'c'"),
        ("id,a\nx,0\n", MULTILABEL, "no column for the classes 'b', 'c'"),
        ("id,y,z\nx,0,0\n", MULTICLASS, r"one answer column, or one a class(?s:.*)'y', 'z'"),
    ],
)
def test_columns_that_do_not_fit_the_classes_are_named(  # type: ignore[no-untyped-def]
    tmp_path, text, task, message
) -> None:
    with pytest.raises(SubmissionError, match=message):
        make_form(sample_of(tmp_path, text), task, ("a", "b", "c"), F1)


def test_what_cannot_be_written_is_an_error_of_the_config(tmp_path: Path) -> None:
    one = sample_of(tmp_path, "id,y\nx,0\n")
    with pytest.raises(ConfigError, match="'y' cannot hold the probabilities of 3 classes"):
        make_form(one, MULTICLASS, ("a", "b", "c"), F1, "probability")
    with pytest.raises(ConfigError, match="probabilities of several labels"):
        make_form(one, MULTILABEL, ("a", "b"), F1, "probability")
    with pytest.raises(ConfigError, match=r"classes 'a b' hold the separator ' '"):
        make_form(one, MULTILABEL, ("a b", "c"), F1)
    with pytest.raises(ConfigError, match="--vote soft"):
        render(one, make_form(one, BINARY, ("0", "1"), AUC), ["x"], np.array([1]), None)


def test_ids_that_are_not_those_of_the_sample_show_both_counts(tmp_path: Path) -> None:
    sample, form = letters(tmp_path)
    with pytest.raises(SubmissionError) as caught:
        render(sample, form, ["003", "8", "9"], np.zeros((3, 3), int), None)
    text = str(caught.value)
    assert "2 ids in the sample, 3 images answered" in text
    assert "no answer for 1 ids: '007'" in text
    assert "2 answers that are not asked for: '8', '9'" in text


FAULTS = [
    ("id,c,a\n007,0,0\n003,0,0\n", ["Required column 'b' could not be found"]),
    ("id,c,a,b,x\n007,0,0,0,0\n003,0,0,0,0\n", ["Unexpected Column: 'x'"]),
    ("id,c,a,B\n007,0,0,0\n003,0,0,0\n", ["Required column 'b'", "Unexpected Column: 'B'"]),
    ("id,a,b,c\n007,0,0,0\n003,0,0,0\n", ["columns in another order"]),
    ("id,c,a,b,b\n007,0,0,0,0\n003,0,0,0,0\n", ["column 'b' is there twice"]),
    ("id,c,a,b\n007,0,0,0\n", ["must have 2 rows; it has 1", "1 ids missing: '003'"]),
    ("id,c,a,b\n007,0,0,0\n003,0,0,0\n9,0,0,0\n", ["2 rows; it has 3", "not asked for: '9'"]),
    ("id,c,a,b\n007,0,0,0\n007,0,0,0\n", ["1 ids repeated: '007'", "1 ids missing: '003'"]),
    ("id,c,a,b\n7,0,0,0\n3,0,0,0\n", ["2 ids missing: '007', '003'", "not asked for: '7', '3'"]),
    ("id,c,a,b\n003,0,0,0\n007,0,0,0\n", ["2 rows are not in the order of the sample"]),
    ("id,c,a,b\n007,0,0\n003,0,0,0\n", ["1 rows without 4 cells: rows 2"]),
    ("id,c,a,b\n007,,NaN,0\n003,0,0,0\n", ["2 cells are empty or NaN: 007, c: ''; 007, a: 'NaN'"]),
    ("id,c,a,b\n007,1.0,0,0\n003,0,0,2\n", ["2 cells are no label ('0', '1'): 007, c: '1.0'"]),
    ("", ["Required column 'id' could not be found", "must have 2 rows; it has 0"]),
]


@pytest.mark.parametrize(("text", "complaints"), FAULTS)
def test_what_would_be_refused_is_told_all_at_once(
    tmp_path: Path, text: str, complaints: list[str]
) -> None:
    sample, form = letters(tmp_path)
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(SubmissionError, match=r"mine.csv: would be refused") as caught:
        check_submission(path, sample, form)
    assert [part for part in complaints if part not in str(caught.value)] == []
    assert len(str(caught.value).splitlines()) == 1 + len(complaints) or not text


def test_probabilities_that_are_none_are_named(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,y\n" + "".join(f"{i},0\n" for i in range(8)))
    form = make_form(sample, BINARY, ("0", "1"), AUC)
    cells = ["nan", "1.5", "-0.1", "x", "inf", "", "1e-9", "1"]
    content = "id,y\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))
    with pytest.raises(SubmissionError) as caught:
        check_submission(content.encode(), sample, form)
    assert str(caught.value).splitlines()[1:] == [
        "  - 2 cells are empty or NaN: 0, y: 'nan'; 5, y: ''",
        "  - 3 cells are outside 0 to 1: 1, y: '1.5'; 2, y: '-0.1'; 4, y: 'inf'",
        "  - 1 cells are not a number: 3, y: 'x'",
    ]


def test_only_the_first_five_offenders_are_shown(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,y\n" + "".join(f"{i},0\n" for i in range(9)))
    form = make_form(sample, BINARY, ("0", "1"), F1)
    content = b"id,y\n" + b"".join(b"%d,2\n" % i for i in range(9))
    with pytest.raises(SubmissionError, match=r"9 cells are no label.*4, y: '2'; and 4 more"):
        check_submission(content, sample, form)


def arguments(folder: Path, **more: Any) -> dict[str, Any]:
    sample, form = letters(folder)
    return {
        "csv_path": folder / "out.csv",
        "json_path": folder / "out.json",
        "sample": sample,
        "form": form,
        "ids": ["003", "007"],
        "labels": np.array([[1, 0, 0], [0, 0, 1]]),
        "probs": None,
        "manifest": {"plan": "abc"},
    } | more


def test_the_manifest_names_what_was_written(tmp_path: Path) -> None:
    write_submission(**arguments(tmp_path))
    content = (tmp_path / "out.csv").read_bytes()
    assert content == b"id,c,a,b\n007,1,0,0\n003,0,1,0\n"
    digest = hashlib.sha256(content).hexdigest()
    assert json.loads((tmp_path / "out.json").read_text()) == {
        "plan": "abc", "file": "out.csv", "rows": 2, "sha256": digest,
    }  # fmt: skip


def test_a_refused_submission_leaves_the_old_one_as_it_was(tmp_path: Path) -> None:
    write_submission(**arguments(tmp_path))
    names = {path: path.read_bytes() for path in tmp_path.iterdir()}
    form = make_form(letters(tmp_path)[0], MULTILABEL, "abc", AUC)
    bad = np.full((2, 3), np.nan)
    with pytest.raises(SubmissionError, match="6 cells are empty or NaN"):
        write_submission(**arguments(tmp_path, form=form, probs=bad))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == names


def test_a_label_that_the_encoding_has_not_is_refused(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,정답\nx,가\n".encode("cp949"))
    form = make_form(sample, MULTICLASS, ("가", "😀"), F1)
    with pytest.raises(SubmissionError, match="cp949 text, which has no '😀'"):
        render(sample, form, ["x"], np.array([1]), None)


SHARED = Path(__file__).parents[2] / "shared" / "data"


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
    form = make_form(sample, task, tuple(classes), F1)
    shape = (len(sample.ids),) if task.one_answer else (len(sample.ids), len(classes))
    content = render(sample, form, sample.ids, np.zeros(shape, int), None)
    assert content == (SHARED / path).read_bytes()

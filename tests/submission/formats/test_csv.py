"""A submission that is a table: filled by name and id, to the byte like its sample."""

from __future__ import annotations

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

from comp.config.schema import DataConfig
from comp.core.errors import SubmissionError
from comp.data.index.index import Index
from comp.submission import Answers, Competition
from comp.submission.diff import Diff
from comp.submission.formats.csv import CsvFormat
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


def test_ids_that_are_answered_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match=r"ids answered twice: '003'"):
        render(letters(tmp_path), ["003", "003", "007"], np.zeros((3, 3), int), None)


def competition(sample: Path | None, **over: Any) -> Competition:
    """Two images of three classes."""
    task = over.pop("task", MULTICLASS)
    data = DataConfig(root=".", id="id", **over)
    classes = ("cat", "dog", "fox")
    test = Index(("x", "y"), (Path("x"), Path("y")), classes)
    return Competition(sample, data, task, F1, test, classes, classes, "auto", {})


def test_without_a_sample_the_columns_are_those_of_the_config(tmp_path: Path) -> None:
    form = CsvFormat.read_sample(competition(None, target=["breed"]))
    assert (form.sample.columns, form.sample.ids) == (("id", "breed"), ("x", "y"))
    assert CsvFormat.read_sample(competition(None)).sample.columns == ("id", "label")
    columns, rows = form.write(tmp_path / "out.csv", [Answers(("y", "x"), np.array([2, 0]), None)])
    assert (tmp_path / "out.csv").read_text() == "id,breed\nx,cat\ny,fox\n"
    assert (columns, rows) == ({"breed": ("cat", "fox")}, 2)


def test_a_sample_that_is_there_decides_columns_and_order(tmp_path: Path) -> None:
    path = sample_of(tmp_path, "label,id\ncat,y\ncat,x\n").path
    form = CsvFormat.read_sample(competition(path, target=["breed"]))
    assert (form.sample.answers, form.sample.ids) == (("label",), ("y", "x"))


def test_pieces_of_an_answer_are_joined_by_id(tmp_path: Path) -> None:
    form = table_format(sample_of(tmp_path, "id,y\n1,0\n2,0\n3,0\n"), BINARY, ("0", "1"), AUC)
    assert form.needs_probs
    pieces = [
        Answers(["3"], np.array([1]), np.array([[0.75]])),
        Answers(["1", "2"], np.array([0, 1]), np.array([[0.25], [0.5]])),
    ]
    columns, rows = form.write(tmp_path / "out.csv", pieces)
    assert ([float(cell) for cell in columns["y"]], rows) == ([0.25, 0.5, 0.75], 3)
    assert form.read_back(tmp_path / "out.csv") == (columns, [])


def test_columns_that_cannot_be_read_are_empty_and_all_complaints_are_there(
    tmp_path: Path,
) -> None:
    form = letters(tmp_path)
    assert not form.needs_probs
    path = tmp_path / "mine.csv"
    path.write_text("id,c,a,x\n007,0,2,0\n003,0,0,0\n")
    columns, complaints = form.read_back(path)
    assert columns == {"c": ("0", "0"), "a": ("2", "0"), "b": ()}
    assert complaints == [
        "Required column 'b' could not be found",
        "Unexpected Column: 'x'",
        "1 cells are not a label ('0', '1'): 007, a: '2'",
    ]


def test_labels_that_every_row_has_are_worth_a_look(tmp_path: Path) -> None:
    names = list("abcdefgh")
    text = f"id,{','.join(names)}\n1{',0' * 8}\n2{',0' * 8}\n"
    form = table_format(sample_of(tmp_path, text), MULTILABEL, names, F1)
    columns = dict.fromkeys(names, ("1", "1")) | {"h": ("1", "0")}
    (tmp_path / "out.csv").write_text(text)
    assert form.check(tmp_path / "out.csv", columns) == [
        "7 of 8 labels are given to every row: a, b, c, d, e, f and 1 more"
    ]
    assert form.check(tmp_path / "out.csv", columns | {"g": ("0", "0")}) == [
        "6 of 8 labels are given to every row: a, b, c, d, e, f"
    ]
    assert form.check(tmp_path / "out.csv", dict.fromkeys(names, ("0", "1"))) == []


def test_one_column_of_labels_may_have_the_same_label_everywhere(tmp_path: Path) -> None:
    form = table_format(sample_of(tmp_path, "id,y\n1,0\n2,0\n"), BINARY, ("0", "1"), F1)
    assert form.check(form.sample.path, {"y": ("1", "1")}) == []


def test_two_tables_are_compared_by_the_column_of_ids_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label,id\ncat,1\ndog,2\n")
    (tmp_path / "b.csv").write_text("id,label\n2,cat\n1,dog\n")
    found = CsvFormat.diff(tmp_path / "a.csv", tmp_path / "b.csv", "id")
    changes = {("label", "cat", "dog"): 1, ("label", "dog", "cat"): 1}
    assert found == Diff(2, ("1", "2"), changes, {})

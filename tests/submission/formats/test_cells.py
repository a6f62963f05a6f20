"""How classes and decisions become cells of a submission."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from submission_toys import (
    AUC,
    BINARY,
    F1,
    MULTICLASS,
    MULTILABEL,
    check,
    render,
    sample_of,
    table_format,
)

from comp.core.errors import ConfigError, SubmissionError
from comp.submission.formats.cells import make_cells
from comp.submission.sample import make_sample
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

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
    ("id,p_c,p_a,p_b\nx,0,0,0\n", MULTICLASS, ("a", "b", "c"), F1, "auto", "0.625,0.125,0.25"),
    ("id,b_is,c_is,a_is\nx,0,0,0\n", MULTILABEL, ("a", "b", "c"), F1, "auto", "0,1,1"),
    ("id,c,a,b\nx,0,0,0\n", MULTILABEL, ("a", "b", "c"), F1, "auto", "1,1,0"),
    ("id,c,a,b\nx,0,0,0\n", MULTILABEL, ("a", "b", "c"), AUC, "auto", "0.625,0.125,0.25"),
    ("id,tags\nx,a\n", MULTILABEL, ("a", "b", "c"), F1, "auto", "a c"),
]


@pytest.mark.parametrize(("text", "task", "classes", "metric", "write", "row"), CASES)
def test_what_is_written(  # type: ignore[no-untyped-def]
    tmp_path, text, task, classes, metric, write, row
) -> None:
    sample = sample_of(tmp_path, text)
    form = table_format(sample, task, classes, metric, write)
    labels = {"binary": [1], "multiclass": [2], "multilabel": [[1, 0, 1]]}[task.name]
    probs = np.array([[0.75]] if task is BINARY else [[0.125, 0.25, 0.625]], np.float32)
    content = render(form, ["x"], np.array(labels), probs)
    assert content == f"{text.splitlines()[0]}\nx,{row}\n".encode()
    check(tmp_path, content, form)


def test_a_list_of_labels_may_be_empty_and_has_the_separator_of_the_data(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,tags\nx,\ny,\n")
    form = table_format(sample, MULTILABEL, ("a", "b"), F1, separator="|")
    content = render(form, ["x", "y"], np.array([[1, 1], [0, 0]]), None)
    assert content == b"id,tags\nx,a|b\ny,\n"
    check(tmp_path, content, form)
    with pytest.raises(SubmissionError, match="1 cells are not a label"):
        check(tmp_path, b"id,tags\nx,a|d\ny,\n", form)


def test_probabilities_give_back_every_float32(tmp_path: Path) -> None:
    probs = np.random.default_rng(0).random((500, 1), dtype=np.float32)
    probs[:3, 0] = [1e-30, 1, 0]
    sample = make_sample("id", ["y"], [str(row) for row in range(500)])
    form = table_format(sample, BINARY, ("0", "1"), AUC)
    content = render(form, form.sample.ids, np.zeros(500, int), probs)
    cells = [line.split(",")[1] for line in content.decode().splitlines()[1:]]
    assert np.array(cells, dtype=np.float32).tolist() == probs[:, 0].tolist()


@pytest.mark.parametrize(
    ("text", "task", "message"),
    [
        ("id,a,b,d\nx,0,0,0\n", MULTILABEL, r"(?s)no column for the classes 'c'.*not a class: 'd'"),
        ("id,a,b\nx,0,0\n", MULTILABEL, "no column for the classes 'c'"),
        ("id,a\nx,0\n", MULTILABEL, "no column for the classes 'b', 'c'"),
        ("id,y,z\nx,0,0\n", MULTICLASS, r"one answer column, or one per class(?s:.*)'y', 'z'"),
    ],
)
def test_columns_that_do_not_fit_the_classes_are_named(  # type: ignore[no-untyped-def]
    tmp_path, text, task, message
) -> None:
    with pytest.raises(SubmissionError, match=message):
        table_format(sample_of(tmp_path, text), task, ("a", "b", "c"), F1)


def test_what_cannot_be_written_is_an_error_of_the_config(tmp_path: Path) -> None:
    one = sample_of(tmp_path, "id,y\nx,0\n")
    with pytest.raises(ConfigError, match="'y' cannot hold the probabilities of 3 classes"):
        table_format(one, MULTICLASS, ("a", "b", "c"), F1, "probability")
    with pytest.raises(ConfigError, match="probabilities of several labels"):
        table_format(one, MULTILABEL, ("a", "b"), F1, "probability")
    with pytest.raises(ConfigError, match=r"classes 'a b' contain the separator ' '"):
        table_format(one, MULTILABEL, ("a b", "c"), F1)
    with pytest.raises(ConfigError, match="--vote soft"):
        render(table_format(one, BINARY, ("0", "1"), AUC), ["x"], np.array([1]), None)


@pytest.mark.parametrize(
    ("cell", "zero", "one"), [("False", "False", "True"), ("no", "no", "yes"), ("F", "F", "T")]
)
def test_zeros_and_ones_are_written_in_the_words_of_the_sample(
    cell: str, zero: str, one: str, tmp_path: Path
) -> None:
    sample = sample_of(tmp_path, f"id,a,b\n1,{cell},{cell}\n2,{cell},{cell}\n")
    cells = make_cells(sample, MULTILABEL, ("a", "b"), F1)
    columns = cells.columns(np.array([[1, 0], [0, 0]]), None)
    assert columns == {"a": (one, zero), "b": (zero, zero)}
    assert cells.shares(columns) == {"a": 0.5, "b": 0.0}
    assert cells.complaints({"id": ("1", "2"), **columns}, sample) == []
    single = sample_of(tmp_path, f"id,y\n1,{cell}\n2,{cell}\n")
    made = make_cells(single, BINARY, ("0", "1"), F1)
    assert made.columns(np.array([1, 0]), None) == {"y": (one, zero)}


@pytest.mark.parametrize(
    ("cells", "want"),
    [
        (["0", "0"], ("1", "3")),  # a placeholder, which is no grade
        (["1", "2"], ("1", "3")),
    ],
)
def test_a_sample_of_zeros_does_not_move_grades_from_one_on(
    cells: list[str], want: tuple[str, ...], tmp_path: Path
) -> None:
    sample = sample_of(tmp_path, "id,y\n" + "".join(f"{n},{c}\n" for n, c in enumerate(cells)))
    made = make_cells(sample, TASKS["ordinal"], ("1", "2", "3"), METRICS["qwk"])
    assert made.columns(np.array([0, 2]), None) == {"y": want}


def test_where_the_sample_has_words_no_probabilities_are_written(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,a,b,c\nx,no,no,yes\n")
    made = make_cells(sample, MULTICLASS, ("a", "b", "c"), F1)
    assert made.columns(np.array([1]), None) == {"a": ("no",), "b": ("yes",), "c": ("no",)}


@pytest.mark.parametrize(
    ("cells", "written"),
    [
        (("1.50", "0.25"), "12.35"),
        (("3", "7"), "12"),
        (("0", "0"), "12.3456"),  # a placeholder
        (("0", "1.5"), "12.3456"),  # different places
        (("a", "b"), "12.3456"),
    ],
)
def test_numbers_are_rounded_as_those_of_the_sample(
    tmp_path: Path, cells: tuple[str, str], written: str
) -> None:
    sample = sample_of(tmp_path, f"id,y\nx,{cells[0]}\nz,{cells[1]}\n")
    task, metric = TASKS["regression"], METRICS["rmse"]
    numbers = np.array([[12.3456], [-0.001]])
    found = table_format(sample, task, ("y",), metric)
    rows = render(found, ["x", "z"], numbers, None).decode().splitlines()
    assert rows[1] == f"x,{written}"
    assert not rows[2].startswith("z,-0.00,")
    more = table_format(sample, task, ("y",), metric, decimals=1)
    assert render(more, ["x", "z"], numbers, None).decode().splitlines()[1:] == ["x,12.3", "z,0.0"]


def test_probabilities_are_rounded_only_where_that_is_asked_for(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,y\nx,0.5\nz,0.1\n")
    probs = np.array([[0.123456], [0.75]], dtype=np.float32)
    labels = np.array([0, 1])
    given = BINARY, ("0", "1"), AUC
    plain = render(table_format(sample, *given), ["x", "z"], labels, probs).decode()
    assert "x,0.123456" in plain
    rounded = render(table_format(sample, *given, decimals=2), ["x", "z"], labels, probs)
    assert rounded.decode().splitlines() == ["id,y", "x,0.12", "z,0.75"]

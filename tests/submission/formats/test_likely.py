"""The most likely classes of an image in one cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from submission_toys import BINARY, F1, MULTICLASS, check, render, sample_of, table_format

from comp.core.errors import ConfigError, SubmissionError
from comp.submission.formats.cells import make_cells
from comp.submission.formats.likely import most_likely, places_of
from comp.tasks.metrics import METRICS

NAMES = ("new", "w_1", "w_2", "w_3")
PROBS = np.array([[0.1, 0.5, 0.15, 0.25], [0.3, 0.3, 0.4, 0.0]], np.float32)
MAP5 = METRICS["map_at_5"]


@pytest.mark.parametrize(
    ("found", "places"),
    [
        ({"new w_1 w_2"}, 3),
        ({"new new new"}, 3),  # a placeholder
        ({"0 1 2", "2 1 0"}, 3),  # class numbers
        ({"new"}, 1),
        ({"new w_1", "new w_1 w_2"}, 1),
        ({"new whale"}, 1),
        ({""}, 1),
        ({"new w_1", "new"}, 1),
        ({"0 0 0 0 0"}, 1),  # more than there are classes
    ],
)
def test_the_sample_says_how_many(found: set[str], places: int) -> None:
    assert places_of(frozenset(found), NAMES) == places
    assert places_of(frozenset({"a b"}), ("a b", "c")) == 1


def test_the_label_comes_first_then_the_most_probable() -> None:
    assert most_likely(NAMES, np.array([1, 2]), PROBS, 3) == ["w_1 w_3 w_2", "w_2 new w_1"]
    assert most_likely(NAMES, np.array([3, 0]), PROBS, 2) == ["w_3 w_1", "new w_2"]
    one = np.array([[0.75]], np.float32)
    assert most_likely(("no", "yes"), np.array([1]), one, 2) == ["yes no"]


def test_a_cell_has_as_many_classes_as_those_of_the_sample(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,Id\nx,new w_1 w_2\ny,new w_1 w_2\n")
    for metric in (F1, MAP5):
        form = table_format(sample, MULTICLASS, NAMES, metric)
        assert form.needs_probs
        content = render(form, ["y", "x"], np.array([2, 1]), PROBS[::-1])
        assert content == b"id,Id\nx,w_1 w_3 w_2\ny,w_2 new w_1\n"
        check(tmp_path, content, form)
    columns = form.columns(["y", "x"], np.array([2, 1]), PROBS[::-1])
    assert form.content.shares(columns) == {"w_1": 0.5, "w_2": 0.5}


def test_class_numbers_stay_numbers_and_the_config_says_another_count(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,y\nx,0 1\n")
    assert make_cells(sample, MULTICLASS, NAMES, MAP5).columns(np.array([1]), PROBS[:1]) == {
        "y": ("1 3",)
    }
    own = sample_of(tmp_path, "id,y\nx,new\n")
    made = make_cells(own, MULTICLASS, NAMES, MAP5, likely=3)
    assert made.columns(np.array([1]), PROBS[:1]) == {"y": ("w_1 w_3 w_2",)}
    alone = make_cells(sample, MULTICLASS, NAMES, F1, likely=1)
    assert alone.columns(np.array([1]), None) == {"y": ("w_1",)}
    two = make_cells(sample_of(tmp_path, "id,y\nx,no yes\n"), BINARY, ("no", "yes"), F1)
    assert two.columns(np.array([1]), np.array([[0.75]], np.float32)) == {"y": ("yes no",)}


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("w_1 w_1", "are not a label"),
        ("w_1 new w_2 w_3", "have more than 3 classes"),
        ("", "are empty or NaN"),
        ("w_1 w_9", "are not a label"),
    ],
)
def test_what_the_site_refuses_is_refused(cell: str, problem: str, tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,Id\nx,new w_1 w_2\n")
    form = table_format(sample, MULTICLASS, NAMES, MAP5)
    check(tmp_path, b"id,Id\nx,w_1 w_2\n", form)  # fewer are allowed
    with pytest.raises(SubmissionError, match=problem):
        check(tmp_path, f'id,Id\nx,"{cell}"\n'.encode(), form)


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,y\nx,a\n")
    with pytest.raises(ConfigError, match="contain spaces"):
        make_cells(sample, MULTICLASS, ("a", "b c", "d"), MAP5, likely=2)
    with pytest.raises(ConfigError, match="likely: 5 of 3 classes"):
        make_cells(sample, MULTICLASS, ("a", "b", "d"), MAP5, likely=5)
    votes = make_cells(sample, MULTICLASS, ("a", "b", "d"), F1, likely=2)
    with pytest.raises(ConfigError, match="hard vote gives none"):
        votes.columns(np.array([1]), None)

"""A sample with a row for each image and class: answered row by row, in its order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from submission_toys import AUC, F1, MULTICLASS, MULTILABEL

from comp.config.schema import DataConfig
from comp.core.errors import SubmissionError
from comp.data.index.index import Index
from comp.submission import Answers, Competition, check_submission
from comp.submission.formats.csv import CsvFormat
from comp.submission.gate import diff_submissions
from comp.submission.sample_doubts import sample_doubts
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric

JOINED = "id,p\n" + "".join(f"i_{n}_{c},0.5\n" for n in (2, 1) for c in ("no_b", "a"))
PAIRS = "id,kind,p\n" + "".join(f"i_{n},{c},0\n" for n in (2, 1) for c in ("no_b", "a"))
PROBS = np.array([[0.1, 0.2], [0.3, 0.4]], dtype=np.float64)  # i_1, i_2 by a, no_b


def form(
    folder: Path, text: str, metric: Metric = AUC, task: Task = MULTILABEL, write: str = "auto"
) -> CsvFormat:
    path = folder / "sample.csv"
    path.write_text(text)
    ids = ("i_1", "i_2")
    test = Index(ids, tuple(map(Path, ids)), ("a", "no_b"))
    data = DataConfig(root=str(folder))
    classes = ("a", "no_b")
    return CsvFormat.read_sample(
        Competition(path, data, task, metric, test, classes, classes, write, {})
    )


def answer(labels: np.ndarray) -> Answers:
    return Answers(("i_1", "i_2"), labels, PROBS)


@pytest.mark.parametrize("text", [JOINED, PAIRS])
def test_each_row_gets_the_probability_of_its_image_and_class(tmp_path: Path, text: str) -> None:
    made, out = form(tmp_path, text), tmp_path / "out.csv"
    columns, count = made.write(out, [answer((PROBS > 0.25).astype(np.int64))])
    assert count == 4
    assert sample_doubts(made) == []
    lines = out.read_text().splitlines()
    assert lines[0] == text.splitlines()[0]
    assert [line.rpartition(",")[0] for line in lines] == [
        line.rpartition(",")[0] for line in text.splitlines()
    ]
    assert [line.rpartition(",")[2] for line in lines[1:]] == ["0.4", "0.3", "0.2", "0.1"]
    assert check_submission(out, made) == columns
    shares = made.content.shares(columns)
    assert shares == pytest.approx({"a": 0.2, "no_b": 0.3})
    assert made.content.expected_shares(PROBS, PROBS) == pytest.approx(shares)
    more = np.concatenate([PROBS] * 9)  # of other images than those of the rows
    assert made.content.expected_shares(more, more) == pytest.approx(shares)
    assert made.content.expected_shares(PROBS, PROBS, [0.0, 2.0]) == pytest.approx(
        {"a": 0.3, "no_b": 0.4}
    )


@pytest.mark.parametrize("text", [JOINED.replace("0.5", "0"), PAIRS])
def test_labels_are_zeros_and_ones(tmp_path: Path, text: str) -> None:
    made, out = form(tmp_path, text, F1), tmp_path / "out.csv"
    made.write(out, [answer(np.array([[1, 0], [0, 1]]))])
    assert [line[-1] for line in out.read_text().splitlines()[1:]] == ["1", "0", "0", "1"]
    single = form(tmp_path, text, F1, MULTICLASS, "label")
    single.write(out, [answer(np.array([1, 0]))])
    assert [line[-1] for line in out.read_text().splitlines()[1:]] == ["0", "1", "1", "0"]


@pytest.mark.parametrize("text", [JOINED, PAIRS])
def test_the_gate_refuses_other_rows_and_what_is_no_probability(tmp_path: Path, text: str) -> None:
    made, out = form(tmp_path, text), tmp_path / "out.csv"
    rows = text.splitlines()
    out.write_text("\n".join([rows[0], *reversed(rows[1:])]) + "\n")
    with pytest.raises(SubmissionError, match="order of the sample"):
        check_submission(out, made)
    out.write_text(text.rpartition(",")[0] + ",7\n")
    with pytest.raises(SubmissionError, match="outside 0 to 1: i_1"):
        check_submission(out, made)
    with pytest.raises(SubmissionError, match="no answer for 1 ids: 'i_2'"):
        made.write(out, [Answers(("i_1",), PROBS[:1] > 1, PROBS[:1])])


@pytest.mark.parametrize("text", [JOINED, PAIRS])
def test_two_submissions_are_compared_row_by_row(tmp_path: Path, text: str) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text(text)
    two.write_text(text.rpartition(",")[0] + ",0.75\n")
    found = diff_submissions(one, two)
    assert found.rows == 4
    assert len(found.ids) == 1
    assert found.numbers["p"][1] == pytest.approx(0.25 if text is JOINED else 0.75)


@pytest.mark.parametrize(
    "text", [JOINED.replace("i_2_a,0.5\n", ""), PAIRS.replace("i_2,a,0\n", "")]
)
def test_a_sample_that_lacks_rows_is_answered_in_the_rows_that_it_has(
    tmp_path: Path, text: str
) -> None:
    made, out = form(tmp_path, text), tmp_path / "out.csv"
    columns, count = made.write(out, [answer((PROBS > 0.25).astype(np.int64))])
    assert count == 3
    lines = out.read_text().splitlines()[1:]
    assert [line.rpartition(",")[2] for line in lines] == ["0.4", "0.2", "0.1"]
    assert made.content.shares(columns) == pytest.approx({"a": 0.1, "no_b": 0.3})


def test_a_usage_column_is_copied(tmp_path: Path) -> None:
    rows = [
        f"i_{n},{c},0,{use}" for n, use in ((2, "Public"), (1, "Private")) for c in ("no_b", "a")
    ]
    made, out = form(tmp_path, "\n".join(["id,kind,p,Usage", *rows]) + "\n"), tmp_path / "out.csv"
    made.write(out, [answer((PROBS > 0.25).astype(np.int64))])
    assert out.read_text().splitlines()[1] == "i_2,no_b,0.4,Public"
    assert out.read_text().splitlines()[4] == "i_1,a,0.1,Private"


def test_classes_that_the_task_has_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SubmissionError, match="classes and those of the task differ: 'no_b', 'no_c'"
    ):
        form(tmp_path, JOINED.replace("no_b", "no_c"))
    with pytest.raises(SubmissionError, match="which column is the answer\\? 'p', 'q'"):
        form(tmp_path, PAIRS.replace("p\n", "p,q\n").replace(",0\n", ",0,0\n"))

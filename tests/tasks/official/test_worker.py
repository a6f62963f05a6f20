"""The solution of drawn rows, and what the process of a metric does with a request."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from comp.tasks.official.worker import load, score, solution_of


def test_a_row_that_is_there_twice_gets_another_id() -> None:
    frame = pd.DataFrame({"id": [10, 20, 30], "label": [1, 0, 1]})
    found = solution_of({"frame": frame, "id": "id"}, [0, 2, 2, 2])
    assert found["id"].tolist() == [10, 30, 61, 92]
    assert found["label"].tolist() == [1, 1, 1, 1]
    assert solution_of({"frame": frame, "id": "id"}, [2, 0])["id"].tolist() == [30, 10]
    texts = frame.assign(id=["a", "b", "c"])
    assert solution_of({"frame": texts, "id": "id"}, [1, 1, 0])["id"].tolist() == ["b", "b#1", "a"]


def test_a_file_is_loaded_and_called_as_kaggle_calls_it(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    (tmp_path / "mine.py").write_text("FACTOR = 10\n")
    path.write_text(
        "from mine import FACTOR\n"
        "def score(solution, submission, row_id_column_name, plus=0):\n"
        "    same = solution.set_index(row_id_column_name)['y'] == "
        "submission.set_index(row_id_column_name)['y']\n"
        "    return FACTOR * same.sum() + plus\n"
    )
    about = {
        "frame": pd.DataFrame({"k": [1, 2, 3], "y": [1, 0, 1], "more": "abc"}),
        "id": "k",
        "arguments": {"plus": 0.5},
    }
    assert score(load(str(path)), about, {"rows": [0, 2], "answer": {"y": [1, 0]}}) == 10.5
    with pytest.raises(TypeError):
        score(SimpleNamespace(score=lambda a, b: 1), about, {"rows": [0], "answer": {"y": [1]}})

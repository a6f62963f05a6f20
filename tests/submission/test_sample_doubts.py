"""A sample whose cells do not look like the answers is a doubt, a placeholder is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from submission_toys import AUC, BINARY, F1, MULTILABEL, sample_of, table_format

from comp.submission.sample_doubts import sample_doubts
from comp.tasks.kinds import TASKS

ANIMALS = ("cat", "dog", "hen")


@pytest.mark.parametrize(
    ("cells", "task", "classes", "metric", "doubt"),
    [
        (["cat", "dog"], TASKS["multiclass"], ANIMALS, F1, None),
        (["0", "2"], TASKS["multiclass"], ANIMALS, F1, None),
        (["", "?"], TASKS["multiclass"], ANIMALS, F1, None),
        (["Cat", "dog"], TASKS["multiclass"], ANIMALS, F1, "holds 'Cat', which no answer will be"),
        (["7", "cat"], TASKS["multiclass"], ANIMALS, F1, "holds '7', which no answer will be"),
        (["0.5", "0.5"], BINARY, ("no", "yes"), F1, "holds fractions ('0.5'), but labels will"),
        (["no", "yes"], BINARY, ("no", "yes"), AUC, "holds texts ('no', 'yes'), but probab"),
        (["0.5", "0"], BINARY, ("no", "yes"), AUC, None),
        (["cat dog", ""], MULTILABEL, ANIMALS, F1, None),
        (["cat cow", "hen"], MULTILABEL, ANIMALS, F1, "holds 'cow', which no answer will be"),
    ],
)
def test_the_cells_of_a_sample(
    tmp_path: Path, cells: list[str], task: Any, classes: Any, metric: Any, doubt: str | None
) -> None:
    rows = "".join(f"{number},{cell}\n" for number, cell in enumerate(cells))
    found = sample_doubts(table_format(sample_of(tmp_path, f"id,y\n{rows}"), task, classes, metric))
    assert [doubt in text for text in found] == ([] if doubt is None else [True])


def test_what_is_written_is_what_the_config_says(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,y\n1,0.5\n")
    asked = table_format(sample, BINARY, ("no", "yes"), F1, write="probability")
    assert sample_doubts(asked) == []

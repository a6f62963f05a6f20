from pathlib import Path

import pytest

from comp.config.schema import DataConfig
from comp.data.index.tables import read_table
from comp.data.labels.labels import Labels, read_labels
from comp.tasks.kinds import TASKS


def numbers(tmp_path: Path, cells: list[str], **keys: object) -> Labels:
    path = tmp_path / "t.csv"
    rows = [f'{row:03d},"{cell}"' for row, cell in enumerate(cells)]
    path.write_text("\n".join(["id,price", *rows]) + "\n")
    data = DataConfig(root=".", target=("price",), **keys)  # type: ignore[arg-type]
    return read_labels(read_table(path), data, TASKS["regression"])


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "2.5", "-3e2"], [1.0, 2.5, -300.0]),
        (["$1,200", "900", "1,000.5"], [1200.0, 900.0, 1000.5]),
        (["1,5", "2,25", "1,125"], [1.5, 2.25, 1.125]),  # a comma is the decimal point here
        (["5 %", "7%", "10"], [5.0, 7.0, 10.0]),
    ],
)
def test_numbers_are_read_as_tables_write_them(
    tmp_path: Path, cells: list[str], expected: list[float]
) -> None:
    found = numbers(tmp_path, cells)
    assert found.complaints == ()
    assert found.target is not None
    assert found.target[:, 0].tolist() == expected
    assert found.classes == ("price",)


@pytest.mark.parametrize(
    ("cells", "keys", "complaint"),
    [
        (["1", "", "2"], {}, "column 'price' is blank in 1 rows: lines 3"),
        (["1", "many", "2"], {}, "column 'price': 1 cells are no number: \"line 3: 'many'\""),
        (["4", "4"], {}, "column 'price' is 4 in each row: nothing can be learned"),
        (["1", "-1"], {"transform": "log1p"}, "data.transform: log1p takes numbers above -1"),
        (["1", "2"], {"rename": {"1": "2"}}, "data.rename: is for classes"),
        (["1", "inf"], {}, "1 cells are no number"),
    ],
)
def test_what_is_no_number_is_refused(
    tmp_path: Path, cells: list[str], keys: dict[str, object], complaint: str
) -> None:
    found = numbers(tmp_path, cells, **keys)
    assert found.target is None
    assert any(complaint in text for text in found.complaints), found.complaints

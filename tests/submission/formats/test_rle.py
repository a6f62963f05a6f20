"""Run lengths in the rows of a table: read as the sample names them, written, checked, compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from submission_toys import SIZES, mask_answers, mask_competition, numbered

from comp.core.errors import DataError, SubmissionError
from comp.data.masks import rle
from comp.submission import check_submission
from comp.submission.diff import Diff
from comp.submission.formats.rle import RleFormat
from comp.submission.sample_doubts import sample_doubts

JOINED = "id,runs\na_10,\na_20,\nb_10,\nb_20,\n"
COLUMNS = "id,code,runs\nb,20,\nb,10,\na,20,\na,10,\n"
RUNS = {(name, code): rle.encode(numbered(name) == n)
        for name in SIZES for n, code in ((1, "10"), (2, "20"))}  # fmt: skip


def form_of(folder: Path, sample: str | None) -> RleFormat:
    return RleFormat.read_sample(mask_competition(folder, sample))


@pytest.mark.parametrize("sample", [JOINED, COLUMNS], ids=["joined", "columns"])
def test_the_rows_of_the_sample_are_filled_in_its_form(tmp_path: Path, sample: str) -> None:
    form = form_of(tmp_path, sample)
    columns, rows = form.write(tmp_path / "out.csv", mask_answers())
    header, *names = sample.splitlines()
    pairs = [name[:-1].replace("_", ",").split(",") for name in names]
    filled = [name + RUNS[image, code] for name, (image, code) in zip(names, pairs, strict=True)]
    assert (tmp_path / "out.csv").read_text().splitlines() == [header, *filled]
    assert columns == {"runs": tuple(line.rpartition(",")[2] for line in filled)}
    assert rows == 4
    assert form.read_back(tmp_path / "out.csv") == (columns, [])


def test_a_sample_may_call_the_classes_by_their_names(tmp_path: Path) -> None:
    names = mask_competition(tmp_path, None).classes
    pairs = [(image, name) for image in ("b", "a") for name in reversed(names)]
    text = "id,runs\n" + "".join(f"{image}_{name},\n" for image, name in pairs)
    form = form_of(tmp_path, text)
    form.write(tmp_path / "out.csv", mask_answers())
    codes = dict(zip(names, ("10", "20"), strict=True))
    filled = [f"{image}_{name},{RUNS[image, codes[name]]}" for image, name in pairs]
    assert (tmp_path / "out.csv").read_text().splitlines() == ["id,runs", *filled]
    with pytest.raises(DataError, match=rf"unknown: '{names[0]}'; known: '10', '20'"):
        form_of(tmp_path, f"id,runs\na_{names[0]},\na_20,\n")


def test_one_class_needs_no_code_in_its_rows(tmp_path: Path) -> None:
    competition = mask_competition(tmp_path, "id,runs\nb,\na,\n")
    with pytest.raises(DataError, match=r"its rows name no class, and there are 2: '10', '20'"):
        RleFormat.read_sample(competition)
    one = RleFormat.read_sample(replace(competition, classes=("dent",), codes=("10",)))
    one.write(tmp_path / "out.csv", mask_answers())
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == "id,runs"
    assert one.content.rows.ids == ("b", "a")


@pytest.mark.parametrize(
    ("sample", "complaints"),
    [
        ("id,runs\na_10,\na_30,\nb_10,\nb_30,\n",
         ["classes that are unknown: '30'; known: '10', '20'"]),
        ("id,runs\na_10,\na_10,\nb_20,\n", ["1 images and classes have several rows: 'a 10'"]),
        ("id\na_10\n", ["only one column, 'id'; a column of run lengths is needed"]),
    ],
)  # fmt: skip
def test_what_is_no_sample_of_masks_is_refused(
    tmp_path: Path, sample: str, complaints: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        form_of(tmp_path, sample)
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("sample_submission.csv: not a sample of masks:")
    assert [line.strip(" -") for line in lines[1:]] == complaints


def test_without_a_sample_ids_and_codes_are_joined(tmp_path: Path) -> None:
    form = form_of(tmp_path, None)
    form.write(tmp_path / "out.csv", mask_answers())
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines == [
        "ImageId_ClassId,EncodedPixels",
        *(f"{name}_{code},{cell}" for (name, code), cell in RUNS.items()),
    ]


@pytest.mark.parametrize("sample", [JOINED, COLUMNS], ids=["joined", "columns"])
@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("1 5 3", "run lengths are pairs"),
        ("0 5", "at least 1"),
        ("39 5", "a run ends at pixel 43"),
        ("10 5 12 5", "runs overlap"),
        ("a b", "not run lengths"),
    ],
)
def test_run_lengths_that_cannot_be_are_refused_with_the_row(
    tmp_path: Path, sample: str, cell: str, reason: str
) -> None:
    """Of image a, which has 40 pixels."""
    form = form_of(tmp_path, sample)
    path = tmp_path / "mine.csv"
    lines = [line + cell * line.startswith(("a_10", "a,10")) for line in sample.splitlines()]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(SubmissionError) as caught:
        check_submission(path, form)
    (line,) = str(caught.value).splitlines()[1:]
    assert line.startswith("  - 1 cells are not run lengths of their image (")
    assert reason in line
    assert line.endswith(f": {'a_10' if sample is JOINED else 'a 10'}: {cell!r}")


def test_spaces_are_an_empty_mask_and_every_image_has_its_own_number_of_pixels(
    tmp_path: Path,
) -> None:
    form = form_of(tmp_path, JOINED)
    path = tmp_path / "mine.csv"
    path.write_text("id,runs\na_10, \na_20,40 1\nb_10,24 1\nb_20,25 1\n")
    columns, complaints = form.read_back(path)
    assert columns == {"runs": ("", "40 1", "24 1", "25 1")}
    assert len(complaints) == 1
    assert "a run ends at pixel 25" in complaints[0]
    assert complaints[0].endswith(": b_20: '25 1'")


def test_a_pixel_of_two_classes_and_other_line_ends_are_worth_a_look(tmp_path: Path) -> None:
    form = form_of(tmp_path, JOINED)
    path = tmp_path / "mine.csv"
    path.write_bytes(b"id,runs\r\na_10,5 5\r\na_20,5 5\r\nb_10,\r\nb_20,\r\n")
    columns = check_submission(path, form)
    assert form.check(path, columns) == [
        "lines do not end as in the sample ('\\n')",
        "1 images give a pixel to two classes: 'a'",
    ]


def compared(folder: Path, one: str, two: str) -> Diff | None:
    (folder / "one.csv").write_text(one)
    (folder / "two.csv").write_text(two)
    return RleFormat.diff(folder / "one.csv", folder / "two.csv", "id")


def test_two_files_are_compared_class_by_class_whatever_their_order(tmp_path: Path) -> None:
    one = "id,runs\na_10,1 4 9 2\na_20,\nb_10,\nb_20,3 3\n"
    two = "id,runs\nb_20,3 3\nb_10,\na_20,7 1\na_10,1 2 9 2\n"
    found = compared(tmp_path, one, two)
    assert found is not None
    assert (found.ids, found.rows) == (("a",), 2)
    assert found.dice == {"a": pytest.approx(2 * 4 / (6 + 5))}
    classes = {name: (c.both, c.changed, c.first, c.second) for name, c in found.classes.items()}
    assert classes == {"10": (1, 1, 0, 0), "20": (1, 0, 0, 1)}


def test_tables_without_run_lengths_are_left_to_another_format(tmp_path: Path) -> None:
    runs = "id,runs\na,1 2 9 2\nb,\n"
    for other in ("id,runs\na,cat\nb,\n", "id,runs\na,1 2\nb,\n", "id,runs\na,1 2 3 4\nb,\n"):
        assert compared(tmp_path, runs, other) is None
        assert compared(tmp_path, other, runs) is None


def test_files_of_other_rows_are_refused(tmp_path: Path) -> None:
    runs = "id,runs\na_10,1 2 9 2\nb_10,\n"
    with pytest.raises(SubmissionError, match="2 rows are in one only: 'b_10', 'c_10'"):
        compared(tmp_path, runs, runs.replace("b_10", "c_10"))


@pytest.mark.parametrize("empty", ["-1", "-", "nan", "0 0", "0", "N/A"])
def test_an_empty_mask_is_answered_as_in_the_sample(tmp_path: Path, empty: str) -> None:
    sample = "id,runs\n" + "".join(f"{name},{empty}\n" for name in ("a_10", "a_20", "b_10", "b_20"))
    form = form_of(tmp_path, sample)
    cleared = [replace(one, labels=one.labels * 0) for one in mask_answers()]
    columns, _ = form.write(tmp_path / "out.csv", cleared)
    assert (tmp_path / "out.csv").read_text() == sample
    assert columns == {"runs": ("",) * 4}
    assert form.read_back(tmp_path / "out.csv") == (columns, [])
    form.write(tmp_path / "full.csv", mask_answers())
    lines = (tmp_path / "full.csv").read_text().splitlines()
    lines[1] = f"a_10,{empty}"
    (tmp_path / "out.csv").write_text("\n".join(lines) + "\n")
    diff = RleFormat.diff(tmp_path / "full.csv", tmp_path / "out.csv", "id")
    assert diff is not None
    assert (diff.classes["10"].first, diff.classes["20"].changed, diff.ids) == (1, 0, ("a",))


def test_a_sample_that_says_nothing_or_several_things_is_answered_with_nothing(
    tmp_path: Path,
) -> None:
    for cells in (("", "-1"), ("-1", "-"), ("1 1", "1 1")):
        sample = f"id,runs\na_10,{cells[0]}\na_20,{cells[1]}\nb_10,1 2\nb_20,1 2\n"
        form = form_of(tmp_path, sample)
        form.write(tmp_path / "out.csv", [replace(o, labels=o.labels * 0) for o in mask_answers()])
        lines = (tmp_path / "out.csv").read_text().splitlines()
        assert [line.partition(",")[2] for line in lines[1:]] == [""] * 4


@pytest.mark.parametrize("empty", ["-1", "0 0", "0", "N/A", "EMPTY"])
def test_the_text_of_a_sample_with_masks_too_is_used_and_others_are_told(
    tmp_path: Path, empty: str
) -> None:
    sample = f"id,runs\na_10,{empty}\na_20,{empty}\nb_10,1 2\nb_20,1 2\n"
    form, path = form_of(tmp_path, sample), tmp_path / "out.csv"
    columns, _ = form.write(path, [replace(o, labels=o.labels * 0) for o in mask_answers()])
    assert path.read_text().splitlines()[1:] == [
        f"{n},{empty}" for n in ("a_10", "a_20", "b_10", "b_20")
    ]
    assert not [line for line in form.check(path, columns) if "empty masks" in line]
    path.write_text(
        path.read_text().replace(f"b_10,{empty}", "b_10,-").replace(f"b_20,{empty}", "b_20,")
    )
    columns, complaints = form.read_back(path)
    assert complaints == []
    assert f"empty masks are written as '', '-'; the sample writes {empty!r}" in form.check(
        path, columns
    )


ONES = "id,runs\n" + "".join(f"{name},1 1\n" for name in ("a_10", "a_20", "b_10", "b_20"))


@pytest.mark.parametrize("empty", ["1 1", "-1", "EMPTY", ""])
@pytest.mark.parametrize("sample", [ONES, JOINED, None], ids=["ones", "nothing", "none"])
def test_the_config_says_how_an_empty_mask_is_written(
    tmp_path: Path, sample: str | None, empty: str
) -> None:
    form = RleFormat.read_sample(replace(mask_competition(tmp_path, sample), empty=empty))
    none_of_dent = [replace(o, labels=o.labels * (o.labels == 2)) for o in mask_answers()]
    columns, _ = form.write(tmp_path / "out.csv", none_of_dent)
    lines = (tmp_path / "out.csv").read_text().splitlines()
    wanted = {f"{i}_{c}": empty if c == "10" else runs for (i, c), runs in RUNS.items()}
    assert dict(line.split(",") for line in lines[1:]) == wanted
    assert next(iter(columns.values())).count("") == 2
    assert form.read_back(tmp_path / "out.csv") == (columns, [])
    assert check_submission(tmp_path / "out.csv", form) == columns
    assert form.content.shares(columns) == {"dent": 0.0, "rust": 1.0}
    assert sample_doubts(form) == []


def test_one_text_in_all_rows_of_a_sample_is_a_doubt_and_not_written(tmp_path: Path) -> None:
    form = form_of(tmp_path, ONES)
    assert (form.empty, len(sample_doubts(form))) == ("", 1)
    doubt = sample_doubts(form)[0]
    assert "all 4 rows say '1 1'" in doubt
    assert doubt.endswith("set submission.empty: '1 1'")
    for sample in (JOINED, ONES.replace("1 1", "-1"), ONES.replace("b_20,1 1", "b_20,1 2")):
        assert sample_doubts(form_of(tmp_path, sample)) == []


def test_a_mask_whose_run_lengths_mean_an_empty_one_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first_of = RUNS["a", "10"]
    form = RleFormat.read_sample(replace(mask_competition(tmp_path, JOINED), empty=first_of))
    columns, _ = form.write(tmp_path / "out.csv", mask_answers())
    assert columns["runs"][0] == ""
    assert f"1 masks have the run lengths {first_of!r}" in "".join(capsys.readouterr())
    assert form.read_back(tmp_path / "out.csv") == (columns, [])

import os
from pathlib import Path

import numpy as np
import pytest

from comp.core import checksums
from comp.core.errors import PredictionsError
from comp.inference.predictions import Predictions, join

CLASSES = ("a", "b", "c")
PROBS = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], dtype=np.float32)


def make(
    ids: tuple[str, ...] = ("x", "y"), probs: np.ndarray = PROBS, **over: object
) -> Predictions:
    options = {"classes": CLASSES, "link": "softmax", "source": {"plan": "p1", "fold": 0}, **over}
    return Predictions(ids, probs, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ids", "probs", "message"),
    [
        (("x", "x"), PROBS, "repeated ids: 'x'"),
        (("x",), PROBS, "1 ids for 2 rows"),
        (("x", "y"), PROBS[:, :2], r"shape \(2, 2\) for 3 classes"),
        (("x", "y"), PROBS * np.array([[1], [np.nan]]), "1 rows hold NaN .*: 'y'"),
        (("x", "y"), PROBS + np.array([[0.9], [-0.2]]), "2 rows hold NaN or values outside"),
        (("x", "y"), PROBS * np.array([[0.5], [1]]), "1 rows do not sum to 1: 'x'"),
    ],
)
def test_what_cannot_be_right_is_refused(
    ids: tuple[str, ...], probs: np.ndarray, message: str
) -> None:
    with pytest.raises(PredictionsError, match=message):
        make(ids, probs)


def test_binary_is_one_column_for_two_classes() -> None:
    made = Predictions(("x",), np.array([[0.7]]), ("no", "yes"), "sigmoid")
    assert made.probs.shape == (1, 1)
    with pytest.raises(PredictionsError, match="for 2 classes"):
        Predictions(("x",), np.array([[1.0]]), ("no", "yes"), "softmax")


def test_rows_follow_their_ids() -> None:
    aligned = make().align(["y", "x", "y"][:2])
    assert aligned.ids == ("y", "x")
    np.testing.assert_array_equal(aligned.probs, PROBS[::-1])
    with pytest.raises(PredictionsError, match="no row for 2 ids: 'q', 'r'"):
        make().align(["x", "q", "r"])


def test_saved_predictions_come_back_and_stay_on_the_disk(tmp_path: Path) -> None:
    make(("00001", "한글 id")).save(tmp_path / "valid")
    back = Predictions.load(tmp_path / "valid")
    assert back.ids == ("00001", "한글 id")
    assert isinstance(back.probs, np.memmap)
    np.testing.assert_array_equal(back.probs, PROBS)
    assert (back.classes, back.link, back.source["plan"]) == (CLASSES, "softmax", "p1")


@pytest.mark.parametrize("name", ["probs.npy", "ids.txt", "manifest.json"])
def test_damaged_predictions_are_refused(tmp_path: Path, name: str) -> None:
    make().save(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[-2] ^= 0xFF
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PredictionsError, match=r"damaged|not readable"):
        Predictions.load(tmp_path)


def test_a_save_that_was_cut_short_counts_as_absent(tmp_path: Path) -> None:
    make().save(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(PredictionsError, match="no such file"):
        Predictions.load(tmp_path)


def test_parts_join_by_id_whatever_their_order() -> None:
    one, two = make(("x", "y")), make(("b", "z"))
    joined = join([one, two])
    assert joined.ids == ("b", "x", "y", "z")
    np.testing.assert_array_equal(joined.probs, PROBS[[0, 0, 1, 1]])
    np.testing.assert_array_equal(join([two, one]).probs, joined.probs)
    with pytest.raises(PredictionsError, match="repeated ids: 'x'"):
        join([one, make(("x", "q"))])
    with pytest.raises(PredictionsError, match="do not match"):
        join([one, make(("q", "r"), classes=("c", "b", "a"))])
    with pytest.raises(PredictionsError, match="nothing to join"):
        join([])


def test_an_old_file_is_digested_once_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make().save(tmp_path)
    path, seen = tmp_path / "probs.npy", []
    digest = checksums.digest_file
    monkeypatch.setattr(checksums, "digest_file", lambda p: seen.append(p) or digest(p))  # type: ignore[func-returns-value]
    for _ in range(2):
        Predictions.load(tmp_path)
    assert len(seen) == 2  # it has just been written
    os.utime(path, (1e9, 1e9))
    for _ in range(3):
        Predictions.load(tmp_path)
    assert len(seen) == 3
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, (1e9 + 1, 1e9 + 1))
    with pytest.raises(PredictionsError, match="damaged"):
        Predictions.load(tmp_path)

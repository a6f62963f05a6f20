"""`comp answer`: from a bundle and images, in an empty folder, to what `comp ensemble` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bundle_toys import KINDS, taken_out
from toys import write_csv

from comp.bundles import predicting
from comp.bundles.contents import read_bundle
from comp.bundles.time_limit import Clock
from comp.core.errors import DataError, RunError, UsageError
from comp.inference.pieces import Pieces
from comp.stages.shipping.answer import answer


@pytest.fixture
def binary(shipped: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the bundle of the binary toy."""
    folder = taken_out(shipped("binary"), "binary", tmp_path / "out")
    monkeypatch.chdir(folder)
    return folder


def written(root: Path, kind: str) -> bytes:
    return (root / f"submissions/toy_{kind}.csv").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_the_answers_are_those_of_the_ensemble_byte_for_byte(
    kind: str, shipped: Any, tmp_path: Path
) -> None:
    root = shipped(kind)
    folder = taken_out(root, kind, tmp_path / "out")
    found = answer(
        folder / "bundle", folder / "images", folder / "a.csv", sample=folder / "sample.csv"
    )
    assert (folder / "a.csv").read_bytes() == written(root, kind)
    assert (found.members, found.unreadable, found.dropped) == (2, {}, ())
    assert not (folder / ".a.csv.parts").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_sample_all_images_are_answered_in_its_form(
    kind: str, shipped: Any, tmp_path: Path
) -> None:
    root = shipped(kind)
    folder = taken_out(root, kind, tmp_path / "out")
    answer(folder / "bundle", folder / "images", folder / "a.csv")
    assert (folder / "a.csv").read_bytes() == written(root, kind)


def test_ids_may_be_a_list(binary: Path) -> None:
    Path("ids.txt").write_text("t003\nt001\n", encoding="utf-8")
    answer(Path("bundle"), Path("images"), Path("a.csv"), ids=Path("ids.txt"))
    lines = Path("a.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["id", "t003", "t001"]


def test_a_bundle_holds_no_pickle_and_no_training_data(shipped: Any) -> None:
    root = shipped("multiclass") / "bundles/toy_multiclass"
    kinds = {path.suffix for path in root.rglob("*") if path.is_file()}
    assert kinds == {".json", ".yaml", ".safetensors", ".csv", ".md"}


def test_an_image_that_cannot_be_read_or_is_missing_gets_the_prior(binary: Path) -> None:
    Path("images/t001.png").write_bytes(b"no image")
    Path("images/t002.png").unlink()
    found = answer(Path("bundle"), Path("images"), Path("a.csv"), sample=Path("sample.csv"))
    assert {*found.unreadable} == {"t001", "t002"}
    assert found.rows == 8
    assert "2 images cannot be read" in found.warnings[0]
    noted = json.loads(Path("a.json").read_text(encoding="utf-8"))["unreadable"]
    assert noted["t002"] == "no such file"


def test_a_command_that_was_killed_goes_on(
    binary: Path, shipped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicting, "_CHUNK_BYTES", 1)
    written_pieces: list[int] = []
    real = Pieces.write

    def write(self: Pieces, start: int, piece: Any) -> None:
        if len(written_pieces) == 1:
            raise KeyboardInterrupt
        written_pieces.append(start)
        real(self, start, piece)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Pieces, "write", write)
        answer(Path("bundle"), Path("images"), Path("a.csv"), sample=Path("sample.csv"))
    assert Path(".a.csv.parts").is_dir()
    assert not Path("a.csv").exists()
    answer(Path("bundle"), Path("images"), Path("a.csv"), sample=Path("sample.csv"))
    assert Path("a.csv").read_bytes() == written(shipped("binary"), "binary")


def test_without_time_views_and_folds_are_dropped_and_no_row_is_missing(
    binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Clock, "left", property(lambda _: 1e-9))
    found = answer(
        Path("bundle"), Path("images"), Path("a.csv"), sample=Path("sample.csv"), max_minutes=1
    )
    assert found.dropped == ("views per image: 1 of 2", "folds per run: 1 of 2")
    assert found.rows == 8


def test_when_the_time_is_over_the_rest_gets_the_prior(
    binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Clock, "left", property(lambda _: -1.0))
    found = answer(
        Path("bundle"), Path("images"), Path("a.csv"), sample=Path("sample.csv"), max_minutes=1
    )
    assert found.dropped[-1] == "8 images were not looked at: they got the class prior"
    assert found.rows == 8


def test_bad_input_is_one_clear_error(binary: Path) -> None:
    with pytest.raises(RunError, match="no bundle"):
        answer(Path("images"), Path("images"), Path("a.csv"))
    with pytest.raises(UsageError, match=r"writes a \.csv file"):
        answer(Path("bundle"), Path("images"), Path("a.zip"))
    with pytest.raises(DataError, match="none of the 8 ids has an image"):
        answer(Path("bundle"), Path("bundle"), Path("a.csv"), sample=Path("sample.csv"))
    with pytest.raises(UsageError, match="give one of them"):
        answer(Path("bundle"), Path("images"), Path("a.csv"), sample=Path("s"), ids=Path("i"))
    write_csv(Path("twice.csv"), [["id"], ["t001"], ["t001"]])
    with pytest.raises(DataError, match="repeated"):
        answer(Path("bundle"), Path("images"), Path("a.csv"), ids=Path("twice.csv"))


def test_a_damaged_bundle_is_refused(binary: Path) -> None:
    weights = read_bundle(Path("bundle")).members[0].file
    content = bytearray((Path("bundle") / weights).read_bytes())
    content[-1] ^= 1
    (Path("bundle") / weights).write_bytes(bytes(content))
    with pytest.raises(RunError, match="damaged"):
        answer(Path("bundle"), Path("images"), Path("a.csv"))
    (Path("bundle") / "config.yaml").write_text("name: x\n", encoding="utf-8")
    with pytest.raises(RunError, match="changed since"):
        answer(Path("bundle"), Path("images"), Path("a.csv"))

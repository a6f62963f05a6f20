"""The commands that leave the workspace."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from bundle_toys import taken_out

Run = Callable[..., tuple[int, str, str]]


def test_a_bundle_is_made_and_answers(
    comp: Run,
    shipped: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work = Path(shutil.copytree(shipped("binary"), tmp_path / "work"))
    monkeypatch.chdir(work)
    code, out, err = comp("bundle", "toy_binary", "--out", "box")
    assert (code, out.startswith("box: 2 networks, ")) == (0, True)
    assert "next: comp answer box" in err
    code, out, _ = comp("answer", "box", "--images", "input/test", "--out", "a.csv")
    assert code == 0
    assert out.startswith("a.csv: 8 rows for 8 images by 2 networks in ")
    code, out, _ = comp("answer", "box", "--images", "input/test", "--json")
    assert (code, json.loads(out)["rows"]) == (0, 8)


def test_mistakes_have_their_exit_codes(
    comp: Run,
    shipped: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(taken_out(shipped("binary"), "binary", tmp_path / "out"))
    code, _, err = comp("answer", "bundle", "--images", "images", "--batch", "many")
    assert (code, "--batch many: give auto" in err) == (2, True)
    code, _, err = comp("answer", "images", "--images", "images")
    assert (code, "no bundle" in err) == (3, True)
    assert comp("bundle", "nothing")[0] == 2


def test_a_bundle_is_shipped(
    comp: Run, shipped: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(taken_out(shipped("binary"), "binary", tmp_path / "out"))
    monkeypatch.delenv("KAGGLE_USERNAME", raising=False)
    code, out, err = comp("ship", "dacon", "bundle", "--out", "ship")
    assert (code, out.startswith("ship: for dacon, ")) == (0, True)
    assert "next: ship/submit.zip: send it" in err
    code, out, _ = comp("ship", "docker", "bundle", "--json")
    found = json.loads(out)
    assert (code, found["path"], found["tried"]) == (0, "ships/toy-binary-docker", None)
    assert comp("ship", "kaggle", "bundle")[0] == 2
    code, _, err = comp("ship", "docker", "bundle", "--try", "images")
    assert (code, "--try images: has no folder test" in err) == (2, True)


def test_a_bundle_is_zipped(
    comp: Run, shipped: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shutil.copytree(shipped("binary"), tmp_path / "work"))
    code, out, _ = comp("bundle", "toy_binary", "--zip")
    assert (code, "bundles/toy_binary.zip: the same as one file, " in out) == (0, True)
    shutil.rmtree("bundles/toy_binary")
    code, _, _ = comp("answer", "bundles/toy_binary.zip", "--images", "input/test")
    assert code == 0


def test_an_archive_for_winners_is_written(
    comp: Run, shipped: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shutil.copytree(shipped("binary"), tmp_path / "work"))
    code, out, err = comp("winner", "toy_binary")
    assert (code, out.startswith("winners/toy_binary: ")) == (0, True)
    assert "questions are left open, marked with TODO" in out
    assert "next: answer the questions" in err
    assert comp("winner", "nothing")[0] == 2


def test_an_export_names_its_form_and_an_engine_is_one_of_three(
    comp: Run,
    exported: Path,
    shipped: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = comp("export", str(exported))
    assert (code, "say which form; there is --onnx" in err) == (2, True)
    images = str(shipped("regression") / "input/test")
    words = ("answer", str(exported), "--images", images, "--out", "a.csv")
    code, _, err = comp(*words, "--engine", "fast")
    assert (code, "--engine fast: use one of auto, torch, onnx" in err) == (2, True)
    code, _, err = comp(*words, "--engine", "auto")
    assert (code, "engine of toy_regression: " in err) == (0, True)

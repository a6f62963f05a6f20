"""`comp winner`: from its archive alone, a stranger trains and predicts the same submission."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from comp.bundles.contents import read_bundle
from comp.bundles.zipped import unpack
from comp.core.errors import UsageError
from comp.stages.shipping.bundle import read_source
from comp.stages.shipping.winner import _copy_inputs, _elsewhere, make_winner


def run(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a script of an archive as `python script` does, in this process: torch is there."""
    monkeypatch.syspath_prepend(str(script.parent))
    sys.modules.pop("winner_common", None)
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.modules.pop("winner_common", None)


def test_a_stranger_repeats_training_and_submission(
    shipped: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Path(shutil.copytree(shipped("regression"), tmp_path / "work"))
    made = make_winner("toy_regression", work)
    assert (made.path, made.zip) == (
        work / "winners/toy_regression",
        work / "winners/toy_regression.zip",
    )
    place = unpack(made.zip, tmp_path / "stranger")
    shutil.copytree(work / "input", tmp_path / "elsewhere")
    shutil.rmtree(work)
    settings = json.loads((place / "SETTINGS.json").read_text("utf-8"))
    assert settings["RAW_DATA_DIR"] == "./input"
    settings["RAW_DATA_DIR"] = str(tmp_path / "elsewhere")
    (place / "SETTINGS.json").write_text(json.dumps(settings), encoding="utf-8")
    expected = (place / "expected/toy_regression.csv").read_bytes()
    before = read_bundle(place / "models/bundle").manifest["files"]
    run(place / "predict.py", monkeypatch)
    assert (place / "submissions/submission.csv").read_bytes() == expected
    shutil.rmtree(place / "models")
    shutil.rmtree(place / "submissions")
    for name in ("prepare_data.py", "train.py", "predict.py"):
        run(place / name, monkeypatch)
    assert (place / "submissions/submission.csv").read_bytes() == expected
    after = read_bundle(place / "models/bundle").manifest["files"]
    weights = [name for name in before if name.startswith("members/")]
    assert [before[name] for name in weights] == [after[name] for name in weights]


def test_the_archive_is_whole_and_filled(shipped: Callable[[str], Path], tmp_path: Path) -> None:
    work = Path(shutil.copytree(shipped("binary"), tmp_path / "work"))
    made = make_winner("toy_binary", work, out=Path("out"))
    texts = [path.read_text("utf-8") for path in made.path.glob("*") if path.is_file()]
    assert made.open == sum(text.count("**TODO**") for text in texts)
    assert "\n./models/bundle\n" in (made.path / "directory_structure.txt").read_text("utf-8")
    summary = (made.path / "model_summary.md").read_text("utf-8")
    assert "| training, all networks | **TODO** |" not in summary
    assert (made.path / "figures/curves.png").stat().st_size > 1000
    assert "test_answers: null" in (made.path / "configs/ensemble.yaml").read_text("utf-8")
    (made.path / "more.txt").touch()
    make_winner("toy_binary", work, out=Path("out"))  # it is written anew
    assert not (made.path / "more.txt").exists()


def test_answers_to_its_questions_are_not_written_over(
    shipped: Callable[[str], Path], tmp_path: Path
) -> None:
    work = Path(shutil.copytree(shipped("binary"), tmp_path / "work"))
    made = make_winner("toy_binary", work)
    (made.path / "model_summary.md").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=r"'?model_summary\.md'? edited since it was written"):
        make_winner("toy_binary", work)
    assert (made.path / "model_summary.md").read_text("utf-8") == "mine"


def test_a_folder_that_is_no_archive_is_refused(
    shipped: Callable[[str], Path], tmp_path: Path
) -> None:
    work = Path(shutil.copytree(shipped("binary"), tmp_path / "work"))
    with pytest.raises(UsageError, match=r"input: holds .*no archive; name a new folder"):
        make_winner("toy_binary", work, out=Path("input"))
    with pytest.raises(UsageError, match="nothing"):
        make_winner("nothing", work)


def test_what_a_run_learned_from_elsewhere_is_asked_for(shipped: Callable[[str], Path]) -> None:
    config = read_bundle(shipped("binary") / "bundles/toy_binary").config
    assert _elsewhere("a", config) == []
    tree = config.model_dump()
    tree["data"]["extra"] = [{"root": "input/more"}]
    tree["train"]["pseudo"] = {"name": "first"}
    tree["train"]["teacher"] = {"run": "large"}
    assert [line.split(",")[0] for line in _elsewhere("a", type(config).model_validate(tree))] == [
        "`a` is trained with `input/more`",
        "`a` is trained with `pseudo/first/`",
        "`a` is trained with `runs/large/`",
    ]


def test_weights_that_runs_start_from_are_in_it(
    shipped: Callable[[str], Path], tmp_path: Path
) -> None:
    from comp.bundles.contents import read_bundle
    from comp.stages.experiment import open_experiment
    from comp.stages.shipping.winner import _with_weights

    root = shipped("binary")
    config = read_bundle(root / "bundles/toy_binary").config
    experiment = open_experiment(config, root)
    model = config.model.model_copy(update={"weights": "input/train.csv"})
    found, missing = _with_weights(experiment, config.model_copy(update={"model": model}), tmp_path)
    assert (found.model.weights, missing) == ("weights/train.csv", [])
    assert (tmp_path / "weights/train.csv").is_file()
    model = config.model.model_copy(update={"weights": "/gone/w.pt"})
    found, missing = _with_weights(experiment, config.model_copy(update={"model": model}), tmp_path)
    assert (found.model.weights, missing) == ("weights/w.pt", ["put w.pt into `weights/`"])


def test_the_metric_file_and_the_boxes_of_a_run_are_in_it(
    shipped: Callable[[str], Path], tmp_path: Path
) -> None:
    work = tmp_path / "work"
    shutil.copytree(shipped("binary"), work)
    (work / "official.py").write_text("def score(a, b, c): return 1\n")
    (work / "boxes.csv").write_text("id,left,top,right,bottom\n")
    source = read_source("toy_binary", work)
    bundle = read_bundle(work / "bundles/toy_binary")
    data = bundle.config.data.model_copy(update={"boxes": "boxes.csv"})
    config = bundle.config.model_copy(update={"metric": "official.py", "data": data})
    _copy_inputs(source, replace(bundle, configs={"toy_binary": config}), tmp_path / "archive")
    for name in ("official.py", "boxes.csv"):
        assert (tmp_path / "archive" / name).read_bytes() == (work / name).read_bytes()

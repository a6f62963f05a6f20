"""Plugin files: what they register, how they fail, and that their change is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from comp.config import plugins
from comp.config.loading import make_config, plain
from comp.config.plugins import load_plugins, with_digests
from comp.core import registry
from comp.core.checksums import digest_file
from comp.core.errors import ConfigError
from comp.tasks.metrics import METRICS

TREE = {"name": "x", "task": "binary", "metric": "macro_f1", "data": {"root": "input"}}
MINE = """import comp

@comp.register_metric("mine")
def mine(target, labels, sample_weight):
    return float((sample_weight * (target == labels)).sum() / sample_weight.sum())
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Nothing that a test registers stays."""
    yield
    for path in plugins.loaded_files():
        registry.forget(str(path))
    registry.forget(registry.PROGRAM)
    plugins._loaded.clear()


def load(folder: Path, text: str) -> Any:
    (folder / "parts.py").write_text(text)
    return load_plugins(make_config({**TREE, "plugins": ["parts.py"]}), folder)


def test_a_plugin_is_loaded_once_and_its_digest_is_in_the_config(tmp_path: Path) -> None:
    config = load(tmp_path, MINE)
    assert METRICS["mine"].score is not None
    assert config.plugins == {"parts.py": digest_file(tmp_path / "parts.py")}
    assert plain(config)["plugins"] == config.plugins
    assert load(tmp_path, MINE) == config
    assert list(tmp_path.iterdir()) == [tmp_path / "parts.py"]


def test_a_plugin_is_told_before_it_is_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comp.core.progress._noted", set())
    with pytest.raises(ConfigError):
        load(tmp_path, "raise ValueError('not yours')\n")
    told = "note: this config runs the Python file parts.py (plugins)\n"
    assert capsys.readouterr().err == told


def test_a_changed_plugin_takes_the_place_of_what_it_was(tmp_path: Path) -> None:
    load(tmp_path, MINE)
    load(tmp_path, MINE.replace('"mine"', '"other"'))
    assert "other" in METRICS
    assert "mine" not in METRICS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n\ny = nothing\n", r"parts\.py, line 3: NameError: name 'nothing'"),
        ("def f(:\n", r"parts\.py, line 1: SyntaxError"),
        ("import sys\nsys.exit(3)\n", r"parts\.py, line 2: SystemExit"),
        (MINE.replace('"mine"', '"accuracy"'), "'accuracy' is taken: it is built in"),
        (MINE.replace('"mine"', '"a b"'), "'a b' is no name"),
        (MINE.replace(", sample_weight", ""), "must take `sample_weight`"),
        (MINE + MINE, r"line 8: ConfigError: register_metric: the name 'mine' is taken: .*parts"),
    ],
)
def test_a_plugin_that_fails_is_an_error_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, text)
    assert "mine" not in METRICS


def test_a_plugin_that_failed_is_run_again_as_it_was_before(tmp_path: Path) -> None:
    """What it registered is gone by then: that it was run once does not count."""
    load(tmp_path, MINE)
    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        load(tmp_path, "1/0")
    assert "mine" not in METRICS
    load(tmp_path, MINE)
    assert "mine" in METRICS


def test_a_missing_plugin_is_named(tmp_path: Path) -> None:
    config = make_config({**TREE, "plugins": "gone.py"})
    for read in (load_plugins, with_digests):
        with pytest.raises(ConfigError, match=r"plugins: gone\.py: no such file"):
            read(config, tmp_path)


def test_two_plugins_cannot_register_the_same_name(tmp_path: Path) -> None:
    load(tmp_path, MINE)
    (tmp_path / "more.py").write_text(MINE)
    with pytest.raises(ConfigError, match=r"parts\.py has registered it"):
        load_plugins(make_config({**TREE, "plugins": ["more.py"]}), tmp_path)


def test_a_cell_of_a_notebook_may_run_again(tmp_path: Path) -> None:
    import comp

    for factor in (1, 2):
        comp.register_metric("again", lambda t, a, sample_weight, f=factor: float(f))
    assert METRICS["again"].score(*[pytest.importorskip("numpy").zeros(3, int)] * 2, 2) == 2


def test_metric_and_digest_travel_and_a_changed_file_is_refused_at_resume(
    comp: Run, toy: Callable[..., dict[str, Any]]
) -> None:
    tree = toy("binary", metric="mine", plugins=["parts.py"])
    Path("toy.yaml").write_text(yaml.safe_dump(tree))
    Path("parts.py").write_text(MINE)
    digest = digest_file(Path("parts.py"))
    assert comp("folds", "make", "-c", "toy.yaml")[0] == 0
    assert comp("train", "-c", "toy.yaml", "-f", "0")[0] == 0
    assert digest in Path("runs/toy_binary/fold_0/config.yaml").read_text()
    code, _, err = comp("ensemble", "-c", "toy.yaml", "--partial")
    assert code == 0, err
    manifest = json.loads(Path("submissions/toy_binary.json").read_text())
    assert manifest["plugins"] == {"parts.py": digest}
    Path("parts.py").write_text(MINE + "\n# another one\n")
    code, _, err = comp("train", "-c", "toy.yaml", "-f", "0")
    assert code == 3
    assert f"plugins.parts.py: '{digest}' -> " in err
    status = json.loads(comp("status", "-c", "toy.yaml", "--json")[1])
    assert status["folds"][0]["changed"] == ["plugins.parts.py"]
    Path("parts.py").write_text("1/0")
    code, _, err = comp("config", "-c", "toy.yaml")
    assert (code, "parts.py, line 1: ZeroDivisionError" in err) == (2, True)

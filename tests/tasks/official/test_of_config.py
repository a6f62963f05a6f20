"""Which metric a config means."""

from pathlib import Path
from typing import Any

import pytest

from comp.config.loading import make_config
from comp.core.errors import ConfigError
from comp.tasks.kinds import TASKS
from comp.tasks.official.of_config import is_file, metric_of, with_file_digest


def config(metric: Any, **official: Any) -> Any:
    tree = {"name": "x", "task": "binary", "metric": metric, "data": {"root": "in"}}
    return make_config({**tree, "official": official})


def test_a_name_a_formula_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("def score(a, b, c): return 1\n")
    task = TASKS["binary"]
    assert metric_of(config("macro_f1"), tmp_path, task).name == "macro_f1"
    made = config({"formula": "0.5*macro_f1  + 0.5*roc_auc"})
    assert made.metric == "0.5*macro_f1 + 0.5*roc_auc"
    assert metric_of(made, tmp_path, task).wants == "probs"
    file = metric_of(config("m.py", better="lower"), tmp_path, task)
    assert (file.name, file.greater_is_better, file.source is None) == ("m.py", False, False)
    assert is_file("m.py")
    with pytest.raises(ConfigError, match="files are for answers per image"):
        metric_of(config("m.py"), tmp_path, TASKS["segmentation"])


def test_the_digest_of_a_file_is_in_the_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.py").write_text("def score(a, b, c): return 1\n")
    first = with_file_digest(config("m.py"), tmp_path).official.sha256
    assert "runs the Python file m.py (metric); higher scores are better" in capsys.readouterr().err
    (tmp_path / "m.py").write_text("def score(a, b, c): return 2\n")
    assert with_file_digest(config("m.py"), tmp_path).official.sha256 not in (first, None)
    assert with_file_digest(config("macro_f1"), tmp_path).official.sha256 is None
    with pytest.raises(ConfigError, match=r"official\.arguments: are for a metric file"):
        with_file_digest(config("macro_f1", arguments={"beta": 2}), tmp_path)
    with pytest.raises(ConfigError, match=r"q\.py: no such file"):
        with_file_digest(config("q.py"), tmp_path)

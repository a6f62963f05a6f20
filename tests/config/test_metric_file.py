"""The digest of a metric file is part of the config."""

from pathlib import Path
from typing import Any

import pytest

from comp.config.loading import make_config
from comp.config.metric_file import is_file, with_file_digest
from comp.core.errors import ConfigError


def config(metric: Any, **official: Any) -> Any:
    tree = {"name": "x", "task": "binary", "metric": metric, "data": {"root": "in"}}
    return make_config({**tree, "official": official})


def test_the_digest_of_a_file_is_in_the_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.py").write_text("def score(a, b, c): return 1\n")
    assert is_file("m.py")
    first = with_file_digest(config("m.py"), tmp_path).official.sha256
    assert "runs the Python file m.py (metric); higher scores are better" in capsys.readouterr().err
    (tmp_path / "m.py").write_text("def score(a, b, c): return 2\n")
    assert with_file_digest(config("m.py"), tmp_path).official.sha256 not in (first, None)
    assert with_file_digest(config("macro_f1"), tmp_path).official.sha256 is None
    with pytest.raises(ConfigError, match=r"official\.arguments: are for a metric file"):
        with_file_digest(config("macro_f1", arguments={"beta": 2}), tmp_path)
    with pytest.raises(ConfigError, match=r"q\.py: no such file"):
        with_file_digest(config("q.py"), tmp_path)

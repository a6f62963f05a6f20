"""Which metric a config means."""

from pathlib import Path
from typing import Any

import pytest

from comp.config.loading import make_config
from comp.core.errors import ConfigError
from comp.tasks.kinds import TASKS
from comp.tasks.official.of_config import metric_of


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
    with pytest.raises(ConfigError, match="files are for answers per image"):
        metric_of(config("m.py"), tmp_path, TASKS["segmentation"])

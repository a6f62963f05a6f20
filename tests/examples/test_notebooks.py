"""Each notebook runs from top to bottom, says what its text promises, and writes nothing outside
its workspace."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import comp

FOLDER = Path(comp.__file__).parents[1] / "examples"
# What a notebook prints, as patterns
SAYS = {
    "tour": [
        r"train\.epoch: unknown key", r"\d+ of 1437 images are wrong", r"360 rows; honest 0\.9",
    ],
    "your_data": [
        r"name: forms", r"^not ok$", r"^398 images in the plan; a writer is in 1 fold at most$",
        r"^100 rows, the first id is 00400; honest score 0\.\d+$",
    ],
    "oof": [r"^expected calibration error 0\.\d+$"],
    "metric_and_loss": [
        r"^mean_jaccard: honest 0\.\d+$", r"^balanced of fold 0: 0\.\d+$",
        r"register_metric: the name 'macro_f1' is taken: it is built in",
    ],
}  # fmt: skip


def cells(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))["cells"]
    return found


def test_every_notebook_is_run() -> None:
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == {*SAYS}


@pytest.mark.parametrize("name", SAYS)
def test_a_notebook_has_words_and_no_outputs(name: str) -> None:
    found = cells(name)
    assert found[0]["cell_type"] == "markdown"
    assert "".join(found[0]["source"]).startswith("# ")
    assert not any(cell.get("outputs") for cell in found), "outputs do not belong here"
    words = "".join(line for c in found if c["cell_type"] == "markdown" for line in c["source"])
    links = re.findall(r"\]\((\w+\.ipynb)\)", words)
    assert [link for link in links if not (FOLDER / link).is_file()] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SAYS)
def test_a_notebook_runs_from_top_to_bottom(tmp_path: Path, name: str) -> None:
    code = ["".join(cell["source"]) for cell in cells(name) if cell["cell_type"] == "code"]
    script, here = tmp_path / "notebook.py", tmp_path / "here"
    script.write_text("\n\n".join(code), encoding="utf-8")
    here.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", str(script)],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(FOLDER.parent), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for pattern in SAYS[name]:
        assert re.search(pattern, done.stdout, re.MULTILINE), (pattern, done.stdout)
    assert list(here.iterdir()) == []

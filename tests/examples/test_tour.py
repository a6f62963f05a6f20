"""The notebook runs from top to bottom, and writes nothing outside its workspace."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import comp

NOTEBOOK = Path(comp.__file__).parents[1] / "examples/tour.ipynb"


@pytest.mark.slow
def test_the_tour_ends_with_a_checked_submission(tmp_path: Path) -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert not any(cell.get("outputs") for cell in cells), "outputs do not belong in the repository"
    script = tmp_path / "tour.py"
    script.write_text("\n\n".join([*code, "print(made.path)"]), encoding="utf-8")
    here = tmp_path / "here"
    here.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", str(script)],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(NOTEBOOK.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "360 rows; honest" in done.stdout
    assert Path(done.stdout.splitlines()[-1]).is_file()
    assert list(here.iterdir()) == []

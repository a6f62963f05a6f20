"""Each notebook runs in a kernel from top to bottom, says what its text promises, writes nothing
outside its workspace; and the outputs that are shipped are those of the present code."""

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
Cells = list[dict[str, Any]]
# What a notebook prints, as patterns
SAYS = {
    "tour": [
        r"train\.epoch: unknown key", r"\d+ of 1437 images are wrong", r"360 rows; honest 0\.9",
        r"^runs/default/report\.html$",
    ],
    "your_data": [
        r"name: forms", r"^not ok$", r"^198 images in the plan; a writer is in 1 fold at most$",
        r"^20 rows, the first id is 00200; honest score 0\.\d+$",
    ],
    "oof": [r"^expected calibration error 0\.\d+$"],
    "metric_and_loss": [
        r"^mean_jaccard: honest 0\.\d+$", r"^balanced of fold 0: 0\.\d+$",
        r"register_metric: the name 'macro_f1' is taken: it is built in",
    ],
}  # fmt: skip
LARGEST = 90_000  # bytes of a notebook: its pictures are small


def cells(path: Path) -> Cells:
    found: Cells = json.loads(path.read_text("utf-8"))["cells"]
    return [{**cell, "source": "".join(cell["source"])} for cell in found]


def code(found: Cells) -> Cells:
    return [cell for cell in found if cell["cell_type"] == "code"]


def printed(found: Cells) -> str:
    outputs = [output for cell in code(found) for output in cell["outputs"]]
    return "".join("".join(output["text"]) for output in outputs if output.get("name") == "stdout")


def shape(found: Cells) -> list[Any]:
    """What came out of each cell: kinds of output, in what forms, the columns of tables."""
    return [[_shape(output) for output in cell["outputs"]] for cell in code(found)]


def _shape(output: dict[str, Any]) -> Any:
    data = output.get("data", {})
    html = "".join(data.get("text/html", ""))
    heads = re.findall("<thead>.*?</thead>", html, re.DOTALL)
    columns = [re.findall(r"<th[^>]*>([^<]+)</th>", head) for head in heads]
    return output["output_type"], output.get("name"), sorted(data), columns


def test_every_notebook_is_run() -> None:
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == {*SAYS}


@pytest.mark.parametrize("name", SAYS)
def test_a_notebook_is_shipped_as_a_kernel_left_it(name: str) -> None:
    path = FOLDER / f"{name}.ipynb"
    found, text = cells(path), path.read_text("utf-8")
    assert found[0]["cell_type"] == "markdown"
    assert found[0]["source"].startswith("# ")
    assert [cell["execution_count"] for cell in code(found)] == [*range(1, len(code(found)) + 1)]
    words = "".join(cell["source"] for cell in found if cell["cell_type"] == "markdown")
    links = re.findall(r"\]\((\w+\.ipynb)\)", words)
    assert [link for link in links if not (FOLDER / link).is_file()] == []
    assert path.stat().st_size < LARGEST
    outputs = json.dumps([cell["outputs"] for cell in code(found)])
    assert re.findall(r"/(?:tmp|home|root|work|usr|Users)/|[A-Z]:\\\\|site-packages", outputs) == []
    assert "Warning" not in text
    assert "Traceback" not in text


@pytest.mark.slow
@pytest.mark.parametrize("name", SAYS)
def test_a_notebook_runs_in_a_kernel_and_its_outputs_are_of_this_code(
    tmp_path: Path, name: str
) -> None:
    done = subprocess.run(
        [sys.executable, str(FOLDER / "execute.py"), name, "--out", str(tmp_path)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shipped, found = cells(FOLDER / f"{name}.ipynb"), cells(tmp_path / f"{name}.ipynb")
    assert [cell["source"] for cell in found] == [cell["source"] for cell in shipped]
    assert shape(found) == shape(shipped), "run `make notebooks`"
    for pattern in SAYS[name]:
        assert re.search(pattern, printed(found), re.MULTILINE), (pattern, printed(found))
        assert re.search(pattern, printed(shipped), re.MULTILINE), (pattern, "run `make notebooks`")

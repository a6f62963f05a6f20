"""Run the notebooks of this folder in a kernel and keep their outputs: `make notebooks`.

    python examples/execute.py [NAME...] [--out FOLDER]

What is kept holds no path of this machine and no times of cells; a picture is a small PNG.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent.resolve()
_PATHS = {  # what a path of this machine is called in an output
    re.escape(f"{HERE.parent}{os.sep}"): "",
    rf"{re.escape(os.path.realpath(tempfile.gettempdir()))}{re.escape(os.sep)}tmp\w+": "workspace",
}


def execute(path: Path, out: Path) -> None:
    """Run a notebook from top to bottom in a new kernel, and write it with its outputs."""
    with tempfile.TemporaryDirectory() as folder:
        state = {name: f"{folder}/{name.lower()}" for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR")}
        os.environ.update(state, JUPYTER_PLATFORM_DIRS="1", PYTHONPATH=str(HERE.parent))
        import nbformat
        from nbclient import NotebookClient

        notebook = nbformat.read(path, as_version=4)
        where = Path(folder, "here")
        where.mkdir()
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=300,
            resources={"metadata": {"path": str(where)}},
            record_timing=False,
        )
        client.execute()
        left = sorted(path.name for path in where.iterdir())
        if left:
            raise SystemExit(f"{path.name}: writes outside its workspace: {left}")
    kernel_of = notebook.metadata["kernelspec"]
    notebook.metadata = {"kernelspec": kernel_of, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            _tidy(output)
    nbformat.write(notebook, out)


def _tidy(output: Any) -> None:
    """Leave nothing in an output that only this machine or this moment has."""
    output.pop("transient", None)
    if "text" in output:
        output["text"] = _without_paths(output["text"])
    for kind, text in output.get("data", {}).items():
        if kind.startswith("text/"):
            output["data"][kind] = _without_paths(text)
        elif kind == "image/png":
            output["data"][kind] = _small(text)


def _small(picture: str) -> str:
    """A PNG in base64 with few colours."""
    from PIL import Image

    pixels, kept = Image.open(io.BytesIO(base64.b64decode(picture))), io.BytesIO()
    pixels.convert("RGB").quantize(32).save(kept, "png", optimize=True)
    return base64.b64encode(kept.getvalue()).decode()


def _without_paths(text: str) -> str:
    for pattern, name in _PATHS.items():
        text = re.sub(pattern, name, text)
    return text


def main() -> None:
    """Run those that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="notebooks, without .ipynb; all by default")
    parser.add_argument("--out", type=Path, default=HERE, help="where they are written")
    asked = parser.parse_args()
    for name in asked.names or sorted(path.stem for path in HERE.glob("*.ipynb")):
        execute(HERE / f"{name}.ipynb", asked.out / f"{name}.ipynb")


if __name__ == "__main__":
    main()

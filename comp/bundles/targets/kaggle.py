"""Kaggle's code competitions: a notebook without network, and a data set of wheels and weights."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from comp.bundles.targets.parts import copy_bundle, gather_wheels
from comp.bundles.targets.script import run_script
from comp.bundles.targets.target import BUNDLE, WHEELS, Contract, Mount, Order, Target
from comp.core import files

HAS = (  # Colab's image with kaggle_requirements.txt (github.com/Kaggle/docker-python)
    "torch",
    "torchvision",
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "threadpoolctl",
    "opencv-python-headless",
    "pydantic",
    "PyYAML",
    "typer",
    "rich",
    "matplotlib",
    "jinja2",
    "pillow",
    "safetensors",
    "packaging",
)
_CODE = "answer.ipynb"
_INPUT = "/kaggle/input"


def write_kaggle(order: Order, folder: Path) -> None:
    """`dataset/` and `notebook/` as the command `kaggle` takes them, and `push.sh`."""
    copy_bundle(order, folder / "dataset" / BUNDLE)
    gather_wheels(order, folder / "dataset" / WHEELS)
    files.write_json(
        folder / "dataset/dataset-metadata.json",
        {
            "title": _data_set(order),
            "id": f"{order.owner}/{_data_set(order)}",
            "licenses": [{"name": "other"}],
        },
    )
    files.write_json(folder / "notebook/kernel-metadata.json", _kernel(order))
    files.write_text(folder / "notebook" / _CODE, _notebook(order))
    lines = ["#!/bin/sh", "# Run beside this file; `pip install kaggle` and a token are needed."]
    lines += ["set -e", 'cd "$(dirname "$0")"', *_commands(order)]
    files.write_text(folder / "push.sh", "\n".join([*lines, ""]))


def _data_set(order: Order) -> str:
    return f"comp-{order.name}"


def _title(order: Order) -> str:
    return f"{_data_set(order)}-answer"  # Kaggle makes the address of a notebook from its title


def _kernel(order: Order) -> dict[str, object]:
    return {
        "id": f"{order.owner}/{_title(order)}",
        "title": _title(order),
        "code_file": _CODE,
        "language": "python",
        "kernel_type": "notebook",
        "is_private": "true",
        "enable_gpu": "true" if order.gpu else "false",
        "enable_internet": "false",
        "dataset_sources": [f"{order.owner}/{_data_set(order)}"],
        "competition_sources": [order.competition],
        "kernel_sources": [],
        "model_sources": [],
    }


def _notebook(order: Order) -> str:
    shipped = [
        f"{_INPUT}/{_data_set(order)}",
        f"{_INPUT}/datasets/{order.owner}/{_data_set(order)}",
    ]
    code = run_script(
        order,
        bundle=[f"{place}/{BUNDLE}" for place in shipped],
        wheels=[f"{place}/{WHEELS}" for place in shipped],
        data=[f"{_INPUT}/{order.competition}", f"{_INPUT}/competitions/{order.competition}"],
        out=f"/kaggle/working/{order.file}",
    )
    cell: dict[str, object] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "answer",
        "metadata": {},
        "outputs": [],
        "source": code.splitlines(keepends=True),
    }
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    page = {
        "cells": [cell],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(page, indent=1) + "\n"


def _commands(order: Order) -> list[str]:
    again = "kaggle datasets version --dir-mode zip -p dataset -m again"
    words = ["kaggle", "competitions", "submit", order.competition, "-f", order.file]
    words += ["-k", f"{order.owner}/{_title(order)}", "-v", "1", "-m", _data_set(order)]
    return [
        f"kaggle datasets create --dir-mode zip -p dataset  # later: {again}",
        "# wait until the data set is ready: "
        f"kaggle datasets status {order.owner}/{_data_set(order)}",
        "kaggle kernels push -p notebook",
        f"# when the notebook has run: {shlex.join(words)}",
    ]


def next_kaggle(order: Order, folder: Path) -> list[str]:
    """The commands that send it."""
    return [f"cd {shlex.quote(str(folder))}", *_commands(order)]


def lay_out_kaggle(order: Order, folder: Path, data: Path, room: Path) -> Contract:
    """/kaggle/input read-only, /kaggle/working for what is written; the cells of the notebook run
    one after the other in one Python, where there is no `__file__`."""
    page = json.loads((folder / "notebook" / _CODE).read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in page["cells"] if cell["cell_type"] == "code"]
    (room / "cells.py").write_text("\n\n".join(cells), encoding="utf-8")
    (room / "working").mkdir()
    return Contract(
        mounts=(
            Mount(folder / "dataset", f"{_INPUT}/{_data_set(order)}"),
            Mount(data, f"{_INPUT}/{order.competition}"),
            Mount(room / "working", "/kaggle/working", writable=True),
            Mount(room / "cells.py", "/kaggle/cells.py"),
        ),
        command=("-c", "exec(compile(open('/kaggle/cells.py').read(), 'cells', 'exec'))"),
        folder="/kaggle/working",
        out=room / "working" / order.file,
    )


KAGGLE = Target(
    about="a notebook without network, and a data set with wheels and weights",
    has=HAS,
    installs=False,
    python="3.12",
    minutes=520.0,  # of 9 hours
    needs=("owner", "competition"),
    write=write_kaggle,
    contract=lay_out_kaggle,
    next=next_kaggle,
)

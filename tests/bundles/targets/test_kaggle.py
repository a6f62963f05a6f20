"""A Kaggle notebook and its data set, to the letter of Kaggle's documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ship_toys import toy_order

from comp.bundles.targets.kaggle import KAGGLE, lay_out_kaggle, next_kaggle, write_kaggle


def test_the_folder_is_what_kaggles_command_takes(
    shipped: Callable[[str], Path], tmp_path: Path
) -> None:
    order = toy_order(shipped("binary") / "bundles/toy_binary")
    write_kaggle(order, tmp_path)
    kernel = json.loads((tmp_path / "notebook/kernel-metadata.json").read_text("utf-8"))
    assert kernel == {
        "id": "ann/comp-toy-binary-answer",
        "title": "comp-toy-binary-answer",
        "code_file": "answer.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": "true",
        "enable_gpu": "true",
        "enable_internet": "false",
        "dataset_sources": ["ann/comp-toy-binary"],
        "competition_sources": ["letters"],
        "kernel_sources": [],
        "model_sources": [],
    }
    data = json.loads((tmp_path / "dataset/dataset-metadata.json").read_text("utf-8"))
    assert (data["id"], data["title"]) == ("ann/comp-toy-binary", "comp-toy-binary")
    page = json.loads((tmp_path / "notebook/answer.ipynb").read_text("utf-8"))
    assert (page["nbformat"], [cell["cell_type"] for cell in page["cells"]]) == (4, ["code"])
    compile("".join(page["cells"][0]["source"]), "cell", "exec")
    assert (tmp_path / "dataset/bundle/bundle.json").is_file()
    assert len([*(tmp_path / "dataset/wheels").glob("comp-*.whl")]) == 1


def test_the_commands_that_push_it_are_told_and_written(
    shipped: Callable[[str], Path], tmp_path: Path
) -> None:
    order = toy_order(shipped("binary") / "bundles/toy_binary")
    write_kaggle(order, tmp_path)
    script = (tmp_path / "push.sh").read_text("utf-8")
    told = next_kaggle(order, tmp_path)
    assert told[0] == f"cd {tmp_path}"
    assert all(line in script for line in told[1:])
    assert "kaggle kernels push -p notebook" in told
    assert "-k ann/comp-toy-binary-answer" in told[-1]


def test_its_place_has_the_inputs_read_only_and_one_folder_to_write(
    shipped: Callable[[str], Path], tmp_path: Path
) -> None:
    order = toy_order(shipped("binary") / "bundles/toy_binary")
    write_kaggle(order, tmp_path / "ship")
    (tmp_path / "room").mkdir()
    found = lay_out_kaggle(order, tmp_path / "ship", tmp_path, tmp_path / "room")
    assert {mount.inside: mount.writable for mount in found.mounts} == {
        "/kaggle/input/comp-toy-binary": False,
        "/kaggle/input/letters": False,
        "/kaggle/working": True,
        "/kaggle/cells.py": False,
    }
    assert (found.folder, KAGGLE.needs) == ("/kaggle/working", ("owner", "competition"))

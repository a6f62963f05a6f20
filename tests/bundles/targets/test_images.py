"""Images of containers: the files that build them, and the model that travels apart."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ship_toys import toy_order

from comp.bundles.targets.images import (
    lay_out_docker,
    lay_out_grand,
    write_docker,
    write_grand,
)

Shipped = Callable[[str], Path]


def test_grand_challenge_gets_the_weights_apart(shipped: Shipped, tmp_path: Path) -> None:
    order = toy_order(shipped("binary") / "bundles/toy_binary")
    write_grand(order, tmp_path / "one")
    page = (tmp_path / "one/Dockerfile").read_text("utf-8")
    assert "FROM --platform=linux/amd64 python:3.11-slim\n" in page
    assert "\nUSER runner\n" in page
    assert "COPY bundle" not in page
    with tarfile.open(tmp_path / "one/model.tar.gz") as archive:
        names = {*archive.getnames()}
    assert {"bundle/bundle.json", "bundle/members/000.safetensors"} <= names
    write_grand(order, tmp_path / "two")
    models = [(tmp_path / name / "model.tar.gz").read_bytes() for name in ("one", "two")]
    assert models[0] == models[1]
    save = (tmp_path / "one/save.sh").read_text("utf-8")
    assert "docker save comp-toy-binary | gzip > comp-toy-binary.tar.gz" in save
    assert "/opt/ml/model:ro" in (tmp_path / "one/run.sh").read_text("utf-8")


def test_the_other_image_has_the_bundle_in_it(shipped: Shipped, tmp_path: Path) -> None:
    order = toy_order(shipped("binary") / "bundles/toy_binary")
    write_docker(order, tmp_path)
    assert "COPY bundle /opt/app/bundle\n" in (tmp_path / "Dockerfile").read_text("utf-8")
    assert (tmp_path / "bundle/bundle.json").is_file()
    run = (tmp_path / "run.sh").read_text("utf-8")
    assert "--network none --read-only" in run
    assert "--user 1000:1000" in run


@pytest.mark.parametrize("name", ["build.sh", "save.sh", "run.sh"])
def test_the_scripts_are_ones_that_the_shell_reads(
    name: str, shipped: Shipped, tmp_path: Path
) -> None:
    write_grand(toy_order(shipped("binary") / "bundles/toy_binary"), tmp_path)
    subprocess.run(["sh", "-n", str(tmp_path / name)], check=True)
    assert (tmp_path / name).stat().st_mode & 0o111


def test_their_places_have_input_read_only_and_output(shipped: Shipped, tmp_path: Path) -> None:
    order = toy_order(shipped("binary") / "bundles/toy_binary")
    for write, lay_out, more in (
        (write_grand, lay_out_grand, "/opt/ml/model"),
        (write_docker, lay_out_docker, "/opt/app/bundle"),
    ):
        folder, room = tmp_path / write.__name__, tmp_path / f"room_{write.__name__}"
        room.mkdir()
        write(order, folder)
        found = lay_out(order, folder, tmp_path, room)
        assert {mount.inside: mount.writable for mount in found.mounts} == {
            "/opt/app/run.py": False,
            "/input": False,
            "/output": True,
            more: False,
        }
        assert found.wheels == folder / "wheels"

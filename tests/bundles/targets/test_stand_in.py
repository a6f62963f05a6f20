"""The stand-in for an image has the packages that the image has, and no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comp.bundles.targets import stand_in
from comp.bundles.targets.stand_in import INSIDE, install, make_stand_in
from comp.core.errors import CompError


def names(site: Path) -> set[str]:
    return {path.name for path in site.iterdir() if "." not in path.name}


def test_it_has_packages_and_what_they_need_but_never_comp(tmp_path: Path) -> None:
    found = make_stand_in(tmp_path / "image", ["ttach", "comp"])
    assert {"ttach", "pip"} <= names(found.site)
    assert not {"comp", "timm"} & names(found.site)
    target = (found.site / "ttach").readlink()
    inside = {place: source for source, place in found.sources.items()}
    source = inside[str(target.parent)]
    assert (source / "ttach/__init__.py").is_file()
    assert found.mounts[-1].inside == INSIDE
    assert not any(mount.writable for mount in found.mounts)


def test_wheels_are_installed_into_it(tmp_path: Path) -> None:
    from ship_toys import fake_wheel

    found = make_stand_in(tmp_path / "image", [])
    (tmp_path / "wheels").mkdir()
    fake_wheel(tmp_path / "wheels")
    install(found, tmp_path / "wheels")
    assert (found.site / "comp/__main__.py").is_file()
    (tmp_path / "wheels/bad-1-py3-none-any.whl").write_bytes(b"torn")
    with pytest.raises(CompError, match="wheels: not to be installed"):
        install(found, tmp_path / "wheels")


def test_without_pip_it_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in, "_ALWAYS", ())
    with pytest.raises(CompError, match="pip is not installed here"):
        make_stand_in(tmp_path / "image", [])
    assert os.path.lexists(tmp_path / "image/bin/python")

"""Bundles as one file, and zips that are torn or lead elsewhere."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from comp.bundles.contents import read_bundle
from comp.bundles.zipped import (
    files_below,
    unpack,
    unpack_bundle,
    unpacked,
    unsafe,
    write_zip,
    zip_bundle,
)
from comp.core.errors import DamagedError, RunError
from comp.stages.shipping.answer import answer

Shipped = Callable[[str], Path]


@pytest.fixture
def bundle(shipped: Shipped, tmp_path: Path) -> Path:
    """A copy of the bundle of the binary toy."""
    return Path(shutil.copytree(shipped("binary") / "bundles/toy_binary", tmp_path / "box"))


def test_a_zip_answers_like_its_folder(
    shipped: Shipped, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = shipped("binary")
    monkeypatch.chdir(bundle.parent)
    path = zip_bundle(read_bundle(bundle))
    assert path == bundle.with_name("box.zip")
    shutil.rmtree(bundle)
    answer(path, root / "input/test", Path("a.csv"))
    assert Path("a.csv").read_bytes() == (root / "submissions/toy_binary.csv").read_bytes()
    assert not Path(".a.csv.parts").exists()


def test_the_same_content_is_the_same_zip(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("x" * 1000, encoding="utf-8")
    for name in ("a.zip", "b.zip"):
        write_zip(tmp_path / name, {"x.txt": tmp_path / "x.txt", "y.whl": b"y"})
        (tmp_path / "x.txt").touch()
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        kinds = [(info.filename, info.compress_type) for info in archive.infolist()]
    assert kinds == [("x.txt", zipfile.ZIP_DEFLATED), ("y.whl", zipfile.ZIP_STORED)]


def test_a_zipped_folder_that_holds_the_bundle_is_one(bundle: Path, tmp_path: Path) -> None:
    write_zip(tmp_path / "in.zip", files_below(bundle, "mine/") | {"mine/junk.txt": b"not listed"})
    folder = unpack_bundle(tmp_path / "in.zip", tmp_path / "out")
    assert read_bundle(folder).manifest["name"] == "toy_binary"
    assert not (folder / "junk.txt").exists()
    assert unpacked(bundle, tmp_path / "nowhere") == bundle


def test_what_is_torn_is_told(bundle: Path, tmp_path: Path) -> None:
    path = zip_bundle(read_bundle(bundle))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedError, match=r"box\.zip: no zip, or not whole .* copy it again"):
        unpack_bundle(path, tmp_path / "out")
    middle = whole.index(b"members/000.safetensors") + 5000
    path.write_bytes(whole[:middle] + bytes(8) + whole[middle + 8 :])
    with pytest.raises(DamagedError, match=r"box\.zip: members/000\.safetensors is torn"):
        unpack_bundle(path, tmp_path / "out")


def test_what_is_no_bundle_is_told(bundle: Path, tmp_path: Path) -> None:
    write_zip(tmp_path / "other.zip", {"a.txt": b"a"})
    with pytest.raises(RunError, match=r"other\.zip: no bundle in it \(bundle\.json is missing"):
        unpack_bundle(tmp_path / "other.zip", tmp_path / "out")
    some = files_below(bundle)
    del some["config.yaml"]
    write_zip(tmp_path / "less.zip", some)
    with pytest.raises(DamagedError, match=r"less\.zip: .*config\.yaml.* missing in it"):
        unpack_bundle(tmp_path / "less.zip", tmp_path / "out")
    write_zip(tmp_path / "odd.zip", {"bundle.json": b'{"files": {"../x": "0"}}'})
    with pytest.raises(DamagedError, match=r"odd\.zip: its manifest names '?\.\./x"):
        unpack_bundle(tmp_path / "odd.zip", tmp_path / "out")
    write_zip(tmp_path / "bad.zip", {"bundle.json": b"{"})
    with pytest.raises(DamagedError, match=r"bad\.zip: bundle\.json: not readable"):
        unpack_bundle(tmp_path / "bad.zip", tmp_path / "out")


@pytest.mark.parametrize("name", ["../up.txt", "/etc/up.txt", "a/../../up.txt", "a\\up.txt", "C:x"])
def test_names_that_lead_out_of_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    write_zip(tmp_path / "evil.zip", {"good.txt": b"good", name: b"up"})
    for take in (unpack, unpack_bundle):
        with pytest.raises(DamagedError, match="lead out of its folder"):
            take(tmp_path / "evil.zip", tmp_path / "out/deep")
    assert unsafe(name)
    assert not unsafe("members/000.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.zip"]


def test_a_zip_that_is_no_bundle_leaves_nothing_behind(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bundle.parent)
    Path("torn.zip").write_bytes(b"PK")
    with pytest.raises(DamagedError, match=r"torn\.zip"):
        answer(Path("torn.zip"), Path("box"), Path("a.csv"))
    assert sorted(path.name for path in Path().iterdir()) == ["box", "torn.zip"]

"""`comp ship`: where shipments lie, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ship_toys import ship_fakes

from comp.bundles.contents import read_bundle
from comp.bundles.targets.sandbox import lacking_spaces
from comp.bundles.zipped import zip_bundle
from comp.core.checksums import digest_file
from comp.core.errors import ConfigError, RunError, UsageError
from comp.stages.shipping.ship import ship

LACKING = lacking_spaces()


@pytest.fixture
def bundle(shipped: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bundle of the binary toy alone in an empty folder; shipments hold a quick stand-in."""
    ship_fakes(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(shipped("binary") / "bundles/toy_binary", "bundle"))


def test_a_shipment_has_a_record_of_all_its_files(bundle: Path) -> None:
    made = ship("docker", bundle)
    assert (made.path, made.tried) == (Path("ships/toy-binary-docker"), None)
    record = json.loads((made.path / "ship.json").read_text("utf-8"))
    assert record["files"]["Dockerfile"] == digest_file(made.path / "Dockerfile")
    assert record["images"] == "test"
    assert record["samples"] == ["sample_submission.csv"]
    (made.path / "more.txt").touch()
    again = ship("docker", bundle)
    assert not (again.path / "more.txt").exists()  # it is written anew


def test_a_shipment_that_was_edited_is_not_written_over(bundle: Path) -> None:
    made = ship("docker", bundle)
    (made.path / "run.py").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=r"'?run\.py'? edited since it was shipped"):
        ship("docker", bundle)
    assert (made.path / "run.py").read_text("utf-8") == "mine"


def test_a_zip_is_shipped_like_its_folder(bundle: Path) -> None:
    zipped = zip_bundle(read_bundle(bundle))
    one = ship("dacon", bundle, out=Path("one"))
    two = ship("dacon", zipped, out=Path("two"))
    assert digest_file(one.path / "submit.zip") == digest_file(two.path / "submit.zip")


@pytest.mark.skipif(LACKING is not None, reason=f"no namespaces here: {LACKING}")
def test_it_is_tried_on_data_with_other_names(
    bundle: Path, shipped: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comp.bundles.targets.trial.needs_of", lambda _: [])
    data = shipped("binary") / "input"
    Path("data/hidden").mkdir(parents=True)
    shutil.copytree(data / "test", "data/hidden/pictures")
    shutil.copyfile(data / "sample_submission.csv", "data/ids.csv")
    made = ship(
        "docker",
        bundle,
        data=Path("data"),
        images="hidden/pictures",
        sample="ids.csv",
        minutes=1,
    )
    assert made.tried is not None
    sample = Path("data/ids.csv").read_bytes()
    assert made.tried.path.read_bytes() == sample.replace(b",0", b",1")


def test_what_cannot_be_is_told(bundle: Path) -> None:
    with pytest.raises(ConfigError, match="unknown target 'dokker'.*Did you mean 'docker'"):
        ship("dokker", bundle)
    with pytest.raises(UsageError, match="kaggle needs --owner"):
        ship("kaggle", bundle)
    with pytest.raises(RunError, match="no bundle"):
        ship("docker", Path())
    with pytest.raises(UsageError, match=r"--images \.\./x: give a path below"):
        ship("docker", bundle, images="../x")
    with pytest.raises(UsageError, match="--try nowhere: no such folder"):
        ship("docker", bundle, data=Path("nowhere"))
    with pytest.raises(UsageError, match="--try bundle: has no folder test"):
        ship("docker", bundle, data=bundle)
    with pytest.raises(UsageError, match=r"bundle: holds 'MODEL_CARD\.md'.*no shipment"):
        ship("docker", bundle, out=bundle)
    assert sorted(path.name for path in Path().iterdir()) == ["bundle"]

"""`comp bundle`: which submissions can answer new images, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from comp.bundles.contents import read_bundle
from comp.core.errors import ConfigError, RunError, UsageError
from comp.inference.predict import net_of
from comp.models.device import choose_device
from comp.stages.shipping.bundle import make_bundle
from comp.train.checkpoints import checkpoint


@pytest.fixture
def root(shipped: Callable[[str], Path], tmp_path: Path) -> Path:
    """A copy of the binary toy, to be changed."""
    return Path(shutil.copytree(shipped("binary"), tmp_path / "work"))


def test_the_networks_of_a_bundle_have_the_weights_of_the_checkpoints(root: Path) -> None:
    found = read_bundle(root / "bundles/toy_binary")
    device = choose_device(where="cpu")
    for member in found.members:
        saved = checkpoint.load(root / f"runs/toy_binary/fold_{member.fold}/best.pt")
        whole = net_of(saved, found.configs[member.run], found.task, device)
        mine = found.net(member, device)
        pairs = zip(whole.module.parameters(), mine.module.parameters(), strict=True)
        assert all((a == b).all() for a, b in pairs)
        assert (mine.mean, mine.std) == (whole.mean, whole.std)


def test_fp16_weights_take_half_the_room_and_say_what_they_change(root: Path) -> None:
    before = read_bundle(root / "bundles/toy_binary")
    made = make_bundle("toy_binary", root, half=True)
    assert made.half is not None
    assert (made.half.changed, made.half.of, made.half.stays) == (0, 20, True)
    assert made.half.before == pytest.approx(before.scores.tuned)
    size = (made.path / made.bundle.members[0].file).stat().st_size
    saved = checkpoint.load(root / "runs/toy_binary/fold_0/best.pt")["model"]
    assert size < 0.6 * sum(value.nbytes for value in saved.values()) + 20_000


def test_a_checkpoint_that_was_trained_further_is_refused(root: Path) -> None:
    run = root / "runs/toy_binary"
    shutil.copyfile(run / "fold_1/best.pt", run / "fold_0/best.pt")
    with pytest.raises(RunError, match="trained further"):
        make_bundle("toy_binary", root)
    with pytest.raises(RunError, match="no bundle"):
        read_bundle(root / "bundles/toy_binary")


def test_what_cannot_answer_new_images_is_refused(root: Path) -> None:
    with pytest.raises(UsageError, match="no submission 'toy'"):
        make_bundle("toy", root)
    with pytest.raises(UsageError, match="no bundle; name a new folder"):
        make_bundle("toy_binary", root, out=Path("input"))
    for copy in root.glob("runs/toy_binary/fold_*/config.yaml"):
        copy.write_text(copy.read_text().replace("boxes: null", "boxes: boxes.csv"))
    path = root / "submissions/toy_binary.json"
    own = path.read_text(encoding="utf-8")
    path.write_text(own.replace('"boxes": null', '"boxes": "boxes.csv"'), encoding="utf-8")
    with pytest.raises(ConfigError, match="'toy_binary' need the table data.boxes"):
        make_bundle("toy_binary", root)
    path.write_text(own, encoding="utf-8")
    record = json.loads(path.read_text(encoding="utf-8"))
    del record["blend"]["members"][0]["checkpoint_sha256"]
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(ConfigError, match="tables of outside predictions"):
        make_bundle("toy_binary", root)

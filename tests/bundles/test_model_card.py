"""The model card says what is known, and marks what is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from comp.bundles.contents import read_bundle
from comp.bundles.model_card import model_card, shown, table
from comp.bundles.zipped import unpack_bundle, zip_bundle
from comp.stages.shipping.bundle import make_bundle


def test_it_says_what_the_bundle_knows(shipped: Callable[[str], Path]) -> None:
    bundle = read_bundle(shipped("binary") / "bundles/toy_binary")
    page = (bundle.folder / "MODEL_CARD.md").read_text("utf-8")
    assert page == model_card(bundle)
    assert page.startswith("# `toy_binary`\n")
    assert f"**{bundle.scores.honest:.4f} honest**" in page
    assert "- trained on 20 images; the out-of-fold score covers 20" in page
    assert "From scratch, without other data: `toy_binary`." in page
    assert "As the config has them: external_data allowed, pretrained allowed." in page
    assert "| timm | " in page
    assert page.count("**TODO**") == 3


def test_weights_that_are_not_open_are_a_question(shipped: Callable[[str], Path]) -> None:
    bundle = read_bundle(shipped("binary") / "bundles/toy_binary")
    (run,) = bundle.configs
    config = bundle.configs[run]
    rules = config.rules.model_copy(update={"pretrained": False})
    model = config.model.model_copy(
        update={"pretrained": True, "name": "convnextv2_tiny", "weights": None}
    )
    other = config.model_copy(update={"rules": rules, "model": model})
    page = model_card(replace(bundle, configs={run: other}))
    assert "| cc-by-nc-4.0 | not commercial |" in page
    assert "**TODO**: may `convnextv2_tiny.fcmae_ft_in22k_in1k` be used for what you do?" in page
    assert "pretrained not allowed." in page
    assert "\n- broken: rules.pretrained: false, but model.pretrained: true" in page


def test_it_travels_in_the_zip_and_may_be_edited(
    shipped: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(shipped("binary") / "bundles/toy_binary", tmp_path / "box"))
    (folder / "MODEL_CARD.md").write_text("mine", encoding="utf-8")
    place = unpack_bundle(zip_bundle(read_bundle(folder)), tmp_path / "out")
    assert (place / "MODEL_CARD.md").read_text("utf-8") == "mine"


def test_a_card_that_was_edited_outlives_the_next_bundle(
    shipped: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = Path(shutil.copytree(shipped("binary"), tmp_path / "work"))
    card = work / "bundles/toy_binary/MODEL_CARD.md"
    before = card.read_text("utf-8")
    make_bundle("toy_binary", work)
    assert card.read_text("utf-8") == before
    card.write_text("mine", encoding="utf-8")
    make_bundle("toy_binary", work)
    assert card.read_text("utf-8") == "mine"
    assert "was edited, so it stays" in capsys.readouterr().err


def test_names_are_data() -> None:
    assert shown("a`b") == "``a`b``"
    assert shown("`x` | <b>\n# y") == "`` `x` | <b> # y ``"
    assert shown("") == "` `"
    assert table(("a",), [["x|y"]]) == ["| a |", "|---|", "| x\\|y |"]

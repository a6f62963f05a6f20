"""A config that was made from another one, as text."""

from __future__ import annotations

from pathlib import Path

from toys import toy_tree

from comp.config.loading import load_config, make_config
from comp.scaffold.changed_config import changed_config


def test_the_text_is_the_config_and_tells_what_was_changed(tmp_path: Path) -> None:
    config = make_config(toy_tree("multilabel", train__epochs=7, ensemble__weights="greedy"))
    before = {"train.epochs": 2, "train.label_smoothing": 0.1, "train.lr": 3e-3}
    text = changed_config(config, before, ["first", "  comp train"])
    path = tmp_path / "x.yaml"
    path.write_text(text)
    assert load_config(path) == config
    assert text.startswith("# first\n#   comp train\nname: toy_multilabel\n")
    assert "  epochs: 7  # was 2\n" in text
    assert "  label_smoothing: 0.0  # was 0.1\n" in text  # though it is the default
    assert "  lr: 0.003\n" in text  # not changed

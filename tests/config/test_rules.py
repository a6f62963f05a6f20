"""What the rules of a competition do not allow is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toys import toy_tree

from comp.config.loading import make_config
from comp.config.rules import broken_rules


def told(added: tuple[str, ...] = (), **over: Any) -> list[str]:
    return broken_rules(make_config(toy_tree("binary", **over)), added)


STRICT = {"rules__external_data": False, "rules__pretrained": False}


def test_without_rules_nothing_is_broken() -> None:
    assert told(("x.csv",), model__pretrained=True) == []


def test_pretrained_weights_are_told_where_they_are_not_allowed() -> None:
    assert told(model__pretrained=False, **STRICT) == []
    (line,) = told(model__pretrained=True, **STRICT)
    assert line.startswith("rules.pretrained: false, but model.pretrained: true starts from")
    (line,) = told(model__pretrained=True, model__weights="w.pt", **STRICT)
    assert "model.weights starts from w.pt; unless these were trained" in line


def test_data_from_elsewhere_is_told_where_it_is_not_allowed(tmp_path: Path) -> None:
    assert told(model__pretrained=False, data__train_images="a/../train", **STRICT) == []
    lines = told(
        ("other.csv",),
        model__pretrained=False,
        data__train_images="../more/train",
        data__annotations=[str(tmp_path / "a.json")],
        data__extra=[{"root": "input/more"}],
        **STRICT,
    )
    first, *lines = lines
    assert first.endswith("but data.extra trains on the images of input/more")
    assert [line.partition(" lies")[0].partition(" holds")[0] for line in lines] == [
        "rules.external_data: false, but data.train_images: ../more/train",
        f"rules.external_data: false, but data.annotations: {tmp_path / 'a.json'}",
        "rules.external_data: false, but other.csv",
    ]


def test_training_warns_before_it_begins(
    planned: Any, comp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from comp.config.plain_yaml import dump_yaml

    tree = planned(rules__pretrained=False, model__weights="nowhere.pt")
    Path("c.yaml").write_text(dump_yaml(tree), encoding="utf-8")
    code, _, err = comp("train", "-c", "c.yaml", "--fold", "0")
    assert code != 0  # there is no such file
    assert err.index("warning: rules.pretrained: false") < err.index("error: ")

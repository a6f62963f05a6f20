"""A config is read from a file, and written out as it was resolved."""

from pathlib import Path

import pytest

from comp.config.loading import dump_config, load_config, make_config
from comp.config.schema import Config
from comp.core.errors import ConfigError


def test_set_lays_a_value_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("name: x\ntask: binary\nmetric: macro_f1\ndata: {root: in}\n")
    config = load_config(path, ["train.lr=1e-4", "data.target=[a, b]", "model.drop_rate=0.2"])
    assert (config.train.lr, config.data.target, config.model.drop_rate) == (1e-4, ("a", "b"), 0.2)
    with pytest.raises(ConfigError, match=r"--set lr: write it as key\.path=value"):
        load_config(path, ["lr"])
    with pytest.raises(ConfigError, match="'name' holds a value"):
        load_config(path, ["name.x=1"])


def test_a_missing_config_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "letters.yaml").touch()
    with pytest.raises(ConfigError, match=r"no such file\. Did you mean .*letters\.yaml\?"):
        load_config(tmp_path / "leters.yaml")


def test_the_default_config_loads_where_there_is_none(workspace: Path) -> None:
    assert not list(workspace.iterdir())
    assert load_config().name == "default"


def test_the_resolved_config_reads_back_as_itself(tmp_path: Path) -> None:
    config = make_config(
        {
            "name": "x",
            "task": "binary",
            "metric": "macro_f1",
            "data": {"root": "한글", "target": ["a", "b"]},
        }
    )
    path = tmp_path / "resolved.yaml"
    path.write_text(dump_config(config), encoding="utf-8")
    assert load_config(path) == config
    assert isinstance(config, Config)


def test_what_is_not_allowed_is_named_with_its_line_unless_it_was_set(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "name: x\ntask: binary\nmetric: macro_f1\nseed: 2024-13-45\n"
        "data: {root: in}\nimage:\n  std: [1, 0,\n    1]\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).splitlines() == [
        f"{path}:",
        "  - seed: Input should be a valid integer, found '2024-13-45' (line 4)",
        "  - image.std: Input should be 'auto', found [1, 0, 1] (line 7)",
        "  - image.std.1: Input should be greater than or equal to 0.001, found 0 (line 7)",
    ]
    with pytest.raises(ConfigError) as caught:
        load_config(path, ["seed=0b_", "image.std=null"])
    assert str(caught.value).splitlines()[1:] == [
        "  - seed: Input should be a valid integer, found '0b_' (--set)"
    ]
    with pytest.raises(ConfigError) as caught:
        load_config(path, ["seed=1", "image.std=[1, 0, 1]"])
    assert str(caught.value).splitlines()[1:] == [
        "  - image.std: Input should be 'auto', found [1, 0, 1] (--set)",
        "  - image.std.1: Input should be greater than or equal to 0.001, found 0 (--set)",
    ]

"""`comp.errors` is the public name of every error class."""

from importlib import import_module

import pytest

import comp
import comp.errors
from comp.core.errors import CompError


def below(kind: type[CompError]) -> set[type[CompError]]:
    return {kind}.union(*(below(child) for child in kind.__subclasses__()))


def test_every_error_of_the_program_is_there() -> None:
    for module in ("comp.core.locks", "comp.stages.train", "comp.api.training"):
        import_module(module)
    own = {kind for kind in below(CompError) if kind.__module__.startswith("comp.")}
    assert {kind.__name__ for kind in own} == {*comp.errors.__all__}
    assert all(getattr(comp.errors, kind.__name__) is kind for kind in own)


def test_they_can_be_caught_by_what_was_imported_from_there() -> None:
    from comp.errors import ConfigError

    assert comp.CompError is comp.errors.CompError
    with pytest.raises(ConfigError, match="no such file"):
        comp.load_config("nowhere.yaml")

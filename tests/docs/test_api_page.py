"""The pages of the API and of plugins say what the code does."""

import inspect
import re
from pathlib import Path

import pytest

import comp
from comp.config import plugins
from comp.core import registry

DOCS = Path(comp.__file__).parents[1] / "docs"
FUNCTIONS = [name for name in comp.__all__ if name not in ("CompError", "errors")]


def signature(name: str) -> str:
    """`comp.train(config, workspace, ...)`: names and defaults, without types."""
    empty = inspect.Signature.empty
    found = inspect.signature(getattr(comp, name))
    parameters = [p.replace(annotation=empty) for p in found.parameters.values()]
    return f"comp.{name}{found.replace(parameters=parameters, return_annotation=empty)}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_page_has_every_function_with_its_signature_and_words(name: str) -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    assert f"    {signature(name)}\n" in page
    words = inspect.cleandoc(inspect.unwrap(getattr(comp, name)).__doc__ or "")
    assert words in page


def test_the_page_has_no_function_that_is_gone() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^### `(\w+)`$", page, re.MULTILINE)) == sorted(FUNCTIONS)


def test_the_example_of_a_plugin_file_loads(tmp_path: Path) -> None:
    page = (DOCS / "extending.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "my_parts.py"
    path.write_text(code, encoding="utf-8")
    try:
        plugins.load_files([path])
        kinds = re.findall(r'comp\.register_(\w+)\(\s*"', code)
        assert {*kinds} == {"metric", "loss", "recipe", "sampler", "vote", "layout"}
    finally:
        registry.forget(str(path.resolve()))
        plugins._loaded.pop(str(path.resolve()), None)

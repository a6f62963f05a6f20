"""README, CONTRIBUTING and the manual: links, commands, keys and names in them are real."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from configparser import ConfigParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from comp import __version__
from comp.bundles.targets.table import TARGETS
from comp.cli.main import app
from comp.config.loading import make_config
from comp.config.reference import keys, page
from comp.config.schema import Config
from comp.core.floors import drawing
from comp.data.folds.schemes import SCHEMES
from comp.data.layouts.layouts import LAYOUTS
from comp.data.loader.recipes import RECIPES
from comp.data.loader.sampler import SAMPLERS
from comp.ensemble.votes import VOTES
from comp.ensemble.weights import WEIGHERS
from comp.inference.views import TTAS
from comp.models.heads import HEADS, INITS
from comp.stages.search.sweep import SweepFile
from comp.submission.send import SITES
from comp.tasks.kinds import TASKS
from comp.tasks.losses import LOSSES
from comp.tasks.metrics import METRICS
from comp.train.optim import SCHEDULES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PAGES]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
COMMANDS = typer.main.get_command(app)
UsageError: Any = typer.BadParameter.__base__  # of click, which newer typers bring along
KEYS = {key.path for key in keys()} | {"data", "folds", "image", "augment", "model", "train"}
FREE = {"augment.copies", "data.bins", "ensemble.prior", "train.loss"}  # what is below is a name


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as Markdown and GitHub make them."""
    headings = re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def broken_links(path: Path) -> list[str]:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(path)):
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = path if not name else path.parent / name
        if not target.is_file() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


def commands(text: str) -> Iterator[str]:
    """Every `comp ...` command of a page, from blocks of code, from inline code and after `#`."""
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"^    (?:\$ )?(comp .*)$", text, re.MULTILINE)
    lines += re.findall(r"`(comp [^`]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))
    for line in lines:
        for part in line.removeprefix("$ ").split(" && "):
            if part.startswith("comp "):
                yield part


def config_commands(text: str) -> Iterator[str]:
    """The commands in the header of a config; a line that ends in a backslash goes on."""
    header = re.sub(r" \\\n#\s*", " ", "".join(re.findall(r"^#.*\n", text, re.MULTILINE)))
    for line in header.splitlines():
        for part in line.lstrip("# ").split(" && "):
            if part.startswith("comp ") and "$" not in part:
                yield part


def fault_of(command: str) -> str | None:
    """What the command line says against a command, without running it; None for a good one."""
    words = shlex.split(command, comments=True)[1:]
    here: Any = COMMANDS
    while hasattr(here, "commands"):
        if not words:
            return None  # a group by itself
        if words[0].startswith("-"):
            known = {option for param in here.params for option in (*param.opts, "--help")}
            return None if words[0] in known else f"no option {words[0]}"
        if words[0] not in here.commands:
            return f"no command {words[0]}"
        here, words = here.commands[words[0]], words[1:]
    return option_fault(here, words)


def option_fault(command: Any, words: list[str]) -> str | None:
    """Options, their values, and the keys of `--set`; what is missing is no fault of a text."""
    try:
        command.make_context(command.name, list(words))
    except UsageError as error:
        if type(error).__name__ != "MissingParameter":
            return str(error.format_message())
    for option, value in pairwise(words):
        if option == "--set" and not is_key(value.partition("=")[0]):
            return f"no key {value}"
    return None


def is_key(path: str) -> bool:
    return path in KEYS or any(path.startswith(f"{free}.") for free in FREE)


def test_the_readme_fits_in_130_lines_and_shows_the_two_commands() -> None:
    text = text_of(ROOT / "README.md")
    assert len(text.splitlines()) <= 130
    assert "make demo" in text
    assert "make test" in text


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_the_map_of_the_code_is_the_one_that_the_imports_are_held_to(name: str) -> None:
    assert drawing() in text_of(ROOT / name)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    assert broken_links(path) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# One heading\n", encoding="utf-8")
    page = tmp_path / "a.md"
    page.write_text("[x](b.md#one-heading) [y](b.md#two) [z](c.md) [w](#none)", encoding="utf-8")
    assert broken_links(page) == ["b.md#two", "c.md", "#none"]


def test_every_page_is_in_the_menu_once() -> None:
    def leaves(entry: object) -> Iterator[str]:
        values = entry.values() if isinstance(entry, dict) else entry
        for value in values if not isinstance(entry, str) else [entry]:
            yield from [value] if isinstance(value, str) else leaves(value)

    menu = yaml.safe_load(text_of(ROOT / "mkdocs.yml"))["nav"]
    assert sorted(leaves(menu)) == [page.name for page in PAGES]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_commands_exist_with_these_options_and_keys(path: Path) -> None:
    text = text_of(path)
    if path.name == "CHANGELOG.md":
        text = text.split("\n## 0.1.0")[0]  # what came before names what there was
    faults = [(command, fault_of(command)) for command in commands(text)]
    assert [fault for fault in faults if fault[1] is not None] == []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_commands_of_a_config_work_and_name_its_keys(path: Path) -> None:
    found = [*config_commands(text_of(path))]
    assert any(command.startswith("comp train") for command in found)
    assert [(c, fault_of(c)) for c in found if fault_of(c) is not None] == []


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("comp train --folds 0", "no such option"),
        ("comp trian", "no command"),
        ("comp folds make --repeats x", "repeats"),
        ("comp train --set train.lrr=1", "no key"),
        ("comp --versoin", "no option"),
    ],
)
def test_a_command_that_does_not_exist_is_seen(command: str, fault: str) -> None:
    assert fault in (fault_of(command) or "").lower()


def test_the_commands_of_a_page_are_found() -> None:
    text = "```sh\ncomp pack  # once\n```\n`comp status`\n    comp a && comp b\n"
    assert [*commands(text)] == ["comp pack  # once", "comp a", "comp b", "comp status"]


@pytest.mark.parametrize("path", [p for p in DOCUMENTS if p.name != "CHANGELOG.md"], ids=name_of)
def test_keys_in_the_text_are_keys_of_the_config(path: Path) -> None:
    sections = {key.split(".")[0] for key in KEYS if "." in key}
    spans = re.findall(r"`([a-z]+(?:\.[a-z_]+)+)(?:: [^`]+)?`", text_of(path))
    endings = ("md", "csv", "json", "pt", "yaml", "html", "txt", "py", "zip", "gz")
    named = [s for s in spans if s.split(".")[0] in sections and not s.endswith(endings)]
    assert [name for name in named if not is_key(name)] == []


def test_the_reference_of_the_config_is_what_the_schema_says() -> None:
    text = text_of(DOCS / "configuration.md")
    assert page(text) == text, "run `make docs`"


@pytest.mark.parametrize(
    ("table", "name"),
    [
        (TASKS, "data.md"),
        (LAYOUTS, "data.md"),
        (SCHEMES, "folds.md"),
        (RECIPES, "training.md"),
        (SAMPLERS, "training.md"),
        (SCHEDULES, "training.md"),
        (HEADS, "training.md"),
        (INITS, "training.md"),
        (LOSSES, "training.md"),
        (VOTES, "ensembling.md"),
        (WEIGHERS, "ensembling.md"),
        (TTAS, "ensembling.md"),
        (SITES, "submissions.md"),
        (TARGETS, "shipping.md"),
    ],
)
def test_a_page_names_every_entry_of_a_table(table: dict[str, object], name: str) -> None:
    text = text_of(DOCS / name)
    assert [entry for entry in table if f"`{entry}`" not in text] == []


def test_the_pages_name_every_metric() -> None:
    text = text_of(DOCS / "training.md") + text_of(DOCS / "segmentation.md")
    assert [name for name in METRICS if f"`{name}`" not in text] == []


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=name_of)
def test_files_and_tables_that_a_document_points_to_exist(path: Path) -> None:
    text = text_of(path)
    files = re.findall(r"`((?:comp|tests|docs|configs)/[\w/.-]+)`", text)
    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []
    for table, file in re.findall(r"`([A-Z_]{4,})` in `([\w/.]+)`", text):
        assert re.search(rf"^{table}\b", text_of(ROOT / file), re.MULTILINE), (table, file)
    for file, table in re.findall(r"`([\w/.]+)`, table `([A-Z_]+)`", text):
        assert re.search(rf"^{table}\b", text_of(ROOT / file), re.MULTILINE), (table, file)


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\S+)$", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == __version__


def test_the_hooks_before_a_commit_need_no_network() -> None:
    repositories = yaml.safe_load(text_of(ROOT / ".pre-commit-config.yaml"))["repos"]
    assert [entry["repo"] for entry in repositories] == ["local"]
    programs = {hook["entry"].split()[0] for hook in repositories[0]["hooks"]}
    assert programs == {".venv/bin/ruff", ".venv/bin/mypy"}


def test_extras_that_are_named_exist() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    named = re.findall(r"pip install \"?\.\[(\w+)\]", "".join(map(text_of, DOCUMENTS)))
    assert {*named} == {
        *("cam", "medical", "neighbours", "onnx", "openvino", "ray", "search", "slurm", "stack"),
        *("tables", "tiff", "track"),
    }
    assert {*named} <= {*setup["options.extras_require"]}


def yaml_blocks() -> list[tuple[str, str]]:
    found = [
        (path, re.findall(r"^```yaml\n(.*?)^```$", text_of(path), re.M | re.S)) for path in PAGES
    ]
    return [(path.name, block) for path, blocks in found for block in blocks]


@pytest.mark.parametrize(("name", "block"), yaml_blocks(), ids=lambda text: text.split("\n")[0])
def test_an_example_in_yaml_is_valid(name: str, block: str) -> None:
    tree = yaml.safe_load(block)
    if {*tree} <= {*Config.model_fields}:
        needed = {"name": "x", "task": "binary", "metric": "macro_f1", "data": {"root": "input"}}
        assert make_config({**needed, **tree}).name
    else:
        assert SweepFile.model_validate(tree).config

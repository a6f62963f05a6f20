"""`benchmarks/gpu.py` runs to its end on a CPU: the minutes with a card need no debugging."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def gpu() -> ModuleType:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import gpu
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
    return gpu


@pytest.fixture(scope="module")
def options(gpu: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> argparse.Namespace:
    """A drawn competition, packed."""
    found = argparse.Namespace(
        device="cpu", tiny=True, parts=["P14"], out=tmp_path_factory.mktemp("out")
    )
    found.work = tmp_path_factory.mktemp("work")
    gpu.World(found.work, found).lay()
    return found


RATIOS = {
    "P1": ["ours / bare", "ours / timm"],
    "P2": ["ours / gather"],
    "P13": ["device / cpu", "device / draws"],
    "P12": ["ours / bare"],
    "P14": ["ours MiB"],
    "P17": ["ours / one generator"],
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # timm leaves its files open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("part", RATIOS)
def test_each_part_writes_its_rows(
    gpu: ModuleType, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    least = {**gpu.sizes(True), "rounds": 1, "steps": 1}
    monkeypatch.setattr(gpu, "sizes", lambda _: least)
    gpu.child(options, part)
    rows = [json.loads(line) for line in (options.work / f"{part}.jsonl").read_text().splitlines()]
    assert rows
    assert all(name in rows[0] for name in RATIOS[part])


def test_a_part_that_is_cut_short_keeps_its_rows(
    gpu: ModuleType, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"model": "m", "ours / bare": {"min": 0.9, "median": 1.0, "max": 1.1}}, {"ours": 3}]

    def cut(words: list[str], **_: object) -> None:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (options.work / "P14.jsonl").write_text(text)
        raise gpu.subprocess.TimeoutExpired(words, 60)

    monkeypatch.setattr(gpu.World, "lay", lambda _: None)
    head = gpu.about_card(options)
    monkeypatch.setattr(gpu, "about_card", lambda _: head)
    monkeypatch.setattr(gpu.subprocess, "run", cut)
    assert gpu.measure(options) == 0
    (found,) = json.loads((options.out / "gpu.json").read_text()).values()
    assert found["P14"]["rows"] == rows
    assert found["P14"]["ended"] == "cut at 60 s"
    table = (options.out / "gpu.md").read_text()
    assert "| model | ours / bare | ours |" in table
    assert "| m | 1.0 (0.9 to 1.1) |  |" in table


def test_make_gpu_runs_the_tests_of_a_card_and_the_benchmark() -> None:
    text = (ROOT / "Makefile").read_text()
    part = text[text.index("\ngpu:") : text.index("\nlint:")]
    assert "pytest -m cuda" in part
    assert "benchmarks/gpu.py" in part

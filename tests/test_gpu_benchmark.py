"""`benchmarks/gpu.py` runs to its end on a CPU: the minutes with a card need no debugging."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
import torch

from comp.models.device import choose_device

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
    found = argparse.Namespace(device="cpu", tiny=True, parts=[], seconds=100.0)
    found.out = tmp_path_factory.mktemp("out")
    found.work = tmp_path_factory.mktemp("work")
    gpu.World(found.work, found).lay()
    return found


RATIOS = {
    "P1": ["ours / bare", "ours / timm"],
    "P1r": ["ours / bare"],
    "P1c": [
        "not img/s",
        "seconds of the first step",
        "compiled / not",
        "compiled / bare, compiled",
    ],
    "P2": ["ours / gather"],
    "P13": ["device / cpu", "device / draws"],
    "P12": ["ours / bare"],
    "P14": ["bare MiB", "ours MiB", "ours / bare"],
    "P17": ["ours / one generator"],
}


def kept(gpu: ModuleType, options: argparse.Namespace, part: str) -> dict[str, Any]:
    """What is written of a part."""
    (found,) = json.loads((options.out / "gpu.json").read_text()).values()
    assert part in (options.out / "gpu.md").read_text()
    return dict(found[part])


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # timm leaves its files open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("part", RATIOS)
def test_each_part_writes_its_rows(
    gpu: ModuleType, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    least = {**gpu.sizes(options), "rounds": 1, "steps": 1}
    monkeypatch.setattr(gpu, "sizes", lambda _: least)
    monkeypatch.setattr(torch, "compile", lambda module, **_: module)  # takes a minute
    gpu.child(options, part)
    rows = kept(gpu, options, part)["rows"]
    assert rows
    assert set(RATIOS[part]) <= {name for row in rows for name in row}
    if part == "P1c":  # a figure that took no time to compile comes first
        assert [name for row in rows for name in RATIOS[part] if name in row][:1] == ["not img/s"]
    if part == "P14":
        assert 0.5 < rows[0]["ours / bare"] < 2


def test_memory_on_a_cpu_is_the_most_that_is_held_at_once(gpu: ModuleType) -> None:
    def one_by_one() -> None:
        for _ in range(3):
            torch.zeros(1 << 20)

    device = choose_device("fp32", where="cpu")
    assert gpu.peak(device, one_by_one) == pytest.approx(4 << 20, rel=0.01)
    both = gpu.peak(device, lambda: [torch.zeros(1 << 20), torch.zeros(1 << 20)])
    assert both == pytest.approx(8 << 20, rel=0.01)


def test_both_loaders_read_the_same_source(
    gpu: ModuleType, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, str]] = []

    def ours(job: Any) -> None:
        read.append(("ours", job.config.image.pack))

    def timm(job: Any, files: Path | None) -> None:
        read.append(("timm", "memmap" if files is None else "none"))

    monkeypatch.setattr(gpu, "Ours", ours)
    monkeypatch.setattr(gpu, "Bare", lambda _: None)
    monkeypatch.setattr(gpu, "Timm", timm)
    monkeypatch.setattr(gpu, "side_by_side", lambda *_: {})
    rows = [*gpu.p1(gpu.World(options.work, options))]
    assert [row["source"] for row in rows] == ["packed", "JPEG"]
    assert read == [("ours", "memmap"), ("timm", "memmap"), ("ours", "none"), ("timm", "none")]


@pytest.fixture
def laid(gpu: ModuleType, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is drawn, and the device is known."""
    monkeypatch.setattr(gpu.World, "lay", lambda _: None)
    head = gpu.about_card(options)
    monkeypatch.setattr(gpu, "about_card", lambda _: head)


@pytest.mark.usefixtures("laid")
def test_a_part_that_is_cut_short_keeps_its_rows(
    gpu: ModuleType, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"model": "m", "ours / bare": {"min": 0.9, "median": 1.0, "max": 1.1}}, {"ours": 3}]

    def endless(_: Any) -> Any:
        yield from rows
        raise gpu.subprocess.TimeoutExpired("P14", 40)

    def cut(words: list[str], **_: object) -> None:
        gpu.child(options, words[words.index("--child") + 1])

    monkeypatch.setitem(gpu.PARTS, "P14", endless)
    monkeypatch.setattr(gpu.subprocess, "run", cut)
    assert gpu.measure(argparse.Namespace(**{**vars(options), "parts": ["P14"]})) == 0
    found = kept(gpu, options, "P14")
    assert found["rows"] == rows
    assert found["ended"] == "cut at 320 s"
    table = (options.out / "gpu.md").read_text()
    assert "| model | ours / bare | ours |" in table
    assert "| m | 1.0 (0.9 to 1.1) |  |" in table


@pytest.mark.usefixtures("laid")
@pytest.mark.parametrize(
    ("part", "code", "failed"),
    [("P1", 1, 1), ("P1", 124, 0), ("tests", 1, 1), ("tests", 124, 1), ("tests", 0, 0)],
)
def test_what_failed_is_told_at_the_end_and_what_matters_most_comes_first(
    gpu: ModuleType,
    options: argparse.Namespace,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    code: int,
    failed: int,
) -> None:
    begun: list[str] = []

    def run(words: list[str], **_: object) -> Any:
        begun.append(words[words.index("--child") + 1])
        return argparse.Namespace(returncode=code if begun[-1] == part else 0)

    monkeypatch.setattr(gpu.subprocess, "run", run)
    assert gpu.measure(options) == failed
    assert begun == [*gpu.PARTS]
    assert begun[:2] == ["P1", "tests"]


@pytest.mark.usefixtures("laid")
def test_all_parts_together_end_in_time(
    gpu: ModuleType, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float] = []
    run = argparse.Namespace(returncode=0)
    monkeypatch.setattr(
        gpu.subprocess, "run", lambda _, **how: (limits.append(how["timeout"]), run)[1]
    )
    monkeypatch.setitem(gpu.LIMITS, "P1", 50)
    late = argparse.Namespace(**{**vars(options), "seconds": 20.0})
    assert gpu.measure(late) == 0
    assert all(limit <= 160 for limit in limits)
    assert sum(gpu.LIMITS.values()) < gpu.TOGETHER <= 590


@pytest.mark.usefixtures("laid")
def test_the_tests_of_a_card_are_a_part_that_names_what_failed(
    gpu: ModuleType, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def run(words: list[str], **_: object) -> Any:
        asked.extend(words)
        report = next(word for word in words if word.startswith("--junit-xml="))
        Path(report.partition("=")[2]).write_text(
            '<testsuites><testsuite tests="2" failures="1" errors="0" skipped="0">'
            '<testcase classname="a" name="x"><failure/></testcase><testcase name="y"/>'
            "</testsuite></testsuites>"
        )
        return argparse.Namespace(returncode=1)

    monkeypatch.setattr(gpu.subprocess, "run", run)
    with pytest.raises(SystemExit):
        gpu.child(options, "tests")
    counts, failed = kept(gpu, options, "tests")["rows"]
    assert (counts["tests"], counts["failures"]) == (2, 1)
    assert failed == {"failed": "a.x"}
    assert any(word.endswith("test_verdict.py") for word in asked)
    assert asked[asked.index("-m", 2) + 1] == "cuda"


@pytest.mark.usefixtures("laid")
@pytest.mark.parametrize(
    ("device", "tests", "skipped", "code", "bad"),
    [
        ("auto", 30, 30, 0, True),  # the card is not seen there
        ("auto", 30, 1, 0, True),
        ("auto", 0, 0, 5, True),
        ("auto", 30, 0, 0, False),
        ("cpu", 30, 30, 0, False),
        ("cpu", 0, 0, 5, False),
        ("cpu", 30, 29, 1, True),
    ],
)
def test_tests_of_a_card_that_are_skipped_on_one_have_failed(
    gpu: ModuleType,
    options: argparse.Namespace,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    tests: int,
    skipped: int,
    code: int,
    bad: bool,
) -> None:
    def run(words: list[str], **_: object) -> Any:
        report = next(word for word in words if word.startswith("--junit-xml="))
        Path(report.partition("=")[2]).write_text(
            f'<testsuites><testsuite tests="{tests}" skipped="{skipped}"/></testsuites>'
        )
        return argparse.Namespace(returncode=code)

    monkeypatch.setattr(gpu.subprocess, "run", run)
    world = gpu.World(options.work, argparse.Namespace(**{**vars(options), "device": device}))
    with pytest.raises(SystemExit) if bad else contextlib.nullcontext():
        for row in gpu.card_tests(world):
            assert "failed" not in row or bad


@pytest.mark.usefixtures("laid")
def test_what_a_part_leaves_of_its_time_the_last_one_has(
    gpu: ModuleType, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiling takes a minute or more."""
    limits: list[float] = []
    done = argparse.Namespace(returncode=0)
    monkeypatch.setattr(
        gpu.subprocess, "run", lambda _, **how: (limits.append(how["timeout"]), done)[1]
    )
    assert gpu.measure(argparse.Namespace(**{**vars(options), "seconds": gpu.TOGETHER})) == 0
    assert limits[0] == pytest.approx(8 * gpu.LIMITS["P1"], abs=5)
    assert limits[-1] > 8 * 500


@pytest.mark.parametrize(
    "script",
    [
        path.relative_to(ROOT).as_posix()
        for path in [*sorted((ROOT / "benchmarks").glob("*.py")), *(ROOT / "examples").glob("*.py")]
        if "__main__" in path.read_text()
    ],
)
def test_each_script_explains_itself_and_measures_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], script: str
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with mock.patch.dict(os.environ), pytest.raises(SystemExit) as done:
        runpy.run_path(str(ROOT / script), run_name="__main__")
    assert done.value.code in (0, None)
    assert "usage: " in capsys.readouterr().out


def test_make_gpu_hides_no_failure_and_has_ten_minutes() -> None:
    text = (ROOT / "Makefile").read_text()
    part = text[text.index("\ngpu:") : text.index("\nlint:")]
    assert "timeout 598 $(BIN)/python benchmarks/gpu.py\n" in part
    assert "||" not in part


def test_without_a_card_it_says_so(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    with pytest.raises(SystemExit, match="2"):
        gpu.main()
    assert "torch sees no CUDA device; --device cpu measures the CPU" in capsys.readouterr().err

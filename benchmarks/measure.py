"""What the benchmarks share: rounds, ratios within a round, and the two files of results."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np


def timed(work: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds. clock: `time.process_time` counts those of the processor, which others on a busy
    machine do not lengthen by waiting."""
    begin = clock()
    work()
    return clock() - begin


def summary(values: Sequence[float], digits: int = 4) -> dict[str, float]:
    """Minimum, median and maximum."""
    low, middle, high = np.percentile(values, [0, 50, 100])
    return {
        "min": round(low, digits),
        "median": round(middle, digits),
        "max": round(high, digits),
    }


def interleaved(
    works: dict[str, Callable[[], Any]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each work, A-B-A-B, after one round that does not count."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            os.sync()
            seconds = timed(work, clock)
            if number:
                found[name].append(seconds)
    return found


def ratios(found: dict[str, list[float]], over: str, under: str) -> dict[str, float]:
    """Of two works, each within its round."""
    return summary([a / b for a, b in zip(found[over], found[under], strict=True)])


_ALONE = """
import json, sys, time
def kilobytes(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(name))
exec(sys.argv[1])
before, begin = kilobytes("VmRSS"), time.perf_counter()
exec(sys.argv[2])
spent = time.perf_counter() - begin
print(json.dumps({"MB before": before, "MB peak": kilobytes("VmHWM"), "seconds": spent}))
"""


def alone(prepare: str, work: str, *arguments: str) -> dict[str, float]:
    """`work` in a process of its own after `prepare` (Python; `sys.argv[3:]` has the arguments):
    seconds, resident MB before and at the most. (The peak of `getrusage` would be that of the
    process that started it.)"""
    words = [sys.executable, "-c", _ALONE, prepare, work, *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return {name: round(value, 3 if name == "seconds" else 0) for name, value in found.items()}


def about(names: Sequence[str]) -> dict[str, Any]:
    """The machine, its load, and the versions of these distributions."""
    return {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "load before": round(os.getloadavg()[0], 1),
        "versions": {name: metadata.version(name) for name in names},
    }


class Rows(list[dict[str, Any]]):
    """Measured rows, kept line by line in a JSON-lines file, so that what was cut short goes on."""

    def __init__(self, path: Path) -> None:
        lines = path.read_text().splitlines() if path.is_file() else []
        super().__init__(json.loads(line) for line in lines)
        self.path = path

    def add(self, row: dict[str, Any]) -> None:
        """Keep a new row and print it."""
        self.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)


def _flat(found: dict[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Names and values; minimum, median and maximum as one value."""
    rows = []
    for name, value in found.items():
        if isinstance(value, dict) and "median" in value:
            shown = f"{value['median']} ({value['min']} to {value['max']})"
            rows.append((above + name, shown))
        elif isinstance(value, dict):
            rows += _flat(value, f"{above}{name}: ")
        else:
            rows.append((above + name, str(value)))
    return rows


def _table(title: str, script: str, results: dict[str, Any]) -> str:
    lines = [f"# {title}", "", f"Made by `python benchmarks/{script}.py`.", ""]
    for part, measured in results.items():
        lines += [f"## {part}: {measured['machine']}, load {measured['load before']} before", ""]
        lines += [", ".join(f"{name} {number}" for name, number in measured["versions"].items())]
        lines += ["", "| what | result |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in _flat(measured["results"])]
        lines.append("")
    return "\n".join(lines)


def asked(script: str, title: str, parts: Iterable[str] = ()) -> list[str]:
    """The parts that the command line names; it explains itself with --help."""
    parser = argparse.ArgumentParser(prog=f"{script}.py", description=title)
    names = list(parts)
    if names:
        parser.add_argument("parts", nargs="*", help=f"{' '.join(names)}; all without one")
    found: list[str] = getattr(parser.parse_args(), "parts", [])
    unknown = [name for name in found if name not in names]
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(names)}")
    return found


def keep(
    script: str,
    title: str,
    parts: dict[str, Callable[[], dict[str, Any]]],
    distributions: Sequence[str],
) -> None:
    """Measure the parts that the command line names (all, without a name) and write them to
    `<script>.json` and `<script>.md` beside this file; what is not named keeps its figures."""
    names = asked(script, title, parts)
    folder = Path(__file__).parent
    path = folder / f"{script}.json"
    results = json.loads(path.read_text()) if path.is_file() else {}
    for part in names or parts:
        head = about(distributions)
        results[part] = {**head, "results": parts[part]()}
        path.write_text(json.dumps(results, indent=2) + "\n")
    (folder / f"{script}.md").write_text(_table(title, script, results))


def section(path: Path, title: str, lines: list[str]) -> None:
    """Put lines in the section `title` (with its `## `) of a file; the others stay."""
    before = path.read_text(encoding="utf-8")
    head, found, rest = before.partition(f"{title}\n")
    after = rest[rest.index("\n## ") + 1 :] if found and "\n## " in rest else ""
    text = (
        f"{head.rstrip()}\n\n{title}\n\n"
        + "\n".join(lines)
        + "\n"
        + (f"\n{after}" if after else "")
    )
    path.write_text(text + (f"\n{after}" if after else ""), encoding="utf-8")

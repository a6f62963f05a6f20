"""Every fault there is, counted: `make faults`. It goes on where it stopped, like what it tests.

`--only TEXT` runs the cases whose group or kind holds this text.

The outcome of each case is kept in `build/faults.jsonl`, and the figures in `docs/faults.md` are
written anew. The order is drawn, so that who ends early (`--minutes`) has some of every kind; the
page says how many of all were run. `--clean` begins again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

import torch  # noqa: E402
from faults import fault_cases, fault_kills, fault_places  # noqa: E402
from faults.fault_cases import Case, Stage  # noqa: E402
from faults.fault_kills import Victims  # noqa: E402
from faults.fault_toy import MANY, MANY_IMAGES  # noqa: E402

LOG, PAGE = REPOSITORY / "build/faults.jsonl", REPOSITORY / "docs/faults.md"
BEGIN, END = "<!-- figures: written by `make faults` -->\n", "<!-- end of figures -->\n"
COMPOUND, KILLS, RANDOM_KILLS = 300, 100, 1000
SHARE_OF_MANY = 0.1  # of the faults at single operations


def all_cases(operations: list[str]) -> list[Case]:
    """Each once."""
    return [
        *fault_cases.swaps(),
        *fault_cases.every_operation(operations),
        *fault_cases.compound(operations, COMPOUND),
        *fault_cases.group_kills(operations, KILLS),
        *fault_cases.damage(),
        *fault_kills.random_kills(RANDOM_KILLS, victims_of),
        *fault_places.places(victims_of),
        *cases_of_many(operations),
    ]


def cases_of_many(operations: list[str]) -> list[Case]:
    """The damage, and a part of the faults at operations, in a world with many images."""
    faults = [*fault_cases.every_operation(operations)]
    some = random.Random(0).sample(faults, int(SHARE_OF_MANY * len(faults)))
    return [
        replace(case, group=f"{case.group}, 200 images", run=lambda s, c=case: c.run(many_of(s)))
        for case in (*some, *fault_cases.swaps(), *fault_cases.damage())
    ]


@cache
def victims_of(stage: Stage) -> Victims:
    """The workspaces of the commands that are killed and limited."""
    return Victims(stage.world)


@cache
def many_of(stage: Stage) -> Stage:
    """A stage beside this one, with many images."""
    return Stage(stage.world.folder / "many", *MANY_IMAGES, **MANY)


def key(case: Case) -> str:
    return f"{case.group}: {case.kind}: {case.name}"


def outcomes() -> dict[str, tuple[str, str, str]]:
    """Group, kind and outcome of each case that was run."""
    if not LOG.is_file():
        return {}
    rows = [json.loads(line) for line in LOG.read_text().splitlines()]
    return {row["case"]: (row["group"], row["kind"], row["outcome"]) for row in rows}


def run(stage: Stage, cases: list[Case], until: float) -> None:
    """Run the cases that are missing, and tell of each that was lost."""
    done = outcomes()
    missing = [case for case in cases if key(case) not in done]
    random.Random(0).shuffle(missing)
    print(f"{len(cases)} cases, {len(missing)} to run", flush=True)
    with LOG.open("a", encoding="utf-8") as log:
        for case in missing:
            if time.monotonic() > until:
                return
            outcome, why = "lost", None
            try:
                outcome = case.run(stage)
            except AssertionError as problem:
                why = str(problem)
                print(f"LOST {key(case)}\n{why[:1500]}", flush=True)
            row = {"case": key(case), "group": case.group, "kind": case.kind}
            log.write(json.dumps({**row, "outcome": outcome, "why": why}) + "\n")
            log.flush()


def table(done: list[tuple[str, str, str]]) -> str:
    """The figures as Markdown."""
    counts = Counter(done)
    lines = ["| what | kind | injected | survived | refused | lost |", "|---|---|---|---|---|---|"]
    kinds = list(dict.fromkeys((group, kind) for group, kind, _ in done))
    total: Counter[str] = Counter()
    for group, kind in kinds:
        found = Counter({out: counts[group, kind, out] for out in ("survived", "refused", "lost")})
        total += found
        lines.append(_row(group, kind, found))
    lines.append(_row("**all**", "", total))
    return "\n".join(lines) + "\n"


def _row(group: str, kind: str, found: Counter[str]) -> str:
    cells = [found["survived"], found["refused"], found["lost"]]
    return f"| {group} | {kind} | {sum(cells)} | {' | '.join(map(str, cells))} |"


def write_page(cases: list[Case]) -> None:
    """Put the figures in their place."""
    done = outcomes()
    rows = [done[key(case)] for case in cases if key(case) in done]
    about = f"{len(rows)} of {len(cases)} cases were run. " + (
        f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, torch "
        f"{torch.__version__}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores.\n\n"
    )
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(before + BEGIN + about + table(rows) + END + after, encoding="utf-8")


def main() -> int:
    """0 when every case was run and nothing was lost; 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    LOG.parent.mkdir(exist_ok=True)
    if options.clean:
        LOG.unlink(missing_ok=True)
    memory = Path("/dev/shm")  # nothing here is about the speed of a disk
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        stage = Stage(Path(folder))
        try:
            cases = all_cases(stage.world.whole.operations)
            chosen = [case for case in cases if options.only in key(case)]
            run(stage, chosen, time.monotonic() + 60 * options.minutes)
        finally:
            if many_of.cache_info().currsize:
                many_of(stage).close()
            stage.close()
    write_page(cases)
    done = outcomes()
    left = sum(key(case) not in done for case in chosen)
    if left:
        print(f"{left} cases are left: run it again")
    return int(left > 0 or any(outcome == "lost" for _, _, outcome in done.values()))


if __name__ == "__main__":
    sys.exit(main())

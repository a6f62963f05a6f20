"""`comp board --page`: the board as a page that leads to the pages of runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from comp.config.workspace import RunDir
from comp.report.board_page import write_board_page
from comp.stages.board import BoardGroup
from comp.stages.reporting.opened import seconds_of
from comp.stages.reporting.report import REPORT


def report_board(groups: Sequence[BoardGroup], path: Path, root: Path = Path()) -> Path:
    """Write the page of a board of the workspace `root`, with the hours that each run took and
    links to the pages that `comp report` wrote; its path."""
    names = {entry.name for group in groups for entry in group.entries if entry.kind == "run"}
    hours, links = {}, {}
    for name in sorted(names):
        folder = root / "runs" / name
        seconds = [seconds_of(RunDir(fold)) for fold in sorted(folder.glob("fold_*"))]
        known = [value for value in seconds if value is not None]
        if known:
            hours[name] = sum(known) / 3600
        if (folder / REPORT).is_file():
            links[name] = quote(Path(os.path.relpath(folder / REPORT, path.parent)).as_posix())
    write_board_page(path, groups, hours, links)
    return path

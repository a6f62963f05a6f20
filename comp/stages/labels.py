"""`comp labels`: the training rows whose label is most doubted, as a table and as pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.core import files
from comp.data.images.decode import fit, read_image
from comp.data.index.index import Index
from comp.ensemble.label_issues import Issues, find_doubted
from comp.ensemble.prior import both_columns
from comp.report.contact_sheet import contact_sheet
from comp.stages.experiment import Experiment, read_plan, read_test_images, read_train
from comp.stages.mask_labels import SURE, rank_masks
from comp.stages.members import Ground, gather

_COLUMNS, _SIZE = 8, 128


@dataclass(frozen=True)
class Doubt:
    """One doubted label: of an image, or of one column of an image with several labels."""

    id: str
    label: str
    given: str
    likely: str
    margin: float
    sure: bool


@dataclass(frozen=True)
class Found:
    """The doubted labels, the most doubted first; how many rows there are; what was written."""

    doubts: tuple[Doubt, ...]
    rows: int
    written: tuple[Path, ...]


def find_issues(experiment: Experiment, runs: Sequence[str], out: Path | None, sheet: int) -> Found:
    """Rank the labels of the training set by out-of-fold probabilities (mean over the runs).

    The table goes to `out`, or beside the run as label_issues.csv; with `sheet` images in a picture
    of the same name. With an answer for each pixel, images and classes are ranked by their Dice.
    Raises what `gather` raises.
    """
    table = out or experiment.workspace.run / "label_issues.csv"
    if experiment.task.spatial:
        return _find_masks(experiment, runs, table, sheet)
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    test = read_test_images(experiment, index.classes)
    models = gather(Ground(experiment, index, test, plan), runs or (experiment.name,), (), None)
    oofs = [model.oof for model in models if model.oof is not None]
    probs = np.mean([np.asarray(oof.probs, dtype=np.float64) for oof in oofs], axis=0)
    doubts = _of_columns(index, probs) if index.labels.ndim == 2 else _of_rows(index, probs)
    _write(doubts, table)
    written = [table]
    if sheet and doubts:
        picture = table.with_suffix(".png")
        _draw(doubts[:sheet], index, experiment.config.image.resize, picture)
        written.append(picture)
    return Found(tuple(doubts), len(index), tuple(written))


def _find_masks(experiment: Experiment, runs: Sequence[str], table: Path, sheet: int) -> Found:
    picture = table.with_suffix(".png")
    found, count = rank_masks(experiment, runs, picture, sheet)
    words = {True: "marked", False: "nothing"}
    doubts = [
        Doubt(name, label, words[marked], words[said], dice, dice < SURE)
        for name, label, dice, marked, said in found
    ]
    _write(doubts, table)
    return Found(tuple(doubts), count, (table, *([picture] if sheet and found else [])))


def _of_rows(index: Index, probs: np.ndarray[Any, Any]) -> list[Doubt]:
    found = find_doubted(index.labels, both_columns(probs))
    return [
        Doubt(index.ids[row], "", index.classes[given], index.classes[likely], margin, sure)
        for row, given, likely, margin, sure in _rows(found)
    ]


def _of_columns(index: Index, probs: np.ndarray[Any, Any]) -> list[Doubt]:
    """Each column by itself, as a choice between 0 and 1; ranked together."""
    out = []
    for column, name in enumerate(index.classes):
        found = find_doubted(index.labels[:, column], both_columns(probs[:, column : column + 1]))
        for row, given, likely, margin, sure in _rows(found):
            out.append(Doubt(index.ids[row], name, str(given), str(likely), margin, sure))
    return sorted(out, key=lambda doubt: (not doubt.sure, doubt.margin))


def _rows(found: Issues) -> Iterator[tuple[int, int, int, float, bool]]:
    columns = (found.rows, found.given, found.likely, found.margin, found.sure)
    return zip(*(column.tolist() for column in columns), strict=True)


def _write(doubts: Sequence[Doubt], path: Path) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "label", "given", "likely", "margin", "sure"])
    for d in doubts:
        writer.writerow([d.id, d.label, d.given, d.likely, f"{d.margin:.6f}", int(d.sure)])
    files.write_text(path, text.getvalue())


def _draw(doubts: Sequence[Doubt], index: Index, resize: str, path: Path) -> None:
    rows = index.rows([doubt.id for doubt in doubts])
    images = [fit(read_image(index.paths[row]), _SIZE, resize) for row in rows]
    titles = [f"{d.label and d.label + ' '}{d.given}? {d.likely}  {d.id}" for d in doubts]
    contact_sheet(images, titles, path, columns=_COLUMNS)

"""Predictions of another program, from a table: `comp ensemble --add`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from comp.core import checksums, files
from comp.core.errors import (
    ConfigError,
    DataError,
    PlanError,
    complain,
    did_you_mean,
    first,
    pick,
    repeated,
)
from comp.data.index.data_tables import read_data_table, tell
from comp.data.index.file_match import Listing
from comp.data.index.image_files import stem_of
from comp.data.index.index import Index
from comp.data.index.tables import Table
from comp.ensemble.blend import aligned
from comp.inference.predictions import Predictions
from comp.stages.ensembling.members import (
    Ground,
    Model,
    product_model,
    run_experiment,
    run_model,
)
from comp.tasks.kinds import LINKS, Task, one_hot

Array = np.ndarray[Any, Any]

_PART, _VALID, _TEST = "part", "valid", "test"  # a column of the table, and what it may hold


def added_model(ground: Ground, path: Path, kind: str = "auto") -> Model:
    """The model of a table with an id column and its answers.

    The table holds every test id; with every training id too (out-of-fold rows) the model is
    judged. Where an id is in both sets, a column `part` says `valid` or `test`. An id may have or
    lack the suffix of its file, be a path, or a number with `.0`. kind: `probs` (one column per
    class), `logits` (the same, before sigmoid or softmax), `labels` (decisions: one column of class
    names, or a 0/1 column per class), or `auto`: labels where the cells are class names, otherwise
    probabilities.
    Raises DataError for what cannot be read, PredictionsError for ids that are missing or unknown,
    ConfigError for an unknown kind and for labels where the metric wants probabilities.
    """
    data, task, classes = ground.experiment.data, ground.experiment.task, ground.index.classes
    table = read_data_table(path, data.model_copy(update={"columns": ()}))
    tell(table)
    _refuse_other_plan(path, ground)
    key = data.id if data.id in table.columns else table.columns[0]
    answers = [name for name in table.columns if name not in (key, _PART)]
    kind = _kind_of(table, answers, classes) if kind == "auto" else kind
    probs = pick(_READERS, kind, "kind of outside predictions (--add-kind)")(
        table, answers, task, classes
    )
    if kind == "labels" and ground.experiment.metric.wants == "probs":
        raise ConfigError(
            f"{path}: holds decisions, but the metric {ground.experiment.metric.name!r} wants "
            "probabilities"
        )
    ids, rows = _rows_by_part(table, key, ground)
    made = {}
    for part, places in rows.items():
        source = {
            "plan": ground.plan.fingerprint,
            "added": path.name,
            "part": part,
            "kind": kind,
            "sha256": checksums.digest_file(path),
            "path": f"{path} ({part})",
        }
        own = tuple(ids[row] for row in places)
        made[part] = Predictions(own, probs[places], classes, task.link.name, source)
    test = aligned(made[_TEST], ground.test.ids)
    oof = aligned(made[_VALID], ground.index.ids) if rows[_VALID] else None
    return Model(path.name, oof, (test,), root=ground.experiment.workspace.root)


def _refuse_other_plan(path: Path, ground: Ground) -> None:
    """PlanError for a table of `comp stack` of another plan: its rows were not out of these folds.

    Nothing is known of a table without a manifest, or that was changed since."""
    manifest = path.with_suffix(".json")
    if not manifest.is_file():
        return
    about = files.read_json(manifest)
    same = about.get("sha256") == checksums.digest_file(path)
    if same and about.get("plan") not in (None, ground.plan.fingerprint):
        raise PlanError(
            f"{path}: made with another fold plan ({str(about['plan'])[:8]}, now "
            f"{ground.plan.fingerprint[:8]}). Make it again with `comp stack`"
        )


def _kind_of(table: Table, answers: Sequence[str], classes: Sequence[str]) -> str:
    if len(answers) != 1:
        return "probs"
    cells = {cell.strip() for cell in table.values[answers[0]]}
    return "labels" if cells <= set(classes) else "probs"


def _rows_by_part(table: Table, key: str, ground: Ground) -> tuple[list[str], dict[str, list[int]]]:
    """The ids as the competition writes them, and the rows of the training and the test set."""
    train, test = _names(ground)
    parts = table.values.get(_PART)
    given = table.values[key]
    both = sorted(name for name in set(given) if train.find(name) and test.find(name))
    if parts is None and both:
        raise DataError(
            f"{table.path}: {len(both)} ids are in the training set and in the test set: "
            f"{first(both)}; add a column {_PART!r} that says {_VALID} or {_TEST}"
        )
    rows: dict[str, list[int]] = {_VALID: [], _TEST: []}
    ids = []
    for row, name in enumerate(given):
        part = parts[row].strip() if parts else (_VALID if train.find(name) else _TEST)
        if part not in rows:
            raise DataError(
                f"{table.path}: line {table.lines[row]}: {_PART} is {part!r}; it is {_VALID} or "
                f"{_TEST}"
            )
        rows[part].append(row)
        ids.append((train if part == _VALID else test).find(name) or name)
    return ids, rows


class _Names:
    """Ids of a set, as another program may write them: with or without the suffix of the file, as
    a path, as the number `1.0`."""

    def __init__(self, index: Index, listing: Listing) -> None:
        """index: the ids and their files, which the listing holds."""
        self.ids, self.listing = {*index.ids}, listing
        self.stems = _by(map(stem_of, index.ids), index.ids)
        self.files = _by(index.paths, index.ids)

    def find(self, name: str) -> str | None:
        """The id that a name means, or None."""
        if name in self.ids:
            return name
        known = self.stems.get(stem_of(name))
        if known is not None:
            return known
        files = self.listing.find(name)
        return self.files.get(files[0]) if len(files) == 1 else None


def _by(keys: Iterable[Any], ids: Sequence[str]) -> dict[Any, str | None]:
    """The id of each key; None for a key of several, of which none is meant."""
    out: dict[Any, str | None] = {}
    for key, name in zip(keys, ids, strict=True):
        out[key] = None if key in out else name
    return out


def _names(ground: Ground) -> tuple[_Names, _Names]:
    """The ids of the training and of the test set."""
    sets = ground.index, ground.test
    files = [tuple(sorted((path.as_posix(), path) for path in {*s.paths})) for s in sets]
    whole = Listing(Path(), (*files[0], *files[1]))
    listings = [Listing(Path(), own, whole=whole) for own in files]
    return _Names(sets[0], listings[0]), _Names(sets[1], listings[1])


def _read_probs(table: Table, answers: list[str], task: Task, classes: Sequence[str]) -> Array:
    """(N, C) float32 from the columns named like the classes, or from the one column there is."""
    width = task.columns(len(classes))
    names = list(classes[-width:])
    if width == 1 and len(answers) == 1:
        names = answers
    missing = [name for name in names if name not in answers]
    if missing:
        raise DataError(
            f"{table.path}: no column for the classes {first(missing)}; its columns are "
            f"{first(table.columns, 12)}.{did_you_mean(missing[0], answers)}"
        )
    out = np.empty((len(table), width), dtype=np.float32)
    complaints = []
    for place, name in enumerate(names):
        for row, cell in enumerate(table.values[name]):
            try:
                out[row, place] = float(cell)
            except ValueError:
                complaints.append(f"line {table.lines[row]}, {name}: {cell!r} is no number")
    complain(DataError, f"{table.path}: not numbers:", complaints)
    return out


def _read_logits(table: Table, answers: list[str], task: Task, classes: Sequence[str]) -> Array:
    import torch

    logits = torch.from_numpy(_read_probs(table, answers, task, classes))
    link = LINKS["softmax"] if task.ordered else task.link  # a column for each grade
    return np.asarray(link.probs(logits).numpy())


def _read_labels(table: Table, answers: list[str], task: Task, classes: Sequence[str]) -> Array:
    """Decisions as probabilities of 0 and 1."""
    width = task.columns(len(classes))
    if len(answers) != 1 or task.target_ndim == 2:
        found = _read_probs(table, answers, task, classes)
        wrong = ~np.isin(found, (0, 1)).all(axis=1)
        lines = [table.lines[row] for row in np.flatnonzero(wrong)]
        problems = [f"lines {first(lines)}: neither 0 nor 1"] if lines else []
        complain(DataError, f"{table.path}: not labels:", problems)
        return found
    place = {name: number for number, name in enumerate(classes)}
    cells = [cell.strip() for cell in table.values[answers[0]]]
    unknown = sorted({*cells} - {*place})
    problems = [f"no class: {first(unknown)}; the classes are {first(classes, 12)}"]
    complain(DataError, f"{table.path}: not labels:", problems if unknown else [])
    labels = np.array([place[cell] for cell in cells], dtype=np.int64)
    full = one_hot(labels, len(classes)).astype(np.float32)
    return full[:, -width:]


_READERS: dict[str, Callable[[Table, list[str], Task, Sequence[str]], Array]] = {
    "probs": _read_probs,
    "logits": _read_logits,
    "labels": _read_labels,
}


def gather(
    ground: Ground,
    runs: Sequence[str],
    added: Sequence[Path],
    combine: str | None,
    added_kind: str = "auto",
) -> list[Model]:
    """The models of an ensemble, runs first. Raises ConfigError where two have the same name."""
    experiments = [run_experiment(name, ground.experiment) for name in runs]
    if combine == "product":
        models = [product_model(ground, experiments)]
    else:
        models = [run_model(ground, experiment) for experiment in experiments]
    models += [added_model(ground, path, added_kind) for path in added]
    twice = repeated(model.name for model in models)
    if twice:
        raise ConfigError(f"two members are called {first(twice)}; give each one once")
    models.sort(key=lambda model: model.oof is None)  # judged ones first
    if models[0].oof is None:
        raise ConfigError("no member has out-of-fold rows: there is nothing to score or tune on")
    return models

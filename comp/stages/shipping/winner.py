"""`comp winner`: what Kaggle asks of winners: code, settings, models and a model summary."""

from __future__ import annotations

import csv
import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comp.bundles.contents import Bundle
from comp.bundles.model_card import OPEN_QUESTION, shown
from comp.bundles.targets.own_wheel import own_wheel
from comp.bundles.winner import Facts, directory_structure, requirements, winner_texts
from comp.bundles.zipped import files_below, write_zip
from comp.config.loading import dump_config
from comp.config.metric_file import is_file
from comp.config.schema import Config
from comp.config.workspace import RunDir
from comp.core import checksums, files, locks
from comp.core.errors import CompError, DamagedError, UsageError, first
from comp.data.layouts.layouts import sample_places, test_place
from comp.ensemble.weights import WEIGHERS
from comp.report.curves import plot_folds
from comp.stages.board import read_board
from comp.stages.ensembling.members import run_experiment
from comp.stages.experiment import Experiment
from comp.stages.shipping.bundle import Source, make_bundle, read_source
from comp.submission.names import base_name

FOLDER = "winners"  # below the workspace
_RECORD = ".archive.json"  # an archive has it: the digests of its texts
_EPOCH = re.compile(r"^fold .*  epoch .* (\d+\.\d) s$")


@dataclass(frozen=True)
class Archive:
    """An archive that was written.

    `zip`   the same as one file
    `open`  how many questions it leaves open
    """

    path: Path
    zip: Path
    open: int


def make_winner(name: str, root: Path = Path(), *, out: Path | None = None) -> Archive:
    """Write the archive of the ensemble behind a submission to winners/<name>, or to `out`, and as
    a zip beside it.

    Raises UsageError for no such submission or a folder that holds something else; what
    `comp bundle` raises.
    """
    source = read_source(name, root)
    folder = (root / FOLDER / source.name) if out is None else root / out
    _refuse_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with locks.writing(folder, name=".lock", keep=False):
        for path in folder.iterdir():
            if path.name not in (".lock", _RECORD):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        files.write_json(folder / _RECORD, {"texts": {}})
        made = make_bundle(name, root, out=(folder / "models/bundle").absolute()).bundle
        missing = _copy_inputs(source, made, folder)
        facts = _facts(source, made, root, missing)
        _draw(source, facts, folder / "figures/curves.png")
        (folder / "wheels").mkdir()
        wheel = own_wheel(folder / "wheels")
        data = Path(made.config.data.root)
        texts = winner_texts(facts, "./input" if data.is_absolute() else f"./{data.as_posix()}")
        texts["requirements.txt"] = requirements(wheel)
        (folder / "submissions").mkdir()
        texts["directory_structure.txt"] = directory_structure(folder)
        for file, text in texts.items():
            files.write_text(folder / file, text)
        digests = {file: checksums.digest_file(folder / file) for file in texts}
        files.write_json(folder / _RECORD, {"texts": digests})
        zipped = folder.with_name(f"{folder.absolute().name}.zip")
        found = files_below(folder)
        write_zip(zipped, {n: p for n, p in found.items() if n not in (".lock", _RECORD)})
    count = sum(text.count(OPEN_QUESTION) for text in texts.values())
    return Archive(folder, zipped, count)


def _refuse_folder(folder: Path) -> None:
    inside = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: a file is there; name a folder with --out")
    if inside and _RECORD not in inside and inside != [".lock"]:
        raise UsageError(f"{folder}: holds {first(inside, 3)}, no archive; name a new folder")
    known = files.read_json(folder / _RECORD, DamagedError)["texts"] if _RECORD in inside else {}
    edited = [
        name
        for name, digest in known.items()
        if (folder / name).is_file() and checksums.digest_file(folder / name) != digest
    ]
    if edited:
        raise UsageError(
            f"{folder}: {first(edited, 3)} edited since it was written; name a new folder with "
            "--out, or remove this one"
        )


def _copy_inputs(source: Source, bundle: Bundle, folder: Path) -> list[str]:
    """Copy configs, plan, plugins and files that the configs name; what is not there, as
    sentences."""
    paths, missing = source.experiment.workspace, list[str]()
    for path in (paths.plan_csv, paths.plan_json, paths.groups_csv, paths.skip_csv):
        if path.is_file():
            _copied(path, folder / "folds" / path.name)
    for run, config in bundle.configs.items():
        config, lacks = _with_weights(source.experiment, config, folder)
        missing += [*lacks, *_elsewhere(run, config)]
        files.write_text(folder / f"configs/runs/{run}.yaml", _written(config))
    config = bundle.config
    files.write_text(folder / "configs/ensemble.yaml", _written(config))
    if config.ensemble.weights not in WEIGHERS:
        _copied(source.experiment.path(config.ensemble.weights), folder / config.ensemble.weights)
    for name in config.plugins:
        _copied(bundle.folder / name, folder / name)
    for name in {name for one in [config, *bundle.configs.values()] for name in _named(one)}:
        _copied(source.experiment.path(name), folder / name)
    written = source.experiment.workspace.root / "submissions" / str(source.record["file"])
    if written.is_file():
        _copied(written, folder / "expected" / written.name)
    return missing


def _named(config: Config) -> list[str]:
    """The files of the workspace that a config names and training reads: metric, boxes."""
    metric = [config.metric] if is_file(config.metric) else []
    return metric + ([config.data.boxes] if config.data.boxes else [])


def _written(config: Config) -> str:
    """The config of a stranger, who has no answers to the test images."""
    data = config.data.model_copy(update={"test_answers": None})
    return dump_config(config.model_copy(update={"data": data}))


def _copied(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


def _elsewhere(run: str, config: Config) -> list[str]:
    """What a run learned from beside the competition's data, which the archive has not."""
    found = [f"{shown(extra.root)}, of `data.extra`" for extra in config.data.extra]
    if config.train.pseudo is not None:
        found.append(f"`pseudo/{config.train.pseudo.name}/`, of `comp pseudo`")
    if config.train.teacher is not None:
        found.append(f"`runs/{config.train.teacher.run}/`, the teacher")
    return [f"{shown(run)} is trained with {what}; put it beside this file" for what in found]


def _with_weights(experiment: Experiment, config: Config, folder: Path) -> tuple[Config, list[str]]:
    """The config with the file of its weights inside the archive, and what is missing."""
    weights = config.model.weights
    if weights is None:
        return config, []
    path = experiment.path(weights)
    place = f"weights/{path.name}"
    model = config.model.model_copy(update={"weights": place})
    if not path.is_file():
        return config.model_copy(update={"model": model}), [f"put {path.name} into `weights/`"]
    _copied(path, folder / place)
    return config.model_copy(update={"model": model}), []


def _facts(source: Source, bundle: Bundle, root: Path, missing: Sequence[str]) -> Facts:
    runs = {run: _run_folders(source, run) for run in bundle.runs}
    entries = {(e.kind, e.name): e for group in read_board(root) for e in group.entries}
    entry = entries.get(("submission", base_name(Path(str(source.record["file"])))))
    private = float("nan") if entry is None else entry.private
    singles = {run: entries["run", run].honest for run in runs if ("run", run) in entries}
    return Facts(
        bundle=bundle,
        folds={run: [*folders] for run, folders in runs.items()},
        seconds={run: _seconds([*folders.values()]) for run, folders in runs.items()},
        machines=_machines([one for folders in runs.values() for one in folders.values()]),
        images=test_place(bundle.config.data),
        samples=sample_places(bundle.config.data) if bundle.sample.path is not None else (),
        partial=bool(source.record.get("missing_folds")),
        missing=missing,
        private=None if math.isnan(private) else private,
        submission=str(source.record["file"]),
        refits=_refits(source),
        singles={run: value for run, value in singles.items() if not math.isnan(value)},
    )


def _run_folders(source: Source, run: str) -> dict[int, RunDir]:
    """The folds of a run that are in the submission."""
    paths = run_experiment(run, source.experiment).workspace
    own = [member for member in source.members if member["model"] == run]
    found = {int(member["fold"]) for member in own if member.get("refit") is None}
    return {fold: paths.fold(fold) for fold in sorted(found)}


def _refits(source: Source) -> dict[str, int]:
    """run -> how many of its networks were trained on all images."""
    named = [str(m["model"]) for m in source.members if m.get("refit") is not None]
    return {run: named.count(run) for run in dict.fromkeys(named)}


def _seconds(folders: Sequence[RunDir]) -> float | None:
    """How long the epochs of these folds took together, as their logs say."""
    total = 0.0
    for run in folders:
        text = run.log.read_text(encoding="utf-8") if run.log.is_file() else ""
        found = [match[1] for line in text.splitlines() if (match := _EPOCH.match(line.strip()))]
        if not found:
            return None
        total += sum(map(float, found))
    return total


def _machines(folders: Sequence[RunDir]) -> list[str]:
    """On what the folds were trained: device and system, each once."""
    found: dict[str, None] = {}
    for run in folders:
        try:
            known: list[dict[str, Any]] = files.read_json(run.sessions, CompError)["sessions"]
        except (CompError, KeyError):
            continue
        for one in known:
            found[f"{one.get('device', '')}; {one.get('platform', '')}"] = None
    return [*found]


def _draw(source: Source, facts: Facts, path: Path) -> None:
    """The loss and the score by epoch of every fold, where its history is there."""
    curves: dict[str, list[dict[str, float]]] = {}
    for run in facts.folds:
        for fold, folder in _run_folders(source, run).items():
            if folder.history.is_file():
                with folder.history.open(encoding="utf-8", newline="") as file:
                    curves[f"{run} {fold}"] = [_numbers(row) for row in csv.DictReader(file)]
    path.parent.mkdir(parents=True, exist_ok=True)
    plot_folds(curves, facts.bundle.metric.name, path)


def _numbers(row: Mapping[str, str]) -> dict[str, float]:
    return {name: float(value or "nan") for name, value in row.items()}

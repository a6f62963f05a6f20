"""`comp bundle`: the ensemble behind a submission as one folder that answers new images."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.bundles.contents import (
    CARD,
    CONFIG,
    KIND,
    MANIFEST,
    VERSION,
    Bundle,
    SampleForm,
    plain_array,
    read_bundle,
)
from comp.bundles.model_card import model_card
from comp.bundles.sample_form import keep_sample
from comp.bundles.weights import halved, save_weights, weights_of
from comp.bundles.zipped import zip_bundle
from comp.config.loading import dump_config, make_config
from comp.core import checksums, files, locks
from comp.core.errors import ConfigError, RunError, UsageError, first
from comp.core.progress import say
from comp.core.provenance import git_commit, versions
from comp.data.index.index import Index
from comp.data.layouts.layouts import sample_path
from comp.ensemble.blend import make_blend
from comp.ensemble.compare import without_nan
from comp.ensemble.evidence import Fit
from comp.ensemble.votes import VOTES
from comp.stages import submission
from comp.stages.bags import refuse_bags
from comp.stages.ensembling.members import Ground, run_experiment
from comp.stages.experiment import (
    Experiment,
    open_experiment,
    read_plan,
    read_test_images,
    read_train,
)
from comp.stages.shipping.half import Halved, judge_half
from comp.stages.shipping.reduce import Reduced, pruned, reductions
from comp.submission.names import base_name
from comp.train.checkpoints import checkpoint

FOLDER = "bundles"  # below the workspace


@dataclass(frozen=True)
class Bundled:
    """A bundle that was written.

    `bytes`  of all its files; `half`: what fp16 weights change, None where they were not asked for
    `zip`    the same as one file, None where it was not asked for
    """

    path: Path
    bundle: Bundle
    bytes: int
    half: Halved | None
    zip: Path | None = None


@dataclass(frozen=True)
class Source:
    """What a submission says of itself, with the experiment that it was made by."""

    name: str
    record: Mapping[str, Any]
    experiment: Experiment

    @property
    def members(self) -> list[dict[str, Any]]:
        """A record per network."""
        found: list[dict[str, Any]] = self.record["blend"]["members"]
        return found

    @property
    def runs(self) -> list[str]:
        """The runs, in the order of their members."""
        return list(dict.fromkeys(str(member["model"]) for member in self.members))


@dataclass(frozen=True)
class Voting:
    """How the members vote: `weights` one per member, `rule` as of a blend, what it scores.

    `fit`  the same per run
    """

    vote: str
    weigher: str
    weights: tuple[float, ...]
    rule: Any
    scores: dict[str, float | None]
    note: str
    fit: Fit


def make_bundle(
    name: str,
    root: Path = Path(),
    *,
    out: Path | None = None,
    half: bool = False,
    prune: bool = False,
    zipped: bool = False,
) -> Bundled:
    """Write the ensemble behind a submission to bundles/<name>, or to `out`.

    half: as fp16, if the out-of-fold score stays; prune: without the runs that it does not need;
    zipped: also as one file, <folder>.zip.
    Raises UsageError for no such submission, ConfigError for members that cannot answer new images,
    RunError for a checkpoint that is not the one that the submission was made by.
    """
    source = read_source(name, root)
    folder = (root / FOLDER / source.name) if out is None else root / out
    _refuse_folder(folder)
    ground = _ground(source.experiment)
    found = _reduced(source, ground, prune)
    voting = _voting(source, found[0] if found and found[0].runs != tuple(source.runs) else None)
    runs = found[0].runs if found else tuple(source.runs)
    compared = judge_half(ground, runs, VOTES[voting.vote], voting.fit) if half else None
    if compared is not None:
        _tell_half(compared, source.experiment.metric.name)
    folder.mkdir(parents=True, exist_ok=True)
    with locks.writing(folder, name=".lock", keep=False):
        edited = _edited_card(folder)
        files.remove(folder / MANIFEST)
        small = compared is not None and compared.stays
        manifest = _write(source, ground, folder, voting, runs, small)
        manifest["steps"] = _steps(found, runs, voting)
        manifest["half"] = None if compared is None else vars(compared)
        files.write_json(folder / MANIFEST, manifest)
        if not edited:
            text = model_card(read_bundle(folder))
            files.write_text(folder / CARD, text)
            digest = checksums.digest_file(folder / CARD)
            files.write_json(folder / MANIFEST, {**manifest, "card": digest})
    made = read_bundle(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    packed = zip_bundle(made) if zipped else None
    return Bundled(folder, made, size, compared, packed)


def read_source(name: str, root: Path) -> Source:
    """A submission of `comp ensemble` whose members can answer new images."""
    record, whole = submission.explain(name, root)
    shown = base_name(Path(str(record.get("file", name))))
    if not whole:
        say(f"warning: submissions/{shown}: changed since it was written; its manifest is bundled")
    config = make_config(dict(record["config"]), f"the manifest of {shown}")
    source = Source(shown, record, open_experiment(config, root))
    if config.ensemble.combine is not None:
        raise ConfigError(
            "ensemble.combine: a product of runs with classes of their own cannot be bundled yet; "
            "train one run on the joint classes"
        )
    outside = [m["run"] for m in source.members if "checkpoint_sha256" not in m]
    if outside:
        raise ConfigError(
            f"{shown}: {first(outside)} are tables of outside predictions, which say nothing of "
            "new images. Make a submission of runs alone: `comp ensemble` without --add"
        )
    probes = [run for run in source.runs if _run(source, run).config.model.probe is not None]
    if probes:
        raise ConfigError(
            f"{shown}: the probes {first(probes)} cannot be bundled yet; fine-tune a network"
        )
    several = [run for run in source.runs if _run(source, run).config.data.files]
    if several:
        raise ConfigError(
            f"{shown}: {first(several)} read the files of an image by data.files, and a bundle "
            "answers one file each. Write the channels of an image into one file (.npy, TIFF)"
        )
    boxed = [run for run in source.runs if _run(source, run).config.data.boxes is not None]
    if boxed:
        raise ConfigError(
            f"{shown}: {first(boxed)} need the table data.boxes, which says nothing of new images. "
            "Train on whole images, or with image.crop, which finds the part by itself"
        )
    return source


def _run(source: Source, run: str) -> Experiment:
    return run_experiment(run, source.experiment)


def _refuse_folder(folder: Path) -> None:
    """UsageError for a folder that holds something else."""
    inside = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: a file is there; name a folder with --out")
    known = {MANIFEST, CONFIG, "members", "runs", "plugins", "sample.csv", ".lock", CARD}
    other = [name for name in inside if name not in known]
    if other:
        raise UsageError(f"{folder}: holds {first(other, 3)}, no bundle; name a new folder")


def _edited_card(folder: Path) -> bool:
    """Whether the card of an earlier bundle was edited: then it stays, and that is said."""
    if not (folder / CARD).is_file() or not (folder / MANIFEST).is_file():
        return (folder / CARD).is_file()
    known = files.read_json(folder / MANIFEST, RunError).get("card")
    edited = checksums.digest_file(folder / CARD) != known
    if edited:
        say(f"{folder / CARD}: was edited, so it stays; remove it for a new one")
    return edited


def _ground(experiment: Experiment) -> Ground:
    refuse_bags(experiment.config, "comp bundle")
    index = read_train(experiment)
    test = read_test_images(experiment, index.classes)
    return Ground(experiment, index, test, read_plan(experiment, index))


def _reduced(source: Source, ground: Ground, prune: bool) -> list[Reduced]:
    """The ensemble that is bundled, then each time with one run less; empty for a single run."""
    if len(source.runs) < 2:
        if prune:
            say("--prune: there is one run, and its folds are not compared out of fold: all stay")
        return []
    found = reductions(ground, source.runs)
    return found[found.index(pruned(found, ground)) :] if prune else found


def _voting(source: Source, chosen: Reduced | None) -> Voting:
    """The vote of the submission, or what was fitted for fewer runs."""
    blend, vote = source.record["blend"], VOTES[source.record["blend"]["vote"]]
    per_member = not vote.gives_probs and not source.experiment.task.spatial
    if chosen is not None:
        row = chosen.row
        names = [_names(source, run) for run in chosen.runs]
        made = make_blend(row, names, source.experiment.metric)
        return Voting(
            vote.name, row.weigher, made.weights, made.rule, without_nan(row.scores), made.note,
            row.fit,
        )  # fmt: skip
    owners = [str(member["model"]) for member in source.members]
    weights = np.array([
        sum(w for w, owner in zip(blend["weights"], owners, strict=True) if owner == run)
        for run in source.runs
    ])  # fmt: skip
    rule = np.asarray(blend["rule"], dtype=np.float64)
    own = rule[[owners.index(run) for run in source.runs]] if per_member else rule
    return Voting(
        vote.name, blend["weigher"], tuple(blend["weights"]), rule, blend["scores"],
        str(blend["note"]), Fit(weights, own, per_member=per_member),
    )  # fmt: skip


def _names(source: Source, run: str) -> list[str]:
    return [str(member["run"]) for member in source.members if member["model"] == run]


def _tell_half(found: Halved, metric: str) -> None:
    text = (
        f"fp16 weights: {found.changed} of {found.of} out-of-fold images are decided otherwise, "
        f"{metric} {found.before:.4f} -> {found.after:.4f}"
    )
    say(text if found.stays else f"{text}. The score does not stay, so the weights stay fp32")


def _write(
    source: Source,
    ground: Ground,
    folder: Path,
    voting: Voting,
    runs: Sequence[str],
    half: bool,
) -> dict[str, Any]:
    """Write everything but the manifest, which is given back."""
    experiment, index = source.experiment, ground.index
    for name in ("members", "runs", "plugins"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("members", "runs"):
        (folder / name).mkdir()
    listed = [record for record in source.members if record["model"] in runs]
    members: list[dict[str, Any]] = []
    written: list[str] = []
    for record, weight in zip(listed, voting.weights, strict=True):
        file = f"members/{len(members):03d}.safetensors"
        members.append({**_member(source, record, folder / file, half), "weight": weight})
        members[-1]["file"] = file
        written.append(file)
    configs = {run: f"runs/{run}.yaml" for run in runs}
    for run, file in configs.items():
        files.write_text(folder / file, dump_config(_run(source, run).config))
    files.write_text(folder / CONFIG, dump_config(experiment.config))
    written += [CONFIG, *configs.values(), *_plugins(experiment, folder)]
    sample = _sample(experiment, ground.test, folder)
    written += [] if sample is None else ["sample.csv"]
    shift = source.record.get("prior")
    return {
        "kind": KIND,
        "version": VERSION,
        "name": source.name,
        "task": experiment.task.name,
        "metric": experiment.metric.name,
        "classes": list(index.classes),
        "codes": list(index.codes or index.classes),
        "plan": source.record["plan"],
        "index": source.record["index"],
        "submission": source.record.get("sha256"),
        "runs": configs,
        "members": members,
        "vote": voting.vote,
        "weigher": voting.weigher,
        "rule": plain_array(voting.rule),
        "scores": voting.scores,
        "note": voting.note,
        "shift": None if shift is None else _shift(experiment, index, shift),
        "prior": plain_array(_prior(experiment, index)),
        "sample": sample,
        "coco_numbers": submission.coco_numbers(experiment.data),
        "expected_shares": source.record.get("expected_shares"),
        "covered": source.record["covered"],
        "of": source.record["of"],
        "versions": versions(),
        "commit": git_commit(experiment.workspace.root),
        "made_with": source.record["versions"],
        "files": {name: checksums.digest_file(folder / name) for name in written},
    }


def _member(source: Source, record: Mapping[str, Any], path: Path, half: bool) -> dict[str, Any]:
    """Write the weights of a member; what the manifest says of it."""
    member = _run(source, str(record["model"]))
    workspace = member.workspace
    refit, fold = record.get("refit"), int(record["fold"])
    run = workspace.fold(fold) if refit is None else workspace.refit(int(refit))
    file = run.path / str(record["checkpoint"])
    saved = checkpoint.load(file)
    if checksums.digest_file(file) != record["checkpoint_sha256"]:
        raise RunError(
            f"{file}: not the checkpoint that submissions/{source.name} was made by; it was "
            "trained further. Make the submission again with `comp ensemble`"
        )
    weights = weights_of(saved, member.config.model.lora_scale)
    save_weights(path, halved(weights) if half else weights)
    return {
        "run": record["model"],
        "fold": record["fold"],
        "tta": record["tta"],
        "mean": list(map(float, saved["mean"])),
        "std": list(map(float, saved["std"])),
        "span": saved.get("range"),
        "facts": {k: record[k] for k in ("checkpoint", "checkpoint_sha256")},
    }


def _plugins(experiment: Experiment, folder: Path) -> list[str]:
    """Copy the plugin files of a config to the places that it names; these places."""
    for name in experiment.config.plugins:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ConfigError(f"plugins: {name}: lies outside the workspace; move it into it")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(experiment.path(name), folder / name)
    return list(experiment.config.plugins)


def _sample(experiment: Experiment, test: Index, folder: Path) -> dict[str, Any] | None:
    known = {*test.ids}
    form: SampleForm = keep_sample(
        sample_path(experiment.data),
        experiment.data,
        known.__contains__,
        folder,
        spatial=experiment.task.spatial,
    )
    if form.path is None:
        return None
    return {"block": [list(pair) for pair in form.block], "suffix": form.suffix}


def _prior(experiment: Experiment, index: Index) -> Any:
    """(C,) what stands for the probabilities of an image that cannot be read: the shares of the
    classes in the training set, the mean of its numbers, or no mask."""
    task = experiment.task
    columns = task.columns(len(index.classes))
    if task.spatial:
        return np.eye(1, columns)[0] if task.link.normalized else np.zeros(columns)
    if index.measured:
        return np.nanmean(index.labels, axis=0)
    shares = index.cells.sum(axis=0) / np.maximum(len(index) - index.unknown, 1)
    return shares[-columns:]


def _shift(experiment: Experiment, index: Index, after: Mapping[str, float]) -> dict[str, Any]:
    """The shift of the class prior that the submission was made with, frozen."""
    before = np.bincount(index.labels, minlength=len(index.classes)) / len(index)
    return {
        "before": plain_array(before),
        "after": [after[name] for name in index.classes],
        "estimated": experiment.config.ensemble.prior == "auto",
    }


def _steps(found: Sequence[Reduced], runs: Sequence[str], voting: Voting) -> list[dict[str, Any]]:
    """What is bundled, then what is left when runs are left out."""
    fit = voting.fit
    whole = {
        "runs": list(runs),
        "weights": plain_array(fit.weights),
        "rule": plain_array(fit.rule),
        "per_member": fit.per_member,
        "honest": voting.scores["honest"],
    }
    return [
        whole,
        *(
            {
                "runs": list(one.runs),
                "weights": plain_array(one.row.fit.weights),
                "rule": plain_array(one.row.fit.rule),
                "per_member": one.row.fit.per_member,
                "honest": without_nan(one.row.scores)["honest"],
            }
            for one in found[1:]
        ),
    ]

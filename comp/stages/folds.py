"""`comp folds make | show | import | export`."""

from __future__ import annotations

from dataclasses import replace as but
from pathlib import Path

import numpy as np

from comp.config.workspace import Workspace
from comp.core import files
from comp.core.errors import ConfigError, PlanError, UsageError, first
from comp.core.progress import say
from comp.data.folds.balance import Balance
from comp.data.folds.external_folds import column_folds, read_splits, splits_text
from comp.data.folds.leaks import refuse_leaks, warn_of_proposals
from comp.data.folds.make import extend_plan, given_plan, make_plan
from comp.data.folds.plan import FoldPlan, balance
from comp.data.folds.plan_file import load_plan, save_plan
from comp.data.folds.skipped import Skipped, read_skipped, write_skipped
from comp.data.index.image_files import stem_of
from comp.data.index.index import Index
from comp.data.layouts.layouts import read_index, read_test
from comp.stages.experiment import (
    Experiment,
    in_test,
    read_found,
    read_plan,
    read_train,
    stage_before,
    uncut,
)

Made = tuple[FoldPlan, Balance, bool]


def make_folds(experiment: Experiment, *, replace: bool = False, allow_leak: bool = False) -> Made:
    """Write the fold plan of the experiment; the plan, its balance, and whether it was written.

    The folds are those of the column `data.fold` where the config names one. False: the same plan
    was there already, or one that this one was extended to or imported as.
    Raises PlanError for another one without `replace`; and unless `allow_leak` for one that divides
    copies found by `comp check`, and for test images in the training set.
    """
    index = read_train(uncut(experiment))
    kept = None if replace else _kept(experiment, index)
    if kept is not None:
        give_stage_plan(experiment, kept, replace=replace)
        return kept, balance(kept, index), False
    if experiment.config.data.fold is not None:
        plan = _of_column(experiment, index)
    else:
        plan = make_plan(index, experiment.config.folds, experiment.config.seed)
    return _write(experiment, index, plan, replace=replace, allow_leak=allow_leak)


def repeat_folds(
    experiment: Experiment, times: int, *, replace: bool = False, allow_leak: bool = False
) -> list[str]:
    """Write the plans `<name>_r1`, `<name>_r2`, ... of the seeds that follow; their names.

    Each is what `comp folds make --set name=<name>_r1 --set seed=<seed + 1>` makes.
    """
    names = []
    for number in range(1, times):
        name = f"{experiment.workspace.plan or experiment.name}_r{number}"
        config = experiment.config.model_copy(update={"seed": experiment.config.seed + number})
        other = but(experiment, config=config, workspace=Workspace(name, experiment.workspace.root))
        _share_findings(experiment.workspace, other.workspace)
        make_folds(other, replace=replace, allow_leak=allow_leak)
        names.append(name)
    return names


def _share_findings(base: Workspace, other: Workspace) -> None:
    """Give a repeat the groups that were accepted, the images set aside, and what was found."""
    for part in ("groups_csv", "skip_csv", "check_json"):
        path = getattr(base, part)
        if path.is_file():
            files.write_text(getattr(other, part), path.read_text(encoding="utf-8"))


def extend_folds(experiment: Experiment, *, allow_leak: bool = False) -> Made:
    """Give ids that are new in the data a fold; the others keep theirs.

    Raises PlanError with a diff of the rows that were edited, and where nothing is new.
    """
    index = read_train(uncut(experiment))
    paths = experiment.workspace
    old = load_plan(paths.plan_csv, paths.plan_json)
    plan = extend_plan(old, index)
    for what, ids in (("new", old.added(index)), ("gone", old.gone(index))):
        if ids:
            say(f"{len(ids)} ids are {what}")
    plan = but(plan, leak=old.leak)
    return _write(experiment, index, plan, replace=True, allow_leak=allow_leak)


def import_folds(
    experiment: Experiment, path: Path, *, replace: bool = False, allow_leak: bool = False
) -> Made:
    """Write the plan that nnU-Net's `splits_final.json` says.

    Raises PlanError where it is of other data, ConfigError for another number of folds than the
    config's.
    """
    index = read_train(uncut(experiment))
    fold, count = read_splits(path, index)
    _refuse_count(experiment, count, str(path))
    plan = given_plan(index, fold, count, "imported", experiment.config.seed)
    return _write(experiment, index, plan, replace=replace, allow_leak=allow_leak)


def export_folds(experiment: Experiment, path: Path) -> FoldPlan:
    """Write the plan on the disk as nnU-Net's `splits_final.json`."""
    plan = read_plan(experiment, read_train(uncut(experiment)))
    if path.suffix != ".json":
        raise UsageError(f"--out {path}: nnU-Net reads a .json, called splits_final.json")
    files.write_text(path, splits_text(plan))
    return plan


def show_folds(experiment: Experiment, picture: Path | None = None) -> tuple[FoldPlan, Balance]:
    """The plan on the disk, checked, and its balance; drawn as a PNG where `picture` says."""
    index = read_train(uncut(experiment))
    plan = read_plan(experiment, index)
    made = balance(plan, index)
    if picture is not None:
        from comp.report.balance_picture import draw_balance

        draw_balance(plan, made, picture)
    return plan, made


def _write(
    experiment: Experiment, index: Index, plan: FoldPlan, *, replace: bool, allow_leak: bool
) -> Made:
    paths = experiment.workspace
    found = read_found(experiment, index)
    plan = refuse_leaks(plan, found.copies, in_test(experiment, index), allow=allow_leak)
    plan = warn_of_proposals(plan, found.proposals)
    files.sweep(paths.plan_csv.parent)
    files.refuse_twin(paths.plan_csv)
    written = save_plan(plan, index, paths.plan_csv, paths.plan_json, replace=replace)
    give_stage_plan(experiment, plan, replace=replace)
    return plan, balance(plan, index), written


def give_stage_plan(experiment: Experiment, plan: FoldPlan, *, replace: bool = False) -> None:
    """Write the plan of the stage before (`stages`), where there is one: the folds of this plan.

    Raises PlanError where it has other images, or another plan and not `replace`.
    """
    before = stage_before(experiment)
    if before is None:
        return
    _set_aside(experiment, before)
    index, paths = read_train(before), before.workspace
    fold = {stem_of(name): int(k) for name, k in zip(plan.ids, plan.fold, strict=True)}
    own = {stem_of(name) for name in index.ids}
    for odd, where in ((own - {*fold}, "the plan"), ({*fold} - own, f"stage {before.name}")):
        if odd:
            raise PlanError(
                f"stages: {len(odd)} images are not in {where}: {first(sorted(odd))}. Both stages "
                "need the same images, so that each is cropped by a network that did not see it"
            )
    given = np.array([fold[stem_of(name)] for name in index.ids])
    made = given_plan(index, given, plan.count, "imported", plan.seed)
    if save_plan(made, index, paths.plan_csv, paths.plan_json, replace=replace):
        say(f"wrote {paths.plan_csv}: the same folds for stage {before.name}")


def _set_aside(experiment: Experiment, before: Experiment) -> None:
    """What `comp check --bad skip` set aside is set aside in the stage before too."""
    skipped = read_skipped(experiment.workspace.skip_csv)
    if not (skipped.train or skipped.test):
        return
    train = read_index(before.data, before.task)
    test = read_test(before.data, before.task, train.classes)
    parts = [
        {name: why[stem_of(name)] for name in index.ids if stem_of(name) in why}
        for index, found in ((train, skipped.train), (test, skipped.test))
        for why in [{stem_of(name): text for name, text in found.items()}]
    ]
    write_skipped(before.workspace.skip_csv, Skipped(*parts))


def _kept(experiment: Experiment, index: Index) -> FoldPlan | None:
    """The plan on the disk when it is more than `make` would make of this index: an extended or
    imported one."""
    try:
        plan = read_plan(experiment, index)
    except (PlanError, ConfigError):
        return None
    grown = plan.extended > 0 or plan.scheme == "imported"
    return plan if grown and plan.seed == experiment.config.seed else None


def _of_column(experiment: Experiment, index: Index) -> FoldPlan:
    fold, values = column_folds(experiment.data, index)
    column = f"data.fold: the column {experiment.config.data.fold!r}"
    _refuse_count(experiment, len(values), column)
    if values != tuple(map(str, range(len(values)))):
        pairs = ", ".join(f"{value!r} is fold {k}" for k, value in enumerate(values))
        say(f"{column}: {pairs}")
    return given_plan(index, fold, len(values), "column", experiment.config.seed)


def _refuse_count(experiment: Experiment, count: int, where: str) -> None:
    wanted = experiment.config.folds.parts
    if count == wanted:
        return
    mend = f"set folds.count to {count}"
    if count == 1:
        mend = "set folds.holdout to the share of its one validation part"
    raise ConfigError(f"{where} has {count} folds, the config asks for {wanted}; {mend}")

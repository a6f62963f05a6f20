"""`comp folds make` and `comp folds show`."""

from __future__ import annotations

from comp import files
from comp.data.folds import Balance, FoldPlan, balance, make_plan, save_plan
from comp.stages.experiment import Experiment, read_plan, read_train


def make_folds(experiment: Experiment, *, replace: bool) -> tuple[FoldPlan, Balance, bool]:
    """Write the fold plan of the experiment; the plan, its balance, and whether it was written.

    False: the same plan was there already. Raises PlanError for another one without `replace`.
    """
    index = read_train(experiment)
    plan = make_plan(index, experiment.config.folds, experiment.config.seed)
    paths = experiment.workspace
    files.sweep(paths.plan_csv.parent)
    written = save_plan(plan, index, paths.plan_csv, paths.plan_json, replace=replace)
    return plan, balance(plan, index), written


def show_folds(experiment: Experiment) -> tuple[FoldPlan, Balance]:
    """The plan on the disk, checked, and its balance."""
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    return plan, balance(plan, index)

"""The results of the stages, as tables on stdout, or as JSON for a script."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from comp.core.progress import say

if TYPE_CHECKING:
    from comp.data.folds.balance import Balance
    from comp.data.folds.plan import FoldPlan
    from comp.stages.pack import Packed
    from comp.stages.sweep import Sweep
    from comp.stages.train import Trained

MANY_CLASSES = 40
MANY_LEAKS = 5


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_plan(plan: FoldPlan, balance: Balance, *, as_json: bool) -> None:
    """Rows, classes and groups of each fold, and the warnings of the planner."""
    if as_json:
        _print_json(
            {
                "scheme": plan.scheme,
                "seed": plan.seed,
                "count": plan.count,
                "fingerprint": plan.fingerprint,
                "balance": balance.plain(),
                "warnings": list(plan.warnings),
                "leak": list(plan.leak),
                "extended": plan.extended,
            }
        )
        return
    print(f"{len(plan.ids)} images, {plan.count} folds, {plan.scheme}, seed {plan.seed}")
    table = Table()
    table.add_column("fold")
    for fold in range(plan.count):
        table.add_column(str(fold), justify="right")
    table.add_row("images", *map(str, balance.rows.tolist()))
    if balance.groups is not None:
        table.add_row("groups", *map(str, balance.groups.tolist()))
    table.add_section()
    for name, counts in list(balance.classes.items())[:MANY_CLASSES]:
        table.add_row(name, *map(str, counts.tolist()))
    Console().print(table)
    if len(balance.classes) > MANY_CLASSES:
        print(f"... and {len(balance.classes) - MANY_CLASSES} more classes (--json has all)")
    print(_evenness(plan, balance))
    for warning in plan.warnings:
        say(f"warning: {warning}")
    for leak in plan.leak[:MANY_LEAKS]:
        say(f"warning: leaks, as --allow-leak said: {leak}")
    if len(plan.leak) > MANY_LEAKS:
        say(f"warning: and {len(plan.leak) - MANY_LEAKS} more leaks (--json has all)")


def _evenness(plan: FoldPlan, balance: Balance) -> str:
    """How far apart the folds are, and which ids are in none of them."""
    apart = {name: int(counts.max() - counts.min()) for name, counts in balance.classes.items()}
    worst = max(apart, key=lambda name: apart[name])
    sizes = int(balance.rows.max() - balance.rows.min())
    told = f"sizes within {sizes}, classes within {apart[worst]}"
    told += f" ({worst})" if apart[worst] > 1 else ""
    rest = len(plan.ids) - int(balance.rows.sum())
    if plan.count == 1:
        return f"{balance.rows[0]} images are validated on, {rest} are only trained on"
    return told + (f"; {rest} images are only trained on" if rest else "")


def print_packed(packs: list[Packed], *, as_json: bool) -> None:
    """Where the packed images are, and how large."""
    if as_json:
        _print_json([{**vars(each), "folder": str(each.folder or "")} for each in packs])
        return
    table = Table()
    for name in ("part", "images", "MB", "seconds", "where"):
        table.add_column(name, overflow="fold")
    for each in packs:
        size = f"{each.bytes / 1e6:,.1f}"
        where = str(each.folder or "nowhere: image.pack is none")
        table.add_row(each.part, str(each.images), size, f"{each.seconds:.1f}", where)
    Console().print(table)


def print_trained(trained: list[Trained], metric: str, *, as_json: bool) -> None:
    """The best epoch of each fold."""
    if as_json:
        _print_json(
            [{"fold": fold.fold, "before": fold.before, **fold.manifest} for fold in trained]
        )
        return
    print("best epochs, by the validation part of each fold")
    table = Table()
    for name in ("fold", metric, "valid loss", "epoch", "of"):
        table.add_column(name, justify="right")
    for fold in trained:
        best = fold.manifest["best"]
        score = best[metric]
        table.add_row(
            str(fold.fold),
            "undefined" if score is None else f"{score:.4f}",
            f"{best['valid_loss']:.4f}",
            str(best["epoch"] + 1),
            str(fold.manifest["epochs"]),
        )
    Console().print(table)


def print_sweep(result: Sweep) -> None:
    """The runs of a sweep, best first."""
    keys = list(dict.fromkeys(key for run in result.runs for key in run.settings))
    table = Table()
    for name in (*keys, result.metric, "valid loss", "run"):
        table.add_column(name, justify="right", overflow="fold")
    for run in result.runs:
        missing = "failed" if run.note else "undefined"  # why is in the log and in the table's file
        score = missing if run.score is None else f"{run.score:.4f}"
        loss = "" if run.loss is None else f"{run.loss:.4f}"
        table.add_row(*(str(run.settings.get(key, "")) for key in keys), score, loss, run.name)
    Console().print(table)

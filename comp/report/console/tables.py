"""What `comp folds`, `pack`, `train`, `pseudo`, `embed` and `sweep` print."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from comp.core.progress import say
from comp.core.terminal import tell
from comp.report.console.printing import MANY_CLASSES, print_json, print_table

if TYPE_CHECKING:
    from comp.data.folds.balance import Balance
    from comp.data.folds.plan import FoldPlan
    from comp.stages.extras.pseudo import Pseudo
    from comp.stages.features.embed import Embedded
    from comp.stages.pack import Packed
    from comp.stages.search.sweep import Sweep
    from comp.stages.train import Trained

MANY_LEAKS = 5


def print_plan(plan: FoldPlan, balance: Balance, *, as_json: bool) -> None:
    """Rows, classes and groups of each fold, and the warnings of the planner."""
    if as_json:
        print_json(
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
    tell(f"{len(plan.ids)} images, {plan.count} folds, {plan.scheme}, seed {plan.seed}")
    rows = [["images", *map(str, balance.rows.tolist())]]
    if balance.groups is not None:
        rows.append(["groups", *map(str, balance.groups.tolist())])
    for name, counts in list(balance.classes.items())[:MANY_CLASSES]:
        rows.append([name, *map(str, counts.tolist())])
    print_table(("fold", *map(str, range(plan.count))), rows)
    if len(balance.classes) > MANY_CLASSES:
        tell(f"... and {len(balance.classes) - MANY_CLASSES} more classes (--json has all)")
    tell(_evenness(plan, balance))
    for warning in plan.warnings:
        say(f"warning: {warning}")
    for leak in plan.leak[:MANY_LEAKS]:
        say(f"warning: leakage, accepted with --allow-leak: {leak}")
    if len(plan.leak) > MANY_LEAKS:
        say(f"warning: and {len(plan.leak) - MANY_LEAKS} more leaks (--json has all)")


def _evenness(plan: FoldPlan, balance: Balance) -> str:
    """How far apart the folds are, and which ids are in none of them."""
    apart = {name: int(counts.max() - counts.min()) for name, counts in balance.classes.items()}
    worst = max(apart, key=lambda name: apart[name])
    sizes = int(balance.rows.max() - balance.rows.min())
    text = f"sizes within {sizes}, classes within {apart[worst]}"
    text += f" ({worst})" if apart[worst] > 1 else ""
    rest = len(plan.ids) - int(balance.rows.sum())
    if plan.count == 1:
        return f"{balance.rows[0]} images are validated on, {rest} are only trained on"
    return text + (f"; {rest} images are only trained on" if rest else "")


def print_embedded(made: list[Embedded], *, as_json: bool) -> None:
    """Part, view, images, features, size and time of each file of features."""
    if as_json:
        print_json({"features": [{**vars(one), "file": str(one.file)} for one in made]})
        return
    rows = [
        [
            *(one.part, one.view, str(one.images), str(one.columns)),
            *(f"{one.bytes / 1e6:.1f}", f"{one.seconds:.1f}", str(one.file)),
        ]
        for one in made
    ]
    print_table(("part", "view", "images", "features", "MB", "s", "file"), rows)


def print_packed(packs: list[Packed], *, as_json: bool) -> None:
    """Where the packed images are, and how large."""
    if as_json:
        print_json([{**vars(each), "folder": str(each.folder or "")} for each in packs])
        return
    rows = []
    for each in packs:
        size = f"{each.bytes / 1e6:,.1f}"
        where = str(each.folder or "nowhere: image.pack is none")
        rows.append([each.part, str(each.images), size, f"{each.seconds:.1f}", where])
    print_table(("part", "images", "MB", "seconds", "where"), rows, notes=1)


def print_trained(trained: list[Trained], metric: str, *, as_json: bool) -> None:
    """The best epoch of each fold."""
    if as_json:
        print_json([_plain_trained(fold, number) for number, fold in enumerate(trained)])
        return
    if trained and all(_is_refit(fold) for fold in trained):
        epochs = trained[0].manifest["epochs"]
        tell(f"{len(trained)} refits of all images for {epochs} epochs: not validated")
        return
    tell("best epochs, by the validation part of each fold")
    rows = []
    for fold in trained:
        best = fold.manifest["best"]
        found, least = best.get(metric), best.get("valid_loss")
        score = "undefined" if found is None else f"{found:.4f}"
        loss = "" if least is None else f"{least:.4f}"
        of = fold.manifest["epochs"]
        epochs = str(best.get("epoch", of - 1) + 1), str(of)
        rows.append([str(fold.fold), score, loss, *epochs])
    print_table(("fold", metric, "valid loss", "epoch", "of"), rows, text=0)


def _is_refit(fold: Trained) -> bool:
    return fold.manifest.get("validated") is False


def _plain_trained(fold: Trained, number: int) -> dict[str, Any]:
    """A fold with its number; a refit has one of its own, `refit_<n>/`, and belongs to no fold."""
    if not _is_refit(fold):
        return {"fold": fold.fold, "before": fold.before, **fold.manifest}
    rest = {key: value for key, value in fold.manifest.items() if key != "fold"}
    return {"refit": number, "before": fold.before, **rest}


def print_sweep(result: Sweep) -> None:
    """The runs of a sweep, best first."""
    keys = list(dict.fromkeys(key for run in result.runs for key in run.settings))
    rows = []
    for run in result.runs:
        missing = "failed" if run.note else "undefined"  # why is in the log and in the table's file
        score = missing if run.score is None else f"{run.score:.4f}"
        loss = "" if run.loss is None else f"{run.loss:.4f}"
        rows.append([*(str(run.settings.get(key, "")) for key in keys), score, loss, run.name])
    print_table((*keys, result.metric, "valid loss", "run"), rows, text=len(keys), notes=1)


def print_pseudo(made: Pseudo, *, as_json: bool) -> None:
    """What each fold may learn from: images, how sure they are, and how many of each class."""
    if as_json:
        print_json({**asdict(made), "path": str(made.path)})
        return
    classes = made.classes if len(made.classes) <= MANY_CLASSES else ()
    heads = ("fold", "images", "kept", "confidence", "copies out", *classes)
    rows = [
        [
            *(str(fold.fold), str(fold.images), str(fold.kept)),
            "" if math.isnan(fold.confidence) else f"{fold.confidence:.3f}",
            str(fold.copies),
            *(map(str, fold.classes) if classes else ()),
        ]
        for fold in made.folds
    ]
    print_table(heads, rows)

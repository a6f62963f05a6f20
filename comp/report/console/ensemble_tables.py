"""What `comp ensemble`, `comp labels` and the choice of views print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comp.core.progress import say
from comp.core.terminal import tell
from comp.report.console.printing import MANY_CLASSES, Cell, bold, print_json, print_table

if TYPE_CHECKING:
    from comp.ensemble.compare import BlendRow
    from comp.ensemble.tta_choice import ViewChoice
    from comp.stages.ensembling.result import Ensembled
    from comp.stages.ensembling.stack import Stack
    from comp.stages.labels import LabelIssues

_SHOWN = 20


def print_ensemble(result: Ensembled, *, as_json: bool) -> None:
    """The scores side by side: raw, tuned, honest, and the true one where it is known."""
    if as_json:
        print_json(_plain(result))
        return
    blend, scores = result.blend, result.blend.scores
    count = f"{len(blend.members)} member{'s' if blend.members[1:] else ''}"
    fits = f"{count}, {blend.vote.name} vote, {blend.weigher} weights"
    tell(f"{result.metric}, {fits}")
    if len(result.table) > 1:
        _print_rows(result)
    rows: list[list[Cell]] = [["out of fold, raw", f"{scores.raw:.4f}", "nothing tuned"]]
    if scores.tuned != scores.raw:
        rows.append(["out of fold, tuned", f"{scores.tuned:.4f}", "tuned on itself: optimistic"])
    interval = f"95 % interval {scores.low:.4f} to {scores.high:.4f}{_coverage(result)}"
    rows.append(["out of fold, honest", bold(f"{scores.honest:.4f}"), interval])
    rows += [[f"  {n}", f"{v:.4f}", "honest, this task"] for n, v in result.by_task.items()]
    if result.as_test is not None:
        text = "weighted like the test images (comp check)"
        rows.append(["out of fold, as the test looks", f"{result.as_test:.4f}", text])
    if result.true_score is not None:
        rows.append(["test, true", bold(f"{result.true_score:.4f}"), "from test_answers"])
    print_table(("score", "value", "what it is"), rows, notes=1)
    _print_notes(result)
    _print_shares(result)


def _plain(result: Ensembled) -> dict[str, Any]:
    return {
        "submission": str(result.path),
        "true_score": result.true_score,
        **({"by_task": dict(result.by_task)} if result.by_task else {}),
        "honest_as_test": result.as_test,
        **result.blend.record(),
        "covered": result.covered,
        "of": result.of,
        "table": [
            {
                "vote": row.vote.name,
                "weigher": row.weigher,
                "weights": row.fit.weights.tolist(),
                **vars(row.scores),
            }
            for row in result.table
        ],
        "recommended": {"vote": result.best.vote.name, "weights": result.best.weigher},
        "warnings": list(result.warnings),
    }


def _coverage(result: Ensembled) -> str:
    if result.covered == result.of:
        return ""
    return f"; PARTIAL: on {result.covered} of {result.of} images only"


def _print_rows(result: Ensembled) -> None:
    """Every vote with every kind of weights."""
    names = [model.name for model in result.models if model.oof is not None]
    tell(f"members with out-of-fold predictions: {', '.join(names)}")
    used = (result.blend.vote.name, result.blend.weigher)
    heads = ("vote", "weights", "raw", "tuned", "honest", "95 %", "fitted weights")
    rows = [_candidate(row, best=row is result.best) for row in result.table]
    places = [k for k, r in enumerate(result.table) if (r.vote.name, r.weigher) == used]
    print_table(heads, rows, text=2, notes=1, bold_rows=places)
    tell("* the best honest score; bold: what is written. Rows within the interval are ties, and")
    tell("  the best of many rows is slightly optimistic.")


def _candidate(row: BlendRow, *, best: bool) -> list[Cell]:
    scores = row.scores
    honest = f"{scores.honest:.4f} *" if best else f"{scores.honest:.4f}"
    return [
        row.vote.name,
        row.weigher,
        f"{scores.raw:.4f}",
        f"{scores.tuned:.4f}",
        bold(honest) if best else honest,
        f"{scores.low:.3f}-{scores.high:.3f}",
        _weights(row.fit.weights.tolist()),
    ]


def _weights(values: list[float]) -> str:
    if len(values) > 6:
        used = sum(value > 0 for value in values)
        return f"{used} of {len(values)} used"
    return " ".join(f"{value:.2f}".removeprefix("0") for value in values)


def _print_notes(result: Ensembled) -> None:
    if result.blend.note:
        say(f"note: {result.blend.note}")
    if len([model for model in result.models if model.oof is not None]) == 1:
        say(
            "note: out of fold each image has one model, so votes and weights cannot be "
            "compared; add runs with --runs"
        )
    best = result.best
    if (best.vote.name, best.weigher) != (result.blend.vote.name, result.blend.weigher):
        say(f"recommended: --vote {best.vote.name} --weights {best.weigher}")
    for model in result.models:
        if model.missing:
            say(f"PARTIAL: {model.name}: without fold {', '.join(map(str, model.missing))}")
    if result.prior is not None:
        names, how = result.shares, "estimated" if result.prior.estimated else "given"
        shares = zip(names, result.prior.after.tolist(), strict=True)
        balance = ", ".join(f"{name} {share:.1%}" for name, share in list(shares)[:12])
        say(f"note: class prior of the test set, {how}: {balance}; the scores are for this prior")
    for warning in result.warnings:
        say(f"warning: {warning}")


def _print_shares(result: Ensembled) -> None:
    if not 0 < len(result.shares) <= MANY_CLASSES:
        return
    tell(f"classes in the {result.rows} answers")
    rows = [[name, f"{train:.1%}", f"{test:.1%}"] for name, (train, test) in result.shares.items()]
    print_table(("class", "in training", "in the answers"), rows)


def print_stack(made: Stack, *, as_json: bool) -> None:
    """The honest score of each kind of second level, and of the best blend of the same runs."""
    if as_json:
        rows = {name: vars(row.scores) for name, row in made.rows.items()}
        blend = {"vote": made.blend.vote.name, "weights": made.blend.weigher}
        print_json(
            {
                "table": str(made.path),
                "kind": made.kind,
                "kinds": rows,
                "strengths": made.strengths,
                "blend": {**blend, **vars(made.blend.scores)},
                "gains": made.gains,
            }
        )
        return
    named = {f"stack, {name}": row for name, row in made.rows.items()}
    named[f"best blend: {made.blend.vote.name}, {made.blend.weigher}"] = made.blend
    cells: list[list[Cell]] = []
    for name, row in named.items():
        s = row.scores
        scores = (f"{s.raw:.4f}", f"{s.tuned:.4f}", f"{s.honest:.4f}", f"{s.low:.3f}-{s.high:.3f}")
        cells.append([name, *scores])
    print_table((made.metric, "raw", "tuned", "honest", "95 %"), cells)
    if made.gains:
        tell("the second level gains beyond the interval: add it")
    else:
        tell("the second level gains no more than chance may: the blend alone is the safer answer")


def print_issues(found: LabelIssues, *, as_json: bool) -> None:
    """The labels that are most likely wrong."""
    if as_json:
        issues = [{k: v for k, v in vars(issue).items() if k != "row"} for issue in found.issues]
        print_json({"rows": found.rows, "issues": issues})
        return
    sure = sum(one.sure for one in found.issues)
    count = f"{len(found.issues)} labels of {found.rows} rows may be wrong"
    tell(f"{count}, {sure} of them with confidence:")
    tell(found.sure)
    rows = [
        [one.id, one.label, one.given, one.likely, "yes" if one.sure else "", f"{one.margin:+.3f}"]
        for one in found.issues[:_SHOWN]
    ]
    print_table(("id", "column", "label", "likely", "confident", "margin"), rows, text=5)


def print_views(choice: ViewChoice, metric: str) -> None:
    """What each view of test-time augmentation is worth out of fold, and which were chosen."""
    tell(f"{metric} out of fold, by view; the image as it is: {choice.plain_score:.4f}")
    heads = ("view", "alone", "with the image", "gain", f"folds better, of {choice.folds}")
    rows = [
        [
            row.view,
            f"{row.alone:.4f}",
            f"{row.merged:.4f}",
            f"{row.merged - choice.plain_score:+.4f}",
            str(row.gained),
        ]
        for row in choice.rows
    ]
    print_table(heads, rows)
    raw, honest = f"{choice.raw:.4f}", f"{choice.honest:.4f}"
    tell(f"chosen: {choice.chosen} ({raw} as chosen (optimistic), {honest} chosen on other folds)")

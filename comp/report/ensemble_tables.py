"""The results of the ensembler as tables on stdout, or as JSON for a script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from comp.core.progress import say

if TYPE_CHECKING:
    from comp.ensemble.tta_choice import Judged
    from comp.stages.ensembling.result import Ensembled
    from comp.stages.labels import LabelIssues
    from comp.submission.diff import Diff

MANY_CLASSES = 40
_SHOWN = 20


def print_json(value: Any) -> None:
    """Any plain value as indented JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_ensemble(result: Ensembled, *, as_json: bool) -> None:
    """The scores side by side: raw, tuned, honest, and the true one where it is known."""
    if as_json:
        print_json(_plain(result))
        return
    blend, scores = result.blend, result.blend.scores
    count = f"{len(blend.members)} member{'s' if blend.members[1:] else ''}"
    fits = f"{count}, {blend.vote.name} vote, {blend.weigher} weights"
    print(f"{result.metric}, {fits}")
    if len(result.table) > 1:
        _print_rows(result)
    table = Table()
    table.add_column("score")
    table.add_column("value", justify="right")
    table.add_column("what it is", overflow="fold")
    table.add_row("out of fold, raw", f"{scores.raw:.4f}", "no threshold or offset tuned")
    if scores.tuned != scores.raw:
        table.add_row("out of fold, tuned", f"{scores.tuned:.4f}", "tuned on itself: flattering")
    interval = f"95 % interval {scores.low:.4f} to {scores.high:.4f}{_coverage(result)}"
    table.add_row("out of fold, honest", f"[bold]{scores.honest:.4f}[/bold]", interval)
    if result.true_score is not None:
        table.add_row("test, true", f"[bold]{result.true_score:.4f}[/bold]", "from test_answers")
    Console().print(table)
    _print_notes(result)
    _print_shares(result)


def _plain(result: Ensembled) -> dict[str, Any]:
    return {
        "submission": str(result.path),
        "true_score": result.true_score,
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
    print(f"members judged: {', '.join(names)}")
    table = Table()
    for name in ("vote", "weights"):
        table.add_column(name)
    for name in ("raw", "tuned", "honest", "95 %", "fitted weights"):
        table.add_column(name, justify="right", no_wrap=name != "fitted weights")
    used = (result.blend.vote.name, result.blend.weigher)
    for row in result.table:
        best = row is result.best
        mark = " *" if best else ""
        honest = f"{row.scores.honest:.4f}{mark}"
        table.add_row(
            row.vote.name,
            row.weigher,
            f"{row.scores.raw:.4f}",
            f"{row.scores.tuned:.4f}",
            f"[bold]{honest}[/bold]" if best else honest,
            f"{row.scores.low:.3f}-{row.scores.high:.3f}",
            _weights(row.fit.weights.tolist()),
            style="bold" if (row.vote.name, row.weigher) == used else None,
        )
    Console().print(table)
    print("* the best honest score; bold: what is written. Rows within the interval are ties, and")
    print("  the best of many rows is a little flattered.")


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
            "note: out of fold each image has one model, so votes and weights cannot be told "
            "apart; add runs with --runs"
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
        told = ", ".join(f"{name} {share:.1%}" for name, share in list(shares)[:12])
        say(f"note: balance of the test set, {how}: {told}; the scores are for this balance")
    for warning in result.warnings:
        say(f"warning: {warning}")


def _print_shares(result: Ensembled) -> None:
    if len(result.shares) > MANY_CLASSES:
        return
    print(f"classes in the {result.rows} answers")
    table = Table()
    for name in ("class", "in training", "in the answers"):
        table.add_column(name, justify="right")
    for name, (train, test) in result.shares.items():
        table.add_row(name, f"{train:.1%}", f"{test:.1%}")
    Console().print(table)


def print_diff(diff: Diff, *, as_json: bool) -> None:
    """How many rows differ: from which label to which, by how much, or by Dice per class."""
    if as_json:
        print_json(_plain_diff(diff))
        return
    rows = "images with a mask" if diff.classes else "rows"
    share = len(diff.ids) / max(1, diff.rows)
    print(f"{len(diff.ids)} of {diff.rows} {rows} differ ({share:.1%})")
    changes = [[c, a[:40], b[:40], str(n)] for (c, a, b), n in diff.changes.items()]
    _print_table(("column", "from", "to", "rows"), changes[:MANY_CLASSES], text=3)
    heads = ("class", "in both", "changed", "only in the first", "only in the second", "Dice")
    classes = [
        [name, *map(str, (one.both, one.changed, one.first, one.second)), f"{one.dice:.4f}"]
        for name, one in diff.classes.items()
    ]
    _print_table(heads, classes[:MANY_CLASSES])
    for name, (mean, largest) in list(diff.numbers.items())[:MANY_CLASSES]:
        print(f"{name}: mean difference {mean:.4g}, largest {largest:.4g}")
    if diff.ids:
        more = f" and {len(diff.ids) - _SHOWN} more" if len(diff.ids) > _SHOWN else ""
        dice = {name: f" (Dice {value:.3f})" for name, value in diff.dice.items()}
        shown = [f"{name}{dice.get(name, '')}" for name in diff.ids[:_SHOWN]]
        print(f"{'lowest Dice' if dice else 'rows'}: {', '.join(shown)}{more}")


def _plain_diff(diff: Diff) -> dict[str, Any]:
    if diff.classes:
        classes = {name: asdict(one) for name, one in diff.classes.items()}
        return {"images": diff.rows, "by_class": classes, "dice": diff.dice}
    changes = [
        {"column": c, "from": a, "to": b, "rows": n} for (c, a, b), n in diff.changes.items()
    ]
    numbers = {name: {"mean": m, "largest": x} for name, (m, x) in diff.numbers.items()}
    return {"rows": diff.rows, "ids": list(diff.ids), "changes": changes, "numbers": numbers}


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], text: int = 1) -> None:
    """A table whose first `text` columns are text and the others numbers; nothing without rows."""
    if not rows:
        return
    table = Table()
    for place, name in enumerate(heads):
        table.add_column(name, justify="left" if place < text else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def print_explained(manifest: dict[str, Any], *, whole: bool, as_json: bool) -> None:
    """What a submission was made of and what it scores."""
    if as_json:
        print_json({**manifest, "file_unchanged": whole})
        return
    blend, scores = manifest["blend"], manifest["blend"]["scores"]
    print(f"{manifest['file']}: {manifest['rows']} rows, sha256 {manifest['sha256'][:16]}")
    if not whole:
        say("warning: the file is not the one that was written: missing, or changed since")
    print(f"task {manifest['task']}, metric {manifest['metric']}, plan {manifest['plan'][:16]}")
    weigher = blend["weigher"]
    rule = _rule(blend["rule"], masks="by_class" in manifest)
    print(f"{blend['vote']} vote, {weigher} weights, rule {rule}")
    shown = {name: "undefined" if v is None else f"{v:.4f}" for name, v in scores.items()}
    print(
        f"raw {shown['raw']}, tuned {shown['tuned']} (flattering), honest {shown['honest']}, "
        f"95 % interval {shown['low']} to {shown['high']}, on {manifest['covered']} of "
        f"{manifest['of']} training images"
    )
    table = Table()
    for name in ("member", "weight", "fold", "checkpoint", "sha256", "tta"):
        table.add_column(name)
    for member, weight in zip(blend["members"], blend["weights"], strict=True):
        table.add_row(*_member(member, f"{weight:.4f}"))
        for part in member.get("tests", ()):  # of a product
            table.add_row(*_member(part, ""))
    Console().print(table)
    for name in ("note",):
        if blend[name]:
            print(f"{name}: {blend[name]}")
    if manifest.get("prior"):
        told = ", ".join(f"{name} {share:.1%}" for name, share in manifest["prior"].items())
        print(f"balance of the test set: {told}")
    for name, folds in manifest.get("missing_folds", {}).items():
        print(f"partial: {name} without fold {', '.join(map(str, folds))}")
    print(", ".join(f"{name} {version}" for name, version in manifest["versions"].items()))
    print(f"commit {manifest['commit'] or 'unknown: not in a git repository'}")


def _member(member: dict[str, Any], weight: str) -> tuple[str, ...]:
    digest = str(member.get("checkpoint_sha256") or member.get("sha256") or "")
    cells = [str(member.get(key, "")) for key in ("fold", "checkpoint")]
    return str(member.get("run", "")), weight, *cells, digest[:12], str(member.get("tta", ""))


def _rule(rule: list[Any], *, masks: bool = False) -> str:
    if rule and isinstance(rule[0], list) and masks:
        cells = ["/".join(f"{value:g}" for value in (round(t, 3), *rest)) for t, *rest in rule]
        return f"(threshold/smallest region/least pixels) {', '.join(cells)}"
    if rule and isinstance(rule[0], list):
        return f"one for each of {len(rule)} members"
    text = " ".join(f"{value:.3g}" for value in rule[:10])
    return text + (f" ... ({len(rule)})" if len(rule) > 10 else "")


def print_issues(found: LabelIssues, *, as_json: bool) -> None:
    """The most doubted labels."""
    if as_json:
        issues = [{k: v for k, v in vars(issue).items() if k != "row"} for issue in found.issues]
        print_json({"rows": found.rows, "issues": issues})
        return
    sure = sum(doubt.sure for doubt in found.issues)
    print(
        f"{len(found.issues)} labels of {found.rows} rows are doubted, {sure} of them confidently: "
        "as surely as rows of the other class are"
    )
    table = Table()
    for name in ("id", "column", "label", "likely", "confident"):
        table.add_column(name)
    table.add_column("margin", justify="right")
    for doubt in found.issues[:_SHOWN]:
        cells = (doubt.id, doubt.label, doubt.given, doubt.likely, "yes" if doubt.sure else "")
        table.add_row(*cells, f"{doubt.margin:+.3f}")
    if found.issues:
        Console().print(table)


def print_views(judged: Judged, metric: str) -> None:
    """What each view of test-time augmentation is worth out of fold, and which were chosen."""
    print(f"{metric} out of fold, by view; the image as it is: {judged.plain_score:.4f}")
    table = Table()
    table.add_column("view")
    for name in ("alone", "with the image", "gain", f"folds better, of {judged.folds}"):
        table.add_column(name, justify="right")
    for row in judged.rows:
        gain = row.merged - judged.plain_score
        cells = (f"{row.alone:.4f}", f"{row.merged:.4f}", f"{gain:+.4f}", str(row.gained))
        table.add_row(row.view, *cells)
    Console().print(table)
    told = f"{judged.raw:.4f} as chosen (flattering), {judged.honest:.4f} chosen on other folds"
    print(f"chosen: {judged.chosen} ({told})")

"""What `comp submission diff`, `comp explain` and `comp answer` print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from comp.core.progress import say
from comp.core.terminal import tell
from comp.report.console.printing import MANY_CLASSES, print_json, print_table, shortened

if TYPE_CHECKING:
    from comp.stages.shipping.answer import Answered
    from comp.stages.shipping.ship import Shipped
    from comp.submission.diff import Diff


def print_diff(diff: Diff, *, as_json: bool) -> None:
    """How many rows differ: from which label to which, by how much, or by Dice per class."""
    if as_json:
        print_json(_plain_diff(diff))
        return
    rows = "images with a mask" if diff.classes else "rows"
    share = len(diff.ids) / max(1, diff.rows)
    tell(f"{len(diff.ids)} of {diff.rows} {rows} differ ({share:.1%})")
    changes = [[c, a[:40], b[:40], str(n)] for (c, a, b), n in diff.changes.items()]
    print_table(("column", "from", "to", "rows"), changes[:MANY_CLASSES], text=3)
    heads = ("class", "in both", "changed", "only in the first", "only in the second", "Dice")
    classes = [
        [name, *map(str, (one.both, one.changed, one.first, one.second)), f"{one.dice:.4f}"]
        for name, one in diff.classes.items()
    ]
    print_table(heads, classes[:MANY_CLASSES])
    for name, (mean, largest) in list(diff.numbers.items())[:MANY_CLASSES]:
        tell(f"{name}: mean difference {mean:.4g}, largest {largest:.4g}")
    if diff.ids:
        dice = {name: f" (Dice {value:.3f})" for name, value in diff.dice.items()}
        names = [f"{name}{dice.get(name, '')}" for name in diff.ids]
        tell(f"{'lowest Dice' if dice else 'rows'}: {shortened(names)}")


def _plain_diff(diff: Diff) -> dict[str, Any]:
    """The keys of 0.1.0: `unlike` counts changed masks, and has the Dice of images that differ."""
    if diff.classes:
        classes = {name: asdict(one) for name, one in diff.classes.items()}
        for one in classes.values():
            one["unlike"] = one.pop("changed")
        return {"images": diff.rows, "by_class": classes, "unlike": diff.dice}
    changes = [
        {"column": c, "from": a, "to": b, "rows": n} for (c, a, b), n in diff.changes.items()
    ]
    numbers = {name: {"mean": m, "largest": x} for name, (m, x) in diff.numbers.items()}
    return {"rows": diff.rows, "ids": list(diff.ids), "changes": changes, "numbers": numbers}


def print_explained(manifest: dict[str, Any], *, whole: bool, as_json: bool) -> None:
    """What a submission was made of and what it scores."""
    if as_json:
        print_json({**manifest, "file_unchanged": whole})
        return
    blend, scores = manifest["blend"], manifest["blend"]["scores"]
    tell(f"{manifest['file']}: {manifest['rows']} rows, sha256 {manifest['sha256'][:16]}")
    if not whole:
        say("warning: the file is missing, or was changed after it was written")
    tell(f"task {manifest['task']}, metric {manifest['metric']}, plan {manifest['plan'][:16]}")
    weigher = blend["weigher"]
    rule = _rule(blend["rule"], list(manifest.get("by_class", ())))
    tell(f"{blend['vote']} vote, {weigher} weights, rule {rule}")
    shown = {name: "undefined" if v is None else f"{v:.4f}" for name, v in scores.items()}
    tell(
        f"raw {shown['raw']}, tuned {shown['tuned']} (optimistic), honest {shown['honest']}, "
        f"95 % interval {shown['low']} to {shown['high']}, on {manifest['covered']} of "
        f"{manifest['of']} training images"
    )
    rows = []
    for member, weight in zip(blend["members"], blend["weights"], strict=True):
        rows.append(_member(member, f"{weight:.4f}"))
        rows += [_member(part, "") for part in member.get("tests", ())]  # of a product
    print_table(("member", "weight", "fold", "checkpoint", "sha256", "tta"), rows, notes=3)
    if blend["note"]:
        tell(f"note: {blend['note']}")
    if manifest.get("prior"):
        prior = ", ".join(f"{name} {share:.1%}" for name, share in manifest["prior"].items())
        tell(f"class prior of the test set: {prior}")
    for name, folds in manifest.get("missing_folds", {}).items():
        tell(f"partial: {name} without fold {', '.join(map(str, folds))}")
    tell(", ".join(f"{name} {version}" for name, version in manifest["versions"].items()))
    tell(f"commit {manifest['commit'] or 'unknown: not in a git repository'}")


def _member(member: dict[str, Any], weight: str) -> tuple[str, ...]:
    digest = str(member.get("checkpoint_sha256") or member.get("sha256") or "")
    cells = [str(member.get(key, "")) for key in ("fold", "checkpoint")]
    if "refit" in member:
        cells[0] = "not validated"
    return str(member.get("run", "")), weight, *cells, digest[:12], str(member.get("tta", ""))


def _rule(rule: list[Any], classes: Sequence[str]) -> str:
    """The values of a rule; classes: whose values its rows are, where it has a row per class."""
    if classes:
        cells = ["/".join(f"{value:g}" for value in (round(t, 3), *rest)) for t, *rest in rule]
        values = ", ".join(f"{name}: {cell}" for name, cell in zip(classes, cells, strict=True))
        return f"{values} (threshold/smallest region/fewest pixels)"
    if rule and isinstance(rule[0], list):
        return f"one for each of {len(rule)} members"
    text = " ".join(f"{value:.3g}" for value in rule[:10])
    return text + (f" ... ({len(rule)})" if len(rule) > 10 else "")


def print_answered(made: Answered, *, as_json: bool) -> None:
    """What a bundle answered, what it left out, and what to look at."""
    if as_json:
        print_json({**asdict(made), "path": str(made.path)})
        return
    rate = made.images / max(made.seconds, 1e-9)
    tell(
        f"{made.path}: {made.rows} rows for {made.images} images by {made.members} networks in "
        f"{made.seconds:.0f} s ({rate:.1f} images/s)"
    )
    for what in made.dropped:
        tell(f"dropped: {what}")
    for warning in made.warnings:
        say(f"warning: {warning}")


def print_shipped(made: Shipped, *, as_json: bool) -> None:
    """Where a shipment lies, how its trial went, and how it is sent."""
    if as_json:
        print_json(
            json.loads(json.dumps(asdict(made), default=str))  # paths as text
        )
        return
    tell(f"{made.path}: for {made.target}, {made.bytes / 1e6:.1f} MB")
    if made.tried is not None:
        tried = made.tried
        tell(
            f"tried: {tried.images} images in {tried.seconds:.0f} s, {tried.path} passes the check"
            + ("; the bytes of the submission that the bundle was made from" if tried.same else "")
        )
    for line in made.next:
        say(f"next: {line}")

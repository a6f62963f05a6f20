"""MODEL_CARD.md of a bundle: what it was made from, what to expect of it, and whose it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from comp.bundles.contents import Bundle
from comp.bundles.targets.packages import OWN, needs_of
from comp.config.rules import broken_rules
from comp.config.schema import Config
from comp.models.licences import OPEN, package_licence
from comp.models.origin import Origin, origin_of

OPEN_QUESTION = "**TODO**"


def model_card(bundle: Bundle) -> str:
    """Markdown. What the bundle cannot know is marked with TODO. Names of classes, files and runs
    are shown as they are, never as markup."""
    parts = [
        f"# {shown(bundle.manifest['name'])}",
        "",
        f"Made by comp {bundle.manifest['versions'].get('comp', '')}. "
        f"What nobody but you can say is marked with {OPEN_QUESTION}.",
        *_task(bundle),
        *score_lines(bundle),
        *training_lines(bundle),
        *origin_lines(bundle.configs),
        *_rules(bundle.configs),
        *package_lines(),
        "",
        "## Use and limits",
        "",
        "It answers images like those that it was trained on. An image that cannot be read gets "
        "the class prior.",
        "",
        f"{OPEN_QUESTION}: what it is for, on which images it was seen to fail, and who answers "
        "for it.",
    ]
    return "\n".join([*parts, ""])


def shown(text: object) -> str:
    """A name as a span of code that ends where the name ends, on one line."""
    name = " ".join(str(text).split()) or " "
    longest = max((len(run) for run in _runs(name)), default=0)
    fence = "`" * (longest + 1)
    edge = " " if name.startswith("`") or name.endswith("`") else ""
    return f"{fence}{edge}{name}{edge}{fence}"


def _runs(text: str) -> list[str]:
    return [run for run in "".join(c if c == "`" else " " for c in text).split() if run]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table; a bar in a cell is written so that it stays in it."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows
    ]


def _task(bundle: Bundle) -> list[str]:
    known = bundle.manifest
    classes = ", ".join(shown(name) for name in bundle.classes[:40])
    more = f", and {len(bundle.classes) - 40} more" if len(bundle.classes) > 40 else ""
    return [
        "",
        "## Task",
        "",
        f"- {bundle.task.name}, scored by {bundle.metric.name}",
        f"- {len(bundle.classes)} classes: {classes}{more}" if classes else "- numbers",
        f"- trained on {known['of']} images; the out-of-fold score covers {known['covered']}",
    ]


def score_lines(bundle: Bundle) -> list[str]:
    found = {
        n: "undefined" if v is None else f"{v:.4f}" for n, v in bundle.manifest["scores"].items()
    }
    return [
        "",
        "## Scores to expect",
        "",
        f"{bundle.metric.name}, out of fold: **{found['honest']} honest** (95 % interval "
        f"{found['low']} to {found['high']}); {found['raw']} without a tuned rule, "
        f"{found['tuned']} tuned and measured on the same images, which is optimistic.",
    ]


def training_lines(bundle: Bundle) -> list[str]:
    rows = []
    for run, config in bundle.configs.items():
        own = [member for member in bundle.members if member.run == run]
        name = config.model.name + (f" on {config.model.encoder}" if config.model.encoder else "")
        weight = sum(member.weight for member in own)
        rows.append([shown(run), shown(name), f"{len(own)}", f"{config.image.size}",
                     f"{config.train.epochs}", shown(own[0].tta), f"{weight:.3f}"])  # fmt: skip
    head = ("run", "network", "networks (folds)", "image size", "epochs", "TTA", "weight")
    folds = bundle.config.folds
    return [
        "",
        "## Training",
        "",
        *table(head, rows),
        "",
        f"{bundle.vote} vote, {bundle.manifest['weigher']} weights; {folds.count} folds "
        f"({folds.scheme}), seed {bundle.config.seed}, plan {str(bundle.plan)[:16]}.",
    ]


def origins(configs: Mapping[str, Config]) -> dict[str, Origin | None]:
    """run -> where its weights come from."""
    return {run: origin_of(config.model) for run, config in configs.items()}


def origin_lines(configs: Mapping[str, Config]) -> list[str]:
    lines = ["", "## Pretrained weights and other data", ""]
    known = origins(configs)
    rows = [
        [shown(run), shown(one.weights), shown(one.source), one.licence, one.kind]
        for run, one in known.items()
        if one is not None
    ]
    scratch = [run for run, one in known.items() if one is None]
    if rows:
        lines += table(("run", "weights", "from", "licence", "what it allows"), rows)
    if scratch:
        lines += [f"From scratch, without other data: {', '.join(map(shown, scratch))}."]
    doubts = [row[1] for row in rows if row[4] != OPEN]
    if doubts:
        lines += ["", f"{OPEN_QUESTION}: may {', '.join(doubts)} be used for what you do? "
                  "The licence is not known to be an open one."]  # fmt: skip
    extras = sorted({extra.root for config in configs.values() for extra in config.data.extra})
    other = f"; `comp` trained on {', '.join(map(shown, extras))} too" if extras else ""
    lines += ["", f"{OPEN_QUESTION}: data from elsewhere, with their licences; `comp` knows of "
              f"none but the weights above{other}."]  # fmt: skip
    return lines


def _rules(configs: Mapping[str, Config]) -> list[str]:
    rules = next(iter(configs.values())).rules
    broken = sorted({line for config in configs.values() for line in broken_rules(config)})
    words = [f"{name} {'allowed' if value else 'not allowed'}" for name, value in rules]
    lines = ["", "## Rules of the competition", "", f"As the config has them: {', '.join(words)}."]
    return lines + [f"- broken: {' '.join(line.split())}" for line in broken]


def package_lines() -> list[str]:
    rows: list[list[Any]] = []
    for name in sorted({need.name for need in needs_of(OWN)}, key=str.lower):
        try:
            rows.append([name, metadata.version(name), package_licence(name)])
        except metadata.PackageNotFoundError:
            continue
    return ["", "## Packages", "", *table(("package", "version", "licence"), rows)]

"""`init`, `check`, `make_folds`, `read_plan`, `pack`, `embed`: before any training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comp.api.steady import ConfigLike, as_config, as_folder, open_experiment, steady
from comp.config.loading import load_config as read_config
from comp.config.plain_yaml import assign
from comp.config.schema import Config

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from comp.data.folds.balance import Balance
    from comp.data.folds.plan import FoldPlan
    from comp.stages.check import Checked
    from comp.stages.experiment import Experiment


def load_config(
    config: ConfigLike | None = None, sets: Sequence[str] = (), *, workspace: str | Path = ""
) -> Config:
    """The validated config in a YAML file or in plain values.

    config: a path, a mapping, or None for the digits sample that is installed with `comp`; sets:
    values to lay over it, as `"train.lr=1e-3"`; workspace: the folder that the path is below.
    Raises ConfigError with every unknown key, wrong type and impossible value.
    """
    from comp.config.loading import installed_config, make_config, plain

    root = as_folder(workspace)
    if config is None or isinstance(config, (str, Path)):
        return read_config(installed_config() if config is None else root / config, sets)
    tree = plain(as_config(config, root))
    for text in sets:
        assign(tree, text)
    return make_config(tree)


@dataclass(frozen=True)
class InitResult:
    """A config that `init` has written.

    `config`    the file
    `text`      its content; guesses are marked with `# ?`
    `guesses`   how many there are
    `problems`  what does not fit the data yet, as messages
    """

    config: Path
    text: str
    guesses: int
    problems: tuple[str, ...]


def init(
    data: str | Path,
    workspace: str | Path,
    *,
    out: str | Path | None = None,
    replace: bool = False,
    quiet: bool = False,
) -> InitResult:
    """Look at a folder of data and write a commented config.

    data: the folder; out: the config, `configs/<name>.yaml` by default; both below the workspace.
    Raises UsageError when the config is there already (unless `replace`), DataError when nothing in
    the folder is recognised.
    """
    with steady(quiet):
        from comp.stages.init import init as begin

        written = None if out is None else Path(out)
        made = begin(Path(data), written, replace=replace, workspace=as_folder(workspace))
    return InitResult(made.path, made.text, made.guesses, made.problems)


@dataclass(frozen=True)
class CheckResult:
    """What `check` found.

    `findings`   one row per finding: level ("error", "warning" or "note"), text, ids (a tuple)
    `proposals`  one row per image that belongs to a proposed group: id, group, confidence in [0, 1]
    `classes`    class -> number of training images
    `ok`         whether there is no error
    `page`       the HTML page with pictures
    `record`     all of it, as written to checks/<name>.json
    """

    findings: pd.DataFrame
    proposals: pd.DataFrame
    classes: pd.Series[int]
    ok: bool
    page: Path
    record: dict[str, Any]


def check(
    config: ConfigLike,
    workspace: str | Path,
    *,
    accept_groups: bool = False,
    skip_unreadable: bool = False,
    allow_extra_images: bool = False,
    devices: str | None = None,
    on: str | None = None,
    ask: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> CheckResult:
    """Decode every image once and report what is wrong, leaks or belongs together.

    accept_groups: write the proposed groups, which later plans hold together. skip_unreadable: set
    unreadable images aside. allow_extra_images: test images that the sample submission does not
    list are meant to be there. devices, on, ask: who measures the images, as in `train`. Raises
    ConfigError; errors in the data are findings.
    """
    with steady(quiet):
        from comp.stages.runners.parts import check_on
        from comp.stages.runners.where import where_of

        experiment = open_experiment(config, workspace)
        found = check_on(
            where_of(devices, on=on, ask=ask or {}),
            experiment,
            accept_groups=accept_groups,
            skip=skip_unreadable,
            allow_extra_images=allow_extra_images,
        )
        return _found(found, experiment.workspace.check_html)


def _found(found: Checked, page: Path) -> CheckResult:
    import pandas as pd

    from comp.stages.check import record

    groups = [
        (name, group.name, group.confidence)
        for group in found.copies.proposals
        for name in group.ids
    ]
    rows = [(finding.level, finding.text, finding.ids) for finding in found.findings]
    return CheckResult(
        findings=pd.DataFrame(rows, columns=["level", "text", "ids"]),
        proposals=pd.DataFrame(groups, columns=["id", "group", "confidence"]),
        classes=pd.Series(found.about["classes"], name="images", dtype="int64"),
        ok=not found.bad,
        page=page,
        record=record(found),
    )


@dataclass(frozen=True)
class Plan:
    """A fold plan.

    `frame`        one row per training id (the index, sorted text): fold (0..count-1; -1: only
                   trained on), group (text; missing without groups), label (text) or, with several
                   labels, one 0/1 column per class
    `balance`      one row per fold: images, and images of each class
    `count`, `scheme`, `seed`   how it was made
    `fingerprint`  SHA-256 of ids, labels, groups and folds, which later stages compare
    `warnings`     what to know about it
    `path`         folds/<name>.csv
    """

    frame: pd.DataFrame
    balance: pd.DataFrame
    count: int
    scheme: str
    seed: int
    fingerprint: str
    warnings: tuple[str, ...]
    path: Path

    def train(self, fold: int) -> list[str]:
        """The ids that `fold` is trained on, sorted."""
        return list(self.frame.index[self.frame["fold"] != fold])

    def valid(self, fold: int) -> list[str]:
        """The ids that `fold` is validated on, sorted."""
        return list(self.frame.index[self.frame["fold"] == fold])


def make_folds(
    config: ConfigLike,
    workspace: str | Path,
    *,
    replace: bool = False,
    extend: bool = False,
    allow_leak: bool = False,
    quiet: bool = False,
) -> Plan:
    """Divide the training images into folds and write the plan; the same plan is left as it is.

    replace: write over another plan. extend: keep the plan, and give new ids a fold. allow_leak:
    write a plan that separates copies; its manifests say so.
    Raises DataError, PlanError for another plan that is there and for one that leaks.
    """
    with steady(quiet):
        from comp.stages import folds

        experiment = open_experiment(config, workspace)
        if extend:
            plan, balance, _ = folds.extend_folds(experiment, allow_leak=allow_leak)
        else:
            plan, balance, _ = folds.make_folds(experiment, replace=replace, allow_leak=allow_leak)
        return _plan(experiment, plan, balance)


def read_plan(config: ConfigLike, workspace: str | Path, *, quiet: bool = False) -> Plan:
    """The plan on the disk, checked against the data and the config.

    Raises PlanError where there is none, or one of other data; ConfigError where the config wants
    other folds.
    """
    with steady(quiet):
        from comp.stages.folds import show_folds

        experiment = open_experiment(config, workspace)
        plan, balance = show_folds(experiment)
        return _plan(experiment, plan, balance)


def _plan(experiment: Experiment, plan: FoldPlan, balance: Balance) -> Plan:
    """The plan as frames, from its file: that is what every later stage reads."""
    import pandas as pd

    from comp.data.index.tables import read_table

    path = experiment.workspace.plan_csv
    frame = read_table(path).frame.set_index("id")
    digests = {"mask": plan.marks, "learned": plan.learned}
    frame = frame.drop(columns=[name for name, column in digests.items() if column])
    frame["group"] = frame["group"].where(frame["group"] != "")
    numbers = ["fold"] if "label" in frame.columns else frame.columns.drop("group")
    frame = frame.astype(dict.fromkeys(numbers, "int64"))
    shares = pd.DataFrame({"images": balance.rows, **balance.classes})
    shares.index.name = "fold"
    return Plan(
        frame, shares, plan.count, plan.scheme, plan.seed, plan.fingerprint, plan.warnings, path
    )


@dataclass(frozen=True)
class PackResult:
    """What `pack` keeps.

    `table`  one row per part (train, test, masks): images, folder (missing where nothing is kept),
             bytes, seconds
    """

    table: pd.DataFrame


def pack(
    config: ConfigLike,
    workspace: str | Path,
    *,
    verify: bool = False,
    devices: str | None = None,
    on: str | None = None,
    ask: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> PackResult:
    """Decode every image once into cache/; training does it by itself too.

    verify: compare every row with its checksum. devices, on, ask: who packs the images, as in
    `train`. Raises DataError with the images that cannot be read, PackError.
    """
    with steady(quiet):
        import pandas as pd

        from comp.stages.runners.parts import pack_on
        from comp.stages.runners.where import where_of

        where = where_of(devices, on=on, ask=ask or {})
        made = pack_on(where, open_experiment(config, workspace), verify=verify)
        return PackResult(pd.DataFrame([vars(part) for part in made]).set_index("part"))


@dataclass(frozen=True)
class EmbedResult:
    """What `embed` keeps.

    `table`  one row per part (train, test) and view: images, columns (features per image), file (a
             `.npy` of float32, rows in the order of the sorted ids), bytes, seconds
    """

    table: pd.DataFrame


def embed(
    config: ConfigLike,
    workspace: str | Path,
    *,
    tta: str | None = None,
    devices: str | None = None,
    on: str | None = None,
    ask: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> EmbedResult:
    """Make the features of `model.name` for all images once; probes are fitted on them.

    tta: the views that are made too; None: those of `predict.tta`. devices, on, ask: who makes
    them, as in `train`. Raises ModelError for a network that is unknown, has no weights here, or
    gives no vector per image.
    """
    with steady(quiet, network=True):
        import pandas as pd

        from comp.stages.runners.parts import embed_on
        from comp.stages.runners.where import where_of

        where = where_of(devices, on=on, ask=ask or {})
        made = embed_on(where, open_experiment(config, workspace), tta)
        return EmbedResult(pd.DataFrame([vars(part) for part in made]).set_index(["part", "view"]))

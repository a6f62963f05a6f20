"""The texts of an archive for winners, as Kaggle asks for it: filled with what is known, and with
the questions that are left open marked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from comp import __version__
from comp.bundles import model_card
from comp.bundles.contents import Bundle
from comp.bundles.model_card import OPEN_QUESTION, shown
from comp.bundles.rendering import render
from comp.bundles.targets.packages import OWN, lacking, pinned
from comp.models.origin import Origin

BACKGROUND = (
    "What is your academic or professional background?",
    "Did you have prior experience that helped you succeed?",
    "What made you decide to enter?",
    "How much time did you spend?",
    "If you are a team: how did you come together, and who did what?",
)


@dataclass(frozen=True)
class Facts:
    """What is known of a winner beside its bundle.

    `folds`     run -> the folds that are trained
    `seconds`   run -> how long its epochs took together, None where nobody noted it
    `machines`  on what it was trained, in words
    `images, samples`  below the data
    `partial`   whether folds are missing in the submission
    `missing`   files that the archive should have and has not, as sentences
    `private`   the score on the private leaderboard, None where it was not entered
    `singles`   run -> its honest score alone, where several are blended
    `submission`  the name of the file that was submitted
    `refits`    run -> how many networks were trained on all images
    """

    bundle: Bundle
    folds: Mapping[str, Sequence[int]]
    seconds: Mapping[str, float | None]
    machines: Sequence[str]
    images: str
    samples: Sequence[str]
    partial: bool
    missing: Sequence[str]
    private: float | None
    singles: Mapping[str, float]
    submission: str
    refits: Mapping[str, int]

    @property
    def file(self) -> str:
        """The name of the submission."""
        return f"submission{self.bundle.suffix}"


def winner_texts(facts: Facts, data: str) -> dict[str, str]:
    """The name of each text in the archive -> its content. data: where RAW_DATA_DIR is."""
    settings = {"RAW_DATA_DIR": data, "MODEL_DIR": "./models", "SUBMISSION_DIR": "./submissions"}
    return {
        "README.md": _readme(facts, data),
        "SETTINGS.json": json.dumps(settings, indent=2, ensure_ascii=False) + "\n",
        "entry_points.md": render("winner_entry_points.md", file=facts.file),
        "model_summary.md": _summary(facts),
        "winner_common.py": render(
            "winner_common.py",
            name=str(facts.bundle.manifest["name"]),
            runs={run: ",".join(map(str, folds)) for run, folds in facts.folds.items()},
            refits=dict(facts.refits),
            images=facts.images,
            samples=[*facts.samples],
        ),
        "prepare_data.py": render("winner_prepare_data.py"),
        "train.py": render("winner_train.py", partial=facts.partial),
        "predict.py": render("winner_predict.py", file=facts.file),
    }


def requirements(wheel: Path) -> str:
    """requirements.txt: every package in the version of here, and the wheel of `comp`."""
    return "".join(f"{line}\n" for line in [*pinned(lacking(())), f"./wheels/{wheel.name}"])


def directory_structure(folder: Path) -> str:
    """The folders below one, as `find . -type d` lists them, sorted."""
    found = [path for path in folder.rglob("*") if path.is_dir()]
    below = sorted(path.relative_to(folder).as_posix() for path in found)
    return "".join(f"{line}\n" for line in [".", *(f"./{name}" for name in below)])


def time_words(seconds: Mapping[str, float | None]) -> str:
    """How long the epochs of all runs took together."""
    known = [value for value in seconds.values() if value is not None]
    if len(known) < len(seconds) or not known:
        return OPEN_QUESTION
    total = sum(known)
    if total < 120:
        return f"{total:.0f} s"
    return f"{total / 60:.0f} min" if total < 7200 else f"{total / 3600:.1f} h"


def _readme(facts: Facts, data: str) -> str:
    bundle, config = facts.bundle, facts.bundle.config
    known = [one for one in model_card.origins(bundle.configs).values() if one is not None]
    fetched = sorted({shown(one.weights) for one in known if one.source != "a local file"})
    return render(
        "winner_README.md",
        title=shown(bundle.manifest["name"]),
        todo=OPEN_QUESTION,
        machines=facts.machines or [OPEN_QUESTION],
        python=bundle.manifest["made_with"].get("python", OPEN_QUESTION),
        plugins=", ".join(shown(name) for name in config.plugins),
        data=data,
        kaggle=config.submission.competition,
        missing=[*facts.missing],
        networks=len(bundle.members),
        time=time_words(facts.seconds),
        file=facts.file,
        submission=facts.submission,
        made_data=config.data.make is not None,
        downloads=", ".join(fetched),
    )


def _summary(facts: Facts) -> str:
    bundle, config = facts.bundle, facts.bundle.config
    lines = [" ".join(line.split()) for line in facts.machines]
    return render(
        "winner_model_summary.md",
        todo=OPEN_QUESTION,
        competition=shown(config.submission.competition) if config.submission.competition
        else OPEN_QUESTION,
        private=OPEN_QUESTION if facts.private is None else f"{facts.private:g}",
        background=BACKGROUND,
        summary=_in_short(facts),
        features=_features(bundle),
        origins="\n".join(model_card.origin_lines(bundle.configs)).strip().replace("## ", "### "),
        training="\n".join(model_card.training_lines(bundle)).strip().replace("## ", "### "),
        scores="\n".join(model_card.score_lines(bundle)).strip().replace("## ", "### "),
        simple=_simple(facts),
        time=time_words(facts.seconds),
        simple_time=_simple_time(facts),
        machines="\n".join(f"- {line}" for line in lines),
        version=__version__,
        packages="\n".join(model_card.package_lines()).strip().replace("## ", "### "),
    )  # fmt: skip


def _in_short(facts: Facts) -> str:
    bundle = facts.bundle
    networks = sorted({shown(config.model.name) for config in bundle.configs.values()})
    count = len(bundle.members)
    starts: list[Origin | None] = [*model_card.origins(bundle.configs).values()]
    start = "from pretrained weights" if any(starts) else "from scratch"
    return (
        f"{count} networks ({', '.join(networks)}), trained {start} on "
        f"{bundle.manifest['of']} images in {bundle.config.folds.count} folds with {OWN} and "
        f"PyTorch, are merged by a {bundle.vote} vote. The out-of-fold {bundle.metric.name} is "
        f"{bundle.scores.honest:.4f}. Training took {time_words(facts.seconds)}."
    )


def _features(bundle: Bundle) -> list[str]:
    found = []
    for run, config in bundle.configs.items():
        mixes = [f"{name} {value:g}" for name in ("mixup", "cutmix", "erasing")
                 if (value := getattr(config.augment, name, 0.0))]  # fmt: skip
        more = f", {', '.join(mixes)}" if mixes else ""
        found.append(
            f"{shown(run)}: images of {config.image.size} pixels ({config.image.resize}), "
            f"augmentation {config.augment.recipe}{more}, loss {config.train.loss}, "
            f"sampler {config.train.sampler}"
        )
    return found


def _simple(facts: Facts) -> str:
    if len(facts.singles) < 2:
        return "There is one run; one of its folds is the simple model."
    better = facts.bundle.metric.greater_is_better
    best = sorted(facts.singles, key=lambda run: facts.singles[run], reverse=better)[0]
    return (
        f"The best run alone, {shown(best)}, scores {facts.singles[best]:.4f} out of fold "
        f"(honest), all together {facts.bundle.scores.honest:.4f}."
    )


def _simple_time(facts: Facts) -> str:
    runs = [*facts.folds]
    if len(runs) > 1 or facts.seconds[runs[0]] is None:
        return OPEN_QUESTION
    folds = max(1, len(facts.folds[runs[0]]))
    return f"{float(facts.seconds[runs[0]] or 0) / folds:.0f} s to train one fold"

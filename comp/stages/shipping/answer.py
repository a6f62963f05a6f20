"""`comp answer`: new images to a checked submission, from a bundle alone."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from comp.bundles.asked import Asked, read_asked
from comp.bundles.contents import MANIFEST, Bundle, read_bundle
from comp.bundles.engines import choose_engines
from comp.bundles.forgiving import Unreadable
from comp.bundles.predicting import Predicting, Said
from comp.bundles.time_limit import Clock
from comp.bundles.zipped import unpacked
from comp.core import locks
from comp.core.checksums import digest_file
from comp.core.errors import CompError, UsageError, first
from comp.core.progress import say
from comp.core.provenance import versions
from comp.data.folds.skipped import grey_image
from comp.data.images.resize import OWN_SIZE
from comp.data.index.index import Index
from comp.ensemble.answers import MaskAnswers, answer_table
from comp.ensemble.blend import Blend
from comp.models.device import Device, choose_device
from comp.submission import Answers, Format, open_format, submission_warnings, write_submission
from comp.submission.names import SUFFIXES, base_name

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Answered:
    """A submission that was written by a bundle.

    `unreadable`  id -> why an image was answered without having been seen
    `dropped`     what was left out for lack of time, as sentences
    `members`     how many networks were asked
    """

    path: Path
    rows: int
    images: int
    members: int
    seconds: float
    unreadable: dict[str, str]
    dropped: tuple[str, ...]
    warnings: tuple[str, ...]


def answer(
    folder: Path,
    images: Path,
    out: Path,
    *,
    sample: Path | None = None,
    ids: Path | None = None,
    max_minutes: float | None = None,
    batch: int | None = None,
    device: str = "auto",
    engine: str = "auto",
) -> Answered:
    """Answer the images that a sample or a list of ids asks for, or all; the submission.

    folder: the bundle, a folder or a zip. What is predicted lies in `.<out>.parts` until the file
    is written: the same command goes on from there. batch: images at once; None: as `comp predict`
    has them. engine: torch, onnx, openvino (see `comp export`), or auto, which takes the fastest.
    Raises RunError for what is no bundle, DataError for ids that have no images, SubmissionError
    for a file that would be refused.
    """
    started = time.monotonic()
    limit = None if max_minutes is None else 60 * max_minutes
    work = out.parent / f".{out.name}.parts"
    if not folder.is_file():
        _refuse_name(out, read_bundle(folder))
    work.mkdir(parents=True, exist_ok=True)
    with locks.writing(work, name=".lock", keep=False):
        bundle = _unpacked(folder, work, out)
        clock = Clock(limit, bundle.task.spatial, started)
        asked = read_asked(bundle, images, work, sample=sample, ids=ids)
        unreadable = Unreadable(
            asked.index, asked.missing, work / "unreadable.txt", grey_image(work)
        )
        machine = _device(bundle, device)
        engines = choose_engines(bundle, machine, engine, work, batch)
        say(
            f"{bundle.manifest['name']}: {len(bundle.members)} networks answer "
            f"{len(asked.index)} images on {machine.describe()}"
        )
        said = Predicting(
            bundle,
            asked,
            machine,
            work,
            unreadable,
            batch=batch,
            clock=clock,
            engines=engines,
        ).run()
        made = _write(bundle, asked, said, unreadable, out)
    shutil.rmtree(work, ignore_errors=True)
    return replace(made, seconds=time.monotonic() - started)


def _unpacked(folder: Path, work: Path, out: Path) -> Bundle:
    """The bundle, which may be a zip; what is no bundle leaves nothing in `work`."""
    place = work / "bundle"
    try:
        bundle = read_bundle(unpacked(folder, place))
        _refuse_name(out, bundle)
    except CompError:
        shutil.rmtree(place, ignore_errors=True)
        if {path.name for path in work.iterdir()} <= {".lock"}:
            shutil.rmtree(work, ignore_errors=True)
        raise
    return bundle


def _refuse_name(out: Path, bundle: Bundle) -> None:
    """UsageError for a name that the file of this bundle cannot have."""
    suffix = bundle.suffix
    if not out.name.endswith(suffix) or base_name(out) == out.name:
        raise UsageError(
            f"--out {out}: this bundle writes a {suffix} file (submission.write: "
            f"{bundle.config.submission.write}); name it "
            f"{base_name(out)}{suffix}"
        )
    assert suffix in SUFFIXES, "the formats have these suffixes"


def _device(bundle: Bundle, where: str) -> Device:
    """The device here; a bundle does not ask for the one that it was trained on."""
    train = bundle.config.train
    sizes = {config.image.resize in OWN_SIZE for config in bundle.configs.values()}
    return choose_device(
        train.precision,
        deterministic=train.deterministic,
        where=where,
        one_shape=True not in sizes,
    )


def _write(bundle: Bundle, asked: Asked, said: Said, unreadable: Unreadable, out: Path) -> Answered:
    blend, index = _blend(bundle, said), replace(asked.index, paths=unreadable.sized())
    file_format = open_format(asked.competition(bundle, index))
    pieces = _answers(bundle, blend, said, index, file_format)
    manifest = _manifest(bundle, blend, said, unreadable)
    path, rows = write_submission(
        out.with_name(f"{base_name(out)}.json"), file_format, pieces, manifest
    )
    covered = int(bundle.manifest["covered"])
    found = submission_warnings(path, file_format, bundle.manifest["expected_shares"], covered)
    if unreadable.reasons:
        names = first(sorted(unreadable.reasons), 5)
        found = [f"{len(unreadable.reasons)} images cannot be read and got the prior's answer: "
                 f"{names}", *found]  # fmt: skip
    return Answered(
        path=path,
        rows=rows,
        images=len(index),
        members=len(said.members),
        seconds=0.0,
        unreadable=dict(unreadable.reasons),
        dropped=said.dropped,
        warnings=tuple(found),
    )


def _blend(bundle: Bundle, said: Said) -> Blend:
    """The blend of the runs that were asked: the whole one, or what was fitted for fewer."""
    whole = bundle.blend()
    if said.step == 0:
        return whole
    step = bundle.steps[said.step]
    owners = [member.run for member in said.members]
    share = dict(zip(step.runs, step.weights, strict=True))
    weights = tuple(share[run] / owners.count(run) for run in owners)
    rule = step.rule
    if step.per_member:
        rule = rule[[step.runs.index(run) for run in owners]]
    return replace(whole, members=tuple(m.name for m in said.members), weights=weights, rule=rule)


def _answers(
    bundle: Bundle, blend: Blend, said: Said, index: Index, file_format: Format
) -> Iterable[Answers]:
    """The answers as they are written: a table at once, masks image by image."""
    members: Sequence[Any] = said.tables
    if bundle.task.spatial:
        masks = MaskAnswers(blend, members, index, bundle.task, bundle.plan)
        return (Answers((name,), mask[None], probs[None]) for name, mask, probs in masks)
    keep = bundle.metric.wants == "probs" or file_format.needs_probs
    found = answer_table(
        blend, members, index, bundle.task, bundle.plan, shift=bundle.shift, keep_probs=keep
    )
    return [Answers(found.ids, found.labels, found.probs)]


def _manifest(bundle: Bundle, blend: Blend, said: Said, unreadable: Unreadable) -> dict[str, Any]:
    record = blend.record()
    record["members"] = [
        {"run": f"runs/{m.run}/fold_{m.fold}", "model": m.run, "fold": m.fold, "tta": m.tta,
         **m.facts}
        for m in said.members
    ]  # fmt: skip
    known = bundle.manifest
    return {
        "versions": versions(),
        "task": bundle.task.name,
        "metric": bundle.metric.name,
        "plan": bundle.plan,
        "index": known["index"],
        "bundle": bundle_digest(bundle),
        "covered": known["covered"],
        "of": known["of"],
        "blend": record,
        "dropped": list(said.dropped),
        "unreadable": dict(unreadable.reasons),
        "expected_shares": known["expected_shares"],
    }


def bundle_digest(bundle: Bundle) -> str:
    """The SHA-256 of the manifest of a bundle, which has those of all its files."""
    return digest_file(bundle.folder / MANIFEST)

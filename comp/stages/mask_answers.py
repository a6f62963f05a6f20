"""`comp ensemble` where there is an answer for each pixel: image by image, never all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from comp import files
from comp.counts import IGNORED, count_pixels
from comp.data.answers import read_true_masks
from comp.data.coco import image_ids
from comp.data.folds import judged_part
from comp.data.images import image_size
from comp.data.index import Index
from comp.data.masks import Masks
from comp.ensemble.blend import Blend, check_members
from comp.ensemble.compare import Fit, Row, Scores, best_row
from comp.ensemble.honest import bootstrap
from comp.ensemble.judge import make_judge
from comp.ensemble.region_fit import RegionFit, fit_regions, mean_by_class
from comp.ensemble.regions import RegionRule, decide, merged
from comp.ensemble.vote import VOTES, Vote
from comp.ensemble.weights import WEIGHERS, read_weights
from comp.errors import ConfigError, SubmissionError, pick
from comp.framing import scaled
from comp.metrics import METRICS
from comp.progress import say, track
from comp.report.mask_page import write_mask_page
from comp.runs import Workspace
from comp.stages.ensembled import Ensembled, Request, manifest_of, plain_row
from comp.stages.gate import Gate
from comp.stages.members import Ground, Model, covered_ids
from comp.submission.doubt import doubts, earlier
from comp.submission.gate import check_submission
from comp.submission.masks import RunWriter, coco_results, overlapping, write_coco, write_zip
from comp.submission.write import render_cells, write_content
from comp.tasks import TASKS

Array = np.ndarray[Any, Any]

WRITES = ("rle", "masks", "coco")
_SAMPLED = 1_000_000  # pixels that weights are searched on
_THREADS = 4  # OpenCV and NumPy work outside the interpreter's lock
_TABLES = {True: "multiclass", False: "multilabel"}  # normalized -> what pixels are as rows


@dataclass(frozen=True)
class Scene:
    """The judged images with their members: `index` has the truth, `rows[m][i]` says where the
    image i is in the maps of member m."""

    ground: Ground
    index: Index
    fold: Array
    members: tuple[Any, ...]
    rows: tuple[Array, ...]

    def sight(self, vote: Vote, weights: Array, row: int) -> tuple[Array, Array]:
        """Merged probabilities (C, H, W) and truth (L, H, W) of an image, at its own size."""
        assert self.index.truth is not None
        truth = self.index.truth.read(row).transpose(2, 0, 1)
        where = [int(rows[row]) for rows in self.rows]
        maps = merged(self.members, where, weights, vote, self.ground.experiment.task)
        return scaled(maps, *truth.shape[1:]), truth


def ensemble_masks(
    ground: Ground, request: Request, models: Sequence[Model], gate: Gate, paths: Workspace
) -> Ensembled:
    """Judge votes and weights out of fold, tune the rules of regions, write the submission.

    Raises what `comp.stages.ensemble.ensemble` raises; ConfigError for a vote of ranks, and for
    members from tables.
    """
    experiment, index, test = ground.experiment, ground.index, ground.test
    config, metric = experiment.config, experiment.metric
    vote = pick(VOTES, config.ensemble.vote, "ensemble.vote")
    _refuse(vote, request, config.ensemble.prior is not None)
    writes = "rle" if config.submission.write == "auto" else config.submission.write
    if writes not in WRITES:
        raise ConfigError(f"submission.write: {writes!r} is not for masks; use {', '.join(WRITES)}")
    scene = scene_of(ground, models)
    table = _table(scene, models, request.partial)
    row, fit = next(
        pair for pair in table if (pair[0].vote.name, pair[0].weigher) == _asked(ground)
    )
    rule = RegionRule.of(row.fit.rule)
    blend = _blend(row, models)
    expected = _shares(index, fit.tuned)
    paths.submission_csv.parent.mkdir(parents=True, exist_ok=True)
    files.sweep(paths.submission_csv.parent)
    answers = _Answers(ground, models, blend, vote, rule)
    rows = [r for r, _ in table]
    manifest = {
        **manifest_of(
            experiment, ground.plan.fingerprint, ground.plan.index_fingerprint, blend, models
        ),
        "leak": list(ground.plan.leak),
        "covered": len(scene.index),
        "of": len(index),
        "by_class": _plain(index.classes, mean_by_class(fit.honest, metric, len(index.classes))),
        "table": [plain_row(r) for r in rows],
        "expected_shares": expected,
    }
    path, count, found = _write(answers, gate, paths, writes, manifest, expected, len(scene.index))
    page = _page(scene, fit, vote, row.fit.weights, rule, experiment.workspace.run)
    say(f"wrote {page}")
    shares = {
        name: (float((index.labels[:, c] > 0).mean()), float(answers.there[c]) / max(1, len(test)))
        for c, name in enumerate(index.classes)
    }
    return Ensembled(
        path=path,
        manifest=paths.submission_json,
        metric=metric.name,
        blend=blend,
        models=tuple(models),
        table=tuple(rows),
        best=best_row(metric, rows),
        covered=len(scene.index),
        of=len(index),
        rows=count,
        shares=shares,
        prior=None,
        true_score=answers.true_score(),
        warnings=tuple(found),
    )


def _refuse(vote: Vote, request: Request, prior: bool) -> None:
    if vote.ranks:
        raise ConfigError("ensemble.vote: rank needs all images at once; for masks use another")
    if request.added:
        raise ConfigError("--add: a table cannot hold masks; train the member with comp")
    if prior:
        raise ConfigError("ensemble.prior: is for an answer an image; leave it out")


def _asked(ground: Ground) -> tuple[str, str]:
    config = ground.experiment.config.ensemble
    return config.vote, config.weights


def scene_of(ground: Ground, models: Sequence[Model]) -> Scene:
    """The images that every model has judged, in the order of the index."""
    index, names = ground.index, ground.experiment.task.column_names(ground.index.classes)
    judged, _, parts = judged_part(index, ground.plan)
    oofs = [model.oof for model in models if model.oof is not None]
    check_members(oofs, names, ground.plan.fingerprint)
    ids = covered_ids(models, index)
    part = index.part(index.rows(ids))
    place = [{name: row for row, name in enumerate(oof.ids)} for oof in oofs]
    rows = tuple(np.array([where[name] for name in ids]) for where in place)
    members = tuple(oof.probs for oof in oofs)
    return Scene(ground, part, parts[judged.rows(ids)], members, rows)


def each_row(function: Callable[[int], Any], count: int, what: str) -> Iterable[Any]:
    """`function` of 0..count-1 by a few threads, in order, some ahead of who asks."""
    return track(_ahead(function, range(count)), count, what)


def _ahead(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    items = iter(items)
    with ThreadPoolExecutor(_THREADS) as pool:
        waiting = [pool.submit(function, item) for item in islice(items, 2 * _THREADS)]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [pool.submit(function, item) for item in islice(items, 1)]


def _table(scene: Scene, models: Sequence[Model], partial_: bool) -> list[tuple[Row, RegionFit]]:
    """Every vote with every kind of weights that can be told apart, each judged."""
    config = scene.ground.experiment.config
    asked = _asked(scene.ground)
    names = [model.name for model in models if model.oof is not None]
    one_fold = partial_ and len(np.unique(scene.fold)) < 2
    pairs = [asked]
    if len(names) > 1:
        votes = [vote.name for vote in VOTES.values() if not vote.ranks]
        weighers = [*WEIGHERS, *([asked[1]] if asked[1] not in WEIGHERS else [])]
        weighers = [w for w in weighers if not (one_fold and w in ("greedy", "optimize"))]
        pairs = [(vote, weigher) for vote in votes for weigher in weighers]
    tuned = config.ensemble.tune and not one_fold
    sampled = _sample(scene) if len(names) > 1 else None
    return [_judged(scene, VOTES[v], w, names, tuned, sampled) for v, w in pairs]


def _judged(
    scene: Scene,
    vote: Vote,
    weigher: str,
    names: Sequence[str],
    tuned: bool,
    sampled: tuple[Array, list[Array], Array] | None,
) -> tuple[Row, RegionFit]:
    experiment = scene.ground.experiment
    task, metric, classes = experiment.task, experiment.metric, len(scene.index.classes)
    fit_all = partial(
        fit_regions, fold=scene.fold, task=task, metric=metric, classes=classes, each=each_row
    )
    weights = _weights(weigher, names, vote, scene, sampled, None)
    fit: RegionFit = fit_all(partial(scene.sight, vote, weights), tuned=tuned)
    if weigher in ("greedy", "optimize") and len(names) > 1:
        honest = fit.honest.copy()
        for number in np.unique(scene.fold):
            here = scene.fold == number
            own = _weights(weigher, names, vote, scene, sampled, number)
            honest[here] = fit_all(partial(scene.sight, vote, own), tuned=tuned).honest[here]
        fit = replace(fit, honest=honest)

    def score(counts: Array) -> float:
        return metric.score(counts, counts, classes)

    low, high = bootstrap(
        metric, fit.honest, fit.honest, classes, scene.index.groups, experiment.config.seed
    )
    scores = Scores(score(fit.raw), score(fit.tuned), score(fit.honest), low, high)
    return Row(vote, weigher, Fit(weights, fit.rule.table()), scores, fit.note), fit


def _weights(
    weigher: str,
    names: Sequence[str],
    vote: Vote,
    scene: Scene,
    sampled: tuple[Array, list[Array], Array] | None,
    without: int | None,
) -> Array:
    """The weights of the models; searched on the sampled pixels, without those of one fold."""
    count, search = len(names), WEIGHERS.get(weigher)
    if weigher not in WEIGHERS:
        given = read_weights(Path(weigher), list(names))
        return np.asarray(given / given.sum())
    if search is None or sampled is None:
        return np.full(count, 1 / count)
    target, probs, fold = sampled
    rows = np.ones(len(fold), dtype=bool) if without is None else fold != without
    task = TASKS[_TABLES[scene.ground.experiment.task.link.normalized]]
    neutral = task.link.neutral(probs[0].shape[1])
    rule = neutral if vote.gives_probs else np.tile(neutral, (count, 1))
    judge = make_judge(
        task, METRICS["macro_f1"], vote, target[rows], [p[rows] for p in probs], rule
    )
    return search(judge, scene.ground.experiment.config.seed)


def _sample(scene: Scene) -> tuple[Array, list[Array], Array]:
    """Pixels of all images as rows: what they are, what each member says, and their fold."""
    assert scene.index.truth is not None
    task = scene.ground.experiment.task
    each = max(16, _SAMPLED // max(1, len(scene.index)))
    targets, folds = [], []
    probs: list[list[Array]] = [[] for _ in scene.members]
    for row in track(range(len(scene.index)), len(scene.index), "sampling pixels"):
        truth = scene.index.truth.read(row).transpose(2, 0, 1)
        side = scene.members[0].shape[-1]
        down = np.linspace(0, truth.shape[1] - 1, side).astype(int)
        across = np.linspace(0, truth.shape[2] - 1, side).astype(int)
        small = truth[:, down][:, :, across].reshape(len(truth), -1)
        step = max(1, small.shape[1] // each)
        chosen = np.arange(row % step, small.shape[1], step)
        chosen = chosen[(small[:, chosen] != IGNORED).all(axis=0)]
        own = small[:, chosen].T.astype(np.int64)
        targets.append(own[:, 0] if task.link.normalized else own)
        folds.append(np.full(len(chosen), scene.fold[row]))
        for member, (maps, rows) in enumerate(zip(scene.members, scene.rows, strict=True)):
            one = scaled(np.asarray(maps[int(rows[row])]), side, side)
            flat = one.reshape(len(one), -1)[:, chosen].T.astype(np.float32) / 255
            total = flat.sum(axis=1, keepdims=True) if task.link.normalized else 1.0
            probs[member].append(flat / total)
    return np.concatenate(targets), [np.concatenate(p) for p in probs], np.concatenate(folds)


def _blend(row: Row, models: Sequence[Model]) -> Blend:
    judged = [model for model in models if model.oof is not None]
    counts = [len(model.tests) for model in judged]
    weights = np.repeat(row.fit.weights / np.maximum(counts, 1), counts)
    names = tuple(name for model in judged for name in model.member_names)
    blend = Blend(names, row.vote, tuple(weights.tolist()), row.fit.rule, row.scores, row.note)
    return replace(blend, weigher=row.weigher)


class _Answers:
    """The masks of the test images, one after the other; `there` counts, a class, the images in
    which it is, and where the answers are known they are compared on the way."""

    def __init__(
        self, ground: Ground, models: Sequence[Model], blend: Blend, vote: Vote, rule: RegionRule
    ) -> None:
        tests = [test for model in models for test in model.tests]
        names = ground.experiment.task.column_names(ground.index.classes)
        check_members(tests, names, ground.plan.fingerprint)
        self.ground, self.rule, self.vote = ground, rule, vote
        self.members = [test.probs for test in tests]
        place = [{name: row for row, name in enumerate(test.ids)} for test in tests]
        self.rows = [[where[name] for where in place] for name in ground.test.ids]
        self.weights = np.asarray(blend.weights)
        self.there = np.zeros(len(ground.index.classes))
        self.truth: Masks | None = read_true_masks(
            ground.experiment.config.data,
            ground.experiment.task,
            ground.index.classes,
            ground.test.ids,
        )
        self.counts: list[Array] = []

    def __iter__(self) -> Iterator[tuple[str, Array, Array]]:
        """Id, mask (L, H, W) and probabilities (C, H, W) of each image, at its own size."""
        task, test = self.ground.experiment.task, self.ground.test
        self.there[:], self.counts = 0, []

        def answer(row: int) -> tuple[str, Array, Array]:
            size = image_size(test.paths[row])
            maps = merged(self.members, self.rows[row], self.weights, self.vote, task)
            probs = scaled(maps, *size)
            return test.ids[row], decide(probs, self.rule, task), probs

        columns = task.columns(len(self.there))
        for row, found in enumerate(each_row(answer, len(test), "answering")):
            mask = found[1]
            for c in range(len(self.there)):
                own = mask[0] == c + 1 if len(mask) < len(self.there) else mask[c] == 1
                self.there[c] += own.any()
            if self.truth is not None:
                true = self.truth.read(row).transpose(2, 0, 1)
                self.counts.append(count_pixels(true, mask, columns))
            yield found

    def true_score(self) -> float | None:
        """The score on the test answers, where they are known."""
        if self.truth is None:
            return None
        counts = np.stack(self.counts)
        return self.ground.experiment.metric.score(counts, counts, len(self.there))


def _write(
    answers: _Answers,
    gate: Gate,
    paths: Workspace,
    writes: str,
    manifest: dict[str, Any],
    expected: dict[str, float],
    judged_on: int,
) -> tuple[Path, int, list[str]]:
    """Write the file; where, how many rows or files, and what to look at before it is sent."""
    ground = answers.ground
    classes, codes = ground.index.classes, ground.index.codes or ground.index.classes
    data = ground.experiment.config.data
    if writes == "rle":
        assert gate.asked is not None
        runs = RunWriter(gate.asked, codes, data.rle_order)
        for name, mask, _ in answers:
            runs.add(name, mask)
        content = render_cells(gate.sample, [runs.cells])
        csv, beside = paths.submission_csv, paths.submission_json
        table = check_submission(content, gate.sample, gate.form, where=str(csv))
        column = gate.sample.answers[0]
        if list(table[column]) != runs.cells:
            raise SubmissionError(f"{csv}: read back it is not what was answered")
        write_content(csv, beside, gate.sample, gate.form, content, manifest)
        found = doubts(
            table,
            content,
            gate.sample,
            gate.form,
            expected=expected,
            judged_on=judged_on,
            others=earlier(csv.parent, csv),
        )
        if ground.experiment.task.link.normalized:
            found += overlapping(table, gate.asked, column)
        return csv, len(runs.cells), found
    files.remove(paths.submission_json)
    if writes == "masks":
        path = paths.submission_csv.with_suffix(".zip")
        count = write_zip(path, ((name, mask) for name, mask, _ in answers), classes)
    else:
        path = paths.submission_csv.with_suffix(".coco.json")
        known = _numbers(data.root, data.test_answers)
        found_: list[dict[str, Any]] = []
        for name, mask, probs in answers:
            found_ += coco_results(known.get(name, name), mask, probs, codes)
        count = write_coco(path, found_)
    facts = {"file": path.name, "rows": count, "sha256": files.digest_file(path)}
    files.write_json(paths.submission_json, manifest | facts)
    return path, count, []


def _numbers(root: str, answers: str | None) -> dict[str, int]:
    """COCO's number of each test image, where a json of the test set is known."""
    path = Path(root) / answers if answers else None
    return image_ids(path) if path is not None and path.suffix == ".json" else {}


def _shares(index: Index, counts: Array) -> dict[str, float]:
    """The share of images in which each class is said to be."""
    own = counts[:, counts.shape[1] - len(index.classes) :]
    said = (own[..., 0] + own[..., 1]) > 0
    return dict(zip(index.classes, said.mean(axis=0).tolist(), strict=True))


def _plain(names: Sequence[str], values: Array) -> dict[str, float | None]:
    return {
        name: None if np.isnan(value) else round(float(value), 6)
        for name, value in zip(names, values, strict=True)
    }


def _page(
    scene: Scene, fit: RegionFit, vote: Vote, weights: Array, rule: RegionRule, folder: Path
) -> Path:
    """The page of the worst, median and best out-of-fold images."""
    task, metric = scene.ground.experiment.task, scene.ground.experiment.metric

    def answer(row: int) -> tuple[Array, Array]:
        probs, truth = scene.sight(vote, weights, row)
        return truth.transpose(1, 2, 0), decide(probs, rule, task).transpose(1, 2, 0)

    path = folder / "validation.html"
    write_mask_page(path, scene.index, fit.honest, metric, answer)
    return path

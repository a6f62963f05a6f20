"""Speed, memory and honesty of the ensembler, beside the unavoidable work and its peers.

    python benchmarks/ensembler.py thresholds greedy submission memory-soft truth truth-kappa tta

Each part is measured interleaved, A-B-A-B, after one round that does not count; ratios are taken
within a round. Results go to ensembler.json and ensembler.md beside this file; parts that are not
named keep what they had. The AutoGluon column needs `autogluon.core`, which may live in an
environment without torch: all but `tta` run there.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import noise_worlds
import numpy as np
from measure import asked

from comp.data.index.index import Index
from comp.ensemble.answers import answer_table
from comp.ensemble.blend import make_blend
from comp.ensemble.blend_scores import make_judge
from comp.ensemble.compare import BlendRow, Scores, judge_row
from comp.ensemble.evidence import Fit, Fitting
from comp.ensemble.rules.thresholds import tune
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES
from comp.ensemble.weights import greedy_picks
from comp.inference.predictions import Predictions
from comp.tasks.kinds import TASKS, Task
from comp.tasks.metrics import METRICS, Metric

HERE = Path(__file__).parent
ROWS, COLUMNS, MEMBERS, ROUNDS = 50_000, 26, 20, 5
MULTILABEL, F1 = TASKS["multilabel"], METRICS["macro_f1"]
Array = np.ndarray[Any, Any]


def interleaved(tasks: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, Any]:
    """name -> seconds in each round, one after the other within a round, after a warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for number in range(rounds + 1):
        for name, work in tasks.items():
            gc.collect()
            begin = time.perf_counter()
            work()
            spent = time.perf_counter() - begin
            if number:
                seconds[name].append(round(spent, 5))
    return seconds


def ratio(above: list[float], below: list[float]) -> dict[str, float]:
    """Minimum, median and maximum over the rounds."""
    values = np.array(above) / np.array(below)
    return {
        "min": round(float(values.min()), 3),
        "median": round(float(np.median(values)), 3),
        "max": round(float(values.max()), 3),
    }


def columns(rows: int = ROWS, members: int = 1, seed: int = 0) -> tuple[Array, list[Array]]:
    """Labels with shares from 2 % to 50 %, and members that see them through noise."""
    draw = np.random.default_rng(seed)
    target = (draw.random((rows, COLUMNS)) < np.linspace(0.02, 0.5, COLUMNS)).astype(np.int64)
    probs = []
    for member in range(members):
        score = 2 * target - 1.5 + draw.normal(0, 0.8 + 0.05 * member, target.shape)
        probs.append((1 / (1 + np.exp(-score))).astype(np.float32))
    return target, probs


def thresholds() -> dict[str, Any]:
    """Macro F1 thresholds against bare argsorts and against a grid with scikit-learn."""
    from sklearn.metrics import f1_score

    target, (probs,) = columns()
    wide = np.ascontiguousarray(probs.T)

    def grid() -> Array:
        cuts = np.linspace(0.01, 0.99, 99)
        best = np.full(COLUMNS, 0.5)
        for c in range(COLUMNS):
            scores = [f1_score(target[:, c], probs[:, c] >= cut, zero_division=0) for cut in cuts]
            best[c] = cuts[int(np.argmax(scores))]
        return best

    def argsorts() -> None:
        for column in wide:
            np.argsort(column)

    seconds = interleaved(
        {"ours": lambda: tune(MULTILABEL, F1, target, probs), "argsorts": argsorts}
    )
    begin = time.perf_counter()
    by_grid = grid()
    grid_seconds = time.perf_counter() - begin
    rule = tune(MULTILABEL, F1, target, probs)

    def each(given: Array) -> Array:
        labels = (probs >= given).astype(np.int64)
        return np.array([f1_score(target[:, c], labels[:, c]) for c in range(COLUMNS)])

    lead = each(rule) - each(by_grid)
    return {
        "what": f"macro F1 thresholds, {ROWS} x {COLUMNS}",
        "seconds": {**seconds, "grid": [round(grid_seconds, 2)]},
        "ours / argsorts (goal <= 2)": ratio(seconds["ours"], seconds["argsorts"]),
        "grid / ours (goal >= 100)": ratio([grid_seconds] * ROUNDS, seconds["ours"]),
        "smallest lead in F1 over the grid (goal >= 0)": float(lead.min()),
    }


def greedy() -> dict[str, Any]:
    """A step of greedy selection against a pass over the arrays, the plain method, AutoGluon."""
    target, probs = columns(members=MEMBERS)
    rule, among = np.full(COLUMNS, 0.5), np.arange(MEMBERS)
    begin = time.perf_counter()
    judge = make_judge(MULTILABEL, F1, VOTES["soft"], target, probs, rule)
    prepared = time.perf_counter() - begin
    total = probs[0] + probs[1]
    own_total = judge.values[0] + judge.values[1]

    def one_pass() -> None:
        for member in probs:
            member.sum()

    def plain() -> list[float]:
        from sklearn.metrics import f1_score

        return [f1_score(target, (total + p) / 3 >= 0.5, average="macro") for p in probs]

    work: dict[str, Callable[[], object]] = {
        "ours, a step": lambda: judge.step(own_total, 2, among),
        "a pass over 20 arrays": one_pass,
        "scikit-learn, a step": plain,
    }
    peer = _autogluon(target, probs)
    seconds = interleaved({**work, **({"AutoGluon, 3 steps": peer[0]} if peer else {})})
    steps = 6
    picks = greedy_picks(judge, among, steps)
    out = {
        "what": f"greedy selection, {MEMBERS} members of {ROWS} x {COLUMNS}, macro F1",
        "seconds": {**seconds, "preparing ours, once": [round(prepared, 3)]},
        "ours / a pass (goal <= 3)": ratio(
            seconds["ours, a step"], seconds["a pass over 20 arrays"]
        ),
        "scikit-learn / ours (goal >= 40)": ratio(
            seconds["scikit-learn, a step"], seconds["ours, a step"]
        ),
        "picks": picks,
        "the same picks as scikit-learn's": picks == _plain_picks(target, probs, len(picks)),
    }
    if peer:
        third = [value / 3 for value in seconds["AutoGluon, 3 steps"]]
        out["AutoGluon / ours, a step"] = ratio(third, seconds["ours, a step"])
        out["the same first 3 picks as AutoGluon"] = peer[1]() == greedy_first(judge, among, 3)
    else:
        out["AutoGluon"] = "not installed here"
    return out


def greedy_first(judge: Any, among: Array, steps: int) -> list[int]:
    """The first picks, whether or not the last of them gains."""
    total, picks = np.zeros_like(judge.values[0]), []
    for count in range(steps):
        picks.append(int(judge.step(total, count, among).argmax()))
        total += judge.values[picks[-1]]
    return picks


def _plain_picks(target: Array, probs: list[Array], steps: int) -> list[int]:
    from sklearn.metrics import f1_score

    total, picks = np.zeros_like(probs[0]), []
    for count in range(steps):
        scores = [
            f1_score(target, (total + p) / np.float32(count + 1) >= 0.5, average="macro")
            for p in probs
        ]
        picks.append(int(np.argmax(scores)))
        total += probs[picks[-1]]
    return picks


def _autogluon(target: Array, probs: list[Array]) -> tuple[Callable[[], Any], Any] | None:
    try:
        from autogluon.core.metrics import make_scorer
        from autogluon.core.models.greedy_ensemble.ensemble_selection import EnsembleSelection
    except ImportError:
        return None
    from sklearn.metrics import f1_score

    def score(truth: Array, given: Array) -> float:
        return float(f1_score(truth, given >= 0.5, average="macro"))

    metric = make_scorer("macro_f1", score, optimum=1, greater_is_better=True, needs_proba=True)
    found: list[Any] = []

    def select() -> None:
        ensemble = EnsembleSelection(3, "binary", metric, random_state=np.random.RandomState(0))
        ensemble._fit(list(probs), target)
        found.append(ensemble.indices_ if hasattr(ensemble, "indices_") else ensemble)

    def picks() -> list[int] | None:
        last = found[-1]
        return [int(i) for i in last][:3] if isinstance(last, list | np.ndarray) else None

    return select, picks


def submission() -> dict[str, Any]:
    """Writing and checking a submission against pandas writing and reading one."""
    import pandas as pd

    from comp.submission import Answers, write_submission
    from comp.submission.formats.cells import make_cells
    from comp.submission.formats.csv import CsvFormat
    from comp.submission.sample import make_sample

    classes = tuple("abcdefghijklmnopqrstuvwxyz")
    ids = [f"{number:06}" for number in range(ROWS)]
    probs = np.random.default_rng(0).random((ROWS, COLUMNS), dtype=np.float32)
    labels = (probs > 0.5).astype(np.int64)
    sample = make_sample("id", classes, ids)
    out: dict[str, Any] = {"what": f"submission of {ROWS} x {COLUMNS + 1}, written and checked"}
    with tempfile.TemporaryDirectory() as folder:
        for kind, metric in (("labels", "macro_f1"), ("probabilities", "roc_auc")):
            form = CsvFormat(sample, make_cells(sample, MULTILABEL, classes, METRICS[metric]))
            paths = [Path(folder) / name for name in ("o.json", "p.csv")]
            answer = labels if kind == "labels" else probs

            def ours(form: Any = form, paths: list[Path] = paths) -> None:
                write_submission(paths[0], form, [Answers(ids, labels, probs)], {})

            def theirs(answer: Array = answer, paths: list[Path] = paths) -> None:
                table = pd.DataFrame(answer, columns=list(classes))
                table.insert(0, "id", ids)
                table.to_csv(paths[1], index=False)
                pd.read_csv(paths[1])

            seconds = interleaved({"ours": ours, "pandas": theirs})
            out[f"seconds, {kind}"] = seconds
            name = f"ours / pandas, {kind} (goal <= 1.2)"
            out[name] = ratio(seconds["ours"], seconds["pandas"])
    return out


class Peak:
    """The largest private (not file-backed) memory of this process while it runs, in MB."""

    def __enter__(self) -> Peak:
        self.start, self.largest, self.running = _private(), 0.0, True
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def _watch(self) -> None:
        while self.running:
            self.largest = max(self.largest, _private())
            time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        self.running = False
        self.thread.join()


def _private() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def memory(
    vote: str, rows: int = 1_000_000, classes: int = 100, members: int = 25
) -> dict[str, Any]:
    """A million rows x 100 classes x 25 saved members, loaded, checked, aligned and decided.

    Linux only. The members are folders as `comp predict` writes them, whose files of probabilities
    are links to one file: the page cache is warm, so the time says nothing of a disk. What counts
    is the private memory, which memory maps are no part of.
    """
    out: dict[str, Any] = {
        "what": f"{vote} vote of {members} saved members of {rows} x {classes}, loaded to decided",
        "note": "members link to one file: warm cache, no disk in the time",
        "all members, MB": round(members * rows * classes * 4 / 2**20),
    }
    names = tuple(f"c{number}" for number in range(classes))
    ids = tuple(f"{number:07}" for number in range(rows))
    with tempfile.TemporaryDirectory(dir=os.environ.get("COMP_BENCH_DIR")) as folder:
        folders = [Path(folder) / str(number) for number in range(members)]
        _save_members(folders, ids, names)
        gc.collect()
        row = Fit(np.ones(1), np.zeros(classes))
        scores = Scores(0, 0, 0, 0, 0)
        with Peak() as peak:
            begin = time.perf_counter()
            tests = [Predictions.load(path) for path in folders]
            loaded = time.perf_counter() - begin
            blend = make_blend(
                BlendRow(VOTES[vote], "equal", row, scores), [list(map(str, folders))], F1
            )
            test = Index(ids, (Path(),) * rows, names)
            task = TASKS["multiclass"]
            found = answer_table(blend, tests, test, task, "plan", keep_probs=False)
            spent = time.perf_counter() - begin
        expected = np.concatenate(
            [np.asarray(tests[0].probs[i : i + 50_000]).argmax(1) for i in range(0, rows, 50_000)]
        )
    out["private memory above the start, MB"] = round(peak.largest - peak.start)
    out["decided as the one file does"] = bool((found.labels == expected).all())
    out["time"] = f"{spent:.0f} s, {loaded:.0f} s of it loading and checking hashes"
    return out


def _save_members(folders: list[Path], ids: tuple[str, ...], names: tuple[str, ...]) -> None:
    draw = np.random.default_rng(0)
    probs = draw.random((len(ids), len(names)), dtype=np.float32)
    for begin in range(0, len(ids), 50_000):
        part = probs[begin : begin + 50_000]
        part /= part.sum(axis=1, keepdims=True)
    Predictions(ids, probs, names, "softmax", {"plan": "plan"}).save(folders[0])
    for folder in folders[1:]:
        folder.mkdir()
        for path in folders[0].iterdir():
            os.link(path, folder / path.name)


World = Callable[[int, int], tuple[Array, tuple[Array, ...]]]


def truth() -> dict[str, Any]:
    """Labels, by macro F1."""
    return _truth("6 labels, macro F1", MULTILABEL, F1, world, 6, 200, 250)


def truth_kappa() -> dict[str, Any]:
    """Grades, by the quadratic weighted kappa."""
    about = "5 grades, quadratic weighted kappa"
    return _truth(about, TASKS["ordinal"], METRICS["qwk"], graded_world, 5, 200, 120)


def _truth(
    what: str, task: Task, metric: Metric, world: World, classes: int, worlds: int, rows: int
) -> dict[str, Any]:
    """Synthetic members with known labels: honest and tuned scores against the true one."""
    out: dict[str, Any] = {"what": f"simulated truth, {worlds} worlds of {rows} rows, {what}"}
    for weigher in ("equal", "greedy", "optimize"):
        honest, tuned = [], []
        for seed in range(worlds):
            target, probs = world(seed, rows)
            near = TableEvidence(task, metric, target, np.arange(rows) % 5, probs, classes)
            row = judge_row(near, VOTES["soft"], weigher, Fitting(True, 0))
            target, probs = world(10_000 + seed, 20_000)
            far = TableEvidence(task, metric, target, np.zeros(20_000, int), probs, classes)
            true = far.score(far.decide(VOTES["soft"], row.fit))
            honest.append(row.scores.honest - true)
            tuned.append(row.scores.tuned - true)
        error, flattery = float(np.mean(honest)), float(np.mean(tuned))
        spread = float(np.std(honest) / np.sqrt(worlds))
        out[weigher] = {
            "honest - true": round(error, 4),
            "its standard error": round(spread, 4),
            "tuned - true": round(flattery, 4),
            "ratio (goal <= 0.25)": round(abs(error) / flattery, 3),
        }
    return out


def world(seed: int, rows: int, members: int = 4) -> tuple[Array, tuple[Array, ...]]:
    """Labels with 8 % positives, and members that see them through noise of their own."""
    draw = np.random.default_rng(seed)
    target = (draw.random((rows, 6)) < 0.08).astype(np.int64)
    shared = draw.normal(0, 1, target.shape)
    probs = []
    for member in range(members):
        own = draw.normal(0, 1, target.shape)
        score = 2.2 * target + 0.7 * shared + (0.5 + 0.3 * member) * own - 2.5
        probs.append((1 / (1 + np.exp(-score))).astype(np.float32))
    return target, tuple(probs)


def graded_world(seed: int, rows: int, members: int = 4) -> tuple[Array, tuple[Array, ...]]:
    """Grades 0 to 4, half of them 0, and members that see them squeezed towards the middle, as
    networks that learn the mean do, through noise of their own."""
    import torch

    draw = np.random.default_rng(seed)
    target = draw.choice(5, rows, p=[0.49, 0.1, 0.27, 0.06, 0.08])
    shared = draw.normal(0, 0.5, rows)
    probs = []
    for member in range(members):
        own = draw.normal(0, 0.4 + 0.2 * member, rows)
        seen = torch.from_numpy(0.45 + 0.6 * (target + shared + own)).float()
        steps = seen[:, None] - torch.arange(4)
        probs.append(TASKS["ordinal"].link.probs(steps).numpy())
    return target, tuple(probs)


def tta(images: int = 192, size: int = 96) -> dict[str, Any]:
    """Four views of each image against four forwards on a resident batch, and ttach's wrapper."""
    import torch
    import ttach
    from torch.utils.data import DataLoader

    from comp.config.schema import ModelConfig
    from comp.inference.outputs import RowOutput
    from comp.inference.predict import predict_pieces
    from comp.models.device import choose_device
    from comp.models.networks import build_net

    device = choose_device()
    config = ModelConfig(name="resnet18", pretrained=False)
    net = build_net(config, 10, size, device, empty=True)
    net.module.eval()
    packed = np.random.default_rng(0).integers(0, 256, (images, size, size, 3), dtype=np.uint8)
    resident = net.normalize(net.to_device(torch.from_numpy(packed[:64])))
    wrapped = ttach.ClassificationTTAWrapper(net.module, ttach.aliases.flip_transform(), "mean")

    def ours() -> None:
        given = (net, TASKS["multiclass"], packed, np.arange(images), RowOutput(10))
        np.concatenate(list(predict_pieces(*given, tta="flips", batch_size=64)))

    @torch.inference_mode()
    def bare() -> None:
        for _ in range(images // 64 * 4):
            with device.autocast():
                net.module(resident)

    @torch.inference_mode()
    def theirs() -> None:
        for batch in DataLoader(packed, batch_size=64):
            images_ = net.normalize(net.to_device(batch))
            with device.autocast():
                wrapped(images_).softmax(1).cpu()

    seconds = interleaved({"ours": ours, "bare forwards": bare, "ttach + DataLoader": theirs})
    return {
        "what": f"resnet18, {images} images of {size} px, 4 views, {device.describe()}",
        "seconds": seconds,
        "bare / ours (goal >= 0.95)": ratio(seconds["bare forwards"], seconds["ours"]),
        "ttach / ours (goal >= 1.2)": ratio(seconds["ttach + DataLoader"], seconds["ours"]),
    }


def noise(kinds: dict[str, noise_worlds.Noise], world: Any, what: str) -> dict[str, Any]:
    """The bias of the honest score where nothing can be learned; `WORLDS` in the environment."""
    worlds = int(os.environ.get("WORLDS", 400))
    found: dict[str, Any] = {"what": f"pure noise, {what}: honest - true (goal within 0.005)"}
    for name, kind in kinds.items():
        found[name] = noise_worlds.measure(kind, worlds, world)
        print(name, found[name], flush=True)
    return found


PARTS = {
    "noise": lambda: noise(noise_worlds.TABLES, noise_worlds.of_world, "tables, 60 rows"),
    "noise-views": lambda: noise(noise_worlds.VIEWS, noise_worlds.of_views, "views, 60 rows"),
    "noise-masks": lambda: noise(noise_worlds.MASKS, noise_worlds.of_masks, "masks"),
    "thresholds": thresholds,
    "greedy": greedy,
    "submission": submission,
    "memory-soft": lambda: memory("soft"),
    "memory-hard": lambda: memory("hard"),
    "truth": truth,
    "truth-kappa": truth_kappa,
    "tta": tta,
}


def machine() -> dict[str, Any]:
    """What it ran on, and how busy that was before the start."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if os.name == "posix" else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    libraries = {}
    for name in ("numpy", "scikit-learn", "pandas", "torch", "ttach", "autogluon.core"):
        try:
            libraries[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "load before (1, 5, 15 min)": [round(value, 2) for value in os.getloadavg()],
        "python": platform.python_version(),
        **libraries,
    }


def table(results: dict[str, Any]) -> str:
    """The results as Markdown: one line a figure."""
    lines = ["# The ensembler, measured", "", "Made by `benchmarks/ensembler.py`.", ""]
    for name, result in results.items():
        about = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
        lines += [f"## {name}: {result['what']}", "", about, "", "| figure | value |", "|---|---|"]
        for key, value in result.items():
            if key in ("what", "machine") or key.startswith("seconds"):
                continue
            shown = value
            if isinstance(value, dict) and "median" in value:
                shown = f"{value['median']} ({value['min']} to {value['max']})"
            elif isinstance(value, dict):
                shown = ", ".join(f"{k} {v}" for k, v in value.items())
            lines.append(f"| {key} | {shown} |")
        lines.append("")
    return "\n".join(lines)


def main(names: list[str]) -> None:
    """Measure the parts named, and write all results."""
    path = HERE / "ensembler.json"
    results = json.loads(path.read_text()) if path.is_file() else {}
    for name in names or list(PARTS):
        about = machine()
        results[name] = {**PARTS[name](), "machine": about}
        print(json.dumps(results[name], indent=1), flush=True)
        path.write_text(json.dumps(results, indent=1) + "\n")
        (HERE / "ensembler.md").write_text(table(results))


if __name__ == "__main__":
    main(asked("ensembler", "The ensembler, measured", PARTS))

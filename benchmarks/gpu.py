"""Training and prediction on a GPU beside a bare loop of the same network, and timm's loader.

    python benchmarks/gpu.py                      # all parts on the card, ten minutes at most
    python benchmarks/gpu.py --device cpu         # the same with small images and one network
    python benchmarks/gpu.py --device cpu --tiny  # a dry run
    python benchmarks/gpu.py P1 P14               # some parts; others keep their figures

Each part runs in a process of its own with a limit of time; what a part leaves of it, the next
have. What matters most comes first, and the results are written after each figure, so that whatever
is cut short keeps what it has measured.
Measured interleaved, A-B-A-B, after a warm-up; ratios are taken within a round. It fails where a
part failed, or a test of a card, after all parts have run.

- P1    training with augmentation, images a second: `update` with its loader, the bare loop on one
        batch that stays on the device, and timm's loader with the loop of its script. Both loaders
        read the same source, the packed images or the JPEG files. `comp` turns, shifts and
        brightens (`light`), timm cuts out and resizes
- tests the tests that need a card
- P12   prediction with the eight views and with one, and validation, beside as many bare forward
        passes of a resident batch
- P14   peak memory of the device, beside the bare loop; on a CPU what torch allocates
- P2    the loader alone, without augmentation, beside a gather into the same memory
- P17   the determinism layer: the same loop without a seed for each step
- P13   the recipes: what the device does to batches that lie there, one core with OpenCV, and how
        many draws one core makes
- P1r   P1 with other recipes, where they are done, and where images lie
- P1c   P1 with `train.compile`

Results go to gpu.json and gpu.md beside this file (`--out` says otherwise), by the card's name.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from measure import about, interleaved, ratios, summary, timed

HERE = Path(__file__).parent
MODELS = ("efficientnet_b0", "resnet50", "convnext_tiny")
PRECISIONS = {"cuda": ("bf16", "fp16"), "cpu": ("fp32",), "mps": ("fp32",)}
# Seconds, in the order of the run: `make gpu` has ten minutes. What a part leaves, those after it
# have: compiling (P1c, the last) needs what it can get
LIMITS = {
    **{"P1": 130, "tests": 110, "P12": 70, "P14": 40, "P2": 40, "P17": 30, "P13": 35},
    **{"P1r": 45, "P1c": 60},
}
TOGETHER = 580
_OF_A_CPU = 8  # times as long
Row = dict[str, Any]


def sizes(options: argparse.Namespace) -> Row:
    """How much is measured."""
    if options.tiny:
        small = {"images": 48, "size": 32, "batch": 8, "steps": 3, "rounds": 2}
        return {**small, "models": ("test_resnet",), "recipes": ("light",)}
    if options.device == "cpu":
        small = {"images": 128, "size": 128, "batch": 16, "steps": 3, "rounds": 5}
        return {**small, "models": MODELS[:1], "recipes": ("light", "none")}
    return {
        **{"images": 2048, "size": 331, "batch": 64, "steps": 20, "rounds": 5},
        **{"models": MODELS, "recipes": ("light", "none", "heavy")},
    }


class World:
    """A drawn competition, packed, and the jobs that train on it."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.options, self.how = folder, options, sizes(options)

    @property
    def clock(self) -> Callable[[], float]:
        """Of P1, P12 and P17. Where the CPU is the device, the time of all threads of this process,
        which is not that of others on a busy machine."""
        return time.process_time if self.options.device == "cpu" else time.perf_counter

    def lay(self) -> None:
        """Draw JPEG files and their table, plan folds, pack."""
        import cv2

        import comp

        files, size = self.folder / "input/train", self.how["size"]
        files.mkdir(parents=True)
        draw, lines = np.random.default_rng(0), ["id,label"]
        for number in range(self.how["images"]):
            coarse = draw.integers(0, 255, (size // 8, size // 8, 3), dtype=np.uint8)
            image = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(files / f"{number:05d}.jpg"), image)
            lines.append(f"{number:05d}.jpg,c{number % 4}")
        (self.folder / "input/train.csv").write_text("\n".join([*lines, ""]))
        (self.folder / "input/test").mkdir()
        (self.folder / "input/test/t0.jpg").write_bytes((files / "00000.jpg").read_bytes())
        (self.folder / "input/sample_submission.csv").write_text("id,label\nt0.jpg,c0\n")
        comp.make_folds(self.tree(), self.folder, quiet=True)
        comp.pack(self.tree(), self.folder, quiet=True)

    def tree(self, model: str = "", precision: str = "fp32", **over: Any) -> Row:
        """A config; `over`: recipe, backend, resident, pack and compile."""
        how = self.how
        return {
            "name": "gpu",
            "task": "multiclass",
            "metric": "accuracy",
            "data": {"root": str(self.folder / "input"), "id": "id", "target": "label"},
            "folds": {"count": 2},
            "image": {
                "size": how["size"],
                "resident": over.get("resident", "auto"),
                "pack": over.get("pack", "memmap"),
            },
            "augment": {
                "recipe": over.get("recipe", "light"),
                "backend": over.get("backend", "auto"),
            },
            "model": {"name": model or how["models"][0], "pretrained": False},
            "train": {
                **{"batch_size": how["batch"], "precision": precision, "epochs": 100},
                **{"compile": over.get("compile", "off"), "device": self.options.device},
            },
        }

    def job(self, *words: Any, **over: Any) -> Any:
        """Fold 0 of a config."""
        from comp.config.loading import make_config
        from comp.stages.experiment import open_experiment
        from comp.stages.train import open_job

        return open_job(open_experiment(make_config(self.tree(*words, **over)), self.folder), 0)


def wait(device: Any) -> None:
    """Until the device has done its work."""
    import torch

    if device.cuda:
        torch.cuda.synchronize()


class Ours:
    """Steps of `comp`: its loader, its update. They go on where they stopped."""

    def __init__(self, job: Any) -> None:
        from comp.train.batches import make_loader
        from comp.train.train_state import new_state

        self.job, self.loader = job, make_loader(job, job.workers)
        self.state = new_state(job, len(self.loader), job.config.train.batch_size)
        self.state.net.module.train()
        self.batches = self._endless()

    def _endless(self) -> Iterator[Any]:
        from comp.train.hardware.copies import on_device

        size = self.job.config.train.batch_size
        while True:
            batches = on_device(self.loader, self.job.device, self.state.epoch)
            yield from (batch for batch in batches if len(batch[0]) == size)
            self.state.epoch += 1

    def run(self, steps: int) -> None:
        """So many updates, and wait for them."""
        from comp.train.update import settle, update

        for _ in range(steps):
            images, target = next(self.batches)
            update(self.job, self.state, images, target)
            self.state.step += 1
        settle(self.job, self.state)
        wait(self.job.device)


class Bare:
    """The same network, loss and optimizer by hand, on one batch that stays on the device."""

    def __init__(self, job: Any) -> None:
        import torch

        from comp.train.optim import make_optimizer
        from comp.train.train_state import new_state

        self.job, self.device = job, job.device
        net = new_state(job, 100, job.config.train.batch_size).net
        self.module, self.call = net.module.train(), net.fast or net.module
        self.optimizer = make_optimizer(net.module, job.config.train)
        self.scaler = torch.amp.GradScaler(self.device.torch_device.type, enabled=job.device.scaled)
        size, batch = job.config.image.size, job.config.train.batch_size
        place = self.device.torch_device
        pixels = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8, device=place)
        self.pixels = pixels.contiguous(memory_format=torch.channels_last)
        self.target = torch.arange(batch, device=place) % 4
        self.mean = torch.full((1, 3, 1, 1), 127.0, device=place)

    def run(self, steps: int) -> None:
        """So many steps, and wait for them."""
        for _ in range(steps):
            self.step(self.pixels, self.target)
        wait(self.device)

    def step(self, pixels: Any, target: Any) -> None:
        import torch

        with self.device.autocast():
            logits = self.call((pixels.float() - self.mean) / 60)
        loss = torch.nn.functional.cross_entropy(logits.float(), target)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)


class Packed:
    """Packed images as a dataset that timm reads."""

    def __init__(self, job: Any) -> None:
        self.images, self.target, self.rows = job.images, job.target, job.train_rows
        self.transform: Any = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> tuple[Any, int]:
        from PIL import Image

        row = int(self.rows[place])
        return self.transform(Image.fromarray(np.asarray(self.images[row]))), int(self.target[row])


class Timm(Bare):
    """timm's loader, with its prefetcher on CUDA, and the step of its script. files: folders of
    JPEG files; None: the packed images of the job."""

    def __init__(self, job: Any, files: Path | None) -> None:
        from timm.data import create_dataset, create_loader

        super().__init__(job)
        size, batch = job.config.image.size, job.config.train.batch_size
        read = Packed(job) if files is None else create_dataset("", root=str(files), class_map="")
        self.loader = create_loader(
            read,
            input_size=(3, size, size),
            batch_size=batch,
            is_training=True,
            use_prefetcher=self.device.cuda,
            num_workers=job.workers,
            scale=(0.8, 1.0),
            hflip=0.0,
            color_jitter=None,
            device=self.device.torch_device,
        )
        self.batches = self._endless()

    def _endless(self) -> Iterator[Any]:
        while True:
            yield from self.loader

    def run(self, steps: int) -> None:
        import torch

        for _ in range(steps):
            images, target = next(self.batches)
            place = self.device.torch_device
            images = images.to(place).contiguous(memory_format=torch.channels_last)
            with self.device.autocast():
                logits = self.call(images)
            loss = torch.nn.functional.cross_entropy(logits.float(), target.to(place))
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad(set_to_none=True)
        wait(self.device)


def grid(world: World) -> Iterator[tuple[str, str]]:
    """Networks and precisions, the first precision of each network first."""
    for precision in PRECISIONS[world.job().device.torch_device.type]:
        for model in world.how["models"]:
            yield model, precision


def by_folders(world: World) -> Path:
    """The JPEG files in a folder for each class, as timm reads them."""
    root = world.folder / "classes"
    if not root.is_dir():
        for number, path in enumerate(sorted((world.folder / "input/train").iterdir())):
            (root / f"c{number % 4}").mkdir(parents=True, exist_ok=True)
            os.link(path, root / f"c{number % 4}" / path.name)
    return root


def speeds(
    works: dict[str, Callable[[], Any]], images: int, rounds: int, clock: Any = time.perf_counter
) -> Row:
    """Images a second of each work, and the ratios of the first to the others."""
    found = interleaved(works, rounds, clock)
    out: Row = {f"{name} img/s": summary([images / s for s in found[name]], 1) for name in works}
    first, *others = works
    return {**out, **{f"{first} / {name}": ratios(found, name, first) for name in others}}


def side_by_side(world: World, works: dict[str, Any]) -> Row:
    """The speeds of training loops."""
    steps, rounds, batch = (world.how[key] for key in ("steps", "rounds", "batch"))
    calls = {name: lambda w=work: w.run(steps) for name, work in works.items()}
    return speeds(calls, steps * batch, rounds, world.clock)


def p1(world: World) -> Iterator[Row]:
    """Training."""
    for number, (model, precision) in enumerate(grid(world)):
        where = {"model": model, "precision": precision, "recipe": "light"}
        job = world.job(model, precision)
        works = {"ours": Ours(job), "bare": Bare(job), "timm": Timm(job, None)}
        yield {**where, "source": "packed", **side_by_side(world, works)}
        if number == 0:
            del works
            job = world.job(model, precision, pack="none")
            works = {"ours": Ours(job), "timm": Timm(job, by_folders(world))}
            yield {**where, "source": "JPEG", **side_by_side(world, works)}


def p1_recipes(world: World) -> Iterator[Row]:
    """Training with other recipes and backends."""
    model, precision = next(grid(world))
    ways = [(recipe, "auto", "auto") for recipe in world.how["recipes"][1:]]
    ways += [("light", "device", "off"), ("light", "cpu", "off")]
    for recipe, backend, resident in ways:
        over = {"recipe": recipe, "backend": backend, "resident": resident}
        job = world.job(model, precision, **over)
        works = {"ours": Ours(job), "bare": Bare(job)}
        yield {"model": model, **over, **side_by_side(world, works)}


def p1_compiled(world: World) -> Iterator[Row]:
    """Training with a compiled network, beside the same that is not. To compile takes a minute or
    more, so each figure is a row as soon as it is there: what the part has time for is kept."""
    for model, precision in grid(world):
        where = {"model": model, "precision": precision}
        on, off = (world.job(model, precision, compile=word) for word in ("on", "off"))
        plain = Ours(off)
        yield {**where, **side_by_side(world, {"not": plain})}
        compiled = Ours(on)
        yield {**where, "seconds of the first step": round(timed(lambda w=compiled: w.run(1)), 1)}
        yield {**where, **side_by_side(world, {"compiled": compiled, "not": plain})}
        bare = Bare(on)
        bare.run(1)
        yield {**where, **side_by_side(world, {"compiled": compiled, "bare, compiled": bare})}


def p2(world: World) -> Iterator[Row]:
    """The loader alone."""
    from comp.data.cache.store import gather, plain
    from comp.train.batches import make_loader

    job = world.job(recipe="none", resident="off")
    rows, batch = job.train_rows, world.how["batch"]
    buffer = np.empty((batch, *job.images.shape[1:]), np.uint8)
    whole = len(rows) // batch

    def copied() -> None:
        for number in range(whole):
            gather(plain(job.images), rows[number * batch : (number + 1) * batch], buffer)

    for workers in sorted({0, 1, job.workers}):
        loader, epochs = make_loader(job, workers), iter(range(10**6))

        def loaded(loader: Any = loader, epochs: Any = epochs) -> None:
            for _ in zip(range(whole), loader.epoch(next(epochs)), strict=False):
                pass

        found = speeds({"ours": loaded, "gather": copied}, whole * batch, world.how["rounds"])
        yield {"workers": workers, **found}


def p13(world: World) -> Iterator[Row]:
    """The recipes."""
    import torch

    from comp.data.loader.batched.apply import moved
    from comp.data.loader.batched.draws import Draws
    from comp.data.loader.recipes import RECIPES, make_recipe

    job, batch = world.job(resident="off"), world.how["batch"]
    size, rounds, place = world.how["size"], world.how["rounds"], job.device.torch_device
    pixels = np.array(job.images[:batch])
    there, seeds = torch.from_numpy(pixels).to(place), list(range(batch))
    for name in [name for name in RECIPES if name != "none"]:
        recipe, draws = make_recipe(name, size), Draws(make_recipe(name, size))
        moves = draws(seeds)
        moves = moves._replace(values=moves.values.to(place))

        def device(moves: Any = moves) -> None:
            moved(there.clone(), None, moves)
            wait(job.device)

        def core(recipe: Any = recipe) -> None:
            for image, seed in zip(pixels, seeds, strict=True):
                recipe(image, seed)

        works = {"device": device, "cpu": core, "draws": lambda d=draws: d(seeds)}
        yield {"recipe": name, **speeds(works, batch, rounds)}


def p12(world: World) -> Iterator[Row]:
    """Prediction with eight views and with one, and validation."""
    from comp.train.train_state import new_state

    for model, precision in grid(world):
        job = world.job(model, precision)
        state = new_state(job, 1, world.how["batch"])
        net = state.eval_net
        net.module.eval()
        rows, size = job.train_rows, 2 * world.how["batch"]
        job = replace(job, valid_rows=rows[: len(rows) // size * size])
        works: dict[str, Callable[[], Any]] = {
            "d4": lambda j=job, n=net: predicted(j, n, "d4"),
            "none": lambda j=job, n=net: predicted(j, n, "none"),
            "validation": lambda j=job, s=state, n=net: validated(j, s, n),
        }
        for what, work in works.items():
            views, times = ("d4", 1) if what == "d4" else ("none", 8)  # as many forward passes
            calls = {"ours": work, "bare": forwards(job, net, views, size)}
            again = {name: repeated(call, times) for name, call in calls.items()}
            images = times * len(job.valid_rows)
            found = speeds(again, images, world.how["rounds"], world.clock)
            yield {"model": model, "precision": precision, "what": what, **found}


def repeated(work: Callable[[], Any], times: int) -> Callable[[], None]:
    """The work so many times."""

    def run() -> None:
        for _ in range(times):
            work()

    return run


def predicted(job: Any, net: Any, tta: str) -> None:
    """What `comp predict` does with the validation rows of a job."""
    from comp.inference.outputs import RowOutput
    from comp.inference.predict import predict_pieces

    size = 2 * job.config.train.batch_size
    out = RowOutput(job.columns)
    for _ in predict_pieces(
        net, job.task, job.images, job.valid_rows, out, tta=tta, batch_size=size, name="P12"
    ):
        pass


def validated(job: Any, state: Any, net: Any) -> None:
    """What an epoch ends with."""
    from comp.train.validate import validate

    validate(job, state, net, lambda: None)


def forwards(job: Any, net: Any, tta: str, size: int) -> Callable[[], None]:
    """The forward passes of as many images, of a batch that stays on the device."""
    import torch

    from comp.inference.views import view_probs, views_of

    batch = net.to_device(torch.from_numpy(np.array(job.images[:size])))

    def run() -> None:
        for _ in range(len(job.valid_rows) // size):
            view_probs(net, job.task, batch, views_of(tta))
        wait(job.device)

    return run


def p14(world: World) -> Iterator[Row]:
    """Peak memory."""
    for model, precision in grid(world):
        job = world.job(model, precision, resident="off")
        row: Row = {"model": model, "precision": precision}
        for name, make in {"bare": Bare, "ours": Ours}.items():
            row[f"{name} MiB"] = round(
                peak(job.device, lambda m=make, j=job: m(j).run(3)) / 2**20, 1
            )
        yield {**row, "ours / bare": round(row["ours MiB"] / row["bare MiB"], 4)}


def peak(device: Any, work: Callable[[], Any]) -> int:
    """The most bytes of tensors that some work has at once: on CUDA what torch allocates there, on
    a CPU all that its profiler sees torch allocate, the batches of the loader as well."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    if device.cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    changes = [e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())]
    return int(np.cumsum(changes).max())


def p17(world: World) -> Iterator[Row]:
    """The determinism layer."""
    from comp.train import update as module

    job = world.job(precision=next(grid(world))[1], recipe="none")
    ours, free = Ours(job), Ours(replace(job, workers=job.workers))
    seeded, steps = module.seed_torch, world.how["steps"]

    def without() -> None:
        module.seed_torch = lambda *_: None
        free.run(steps)
        module.seed_torch = seeded

    works = {"ours": lambda: ours.run(steps), "one generator": without}
    yield speeds(works, steps * world.how["batch"], world.how["rounds"], world.clock)


def card_tests(world: World) -> Iterator[Row]:
    """The tests that need a card; a row of counts, and one for each that failed."""
    root, report = HERE.parent, world.folder / "tests.xml"
    files = [
        path
        for path in sorted((root / "tests").rglob("test_*.py"))
        if re.search(r"mark\.cuda|card: Card", path.read_text())
    ]
    words = [sys.executable, "-m", "pytest", "-m", "cuda", "-q", "--tb=short", "-rfE"]
    words += [f"--junit-xml={report}", *map(str, files)]
    try:  # ended here, because nobody else ends it
        done = subprocess.run(words, cwd=root, timeout=LIMITS["tests"] - 5, check=False)
    except subprocess.TimeoutExpired:
        yield {"code": _CUT}
        raise SystemExit(_CUT) from None
    (suite,) = ElementTree.parse(report).getroot().iter("testsuite")
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    yield {"code": done.returncode, **counts}
    for case in suite.iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            yield {"failed": f"{case.get('classname')}.{case.get('name')}"}
    if world.options.device in ("cpu", "mps"):  # there is nothing that they could run on
        done.returncode = done.returncode if counts["tests"] > counts["skipped"] else 0
    elif counts["skipped"] or not counts["tests"]:
        yield {"failed": f"{counts['skipped']} of {counts['tests']} tests of a card were skipped"}
        raise SystemExit(1)
    if done.returncode:
        raise SystemExit(1)


PARTS: dict[str, Callable[[World], Iterator[Row]]] = {
    "P1": p1,
    "tests": card_tests,
    "P12": p12,
    "P14": p14,
    "P2": p2,
    "P17": p17,
    "P13": p13,
    "P1r": p1_recipes,
    "P1c": p1_compiled,
}


def about_card(options: argparse.Namespace) -> Row:
    """The device, its driver and the versions."""
    from comp.models.device import choose_device

    device = choose_device(where=options.device)
    return {"device": device.details(), **about(("torch", "timm", "numpy", "albumentations"))}


def child(options: argparse.Namespace, part: str) -> None:
    """Measure one part; the results are written after each row."""
    import torch

    world, begin, rows = World(options.work, options), time.monotonic(), list[Row]()
    head = about_card(options)
    for row in PARTS[part](world):
        rows.append(row)
        keep(options.out, part, {**head, "ended": "running", "rows": rows})
        print(part, json.dumps(row), f"{time.monotonic() - begin:.0f} s", flush=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def keep(out: Path, part: str, found: Row) -> None:
    """Put what is known of a part into the two files."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "gpu.json"
    results: dict[str, Row] = json.loads(path.read_text()) if path.is_file() else {}
    known = results.setdefault(found["device"], {})
    known[part] = {**known.get(part, {}), **found}
    path.write_text(json.dumps(results, indent=1) + "\n")
    (out / "gpu.md").write_text(table(results))


def measure(options: argparse.Namespace) -> int:
    """All parts, each in a process of its own; how many ended badly."""
    began = time.monotonic()
    World(options.work, options).lay()
    failed, head, slow = 0, about_card(options), 1 if options.device != "cpu" else _OF_A_CPU
    end = time.monotonic()
    for part in [name for name in PARTS if name in (options.parts or PARTS)]:
        begin = time.monotonic()
        end += LIMITS[part] * slow
        limit = min(end, began + options.seconds * slow) - begin
        keep(options.out, part, {**head, "ended": "not begun", "rows": []})
        if limit < 1:
            continue
        words = [sys.executable, __file__, "--child", part, "--work", str(options.work)]
        words += ["--out", str(options.out), "--device", options.device]
        words += ["--tiny"] * options.tiny
        try:
            code = subprocess.run(words, timeout=limit, check=False).returncode
        except subprocess.TimeoutExpired:
            code = _CUT
        failed += code not in (0, _CUT) or (part == "tests" and code != 0)
        ended = {0: "whole", _CUT: f"cut at {limit:.0f} s"}.get(code, f"failed with code {code}")
        seconds = round(time.monotonic() - begin)
        keep(options.out, part, {"device": head["device"], "ended": ended, "seconds": seconds})
    return failed


_CUT = 124  # as `timeout` says it


def shown(value: Any) -> str:
    """A figure of the table: median (minimum to maximum)."""
    if isinstance(value, dict):
        return f"{value['median']} ({value['min']} to {value['max']})"
    return "" if value is None else str(value)


def table(results: dict[str, Row]) -> str:
    """The figures as Markdown."""
    lines = [
        "# Training and prediction, by device",
        "",
        "Made by `python benchmarks/gpu.py`; what each part is, is said there.",
    ]
    for device, parts in results.items():
        lines += ["", f"## {device}"]
        for part, found in parts.items():
            versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
            lines += [
                "",
                f"### {part}: {found['ended']}",
                "",
                f"{found['machine']}; {versions}",
                "",
            ]
            names = list(dict.fromkeys(name for row in found["rows"] for name in row))
            if names:
                lines += ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
            for row in found["rows"]:
                lines.append("| " + " | ".join(shown(row.get(name)) for name in names) + " |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, or be the process of one part."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"{' '.join(PARTS)}; all without one")
    parser.add_argument("--device", default="auto", help="as train.device")
    parser.add_argument("--tiny", action="store_true", help="a dry run")
    parser.add_argument("--seconds", type=float, default=TOGETHER, help="of all parts together")
    parser.add_argument("--out", type=Path, default=HERE, help="where gpu.json and gpu.md go")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if options.device == "auto" and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device; --device cpu measures the CPU")
    if options.child:
        child(options, options.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        options.work = Path(folder)
        sys.exit(1 if measure(options) else 0)


if __name__ == "__main__":
    main()

"""Training and prediction on a GPU beside a bare loop of the same network, and timm's loader.

    python benchmarks/gpu.py                      # all parts on the card, ten minutes at most
    python benchmarks/gpu.py --device cpu --tiny  # a dry run: small images, one network
    python benchmarks/gpu.py P1 P14               # some parts; others keep their figures

Each part runs in a process of its own with a limit of time, and writes a line for each figure as
soon as it is there, so a part that is cut short keeps what it has measured. Measured interleaved,
A-B-A-B, after a warm-up; ratios are taken within a round.

- P1   training with augmentation, images a second: `update` with its loader, the bare loop on one
       batch that stays on the device, and timm's loader (JPEG files) with the loop of its script
- P2   the loader alone, without augmentation, beside a gather into the same memory
- P13  the recipes: what the device does to batches that lie there, one core with OpenCV, and how
       many draws one core makes
- P12  prediction with the eight views, beside eight bare forward passes of a resident batch
- P14  peak memory of the device, beside the bare loop
- P17  the determinism layer: the same loop without a seed for each step

Results go to gpu.json and gpu.md beside this file (`--out` says otherwise), by the card's name.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from measure import about, interleaved, ratios, summary

HERE = Path(__file__).parent
MODELS = ("efficientnet_b0", "resnet50", "convnext_tiny")
PRECISIONS = {"cuda": ("bf16", "fp16"), "cpu": ("fp32",), "mps": ("fp32",)}
# Seconds, in the order of the run
LIMITS = {"P14": 60, "P17": 60, "P2": 60, "P13": 50, "P12": 80, "P1": 260}
Row = dict[str, Any]


def sizes(tiny: bool) -> Row:
    """How much is measured."""
    if tiny:
        small = {"images": 48, "size": 32, "batch": 8, "steps": 3, "rounds": 2}
        return {**small, "models": ("test_resnet",), "compile": ("off",), "recipes": ("light",)}
    return {
        **{"images": 2048, "size": 331, "batch": 64, "steps": 20, "rounds": 5},
        **{"models": MODELS, "compile": ("off", "on"), "recipes": ("light", "none", "heavy")},
    }


class World:
    """A drawn competition, packed, and the jobs that train on it."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.options, self.how = folder, options, sizes(options.tiny)

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
        """A config; `over`: recipe, backend, resident and compile."""
        how = self.how
        return {
            "name": "gpu",
            "task": "multiclass",
            "metric": "accuracy",
            "data": {"root": str(self.folder / "input"), "id": "id", "target": "label"},
            "folds": {"count": 2},
            "image": {"size": how["size"], "resident": over.get("resident", "auto")},
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


class Timm(Bare):
    """timm's loader from JPEG files, with its prefetcher on CUDA, and the step of its script."""

    def __init__(self, job: Any, files: Path) -> None:
        from timm.data import create_dataset, create_loader

        super().__init__(job)
        size, batch = job.config.image.size, job.config.train.batch_size
        self.loader = create_loader(
            create_dataset("", root=str(files), class_map=""),
            input_size=(3, size, size),
            batch_size=batch,
            is_training=True,
            use_prefetcher=self.device.cuda,
            num_workers=job.workers,
            scale=(0.8, 1.0),
            hflip=0.0,
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


def grid(world: World) -> Iterator[tuple[str, str, str]]:
    """Networks, precisions, compile: the plainest of each network first."""
    kinds = PRECISIONS[world.job().device.torch_device.type]
    for compile_ in world.how["compile"]:
        for precision in kinds:
            for model in world.how["models"]:
                yield model, precision, compile_


def by_folders(world: World) -> Path:
    """The JPEG files in a folder for each class, as timm reads them."""
    root = world.folder / "classes"
    if not root.is_dir():
        for number, path in enumerate(sorted((world.folder / "input/train").iterdir())):
            (root / f"c{number % 4}").mkdir(parents=True, exist_ok=True)
            os.link(path, root / f"c{number % 4}" / path.name)
    return root


def speeds(works: dict[str, Callable[[], Any]], images: int, rounds: int) -> Row:
    """Images a second of each work, and the ratios of the first to the others."""
    found = interleaved(works, rounds)
    out: Row = {f"{name} img/s": summary([images / s for s in found[name]], 1) for name in works}
    first, *others = works
    return {**out, **{f"{first} / {name}": ratios(found, name, first) for name in others}}


def p1(world: World) -> Iterator[Row]:
    """Training."""
    steps, rounds, batch = (world.how[key] for key in ("steps", "rounds", "batch"))
    for model, precision, compile_ in grid(world):
        job = world.job(model, precision, compile=compile_)
        works = {"ours": Ours(job), "bare": Bare(job)}
        if compile_ == "off":
            works["timm"] = Timm(job, by_folders(world))
        calls = {name: lambda w=work: w.run(steps) for name, work in works.items()}
        where = {"model": model, "precision": precision, "compile": compile_, "recipe": "light"}
        yield {**where, **speeds(calls, steps * batch, rounds)}
    ways = [(recipe, "auto", "auto") for recipe in world.how["recipes"][1:]]
    ways += [("light", "device", "off"), ("light", "cpu", "off")]
    for recipe, backend, resident in ways:
        over = {"recipe": recipe, "backend": backend, "resident": resident}
        job = world.job(world.how["models"][0], next(grid(world))[1], **over)
        ours, bare = Ours(job), Bare(job)
        calls = {"ours": lambda o=ours: o.run(steps), "bare": lambda b=bare: b.run(steps)}
        where = {"model": world.how["models"][0], "compile": "off", **over}
        yield {**where, **speeds(calls, steps * batch, rounds)}


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
    """Prediction with eight views."""
    import torch

    from comp.inference.outputs import RowOutput
    from comp.inference.predict import predict_pieces
    from comp.inference.views import view_probs, views_of
    from comp.train.train_state import new_state

    for model, precision, compile_ in grid(world):
        if compile_ == "on":
            continue
        job = world.job(model, precision)
        net = new_state(job, 1, 8).eval_net
        net.module.eval()
        rows, size = job.train_rows, 2 * world.how["batch"]
        rows = rows[: len(rows) // size * size]
        some = torch.from_numpy(np.array(job.images[:size]))
        resident = net.to_device(some)

        def ours(job: Any = job, net: Any = net, rows: Any = rows, size: int = size) -> None:
            out = RowOutput(job.columns)
            pieces = predict_pieces(
                net, job.task, job.images, rows, out, tta="d4", batch_size=size, name="P12"
            )
            for _ in pieces:
                pass

        def bare(job: Any = job, net: Any = net, batch: Any = resident, n: int = len(rows)) -> None:
            for _ in range(n // len(batch)):
                view_probs(net, job.task, batch, views_of("d4"))
            wait(job.device)

        found = speeds({"ours": ours, "bare": bare}, len(rows), world.how["rounds"])
        yield {"model": model, "precision": precision, **found}


def p14(world: World) -> Iterator[Row]:
    """Peak memory."""
    import torch

    for model, precision, compile_ in grid(world):
        if compile_ == "on":
            continue
        job = world.job(model, precision, resident="off")
        row: Row = {"model": model, "precision": precision}
        for name, make in {"bare": Bare, "ours": Ours}.items():
            if job.device.cuda:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            work = make(job)
            work.run(3)
            row[f"{name} MiB"] = (
                torch.cuda.max_memory_allocated() >> 20 if job.device.cuda else None
            )
            del work
        if job.device.cuda:
            row["ours / bare"] = round(row["ours MiB"] / row["bare MiB"], 4)
        yield row


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
    yield speeds(works, steps * world.how["batch"], world.how["rounds"])


PARTS: dict[str, Callable[[World], Iterator[Row]]] = {
    "P14": p14,
    "P17": p17,
    "P2": p2,
    "P13": p13,
    "P12": p12,
    "P1": p1,
}


def about_card(options: argparse.Namespace) -> Row:
    """The device, its driver and the versions."""
    from comp.models.device import choose_device

    device = choose_device(where=options.device)
    return {"device": device.details(), **about(("torch", "timm", "numpy", "albumentations"))}


def child(options: argparse.Namespace, part: str) -> None:
    """Measure one part; a line of JSON for each row."""
    import torch

    world, begin = World(options.work, options), time.monotonic()
    for row in PARTS[part](world):
        with (options.work / f"{part}.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(part, json.dumps(row), f"{time.monotonic() - begin:.0f} s", flush=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def measure(options: argparse.Namespace) -> int:
    """All parts, each in a process of its own; how many ended badly."""
    results: dict[str, Row] = {}
    path = options.out / "gpu.json"
    if path.is_file():
        results = json.loads(path.read_text())
    World(options.work, options).lay()
    failed, head = 0, about_card(options)
    for part in [name for name in PARTS if name in (options.parts or PARTS)]:
        lines, begin = options.work / f"{part}.jsonl", time.monotonic()
        words = [sys.executable, __file__, "--child", part, "--work", str(options.work)]
        words += ["--device", options.device, *(["--tiny"] if options.tiny else [])]
        try:
            code = subprocess.run(words, timeout=LIMITS[part], check=False).returncode
        except subprocess.TimeoutExpired:
            code = 124
        failed += code not in (0, 124)
        rows = (
            [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
        )
        ended = {0: "whole", 124: f"cut at {LIMITS[part]} s"}.get(code, f"failed with code {code}")
        own = {"ended": ended, "seconds": round(time.monotonic() - begin), "rows": rows}
        results.setdefault(head["device"], {})[part] = {**head, **own}
        path.write_text(json.dumps(results, indent=1) + "\n")
        (options.out / "gpu.md").write_text(table(results))
    return failed


def shown(value: Any) -> str:
    """A figure of the table: median (minimum to maximum)."""
    if isinstance(value, dict):
        return f"{value['median']} ({value['min']} to {value['max']})"
    return "" if value is None else str(value)


def table(results: dict[str, Row]) -> str:
    """The figures as Markdown."""
    lines = [
        "# On a GPU",
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="P1 P2 P12 P13 P14 P17; all without one")
    parser.add_argument("--device", default="auto", help="as train.device")
    parser.add_argument("--tiny", action="store_true", help="a dry run")
    parser.add_argument("--out", type=Path, default=HERE, help="where gpu.json and gpu.md go")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if options.child:
        child(options, options.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        options.work = Path(folder)
        sys.exit(1 if measure(options) else 0)


if __name__ == "__main__":
    main()

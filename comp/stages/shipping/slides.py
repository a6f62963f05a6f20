"""`comp slides`: a trained run answers images that are too large for memory, tile by tile.

slides/<name>/answers.csv     classification: id, a probability per class, tiles seen, tiles
slides/<name>/<id>.tif        segmentation: the mask of each slide, in tiles, packed
slides/<name>/<id>.json       of what it was made, written last: it is not made again
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from comp.core import checksums, files, locks
from comp.core.errors import ConfigError, RunError, UsageError, first, pick, repeated
from comp.core.progress import say, track
from comp.data.images.pixel_form import as_span, form_of
from comp.data.images.slides import Slide, rows_of, slides_in
from comp.data.index.table_text import csv_text
from comp.inference.predict import net_of
from comp.inference.slides import POOLS, SlideReader, pooled, stitched_rows
from comp.inference.views import AUTO
from comp.models.networks import Net
from comp.stages.experiment import Experiment
from comp.train.checkpoints import checkpoint
from comp.train.hardware.choice import device_of

Array = np.ndarray[Any, Any]

_TILE = 256  # of the masks that are written
_ENCODED = 4 << 20  # bytes of a mask that are encoded at once
_BACKGROUND_ROW = 1 << 20  # pixels of a band that are decided at once


@dataclass(frozen=True)
class SlideAnswers:
    """What was written: the folder, and for each slide id, tiles seen, tiles and answer (a file, or
    probabilities)."""

    folder: Path
    ids: tuple[str, ...]
    seen: tuple[int, ...]
    tiles: tuple[int, ...]
    classes: tuple[str, ...]
    probs: Array | None


def answer_slides(
    experiment: Experiment,
    place: Path,
    *,
    pool: str = "mean",
    side: int | None = None,
    overlap: float = 0.0,
    least: float = 0.02,
) -> SlideAnswers:
    """Answer every slide of a folder, or the one that is named.

    pool: how the logits of tiles become those of a slide. side: of a tile, in pixels of the slide;
    None: `image.size`. overlap: the share of a tile that overlaps its neighbour; for masks 0.25 at
    least. least: a tile with a smaller share of anything but background is left out.
    Raises RunError for folds that are not finished, DataError for a slide that cannot be read.
    """
    pick(POOLS, pool, "--pool")
    if not (0 <= overlap <= 0.75 and 0 <= least < 1):
        raise UsageError("--overlap is from 0 to 0.75, --least from 0 to below 1")
    config, task = experiment.config, experiment.task
    if config.model.probe is not None or config.data.files:
        raise ConfigError("comp slides: for networks of images of one file; not with model.probe")
    paths = slides_in(place)
    ids = [path.stem for path in paths]
    if len({*ids}) < len(ids):
        raise UsageError(f"{place}: slides of one name: {first(repeated(ids))}; rename one of them")
    checkpoints, nets, span, classes = _networks(experiment)
    size = side or config.image.size
    reader = SlideReader(
        nets=nets,
        task=task,
        columns=task.columns(len(classes)),
        image=config.image.model_copy(update={"resize": "stretch"}),
        form=replace(form_of(config.image), span=span),
        side=size,
        overlap=max(overlap, config.image.overlap) if task.spatial else overlap,
        least=least,
        batch=config.predict.batch_size or 2 * config.train.batch_size,
        tta="none" if config.predict.tta == AUTO else config.predict.tta,
    )
    folder = experiment.path(Path("slides") / experiment.name)
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "checkpoints": checkpoints,
        "pool": None if task.spatial else pool,
        "side": size,
        "overlap": reader.overlap,
        "least": least,
        "tta": reader.tta,
    }
    with locks.writing(folder):
        made = [
            _answer(reader, path, folder, pool, about)
            for path in track(paths, len(paths), "slides")
        ]
        answers = SlideAnswers(
            folder,
            tuple(ids),
            tuple(int(one["seen"]) for one in made),
            tuple(int(one["tiles"]) for one in made),
            classes,
            None if task.spatial else np.array([one["probs"] for one in made], dtype=float),
        )
        names = classes if reader.columns == len(classes) else classes[-1:]
        _write_table(answers, names)
    empty = [name for name, seen in zip(ids, answers.seen, strict=True) if not seen]
    if empty:
        say(f"warning: every tile is empty in {first(empty)}: no network has seen them")
    return answers


def _networks(experiment: Experiment) -> tuple[list[str], list[Net], Any, tuple[str, ...]]:
    """Digests of the checkpoints of all folds, their networks, the range and the classes."""
    config = experiment.config
    runs = [experiment.workspace.fold(number) for number in range(config.folds.parts)]
    lacking = [run.path.name for run in runs if not run.done.is_file()]
    if lacking:
        raise RunError(f"{experiment.workspace.run}: unfinished: {first(lacking)}. Train it first")
    paths = [run.checkpoint(config.predict.checkpoint) for run in runs]
    device, nets, about = device_of(config), list[Net](), list[tuple[str, Any, tuple[str, ...]]]()
    for path in paths:  # one by one: the state of a single one is in memory beside its network
        state = checkpoint.load(path)
        about.append((str(state.get("plan")), state.get("range"), tuple(state["classes"])))
        nets.append(net_of(state, config, experiment.task, device))
        del state
        _trim()
    if len({plan for plan, _, _ in about}) > 1:
        raise RunError(f"{experiment.workspace.run}: its folds are of several plans; train again")
    _, span, classes = about[0]
    return [checksums.digest_file(path) for path in paths], nets, as_span(span), classes


def _trim() -> None:
    """Give freed memory back to the system, where its C library can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _answer(
    reader: SlideReader, path: Path, folder: Path, pool: str, about: dict[str, Any]
) -> dict[str, Any]:
    """What is noted of a slide, which is answered where that is of something else."""
    note = folder / f"{path.stem}.json"
    basis = {**about, "slide": checksums.digest_file(path)}
    known: dict[str, Any] = {}
    if note.is_file():
        known = files.read_json(note, RunError)
    whole = not reader.task.spatial or (folder / f"{path.stem}.tif").is_file()
    if known.get("basis") == basis and whole:
        return known
    with Slide(path) as slide:
        if reader.task.spatial:
            seen = _write_mask(reader, slide, folder / f"{path.stem}.tif")
            total = sum(map(len, slide.places(reader.side, reader.overlap)))
            found: dict[str, Any] = {"seen": seen, "tiles": total}
        else:
            probs, seen, total = pooled(reader, slide, pool)
            found = {
                "seen": seen,
                "tiles": total,
                "probs": [None if np.isnan(p) else p for p in probs.tolist()],
            }
    files.write_json(note, {**found, "basis": basis})
    return {**found, "basis": basis}


def _write_mask(reader: SlideReader, slide: Slide, path: Path) -> int:
    """The mask of a slide as a TIFF in tiles, a page per layer; how many tiles were looked at."""
    shape, seen, layers = (slide.height, slide.width), 0, list[Path]()
    raw = path.with_suffix(".part")
    raw.mkdir(exist_ok=True)
    handles: list[Any] = []
    try:
        for band, count in stitched_rows(reader, slide):
            seen += count
            mask = _decided(reader, band)
            if not handles:
                layers = [raw / f"{number}.raw" for number in range(len(mask))]
                handles = [layer.open("wb") for layer in layers]
            for handle, layer in zip(handles, mask, strict=True):
                handle.write(np.ascontiguousarray(layer).tobytes())
        for handle in handles:
            handle.close()
        _write_tiff(layers, shape, path)
    finally:
        for handle in handles:
            handle.close()
        for left in raw.iterdir():
            left.unlink()
        raw.rmdir()
    return seen


def _decided(reader: SlideReader, band: Array) -> Array:
    """(L, rows, width) uint8 of probabilities (C, rows, width), a few rows at a time."""
    step = max(1, _BACKGROUND_ROW // band.shape[2])
    parts = [
        reader.task.decide(np.ascontiguousarray(band[None, :, top : top + step]))[0]
        for top in range(0, band.shape[1], step)
    ]
    return np.concatenate(parts, axis=1).astype(np.uint8)


def _write_tiff(layers: Sequence[Path], shape: tuple[int, int], path: Path) -> None:
    import tifffile

    with files.replacing(path) as beside, tifffile.TiffWriter(beside, bigtiff=True) as writer:
        for layer in layers:
            writer.write(
                _tiles_of(layer, shape),
                shape=shape,
                dtype=np.uint8,
                tile=(_TILE, _TILE),
                compression="zlib",
                photometric="minisblack",
                buffersize=_ENCODED,
            )


def _tiles_of(layer: Path, shape: tuple[int, int]) -> Iterator[Array]:
    for band in rows_of(layer, shape, _TILE):
        for left in range(0, shape[1], _TILE):
            part = band[:, left : left + _TILE]
            short = ((0, _TILE - part.shape[0]), (0, _TILE - part.shape[1]))
            yield np.pad(part, short)


def _write_table(answers: SlideAnswers, names: Sequence[str]) -> None:
    columns = ["id", *([] if answers.probs is None else names), "tiles_seen", "tiles"]
    rows = []
    for row, name in enumerate(answers.ids):
        probs = [] if answers.probs is None else answers.probs[row].tolist()
        cells = ["" if np.isnan(value) else f"{value:.6g}" for value in probs]
        rows.append([name, *cells, str(answers.seen[row]), str(answers.tiles[row])])
    files.write_text(answers.folder / "answers.csv", csv_text([columns, *rows]))

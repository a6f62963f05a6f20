"""Statistics of images: each is decoded once, on all cores, and the results are kept.

    cache/check/<digest>.npz    the statistics of some images, by the names of their files

A block of images is measured again only when one of its files has changed, so a check that was
killed goes on with the block that it was in. Where the state of a file is not the one that was
noted, its content decides.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from comp.check.duplicates.candidate_pairs import THUMB
from comp.check.duplicates.sift import WIDTH, find_features
from comp.core import checksums, files, progress
from comp.core.errors import CheckError, CompError
from comp.core.parallel import cores, read_ahead
from comp.data.images.decode import open_image, read_content
from comp.data.images.pixel_form import PixelForm
from comp.data.images.reading import PLAIN, develop, picture_of
from comp.data.images.stacks.files import of_several_planes, read_stack
from comp.data.index.sources import Source

Array = np.ndarray[Any, Any]

FORMAT = 3  # of the kept statistics; a new number discards them
BLOCK = 128  # images whose statistics are kept in one file
_ORIENTATION, _MAKER, _MODEL = 0x0112, 0x010F, 0x0110  # EXIF tags


@dataclass(frozen=True)
class ImageStats:
    """Statistics of N images, in one order.

    `problem`  (N,) text: why an image cannot be read, "" where it can
    `digest`   (N,) text: SHA-256 of the file, "" where it cannot be opened
    `size`     (N, 3) int64: width and height as shown (upright), bytes of the file
    `header`   (N, 4) text: format, mode, orientation in the EXIF data, camera
    `mean`, `std`  (N, C) float64 in [0, 1]: of each channel
    `thumbs`   (N, 64, 64) uint8: grey, upright, stretched
    `counts`   (N,) int64: the local features of each
    `points`   (K, 2) float32, `words` (K, 128) uint8: positions and descriptors of all features,
               one image after another; the descriptors are mapped from a file
    """

    problem: Array
    digest: Array
    size: Array
    header: Array
    mean: Array
    std: Array
    thumbs: Array
    counts: Array
    points: Array
    words: Array

    def __len__(self) -> int:
        return len(self.problem)

    @property
    def readable(self) -> Array:
        """(N,) bool."""
        return np.asarray(self.problem == "")

    def part(self, rows: Array) -> ImageStats:
        """The statistics of some images, without their local features."""
        per_image = ("problem", "digest", "size", "header", "mean", "std", "thumbs")
        cut = {name: getattr(self, name)[rows] for name in per_image}
        none = np.zeros(len(rows), np.int64)
        return replace(self, **cut, counts=none, points=self.points[:0], words=self.words[:0])


def measure_images(
    files_of: Sequence[Source | Path], cache: Path, form: PixelForm = PLAIN
) -> ImageStats:
    """The statistics of images, in their order; from `cache` where it has them.

    files_of: of each image its files, or its only one. form: how files become pixels. An image that
    cannot be read has a `problem`. Raises CompError when the cache cannot be written.
    """
    files.sweep(cache)
    sources = [Source.of(one) if isinstance(one, Path) else one for one in files_of]
    blocks = [sources[start : start + BLOCK] for start in range(0, len(sources), BLOCK)]
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # our threads are one per core already
    try:
        return _joined(_measured(blocks, cache, form), cache, form.channels)
    finally:
        cv2.setNumThreads(threads)


def measure_blocks(
    sources: Sequence[Source], cache: Path, form: PixelForm, part: int, parts: int
) -> None:
    """Measure one of so many parts of the images, for a `measure_images` of all: each `parts`-th
    block of BLOCK images."""
    starts = range(part * BLOCK, len(sources), parts * BLOCK)
    for _ in _measured([sources[start : start + BLOCK] for start in starts], cache, form):
        pass


def _measured(
    blocks: Sequence[Sequence[Source]], cache: Path, form: PixelForm
) -> Iterator[ImageStats]:
    about = f"{FORMAT}{form.settings}"
    for sources in progress.track(blocks, len(blocks), f"measuring images, {BLOCK} at a time"):
        place = (
            cache
            / f"{checksums.digest_lines([about, *(source.name for source in sources)])[:24]}.npz"
        )
        states = np.array([_state(source) for source in sources], dtype=np.int64)
        known, noted = _load(place, len(sources))
        if known is None or not _unchanged(sources, known, states, noted):
            known, noted = (
                _stacked(
                    list(read_ahead(partial(_measure, form=form), sources, cores())), form.channels
                ),
                states[:0],
            )
        if not np.array_equal(states, noted):
            kept = {f.name: getattr(known, f.name) for f in fields(ImageStats)}
            with files.replacing(place) as beside, beside.open("wb") as handle:
                np.savez(handle, state=states, **kept)
        yield known


def _state(source: Source) -> files.FileState:
    """What the file of an image is like; of several files nothing is known without reading them."""
    return files.settled(files.file_stat(source.files[0])) if source.simple else files.UNKNOWN


def _unchanged(sources: Sequence[Source], known: ImageStats, states: Array, noted: Array) -> bool:
    """Whether the files hold what was measured; those of another state are read."""
    doubtful = np.flatnonzero((states != noted).any(axis=1) | ~states.any(axis=1)).tolist()
    digests = read_ahead(lambda row: _digest(sources[row]), doubtful, cores())
    return all(known.digest[row] == found for row, found in zip(doubtful, digests, strict=True))


def _digest(source: Source) -> str:
    try:
        return _digest_of(source, [read_content(path) for path in source.files])
    except CheckError:
        return ""


def _digest_of(source: Source, contents: Sequence[bytes]) -> str:
    return source.digest([hashlib.sha256(content).hexdigest() for content in contents])


def _load(place: Path, count: int) -> tuple[ImageStats | None, Array]:
    """The kept statistics with the states of the files, (N, 4); None where there are none or the
    file is damaged."""
    try:
        with place.open("rb") as handle, np.load(handle, allow_pickle=False) as kept:
            known = ImageStats(**{f.name: kept[f.name] for f in fields(ImageStats)})
            states: Array = kept["state"]
    except Exception:  # NumPy raises whatever a damaged archive leads it to; it is made again
        return None, np.zeros((count, 4), np.int64)
    whole = len(known) == count and int(known.counts.sum()) == len(known.words)
    return (known if whole and states.shape == (count, 4) else None), states


@dataclass(frozen=True)
class _OneImage:
    problem: str = ""
    digest: str = ""
    size: tuple[int, int, int] = (0, 0, 0)
    header: tuple[str, str, str, str] = ("", "", "", "")
    mean: Any = None
    std: Any = None
    thumb: Any = None
    points: Any = None
    words: Any = None


def _measure(source: Source, form: PixelForm = PLAIN) -> _OneImage:
    contents = list[bytes]()
    for path in source.files:
        try:
            contents.append(read_content(path))
        except CheckError as problem:
            return _OneImage(problem=_reason(problem, path))
    digest, size = _digest_of(source, contents), sum(map(len, contents))
    try:
        pixels = develop(contents, form, source.slices)
        header = _header(contents, source, form)
    except CheckError as problem:
        return _OneImage(str(problem), digest, (0, 0, size))
    height, width = pixels.shape[:2]
    mean, std = _moments(pixels)
    picture = picture_of(pixels)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    features = find_features(picture)
    return _OneImage(
        "",
        digest,
        (width, height, size),
        header,
        mean / form.top,
        std / form.top,
        cv2.resize(grey, (THUMB, THUMB), interpolation=cv2.INTER_AREA),
        features.points,
        features.words,
    )


def _reason(problem: CompError, path: Path) -> str:
    return str(problem).removeprefix(f"{path}: ")


def _moments(pixels: Array) -> tuple[Array, Array]:
    """(C,) mean and standard deviation of each channel."""
    parts = [cv2.meanStdDev(pixels[..., n : n + 4]) for n in range(0, pixels.shape[2], 4)]
    mean, std = (np.concatenate([part[k].ravel() for part in parts]) for k in (0, 1))
    return mean, std


def _header(
    contents: Sequence[bytes], source: Source, form: PixelForm
) -> tuple[str, str, str, str]:
    """Format, mode, EXIF orientation and camera, as the file says them. Of DICOM and other files of
    planes the kind of their numbers alone: what else they say may be private."""
    content = contents[0]
    if not (form.plain and source.simple) or of_several_planes(content):
        stack = read_stack(content)
        return stack.kind, _counted(stack.mode, len(contents)), "", ""
    image = open_image(content)
    if isinstance(image, np.ndarray):
        return "NPY", str(image.dtype), "", ""
    with image:
        kind, mode = image.format or "", image.mode
        try:
            exif = image.getexif()
        except Exception:  # Pillow's reader of damaged EXIF data raises whatever it meets
            return kind, mode, "", "damaged"
    camera = " ".join(str(exif.get(tag, "")).strip("\x00 ") for tag in (_MAKER, _MODEL))
    return kind, mode, str(exif.get(_ORIENTATION, "")), camera.strip()


def _counted(mode: str, files: int) -> str:
    return mode if files == 1 else f"{mode}, {files} files"


def _stacked(images: Sequence[_OneImage], channels: int) -> ImageStats:
    none = np.zeros((THUMB, THUMB), np.uint8)
    thumbs = [none if o.thumb is None else o.thumb for o in images]
    points = [np.zeros((0, 2), np.float32) if o.points is None else o.points for o in images]
    words = [np.zeros((0, WIDTH), np.uint8) if o.words is None else o.words for o in images]
    return ImageStats(
        problem=np.array([o.problem for o in images], dtype=np.str_),
        digest=np.array([o.digest for o in images], dtype=np.str_),
        size=np.array([o.size for o in images], dtype=np.int64).reshape(-1, 3),
        header=np.array([o.header for o in images], dtype=np.str_).reshape(-1, 4),
        mean=_rows([o.mean for o in images], channels),
        std=_rows([o.std for o in images], channels),
        thumbs=np.array(thumbs, dtype=np.uint8).reshape(-1, THUMB, THUMB),
        counts=np.array([len(p) for p in points], dtype=np.int64),
        points=np.concatenate([np.zeros((0, 2), np.float32), *points]),
        words=np.concatenate([np.zeros((0, WIDTH), np.uint8), *words]),
    )


def _rows(values: Sequence[Any], channels: int) -> Array:
    """(N, C), zeros for images that cannot be read."""
    rows = [np.zeros(channels) if value is None else value for value in values]
    return np.array(rows, dtype=np.float64).reshape(-1, channels)


def _joined(found: Iterable[ImageStats], cache: Path, channels: int) -> ImageStats:
    """The statistics of all blocks. Their descriptors, which are most of it, go to a file without a
    name that is gone with the process: those of many images do not fit in memory."""
    parts = [_stacked([], channels)]
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache) as store:
            for part in found:
                store.write(part.words.tobytes())
                parts.append(replace(part, words=part.words[:0]))
            store.flush()
            words = parts[0].words
            if store.tell():
                words = np.memmap(store, np.uint8, "r", shape=(store.tell() // WIDTH, WIDTH))
    except OSError as problem:
        raise CompError(f"{cache}: cannot be written ({problem.strerror or problem})") from problem
    joined = {
        f.name: np.concatenate([getattr(part, f.name) for part in parts])
        for f in fields(ImageStats)
    }
    return ImageStats(**{**joined, "words": words})

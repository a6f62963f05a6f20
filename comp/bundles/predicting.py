"""The probabilities of new images from all members of a bundle, chunk by chunk.

A chunk is decoded once for all folds of a run, while the one before is predicted. What each member
says of it is on the disk at once (`comp.inference.pieces`), so that memory does not grow with the
number of images, and a command that was killed goes on. The batches are those of `comp predict`,
so that the probabilities have the same bits.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from comp.bundles.asked import Asked
from comp.bundles.contents import Bundle, Member
from comp.bundles.forgiving import Forgiving, SizedPaths, Unreadable
from comp.bundles.time_limit import Clock, Rate, efforts, first_fitting, seconds_of
from comp.config.schema import Config
from comp.core import checksums
from comp.core.errors import RunError
from comp.core.parallel import read_ahead
from comp.core.progress import say, track
from comp.data.images.pixel_form import form_of
from comp.inference.outputs import MapOutput, Output, make_output
from comp.inference.pieces import Pieces
from comp.inference.predict import PieceMaker
from comp.inference.predictions import Predictions
from comp.inference.views import views_of
from comp.models.device import Device
from comp.models.halving import Halving
from comp.models.networks import Net

Array = np.ndarray[Any, Any]

_CHUNK_BYTES = 96 << 20  # of decoded images


@dataclass(frozen=True)
class Course:
    """One run on its way through all images.

    `rows`  of a chunk; `batch`: images that are brought to the device at once
    """

    run: str
    members: tuple[tuple[Member, Pieces], ...]
    config: Config
    images: Forgiving
    output: Output
    rows: int
    batch: int

    def starts(self, count: int) -> list[int]:
        """The first row of each chunk."""
        return list(range(0, count, self.rows))


@dataclass(frozen=True)
class Said:
    """What the members say of the images.

    `members`  the members that were asked; `tables`: their predictions
    `step`     which of `Bundle.steps` is left
    `unseen`   how many images were not looked at, for lack of time
    `dropped`  what was left out, as sentences
    """

    members: tuple[Member, ...]
    tables: tuple[Predictions, ...]
    step: int
    unseen: int
    dropped: tuple[str, ...]


class Predicting:
    """All members of a bundle on the images of one command."""

    def __init__(
        self,
        bundle: Bundle,
        asked: Asked,
        device: Device,
        work: Path,
        unreadable: Unreadable,
        *,
        batch: int | None = None,
        clock: Clock | None = None,
        engines: Mapping[str, str] | None = None,
    ) -> None:
        """work: the folder for what is finished; batch: images at once, None: as in training;
        engines: run -> what runs its networks (torch or onnx), None: torch."""
        self.bundle, self.asked, self.device, self.work = bundle, asked, device, work
        self.unreadable, self.batch = unreadable, batch
        self.clock = clock or Clock(None, bundle.task.spatial)
        self.engines = engines or dict.fromkeys(bundle.runs, "torch")
        self.count = len(asked.index)
        self.choices = efforts(bundle)
        self.effort = self.choices[0]
        self.unseen = 0
        self.left = dict.fromkeys(bundle.runs, self.count)
        self.rates: dict[str, Rate] = {}

    def run(self) -> Said:
        """What every member says, in the time that there is."""
        courses = {run: self._course(run) for run in self._order()}
        if self.clock.limit is not None:
            self.rates = {run: self._measured(course) for run, course in courses.items()}
            self._fit("before the start")
        for run, course in courses.items():
            if run in self.bundle.steps[self.effort.step].runs:
                self._through(course)
        kept = self.bundle.steps[self.effort.step].runs
        members = [m for m in self.bundle.members if m.run in kept]
        tables = [self._table(courses[m.run], m) for m in members]
        dropped = self.effort.told(self.choices[0], self.bundle)
        if self.unseen:
            dropped.append(f"{self.unseen} images were not looked at: they got the class prior")
        return Said(tuple(members), tuple(tables), self.effort.step, self.unseen, tuple(dropped))

    def _net(self, member: Member) -> Net:
        return self.bundle.net(member, self.device, engine=self.engines[member.run])

    def _order(self) -> list[str]:
        """The runs, the one that is left out last first."""
        found = [run for step in reversed(self.bundle.steps) for run in step.runs]
        return list(dict.fromkeys(found))

    def _course(self, run: str) -> Course:
        config, index = self.bundle.configs[run], self.asked.index
        members = [member for member in self.bundle.members if member.run == run]
        images = Forgiving(
            index,
            config.image,
            replace(form_of(config.image), span=members[0].span),
            self.unreadable,
        )
        output = make_output(self.bundle.task, config, index)
        if isinstance(output, MapOutput):
            output = replace(output, paths=SizedPaths(self.unreadable))
        batch = self.batch or config.predict.batch_size or 2 * config.train.batch_size
        rows = output.piece_rows(batch)
        if not self.bundle.task.spatial:
            each = batch * int(np.prod(images.shape[1:]))
            rows = batch * max(1, min(rows // batch, _CHUNK_BYTES // each))
        about = [index.file_sizes(), *index.ids, str(batch), str(rows), str(self.clock.limit)]
        about.append(self.engines[run])
        about += [f"{name} {value}" for name, value in output.source.items()]
        own = []
        for member in members:
            key = checksums.digest_lines([*about, self.bundle.manifest["files"][member.file]])
            folder = self.work / Path(member.file).stem
            pieces = Pieces(folder, key, packed=self.bundle.task.spatial)
            pieces.sweep()
            own.append((member, pieces))
        return Course(run, tuple(own), config, images, output, rows, batch)

    def _maker(self, course: Course, net: Net, views: Sequence[Any]) -> PieceMaker:
        forward = Halving(course.batch, course.run)
        return PieceMaker(net, self.bundle.task, course.output, views, forward, course.batch)

    def _measured(self, course: Course) -> Rate:
        """The time of a batch: read, and seen by one network; the first try warms up."""
        rows = np.arange(min(course.batch, self.count))
        net = self._net(course.members[0][0])
        maker = self._maker(course, net, views_of("none"))
        begun = time.monotonic()
        pixels, own = self._decoded(course, rows)
        read = time.monotonic() - begun
        maker.make(pixels, own[:1], rows[:1])
        begun = time.monotonic()
        maker.make(pixels, own, rows)
        view = time.monotonic() - begun
        rate = Rate(read / len(rows), view / len(rows))
        say(
            f"measured: {course.run}: {1000 * rate.read:.1f} ms to read an image, "
            f"{1000 * rate.view:.1f} ms for a view of one network"
        )
        return rate

    def _fit(self, when: str) -> None:
        """Ask for as much as the time is enough for, never for more than before."""
        if self.clock.limit is None:
            return
        known = self.choices[self.choices.index(self.effort) :]
        now = first_fitting(known, self.bundle, self.rates, self.left, self.clock.left)
        if now == self.effort:
            return
        whole = seconds_of(self.effort, self.bundle, self.rates, self.left)
        self.effort = now
        say(
            f"{when}: {whole / 60:.1f} min of work, {max(0.0, self.clock.left) / 60:.1f} min left "
            f"of {self.clock.limit / 60:g}; dropped: "
            f"{'; '.join(now.told(self.choices[0], self.bundle))}"
        )

    def _through(self, course: Course) -> None:
        """Every chunk of a run, unless it is left out on the way."""
        starts = course.starts(self.count)
        missing = [s for s in starts if not all(p.there(s) for _, p in course.members)]
        if len(missing) < len(starts):
            done = len(starts) - len(missing)
            say(f"{course.run}: {done} of {len(starts)} parts were there already")
            self.left[course.run] -= sum(self._rows(course, s).size for s in starts) - sum(
                self._rows(course, s).size for s in missing
            )
        nets: dict[str, Net] = {}
        for start, pixels, own in track(self._ahead(course, missing), len(missing), course.run):
            self._fit(f"{course.run}, {self.left[course.run]} images left")
            if course.run not in self.bundle.steps[self.effort.step].runs:
                return
            rows = self._rows(course, start)
            if self.clock.left <= 0:
                self.unseen += len(rows)
                self._write_prior(course, start, rows)
            else:
                self._write(course, nets, start, rows, pixels, own)
            self.left[course.run] -= len(rows)

    def _rows(self, course: Course, start: int) -> Array:
        return np.arange(start, min(start + course.rows, self.count))

    def _ahead(self, course: Course, starts: list[int]) -> Iterator[tuple[int, Any, Array]]:
        def read(start: int) -> tuple[int, Any, Array]:
            rows = self._rows(course, start)
            if self.clock.left <= 0:
                return start, None, rows
            return start, *self._decoded(course, rows)

        return read_ahead(read, starts, threads=1, waiting=1)

    def _decoded(self, course: Course, rows: Array) -> tuple[Any, Array]:
        """Images, and the rows of them that are meant: decoded ones; files for those that keep
        their own size."""
        if course.images.own_size:
            return course.images, rows
        return course.images.take(rows), np.arange(len(rows))

    def _write(
        self,
        course: Course,
        nets: dict[str, Net],
        start: int,
        rows: Array,
        pixels: Any,
        own: Array,
    ) -> None:
        """What each fold says of a chunk; a fold that is not asked says what the others do."""
        begun, said = time.monotonic(), list[Array]()
        asked = course.members[: self.effort.folds]
        for member, pieces in asked:
            piece = pieces.read(start)
            if piece is None:
                if member.file not in nets:
                    nets[member.file] = self._net(member)
                views = views_of(member.tta)[: self.effort.views]
                piece = self._maker(course, nets[member.file], views).make(pixels, own, rows)
                piece = self._with_prior(piece, rows)
                pieces.write(start, piece)
            said.append(piece)
        if len(asked) < len(course.members):
            mean = np.asarray(np.mean(said, axis=0, dtype=np.float32))
            mean = mean.round().astype(np.uint8) if said[0].dtype == np.uint8 else mean
            for _, pieces in course.members[len(asked) :]:
                pieces.write(start, mean)
        self._learn(course, len(rows), time.monotonic() - begun)

    def _learn(self, course: Course, count: int, seconds: float) -> None:
        """Correct the measured time by what a chunk really took."""
        if self.clock.limit is None:
            return
        each = min(len(course.members), self.effort.folds)
        each *= min(len(views_of(course.members[0][0].tta)), self.effort.views)
        old = self.rates[course.run]
        new = seconds / count / each
        self.rates[course.run] = Rate(old.read, 0.5 * old.view + 0.5 * new)

    def _with_prior(self, piece: Array, rows: Array) -> Array:
        """The piece, in which images that were not seen have the class prior."""
        unseen = self.unreadable.among(rows)
        if unseen.any():
            piece[unseen] = self._prior(piece.dtype, piece.ndim)
        return piece

    def _prior(self, dtype: Any, dims: int) -> Array:
        prior = self.bundle.prior * (255 if dtype == np.uint8 else 1)
        return np.asarray(prior.reshape(-1, *[1] * (dims - 2)), dtype=dtype)

    def _write_prior(self, course: Course, start: int, rows: Array) -> None:
        shape = (len(rows), *course.output.row_shape)
        piece = np.empty(shape, np.uint8 if self.bundle.task.spatial else np.float32)
        piece[:] = self._prior(piece.dtype, piece.ndim)
        for _, pieces in course.members:
            if not pieces.there(start):
                pieces.write(start, piece)

    def _table(self, course: Course, member: Member) -> Predictions:
        """What a member says of all images."""
        pieces = next(own for known, own in course.members if known is member)
        task, index = self.bundle.task, self.asked.index
        stored = Stored(pieces, course.starts(self.count), course.output, self.count)
        probs: Any = stored if task.spatial else stored.mapped(pieces.folder / "probs.npy")
        source = {"plan": self.bundle.plan, "fold": member.fold, "path": member.name}
        names = task.column_names(self.bundle.classes)
        return Predictions(index.ids, probs, names, task.link.name, source)


class Stored:
    """(N, ...) rows that lie in pieces; used like an array, a few pieces in memory at a time."""

    def __init__(self, pieces: Pieces, starts: list[int], output: Output, count: int) -> None:
        self.pieces, self.starts = pieces, starts
        self.shape = (count, *output.row_shape)
        self.ndim = len(self.shape)
        self.dtype = np.dtype(np.uint8 if self.ndim > 2 else np.float32)
        self._piece = functools.lru_cache(maxsize=2)(self._read)

    def _read(self, start: int) -> Array:
        piece = self.pieces.read(start)
        if piece is None:
            raise RunError(f"{self.pieces.path}: damaged meanwhile. Run the same command again")
        return piece

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, row: int) -> Array:
        start = self.starts[int(np.searchsorted(self.starts, row, side="right")) - 1]
        return np.asarray(self._piece(start)[int(row) - start])

    def mapped(self, path: Path) -> Array:
        """All rows as one file that is mapped into memory."""
        out = np.lib.format.open_memmap(path, "w+", self.dtype, self.shape)
        for start in self.starts:
            piece = self._read(start)
            out[start : start + len(piece)] = piece
        out.flush()
        found: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        return found

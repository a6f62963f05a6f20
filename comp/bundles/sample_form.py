"""The form of a sample submission, kept for ids that nobody has seen yet.

A bundle keeps the first rows of the visible sample. Where a judge's machine gives ids, or images
alone, a sample for these is written from them: the rows of one image, repeated for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from comp.bundles.contents import SAMPLE, SampleForm
from comp.config.schema import DataConfig
from comp.core import files
from comp.core.errors import DataError, complain, first, repeated, unreadable
from comp.data.index.data_tables import read_data_table
from comp.data.index.image_files import image_suffix, stem_of
from comp.data.index.sample_rows import read_sample_rows
from comp.data.index.tables import Table
from comp.data.labels.sample_pairs import sample_pairs
from comp.submission.sample import Sample, make_sample, render, sample_of

_TEXTS = 64  # different answers of the sample that are kept
_HEAD = 8  # its first images, kept whole


def keep_sample(
    path: Path | None,
    data: DataConfig,
    is_image: Callable[[str], bool],
    folder: Path,
    *,
    spatial: bool,
) -> SampleForm:
    """Write the first rows of a sample into the folder of a bundle; its form.

    is_image: whether an id has a visible test image; without one it is not known what in
    `img_1_2` is the class.
    """
    if path is None:
        return SampleForm(None)
    table = read_data_table(path, data)
    key = _key(table, data)
    images = _images(table, key, is_image, spatial)
    block = [
        (before, after)
        for name, image in zip(table.values[key], images, strict=True)
        if image == images[0]
        for before, _, after in [name.partition(image)]
    ]
    kept = _some_rows(table, key, images)
    whole = sample_of(table, key)
    some = replace(
        whole,
        ids=_cut(whole.ids, kept),
        id_cells=_cut(whole.id_cells, kept),
        fixed={name: _cut(cells, kept) for name, cells in whole.fixed.items()},
    )
    answers = {name: _cut(tuple(table.values[name]), kept) for name in some.answers}
    files.write_bytes(folder / SAMPLE, render(some, answers))
    return SampleForm(folder / SAMPLE, tuple(block), bool(image_suffix(images[0])))


def _key(table: Table, data: DataConfig) -> str:
    return data.id if data.id in table.columns else str(table.columns[0])


def _images(
    table: Table, key: str, is_image: Callable[[str], bool], spatial: bool
) -> tuple[str, ...]:
    """The image of each row."""
    if spatial:
        return read_sample_rows(table, key, is_image).images
    pairs = sample_pairs(table, key, is_image)
    return tuple(table.values[key]) if pairs is None else pairs.images


def _some_rows(table: Table, key: str, images: Sequence[str]) -> list[int]:
    """The rows of the first images, and one with each text that those lack."""
    head = {*list(dict.fromkeys(images))[:_HEAD]}
    kept = [row for row, image in enumerate(images) if image in head]
    for name in table.columns:
        if name == key:
            continue
        seen = {table.values[name][row] for row in kept}
        for row, cell in enumerate(table.values[name]):
            if cell not in seen and len(seen) < _TEXTS:
                seen.add(cell)
                kept.append(row)
    return sorted({*kept})


def _cut(values: Sequence[str], rows: Sequence[int]) -> tuple[str, ...]:
    return tuple(values[row] for row in rows) if values else ()


def sample_for(
    ids: Sequence[str], form: SampleForm, data: DataConfig, classes: Sequence[str], path: Path
) -> Path:
    """Write a sample for these images to `path`, in the form of the visible one."""
    if form.path is None:
        answers = data.target or ("label",)
        sample = make_sample(data.id, answers, ids)
        files.write_bytes(path, render(sample, {name: [""] * len(ids) for name in answers}))
        return path
    table = read_data_table(form.path, data)
    key = _key(table, data)
    rows = [before + name + after for name in ids for before, after in form.block]
    sample = sample_of(table, key)
    each = len(form.block)
    cells = {
        name: _spread(tuple(table.values[name]), len(rows), each)
        for name in (*sample.answers, *sample.fixed)
    }
    written = replace(
        sample,
        ids=tuple(rows),
        id_cells=(),
        fixed={name: tuple(cells[name]) for name in sample.fixed},
    )
    files.write_bytes(path, render(written, {name: cells[name] for name in sample.answers}))
    return path


def _spread(cells: Sequence[str], count: int, each: int) -> list[str]:
    """(count,) cells: with one row per image all the texts in turn, else those of the first."""
    texts = list(dict.fromkeys(cells)) if each == 1 else cells[:each]
    return [texts[row % len(texts)] for row in range(count)]


def read_ids(path: Path, data: DataConfig) -> list[str]:
    """The ids in a file: one per line of a .txt, else the id column of a table.

    Raises DataError for a file without ids, and for repeated ones.
    """
    if path.suffix == ".txt":
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as problem:
            raise DataError(f"{path}: {unreadable(problem)}") from problem
        ids = [line.strip() for line in text.splitlines() if line.strip()]
    else:
        table = read_data_table(path, data)
        ids = list(table.values[_key(table, data)])
    complaints = [] if ids else ["no ids in it"]
    again = repeated(ids)
    complaints += [f"ids repeated: {first(again)}"] if again else []
    complain(DataError, f"{path}: not a list of ids:", complaints)
    return ids


def id_of(name: str, form: SampleForm) -> str:
    """The id of an image file, as the sample writes ids."""
    return name if form.path is None or form.suffix else stem_of(name)


__all__ = ["Sample", "id_of", "keep_sample", "read_ids", "sample_for"]

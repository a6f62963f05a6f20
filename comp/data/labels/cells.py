"""Further columns of a table, by id: what is beside the labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from comp.config.schema import DataConfig
from comp.core.errors import DataError, first
from comp.data.index.data_tables import read_data_table
from comp.data.index.image_files import stem_of


def cells_of(
    data: DataConfig, name: str, columns: Sequence[str], ids: Sequence[str], why: tuple[str, str]
) -> list[list[str]]:
    """The cells of each column for these images, as text, in the order of the ids.

    name: of the table, in `data.root`. why: the keys that name the columns and the table, for
    messages. Raises DataError where a column or the row of an image is missing.
    """
    wanted, where = why
    table = read_data_table(Path(data.root) / name, data)
    missing = [column for column in (data.id, *columns) if column not in table.values]
    if missing:
        raise DataError(
            f"{table.path}: {wanted}: no column {first(missing)}; its columns are "
            f"{first(table.columns, 12)}. Name the table that has them with {where}"
        )
    keys = table.values[data.id]
    rows = {stem_of(key): row for row, key in enumerate(keys)} | {
        key: row for row, key in enumerate(keys)
    }
    lost = [key for key in ids if key not in rows and stem_of(key) not in rows]
    if lost:
        raise DataError(f"{table.path}: {wanted}: no row for {len(lost)} images: {first(lost)}")
    places = [rows.get(key, rows.get(stem_of(key), 0)) for key in ids]
    return [[table.values[column][place] for place in places] for column in columns]

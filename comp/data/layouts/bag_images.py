"""The test images of bags, and the bags of training images that no table tells (`data.bag`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from comp.config.schema import AUTO_BAG, BY_NAME, FOLDER_BAG, DataConfig
from comp.core.errors import ConfigError, DataError, complain
from comp.data.bags.folders import Folders
from comp.data.bags.order import by_columns, by_names
from comp.data.index import file_match
from comp.data.index.data_tables import read_data_table, tell
from comp.data.index.index import Index

_BY_FOLDER = ("csv", "folders", "names")  # layouts whose images lie in folders of any depth


def refuse_bag(data: DataConfig) -> None:
    """ConfigError for values of `data.bag` and `data.bag_order` that do not fit the layout."""
    if data.bag is None:
        if data.bag_order is not None:
            raise ConfigError("data.bag_order: is the order of the images of a bag; set data.bag")
        return
    if data.bag == FOLDER_BAG and data.layout not in _BY_FOLDER:
        raise ConfigError(
            f"data.bag: {FOLDER_BAG}: for the layouts {', '.join(_BY_FOLDER)}; here it is "
            f"{data.layout}"
        )
    if data.bag not in (FOLDER_BAG, AUTO_BAG) and data.layout != "csv":
        raise ConfigError(
            f"data.bag: {data.bag!r} is a column of a table, which layout: {data.layout} has not; "
            f"use {FOLDER_BAG}, {AUTO_BAG}, or layout: csv"
        )
    if data.bag in (FOLDER_BAG, AUTO_BAG) and data.bag_order not in (None, BY_NAME):
        raise ConfigError(
            f"data.bag_order: {data.bag_order!r}: with data.bag: {data.bag} images are ordered by "
            f"{BY_NAME}, or not at all"
        )


def in_folders(index: Index, data: DataConfig) -> Index:
    """Training images whose ids are paths, with their folders as bags where that is asked for."""
    if data.bag != FOLDER_BAG or index.places is not None:
        return index
    depth = 2 if data.layout == "folders" else 1  # below the folder of the class
    loose = [name for name in index.ids if name.count("/") < depth]
    bags = [name.rpartition("/")[0] for name in index.ids]
    complain(
        DataError,
        f"{data.root}: images without a bag (data.bag: {FOLDER_BAG}):",
        [f"{len(loose)} lie in no folder of their own: {loose[0]!r}"] if loose else [],
    )
    return replace(index, places=tuple(by_names(bags, index.ids)))


def by_table(data: DataConfig) -> bool:
    """Whether a table says in which bag each test image is."""
    return data.bag not in (None, FOLDER_BAG, AUTO_BAG)


def test_table_ids(data: DataConfig, sample: Path | None) -> list[str]:
    """The ids of the test images in their table; none where there is none."""
    path = _test_table(data, sample)
    if path is None or not path.is_file():
        return []
    return list(read_data_table(path, data).values.get(data.id, []))


def read_by_table(
    data: DataConfig, listing: file_match.Listing, sample: Path | None, classes: tuple[str, ...]
) -> Index:
    """The test images that a table names, each in its bag. Raises DataError with all that is wrong:
    no such table or column, ids without an image."""
    path = _test_table(data, sample)
    if path is None or not path.is_file():
        raise DataError(
            f"data.test_csv: {'no such file: ' + str(path) if path else 'null'}; name a table with "
            f"a row per test image: {data.id}, {data.bag}"
        )
    table = read_data_table(path, data)
    tell(table)
    if data.id not in table.values:
        raise DataError(
            f"{path}: data.id: {table.no_column(data.id)} Name a table with a row per test image "
            f"({data.id}, {data.bag}) in data.test_csv"
        )
    ids = list(table.values[data.id])
    complaints = file_match.bad_ids(ids, [f"line {line}" for line in table.lines], listing)
    complaints += file_match.repeated_rows(ids, table.lines)
    places, wrong = by_columns(table, data, ids, "data.test_csv")
    found, unfound = file_match.match(ids, listing)
    heading = f"{path}: not a table of test images:"
    complain(DataError, heading, [*complaints, *wrong, *unfound], shown=30)
    assert places is not None
    return file_match.build_index(ids, [found[name] for name in ids], classes, places=places)


def read_folders(
    ids: Sequence[str], listing: file_match.Listing, classes: tuple[str, ...]
) -> tuple[Index, list[str]]:
    """The test images in the folders that ids mean, and complaints."""
    found, complaints = Folders(listing).expand(ids)
    places = by_names([image.bag for image in found], [image.id for image in found])
    names, paths = [image.id for image in found], [image.path for image in found]
    return file_match.build_index(names, paths, classes, places=places), complaints


def _test_table(data: DataConfig, sample: Path | None) -> Path | None:
    return sample if data.test_csv is None else Path(data.root) / data.test_csv

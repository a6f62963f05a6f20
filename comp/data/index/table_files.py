"""What lies in the bytes of a table's file: packed text, Parquet, an Excel workbook."""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from comp.core.errors import DataError, complain, first
from comp.data.index.file_match import wanted

if TYPE_CHECKING:
    import pandas as pd

_STREAMS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    **{b"BZh%d1AY&SY" % level: bz2.decompress for level in range(1, 10)},
    b"\xfd7zXZ\x00": lzma.decompress,
}
_BROKEN = (zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_NO_TABLES = {
    b"<!doctype html": "a web page, as a site gives to who is not logged in; download it again",
    b"<html": "a web page, as a site gives to who is not logged in; download it again",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself; run `git lfs pull`",
}
_ZIP, _EMPTY_ZIP = b"PK\x03\x04", b"PK\x05\x06"
_PARQUET, _OLD_EXCEL = b"PAR1", b"\xd0\xcf\x11\xe0"
_WORKBOOK = "xl/workbook.xml"  # the member of a zip archive that makes it a workbook


def unpack(path: Path, content: bytes) -> bytes:
    """The bytes of the table itself, out of gzip, bzip2, xz, or a zip archive that holds one file.

    Raises DataError for a damaged or protected archive, for one with several files, and for what
    is a web page or a pointer in place of a table.
    """
    try:
        while (stream := next((s for s in _STREAMS if content.startswith(s)), None)) is not None:
            content = _STREAMS[stream](content)
        if content.startswith((_ZIP, _EMPTY_ZIP)) and not _is_workbook(content):
            return unpack(path, _only_member(path, content))
    except (EOFError, OSError, ValueError, RuntimeError, *_BROKEN) as problem:
        raise DataError(f"{path}: cannot be unpacked ({problem}); download it again") from problem
    begin = content[:200].lstrip().lower()
    reason = next((text for start, text in _NO_TABLES.items() if begin.startswith(start)), None)
    if reason is not None:
        raise DataError(f"{path}: {reason}")
    return content


def _is_workbook(content: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return _WORKBOOK in archive.namelist()


def _only_member(path: Path, content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [item.filename for item in archive.infolist() if not item.is_dir()]
        names = [name for name in names if all(map(wanted, PurePosixPath(name).parts))]
        if len(names) != 1:
            raise DataError(
                f"{path}: an archive of {len(names)} files ({first(names) or 'none'}); a table is "
                "one file: unpack it and name the table"
            )
        return archive.read(names[0])


def read_frame(path: Path, content: bytes) -> pd.DataFrame | None:
    """The table of a Parquet file or of a workbook, (N, C) text; None where the bytes are neither.

    Raises DataError where the library is missing, for a damaged file, for several sheets, and for
    columns that hold more than one value a cell (lists, structures, bytes).
    """
    if content.startswith(_OLD_EXCEL):
        raise DataError(f"{path}: an Excel file of the old kind (.xls); save it as .xlsx or .csv")
    for start, what, library, read in _BINARY:
        if content.startswith(start):
            return _as_text(path, _read(path, content, what, library, read))
    return None


def _read(
    path: Path,
    content: bytes,
    what: str,
    library: str,
    read: Callable[[Path, bytes], pd.DataFrame],
) -> pd.DataFrame:
    if importlib.util.find_spec(library) is None:
        raise DataError(
            f"{path}: {what}, which takes the library {library} to read: `pip install {library}`"
        )
    try:
        return read(path, content)
    except DataError:
        raise
    except Exception as problem:  # the libraries raise whatever a damaged file leads them to
        raise DataError(f"{path}: {what} that cannot be read ({problem})") from problem


def _parquet(_: Path, content: bytes) -> pd.DataFrame:
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(content))
    names = [name for name in table.column_names if not name.startswith("__index_level_")]
    frame = table.select(names).to_pandas(ignore_metadata=True, integer_object_nulls=True)
    import pandas as pd

    return pd.DataFrame(frame)


def _workbook(path: Path, content: bytes) -> pd.DataFrame:
    """The one sheet that has cells; its first row is the header."""
    import pandas as pd

    sheets = pd.read_excel(
        io.BytesIO(content),
        sheet_name=None,
        header=None,
        dtype=object,
        na_filter=False,
        engine="openpyxl",
    )
    full = {str(name): sheet for name, sheet in sheets.items() if not sheet.empty}
    if len(full) != 1:
        raise DataError(
            f"{path}: a workbook with {len(full)} sheets that hold cells "
            f"({first(full) or 'none'}); keep the one that is the table"
        )
    (sheet,) = full.values()
    body = sheet.iloc[1:].reset_index(drop=True)
    body.columns = pd.Index([_text(cell) for cell in sheet.iloc[0]])
    return body


_BINARY: tuple[tuple[bytes, str, str, Callable[[Path, bytes], pd.DataFrame]], ...] = (
    (_PARQUET, "a Parquet file", "pyarrow", _parquet),
    (_ZIP, "an Excel workbook", "openpyxl", _workbook),
)


def _as_text(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    columns = [[*frame.iloc[:, place]] for place in range(frame.shape[1])]
    names = [str(name) for name in frame.columns]
    wrong = [
        f"column {name!r} holds {type(cell).__name__}, not text or numbers"
        for name, cells in zip(names, columns, strict=True)
        for cell in [next((c for c in cells if not pd.api.types.is_scalar(c)), None)]
        if cell is not None
    ]
    wrong += [
        f"column {name!r} holds bytes, not text or numbers"
        for name, cells in zip(names, columns, strict=True)
        if any(isinstance(cell, bytes) for cell in cells)
    ]
    complain(DataError, f"{path}: not a table of one value per cell:", wrong)
    texts = {place: [*map(_text, cells)] for place, cells in enumerate(columns)}
    out = pd.DataFrame(texts, dtype=str)
    out.columns = pd.Index(names, dtype=object)
    return out


def _text(cell: Any) -> str:
    import pandas as pd

    return "" if pd.isna(cell) else str(cell)

"""Images of several files, and slices of volumes."""

from pathlib import Path

import numpy as np
import pytest

from comp.core.errors import DataError
from comp.data.index.file_match import list_files
from comp.data.index.index import Index
from comp.data.index.sources import Source, find_sources, ids_of, lacking_columns

COLOURS = ("{id}_red.png", "{id}_green.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    for name in ("a_red.png", "a_green.png", "b_red.png", "b_green.png", "deep/v1.nii.gz"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_patterns_name_files_in_their_order(folder: Path) -> None:
    sources, complaints = find_sources(["b", "a"], COLOURS, {}, list_files(folder))
    assert complaints == []
    assert [source.files for source in sources] == [
        (folder / "b_red.png", folder / "b_green.png"),
        (folder / "a_red.png", folder / "a_green.png"),
    ]
    assert [source.slices for source in sources] == [(None, None)] * 2


def test_columns_name_files_and_slices(folder: Path) -> None:
    columns = {"case": ["v1", "v1"], "slice": ["0", "12.0"]}
    sources, complaints = find_sources(
        ["x", "y"], ["{case}.nii.gz#{slice}"], columns, list_files(folder)
    )
    assert complaints == []
    assert [source.slices for source in sources] == [(0,), (12,)]
    assert {source.files for source in sources} == {(folder / "deep/v1.nii.gz",)}


def test_all_that_is_missing_or_unclear_is_told(folder: Path) -> None:
    (folder / "deep" / "a_red.png").write_bytes(b"")
    (folder / "deep" / "c_red.png").write_bytes(b"")
    (folder / "deep" / "deeper").mkdir()
    (folder / "deep" / "deeper" / "c_red.png").write_bytes(b"")
    sources, complaints = find_sources(["b", "c", "d"], COLOURS, {}, list_files(folder))
    assert [source.files[0].name for source in sources] == ["b_red.png"]
    text = "\n".join(complaints)
    assert "the id 'c': 'c_red.png' may mean" in text
    assert "3 files are not in" in text
    _, complaints = find_sources(["a"], ["v1.nii.gz#{n}"], {"n": ["x"]}, list_files(folder))
    assert complaints == ["the id 'a': 'v1.nii.gz#x' does not end with # and a number"]


def test_without_a_table_the_ids_are_those_of_the_first_pattern(folder: Path) -> None:
    assert ids_of(COLOURS, list_files(folder)) == ["a", "b"]
    with pytest.raises(DataError, match=r"no file in .* is like '\{id\}_blue.png'"):
        ids_of(["{id}_blue.png"], list_files(folder))
    with pytest.raises(DataError, match=r"only \{id\} can be in it"):
        ids_of(["{case}.nii.gz"], list_files(folder))


def test_a_column_that_is_not_there_has_a_nearest_name() -> None:
    (text,) = lacking_columns(["{rde}", "{id}"], ["id", "red"], Path("t.csv"))
    assert "{rde} is no column of t.csv" in text
    assert "Did you mean 'red'" in text


def test_the_digest_of_an_image_is_that_of_all_its_files(folder: Path) -> None:
    simple = Source.of(folder / "a_red.png")
    both = Source((folder / "a_red.png", folder / "a_green.png"), (None, None))
    turned = Source(both.files[::-1], both.slices)
    slices = [Source((folder / "deep/v1.nii.gz",), (n,)) for n in (0, 1)]
    sources = (simple, both, turned, *slices)
    paths = tuple(source.files[0] for source in sources)
    index = Index(("a", "b", "c", "d", "e"), paths, (), sources=sources)
    digests = index.digests(folder / "cache")
    assert len({*digests}) == 5
    assert {len(digest) for digest in digests} == {32}
    (folder / "a_green.png").write_bytes(b"other")
    again = index.digests(folder / "cache")
    assert [a == b for a, b in zip(digests, again, strict=True)] == [True, False, False, True, True]


def test_a_part_of_an_index_keeps_its_files(folder: Path) -> None:
    sources, _ = find_sources(["a", "b"], COLOURS, {}, list_files(folder))
    paths = tuple(source.files[0] for source in sources)
    index = Index(("a", "b"), paths, (), sources=tuple(sources))
    part = index.part(np.array([1]))
    assert part.source(0) == sources[1]
    assert index.source(0).name.count(".png") == 2
    assert index.file_sizes() != Index(("a", "b"), paths, ()).file_sizes()

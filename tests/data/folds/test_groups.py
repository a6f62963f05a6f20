"""Groups on the disk: proposed, accepted, stale."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from comp.core import files
from comp.core.errors import DataError
from comp.data.folds.groups import (
    Group,
    accepted,
    ids_fingerprint,
    merge,
    read_copies,
    read_groups,
    write_groups,
)
from comp.data.index.index import Index

IDS = ("a", "b", "c", "d", "é 한,")


def index(groups: tuple[str, ...] | None = None, ids: tuple[str, ...] = IDS) -> Index:
    paths = tuple(Path(f"{name}.png") for name in ids)
    target = np.array([0, 1, 0, 1, 1])[: len(ids)]
    return Index(ids, paths, ("x", "y"), target, groups)


def group(*ids: str, name: str = "g0001") -> Group:
    return Group(name, ids, ("near",), 0.9, ("t",))


def save(path: Path, of: Index, *groups: Group, **over: object) -> Path:
    plain = [each.plain() for each in groups]
    about = {"format": 1, "ids": ids_fingerprint(of), "copies": plain[:1], "proposals": plain}
    files.write_json(path, {**about, **over})
    return path


def test_copies_come_back_as_they_were(tmp_path: Path) -> None:
    groups = group("a", "c"), group("b", "é 한,", name="g0002")
    found = read_copies(save(tmp_path / "c.json", index(), *groups), index(), tmp_path)
    assert found is not None
    assert found.proposals == groups
    assert found.copies == groups[:1]


def test_copies_of_other_ids_are_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path / "c.json", index(ids=IDS[:4]))
    assert read_copies(path, index(), tmp_path) is None
    assert "run `comp check` again" in capsys.readouterr().err
    assert read_copies(tmp_path / "none.json", index(), tmp_path) is None


def test_copies_of_images_that_were_replaced_are_told_and_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By content: files of the same size and time are seen, those of another folder are not."""
    for folder, last in (("a", b"5"), ("moved", b"5"), ("b", b"6")):
        (tmp_path / folder).mkdir()
        for name, content in zip(IDS, (b"1", b"2", b"3", b"4", last), strict=True):
            (tmp_path / folder / f"{name}.png").write_bytes(content)
            os.utime(tmp_path / folder / f"{name}.png", ns=(0, 0))
    a, moved, b = (
        replace(index(), paths=tuple(tmp_path / folder / path for path in index().paths))
        for folder in ("a", "moved", "b")
    )
    path = save(tmp_path / "c.json", a, group("a", "c"), images=a.contents(tmp_path / "cache"))
    found = [read_copies(path, now, tmp_path / "cache") for now in (a, moved)]
    assert capsys.readouterr().err == ""
    assert read_copies(path, b, tmp_path / "cache") == found[0] == found[1]
    read_copies(path, b, tmp_path / "cache")
    said = capsys.readouterr().err
    assert said.count("c.json: images were replaced since `comp check`") == 1


def test_damaged_copies_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"damaged.*format 9.*comp check"):
        read_copies(save(tmp_path / "c.json", index(), format=9), index(), tmp_path)
    with pytest.raises(DataError, match=r"damaged.*KeyError.*'ids'"):
        torn = save(tmp_path / "c.json", index(), copies=[{"name": "g"}])
        read_copies(torn, index(), tmp_path)


def test_groups_join_those_of_the_column() -> None:
    assert merge(index(), [group("a", "c")]) == ("g0001", "b", "g0001", "d", "é 한,")
    column = index(("p", "p", "q", "r", "r"))
    assert merge(column, [group("b", "c")]) == ("g0001", "g0001", "g0001", "g0002", "g0002")
    assert merge(index(("p", "q", "r", "s", "t")), []) == IDS


def test_the_name_of_a_group_is_no_id() -> None:
    ids = ("a", "b", "g0001")
    assert merge(index(ids=ids), [group("a", "b")]) == ("g0002", "g0002", "g0001")


def test_accepted_groups_come_back_by_id(tmp_path: Path) -> None:
    path = tmp_path / "g.csv"
    write_groups(path, IDS[::-1], ["1", "2", "3", "4", "4"])
    assert read_groups(path, index()) == ("4", "4", "3", "2", "1")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,1\nb,1\nc,2\nd,2\n", "1 training ids are not in it: 'é 한,'"),
        ('a,1\nb,1\nc,2\nd,2\n"é 한,",3\nz,3\n', "1 ids are not training ids: 'z'"),
        ('a,1\na,2\nb,1\nc,2\nd,2\n"é 한,",3\n', "the id 'a' stands on lines 2 and 3"),
        ('a,1\nb,\nc,2\nd,2\n"é 한,",3\n', "1 ids have no group: lines 3"),
        ('a,1\nb,2\nc,2\nd,2\n"é 한,",2\n', "it divides the groups 'p' of data.group"),
    ],
)
def test_groups_that_do_not_fit_are_refused(tmp_path: Path, rows: str, message: str) -> None:
    path = tmp_path / "g.csv"
    path.write_text("id,group\n" + rows, encoding="utf-8")
    with pytest.raises(DataError, match="comp check --accept-groups") as caught:
        read_groups(path, index(("p", "p", "q", "q", "r")))
    assert message in str(caught.value)


def test_what_was_accepted_is_obeyed_and_nothing_else(tmp_path: Path) -> None:
    csv, json = tmp_path / "g.csv", save(tmp_path / "c.json", index(), group("a", "c"))
    assert accepted(index(), None, csv, json, tmp_path).groups is None
    assert accepted(index(), "auto", csv, json, tmp_path).groups == (
        "g0001",
        "b",
        "g0001",
        "d",
        "é 한,",
    )
    with pytest.raises(DataError, match="run `comp check`"):
        accepted(index(), "auto", csv, tmp_path / "none.json", tmp_path)
    write_groups(csv, IDS, "pqrst")
    for group_key in (None, "auto"):
        assert accepted(index(), group_key, csv, json, tmp_path).groups == tuple("pqrst")

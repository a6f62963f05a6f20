"""The file names of a submission."""

from __future__ import annotations

from pathlib import Path

import pytest

from comp.submission.names import base_name, manifest_path, written_in


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.csv", "a"),
        ("a.zip", "a"),
        ("a.coco.json", "a"),
        ("a.json", "a"),
        ("v1.5.csv", "v1.5"),
        ("사과 🍎.csv", "사과 🍎"),
        ("a.txt", "a"),
    ],
)
def test_a_submission_and_its_manifest_have_one_name(file: str, name: str) -> None:
    assert base_name(Path("submissions") / file) == name
    assert manifest_path(Path("submissions") / file) == Path(f"submissions/{name}.json")


def test_manifests_are_no_submissions(tmp_path: Path) -> None:
    for name in ("b.csv", "b.json", "a.zip", "a.json", "c.coco.json", "c.json", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in written_in(tmp_path)] == ["a.zip", "b.csv", "c.coco.json"]

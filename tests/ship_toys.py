"""Orders for shipments of toy bundles, and a wheel that stands in for `comp` in quick trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comp.bundles.contents import read_bundle
from comp.bundles.targets.target import Order
from comp.bundles.zipped import write_zip

# It answers as the command does: --out gets --sample with ones; where its words lead is told.
FAKE = """
import socket, sys
from pathlib import Path
words = dict(zip(sys.argv[2::1], sys.argv[3::1]))
assert sys.argv[1] == "answer" and (Path(sys.argv[2]) / "bundle.json").is_file()
assert any(Path(words["--images"]).iterdir())
for place in (sys.argv[2], words["--images"]):
    try:
        (Path(place) / "written").touch()
    except OSError as problem:
        print("read-only:", place, problem.errno, flush=True)
assert [name for _, name in socket.if_nameindex()] == ["lo"]
Path(words["--out"]).write_bytes(Path(words["--sample"]).read_bytes().replace(b",0", b",1"))
print("answered", words, flush=True)
"""


def toy_order(bundle: Path, **over: Any) -> Order:
    """An order for a bundle whose data has `test` and `sample_submission.csv`."""
    known: dict[str, Any] = {
        "images": "test",
        "samples": ("sample_submission.csv",),
        "minutes": 1.0,
        "python": "3.11",
        "has": (),
        "wheels": False,
        "owner": "ann",
        "competition": "letters",
    }
    return Order(bundle=read_bundle(bundle), **{**known, **over})


def fake_wheel(folder: Path) -> Path:
    """A wheel of a package `comp` whose `answer` copies the sample, with ones."""
    path = folder / "comp-0.0.1-py3-none-any.whl"
    info = "comp-0.0.1.dist-info"
    content: dict[str, Path | bytes] = {
        "comp/__init__.py": b"",
        "comp/__main__.py": FAKE.encode(),
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: comp\nVersion: 0.0.1\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    write_zip(path, content)
    return path


def ship_fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, shipments hold the fake wheel instead of that of `comp`."""
    for module in ("parts", "zips", "images"):
        monkeypatch.setattr(f"comp.bundles.targets.{module}.own_wheel", fake_wheel)

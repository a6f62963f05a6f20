"""Places that take one zip: Dacon with model/, script.py and requirements.txt; DrivenData with
main.py."""

from __future__ import annotations

import tempfile
from pathlib import Path

from comp.bundles.targets.own_wheel import own_wheel
from comp.bundles.targets.packages import requirement_lines
from comp.bundles.targets.parts import bundle_files, gather_wheels
from comp.bundles.targets.script import run_script
from comp.bundles.targets.target import BUNDLE, WHEELS, Contract, Mount, Order, Target
from comp.bundles.zipped import files_below, unpack, write_zip
from comp.core.progress import say

_DACON, _DRIVEN = "submit.zip", "submission.zip"
_DACON_BYTES = 1 << 30
_EXECUTION = "/code_execution"


def write_dacon(order: Order, folder: Path) -> None:
    """`submit.zip`: exactly model/, script.py and requirements.txt at its root."""
    script = run_script(
        order,
        bundle=[f"model/{BUNDLE}"],
        wheels=[f"model/{WHEELS}"],
        data=["data"],
        out=f"output/{order.file}",
    )
    lines = requirement_lines(order.has, order.more)
    with tempfile.TemporaryDirectory(prefix="comp-") as room:
        own_wheel(Path(room))
        content: dict[str, Path | bytes] = {
            "script.py": script.encode(),
            "requirements.txt": "".join(f"{line}\n" for line in lines).encode(),
            **bundle_files(order, f"model/{BUNDLE}/"),
            **files_below(Path(room), f"model/{WHEELS}/"),
        }
        write_zip(folder / _DACON, content)
    size = (folder / _DACON).stat().st_size
    if size > _DACON_BYTES:
        say(
            f"warning: {_DACON} has {size / 1e9:.1f} GB; Dacon's limit is often 1 GB. "
            "`comp bundle --half --prune` makes it smaller"
        )


def lay_out_dacon(order: Order, folder: Path, data: Path, room: Path) -> Contract:
    """The unpacked zip read-only, with data/ (read-only) and output/ put beside script.py; what
    requirements.txt names is installed before."""
    code = unpack(folder / _DACON, room / "code")
    for name in ("data", "output"):
        (code / name).mkdir()
    return Contract(
        mounts=(
            Mount(code, "/dacon"),
            Mount(data, "/dacon/data"),
            Mount(code / "output", "/dacon/output", writable=True),
        ),
        command=("script.py",),
        folder="/dacon",
        out=code / "output" / order.file,
    )


def write_driven(order: Order, folder: Path) -> None:
    """`submission.zip` with main.py at its root, the bundle and the wheels."""
    script = run_script(
        order,
        bundle=[BUNDLE],
        wheels=[WHEELS],
        data=[f"{_EXECUTION}/data"],
        out=f"{_EXECUTION}/{order.file}",
    )
    with tempfile.TemporaryDirectory(prefix="comp-") as room:
        gather_wheels(order, Path(room))
        write_zip(
            folder / _DRIVEN,
            {
                "main.py": script.encode(),
                **bundle_files(order, f"{BUNDLE}/"),
                **files_below(Path(room), f"{WHEELS}/"),
            },
        )


def lay_out_driven(order: Order, folder: Path, data: Path, room: Path) -> Contract:
    """The unpacked zip in /code_execution, which can be written, with data/ read-only in it."""
    code = unpack(folder / _DRIVEN, room / "code")
    (code / "data").mkdir(exist_ok=True)
    return Contract(
        mounts=(
            Mount(code, _EXECUTION, writable=True),
            Mount(data, f"{_EXECUTION}/data"),
        ),
        command=("main.py",),
        folder=_EXECUTION,
        out=code / order.file,
    )


def _send(name: str, where: str) -> list[str]:
    return [f"{name}: send it as the code submission on {where}"]


DACON = Target(
    about="submit.zip with model/, script.py and requirements.txt",
    has=("torch", "torchvision", "numpy"),
    installs=True,
    python="3.11",
    minutes=9.0,  # of 10, the limit of most of them
    needs=(),
    write=write_dacon,
    contract=lay_out_dacon,
    next=lambda order, folder: _send(str(folder / _DACON), "the competition's page at Dacon"),
)

DRIVENDATA = Target(
    about="submission.zip with main.py",
    has=(
        "torch",
        "torchvision",
        "numpy",
        "pandas",
        "scipy",
        "scikit-learn",
        "pillow",
        "matplotlib",
        "PyYAML",
    ),
    installs=False,
    python=None,
    minutes=None,
    needs=(),
    write=write_driven,
    contract=lay_out_driven,
    next=lambda order, folder: _send(str(folder / _DRIVEN), "the competition's page at DrivenData"),
)

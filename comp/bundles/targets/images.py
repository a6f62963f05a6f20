"""Images of containers: Grand-Challenge, which takes the weights apart, and one with all in it."""

from __future__ import annotations

import gzip
import shlex
import tarfile
from collections.abc import Sequence
from pathlib import Path

from comp.bundles.targets.own_wheel import own_wheel
from comp.bundles.targets.packages import requirement_lines
from comp.bundles.targets.parts import bundle_files, copy_bundle
from comp.bundles.targets.script import dockerfile, run_script
from comp.bundles.targets.target import BUNDLE, WHEELS, Contract, Mount, Order, Target
from comp.core import files

_APP = "/opt/app"
_MODEL, _WEIGHTS = "/opt/ml/model", "model.tar.gz"
_BUILD = "docker build --platform=linux/amd64 --tag {tag} ."
_SAVE = "docker save {tag} | gzip > {tag}.tar.gz"
_RUN = (
    "docker run --rm --network none --read-only --tmpfs /tmp --user 1000:1000 "
    '--volume "$input":/input:ro --volume "$output":/output {more}{tag}'
)
_ARGUMENTS = (
    "# run.sh INPUT OUTPUT: as the judge runs it. OUTPUT must be writable for user 1000.",
    'input="$(realpath "${1:?name the folder of the data}")"',
    'output="$(realpath "${2:?name the folder for the submission}")"',
)


def _write_image(order: Order, folder: Path, *, bundle: str, apart: bool) -> None:
    script = run_script(order, bundle=[bundle], data=["/input"], out=f"/output/{order.file}")
    files.write_text(folder / "run.py", script)
    lines = requirement_lines((), order.more)
    files.write_text(folder / "requirements.txt", "".join(f"{line}\n" for line in lines))
    (folder / WHEELS).mkdir(exist_ok=True)
    own_wheel(folder / WHEELS)
    files.write_text(folder / "Dockerfile", dockerfile(order, _APP, bundle=not apart))
    files.write_text(folder / ".dockerignore", f"{_WEIGHTS}\n*.tar.gz\n*.sh\n")
    more = f'--volume "$PWD/model":{_MODEL}:ro ' if apart else ""
    tag = _tag(order)
    unpacked = [f"mkdir -p model && tar -xzf {_WEIGHTS} -C model"] if apart else []
    _shell(folder / "build.sh", [_BUILD.format(tag=tag)])
    _shell(folder / "save.sh", [_SAVE.format(tag=tag)])
    _shell(folder / "run.sh", [*unpacked, _RUN.format(tag=tag, more=more)], _ARGUMENTS)


def _shell(path: Path, lines: list[str], before: Sequence[str] = ()) -> None:
    text = ["#!/bin/sh", "set -e", *before, 'cd "$(dirname "$0")"', *lines, ""]
    files.write_text(path, "\n".join(text))
    path.chmod(0o755)


def _tag(order: Order) -> str:
    return f"comp-{order.name}"


def write_grand(order: Order, folder: Path) -> None:
    """The image without weights, and model.tar.gz with them, which the site unpacks to
    /opt/ml/model."""
    _write_image(order, folder, bundle=f"{_MODEL}/{BUNDLE}", apart=True)
    with (
        files.replacing(folder / _WEIGHTS) as beside,
        beside.open("wb") as raw,
        gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name, path in bundle_files(order, f"{BUNDLE}/").items():
            about = tarfile.TarInfo(name)  # without times and owners
            about.size, about.mode = path.stat().st_size, 0o644
            with path.open("rb") as read:
                archive.addfile(about, read)


def write_docker(order: Order, folder: Path) -> None:
    """The image with the bundle in it."""
    copy_bundle(order, folder / BUNDLE)
    _write_image(order, folder, bundle=f"{_APP}/{BUNDLE}", apart=False)


def lay_out_grand(order: Order, folder: Path, data: Path, room: Path) -> Contract:
    """/input and /opt/ml/model read-only, /output writable, the image's folder read-only."""
    with tarfile.open(folder / _WEIGHTS) as archive:
        archive.extractall(room / "model", filter="data")
    return _contract(order, folder, data, room, (Mount(room / "model", _MODEL),))


def lay_out_docker(order: Order, folder: Path, data: Path, room: Path) -> Contract:
    """/input read-only, /output writable, the image's folder read-only."""
    more = (Mount(folder / BUNDLE, f"{_APP}/{BUNDLE}"),)
    return _contract(order, folder, data, room, more)


def _contract(
    order: Order, folder: Path, data: Path, room: Path, more: tuple[Mount, ...]
) -> Contract:
    (room / "output").mkdir()
    return Contract(
        mounts=(
            Mount(folder / "run.py", f"{_APP}/run.py"),
            Mount(data, "/input"),
            Mount(room / "output", "/output", writable=True),
            *more,
        ),
        command=(f"{_APP}/run.py",),
        folder=_APP,
        out=room / "output" / order.file,
        wheels=folder / WHEELS,
    )


def _next(order: Order, folder: Path) -> list[str]:
    place = shlex.quote(str(folder))
    return [f"{place}/build.sh", f"{place}/run.sh DATA OUTPUT", f"{place}/save.sh"]


def _next_grand(order: Order, folder: Path) -> list[str]:
    names = f"{_tag(order)}.tar.gz (container image) and {_WEIGHTS} (model)"
    return [*_next(order, folder), f"then upload {names} to the algorithm's page"]


GRAND_CHALLENGE = Target(
    about="a linux/amd64 image, and model.tar.gz apart",
    has=(),
    installs=True,
    python=None,
    minutes=None,
    needs=(),
    write=write_grand,
    contract=lay_out_grand,
    next=_next_grand,
)

DOCKER = Target(
    about="a linux/amd64 image with the bundle in it",
    has=(),
    installs=True,
    python=None,
    minutes=None,
    needs=(),
    write=write_docker,
    contract=lay_out_docker,
    next=_next,
)

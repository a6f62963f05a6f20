"""Trying a shipment: run here as the judge runs it, up to a submission that passes the check."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from comp.bundles.asked import read_asked
from comp.bundles.contents import Bundle
from comp.bundles.targets.packages import OWN, needs_of
from comp.bundles.targets.sandbox import USER, as_root, lacking_spaces, run_boxed
from comp.bundles.targets.stand_in import PYTHON, install, make_stand_in
from comp.bundles.targets.target import Contract, Order, Target
from comp.core import checksums
from comp.core.errors import CheckError, CompError, UsageError
from comp.core.progress import say
from comp.submission import check_submission, open_format

LOG = "try.log"
_MINUTES = 60.0  # where the target has no limit of its own


@dataclass(frozen=True)
class Tried:
    """How a shipment did in its judge's place.

    `path`   the submission, which passed the check; `images`: of it; `log`: what was said
    `same`   whether it has the bytes of the submission that the bundle was made from
    """

    path: Path
    log: Path
    seconds: float
    images: int
    same: bool


def refuse_untriable(order: Order) -> None:
    """CompError where nothing can be tried here, UsageError for wheels of another Python."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if order.python != here:
        raise UsageError(
            f"--try: the wheels are for Python {order.python}, and this is {here}; add "
            f"--python {here} to try, and ship once more without it"
        )
    why = lacking_spaces()
    if why is not None:
        raise CompError(
            f"--try: no judge's machine can be laid out here: {why}. It needs Linux with "
            "namespaces (root, or user namespaces that are allowed); shipping itself needs none"
        )


def try_shipment(target: Target, order: Order, folder: Path, data: Path) -> Tried:
    """Lay out the judge's machine with `data` as the competition's data, and run the shipment.

    `try.log` and the submission stay in the folder. Raises CheckError for a run that fails, takes
    too long or writes no submission that passes the check.
    """
    log = folder / LOG
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="comp-try-") as name:
        room = Path(name)
        room.chmod(0o755)  # the user of the box passes through
        contract = target.contract(order, folder.absolute(), data.absolute(), room)
        needs = [need.name for need in needs_of(OWN)]  # installed from requirements.txt
        stand_in = make_stand_in(
            room / "image", [*needs, *order.more] if target.installs else order.has
        )
        if contract.wheels is not None:
            install(stand_in, contract.wheels)
        _open_up(contract)
        say(f"trying it: {' '.join(('python', *contract.command))[:80]} in {contract.folder}")
        minutes = order.minutes or _MINUTES
        ran = run_boxed(
            (PYTHON, *contract.command),
            (*stand_in.mounts, *contract.mounts),
            contract.folder,
            log,
            60 * minutes,
        )
        if ran.status is None:
            raise CheckError(f"{log}: not done within {minutes:g} minutes; see what it says")
        if ran.status:
            raise CheckError(f"{log}: ended with {ran.status}: {_last(log)}")
        if not contract.out.is_file():
            raise CheckError(f"{log}: it ended well but wrote no {contract.out.name}")
        made = folder / f"tried_{contract.out.name}"
        shutil.copyfile(contract.out, made)
    images = _checked(order.bundle, order, data, made)
    same = checksums.digest_file(made) == order.bundle.manifest["submission"]
    return Tried(made, log, ran.seconds, images, same)


def _open_up(contract: Contract) -> None:
    """Give the folders that can be written to the user of the box."""
    if not as_root():
        return  # the user namespace has the caller's files as its own
    for mount in contract.mounts:
        if mount.writable:
            for path in (mount.source, *mount.source.rglob("*")):
                os.chown(path, USER, USER)


def _last(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _checked(bundle: Bundle, order: Order, data: Path, made: Path) -> int:
    """The images of the submission, by the check that `comp` has for its own."""
    there = [data / place for place in order.samples if (data / place).is_file()]
    with tempfile.TemporaryDirectory(prefix="comp-") as work:
        asked = read_asked(
            bundle, data / order.images, Path(work), sample=there[0] if there else None
        )
        file_format = open_format(asked.competition(bundle, asked.index), made)
        check_submission(made, file_format)
        return len(asked.index)

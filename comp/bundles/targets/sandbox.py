"""A stand-in for a judge's container: namespaces of Linux, where no container engine is needed.

The process sees a root of its own (an empty file system with the read-only system of this machine
and the given folders), no network but an idle loopback, no other process, and is not root.
It is started by `unshare` (util-linux): as root with a real other user, otherwise in a user
namespace, where the files of the caller are those of the process.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from comp.bundles.targets.target import Mount
from comp.core.errors import CompError

USER = 1000  # what runs inside; not root
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "passwd", "group", "nsswitch.conf", "hosts")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_SPACES = ("--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child")
_KEPT = {"ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime"}


@dataclass(frozen=True)
class Ran:
    """How a boxed command ended: its exit status, None where the time was over; its seconds."""

    status: int | None
    seconds: float


def lacking_spaces() -> str | None:
    """Why namespaces are not possible here, or None."""
    if not sys.platform.startswith("linux"):
        return "namespaces are a part of Linux"
    for program in ("unshare", "chroot", "mount"):
        if shutil.which(program, path=_path()) is None:
            return f"the program {program} is missing (util-linux, coreutils)"
    return _tried()[1]


def as_root() -> bool:
    """Whether boxes are made with the rights of root: then their user is another one, who needs
    to be given the folders that it writes to."""
    return _tried()[0]


@functools.cache
def _tried() -> tuple[bool, str | None]:
    """Which of the two ways makes boxes here, and why none does. Root of a container may lack the
    rights, and have user namespaces all the same."""
    why = None
    for rootly in (True, False) if os.geteuid() == 0 else (False,):
        why = _problem(rootly)
        if why is None:
            return rootly, None
    return False, why


def _problem(rootly: bool) -> str | None:
    """Why an empty box cannot be made in one of the two ways, or None."""
    with tempfile.TemporaryDirectory(prefix="comp-") as room:
        log = Path(room) / "log"
        try:
            ran = run_boxed(("/bin/true",), (), "/tmp", log, 20.0, rootly=rootly)
        except OSError as problem:
            return str(problem)
        if ran.status == 0:
            return None
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1] if lines else f"unshare ended with {ran.status}"


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin", "/bin"])


def run_boxed(
    command: Sequence[str],
    mounts: Sequence[Mount],
    folder: str,
    log: Path,
    seconds: float,
    *,
    rootly: bool | None = None,
) -> Ran:
    """Run a command in `folder` of a box with these mounts; what it says goes to `log`.

    After `seconds` it is killed with all that it started. A folder inside another one must come
    after it. rootly: with the rights of root, without a user namespace; None: as `as_root`.
    Raises CompError for a mount that is not there.
    """
    rootly = as_root() if rootly is None else rootly
    for mount in mounts:
        if not mount.source.exists():
            raise CompError(f"{mount.source}: not there, so {mount.inside} cannot be laid out")
    with tempfile.TemporaryDirectory(prefix="comp-box-") as root:
        script = _script(Path(root), mounts, command, folder, rootly)
        words = ["unshare", *_SPACES, *([] if rootly else ["--map-root-user"]), "/bin/sh", "-eu"]
        begun = time.monotonic()
        with log.open("ab") as out:
            process = subprocess.Popen(
                [*words, "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={"PATH": _path()},
            )
            try:
                status: int | None = process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Ran(status, time.monotonic() - begun)


def _script(
    root: Path, mounts: Sequence[Mount], command: Sequence[str], folder: str, rootly: bool
) -> str:
    """What the shell does in the new namespaces: it lays out the root, enters it, and runs."""
    lines = [f"mount -t tmpfs -o mode=755 comp {_quoted(root)}"]
    for name in _SYSTEM:
        lines += _system(root, Path(name))
    base = Path(sys.base_prefix)
    if not base.is_relative_to("/usr"):
        lines += _bound(root, Mount(base, str(base)))
    for name in _ETC:
        if Path("/etc", name).exists():
            lines += _bound(root, Mount(Path("/etc", name), f"/etc/{name}"))
    for name in _DEVICES:
        lines += _bound(root, Mount(Path("/dev", name), f"/dev/{name}", writable=True))
    for name, mode in (("/tmp", 1777), ("/dev/shm", 1777)):
        lines += [_made(root, name), f"mount -t tmpfs -o mode={mode} comp {_quoted(root, name)}"]
    lines += [_made(root, "/proc"), f"mount -t proc proc {_quoted(root, '/proc')}"]
    for mount in mounts:
        lines += _bound(root, mount)
    lines += [_made(root, folder), f"mount -o remount,ro {_quoted(root)}"]
    settings = ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8", "TMPDIR=/tmp"]
    settings += ["OMP_NUM_THREADS=" + os.environ.get("OMP_NUM_THREADS", str(os.cpu_count() or 1))]
    inner = ["/usr/bin/env", "-i", *settings, "PIP_CONFIG_FILE=/dev/null"]
    inner += ["/bin/sh", "-c", 'cd "$1" && shift && exec "$@"', "box", folder, *command]
    if rootly:
        enter = ["chroot", f"--userspec={USER}:{USER}", "--groups=", str(root)]
    else:  # nested, so that it has neither the rights nor the number of root
        enter = ["unshare", "--user", f"--map-user={USER}", f"--map-group={USER}"]
        enter += [f"--root={root}", "--wd=/"]
    return "\n".join([*lines, f"exec {shlex.join([*enter, *inner])}"])


def _quoted(root: Path, inside: str = "") -> str:
    return shlex.quote(f"{root}{inside}")


def _made(root: Path, inside: str) -> str:
    return f"[ -d {_quoted(root, inside)} ] || mkdir -p {_quoted(root, inside)}"


def _system(root: Path, path: Path) -> list[str]:
    """A folder of the system, read-only; a link to one stays a link."""
    if path.is_symlink():
        return [f"ln -s {shlex.quote(str(path.readlink()))} {_quoted(root, str(path))}"]
    return _bound(root, Mount(path, str(path))) if path.is_dir() else []


def _bound(root: Path, mount: Mount) -> list[str]:
    """A file or folder at its place, read-only unless it is writable."""
    place, source = _quoted(root, mount.inside), shlex.quote(str(mount.source.absolute()))
    lines = [_made(root, str(Path(mount.inside).parent))]
    made = _made(root, mount.inside) if mount.source.is_dir() else f"[ -e {place} ] || : > {place}"
    lines += [made, f"mount --bind {source} {place}"]
    if not mount.writable:
        lines.append(f"mount -o {_read_only(mount.source)} {place}")
    return lines


def _read_only(path: Path) -> str:
    """The options that make a bind mount read-only; those that are set already must stay, or a
    user namespace may not change them."""
    best, options = "", set[str]()
    place = str(path.resolve())
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        words = line.split(" ")
        where = words[4].replace("\\040", " ")
        inside = where == "/" or place == where or place.startswith(f"{where}/")
        if inside and len(where) >= len(best):
            best, options = where, {*words[5].split(",")}
    return ",".join(["remount", "bind", "ro", *sorted(options & _KEPT - {"ro", "relatime"})])

"""What a result was made with: the versions of libraries and the commit of the code."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
from importlib import metadata
from pathlib import Path

from comp import __version__

_LIBRARIES = (
    "torch",
    "timm",
    "torchvision",
    "numpy",
    "opencv-python-headless",
    "albumentations",
    "scikit-learn",
    "ttach",
)


def versions() -> dict[str, str]:
    """The versions that can change a result; a library that is not installed is left out."""
    found = {"comp": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit(folder: Path) -> str | None:
    """The commit that is checked out in a folder, with `+changes` where tracked files differ.

    Files below `submissions/` do not count: they are written here, they are no input. None outside
    a repository and without git.

    A repository may be a stranger's, and its `.git/config` can name programs that git runs (a file
    watcher, filters, hooks). So git gets a folder with a config of ours, which borrows its objects
    and its index: nothing that the repository, its submodules or its attributes name is run.
    """
    program = shutil.which("git")
    top = next((up for up in (folder, *folder.parents) if (up / ".git").exists()), None)
    if top is None or program is None or not Path(program).is_absolute():
        return None
    try:
        git, common = _git_folders(top)
        head = _head(git, common)
        with tempfile.TemporaryDirectory(prefix="comp-") as ours:
            changed = _changed(program, folder, _borrowing(Path(ours), top, git, common, head))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return head + ("+changes" if changed else "")


def _git_folders(top: Path) -> tuple[Path, Path]:
    """The folder with HEAD and index, and the one with refs and objects: of a linked work tree or
    a submodule they are elsewhere."""
    git = top / ".git"
    if git.is_file():
        git = top / _text(git).removeprefix("gitdir:").strip()
    shared = git / "commondir"
    return git.absolute(), ((git / _text(shared)) if shared.is_file() else git).absolute()


def _head(git: Path, common: Path) -> str:
    """The commit of HEAD; ValueError where there is none yet."""
    text = _text(git / "HEAD")
    for _ in range(5):  # a symbolic ref may name another
        if not text.startswith("ref:"):
            break
        text = _ref(text.removeprefix("ref:").strip(), git, common)
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text):
        raise ValueError(f"{git}: no commit")
    return text


def _ref(name: str, git: Path, common: Path) -> str:
    if not name.startswith("refs/") or ".." in name:
        raise ValueError(f"{git}: no branch")
    for path in (git / name, common / name):
        if path.is_file():
            return _text(path)
    packed = _text(common / "packed-refs").splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {name}")), "")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _borrowing(ours: Path, top: Path, git: Path, common: Path, head: str) -> dict[str, str]:
    """The environment in which git sees a repository through the empty folder `ours`."""
    (ours / "objects").mkdir()
    (ours / "refs").mkdir()
    (ours / "HEAD").write_text(f"{head}\n", encoding="utf-8")
    form = "\n[extensions]\n\tobjectFormat = sha256" if len(head) == 64 else ""
    version = 1 if form else 0
    (ours / "config").write_text(
        f"[core]\n\trepositoryFormatVersion = {version}{form}\n", encoding="utf-8"
    )
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {
        **own,
        "GIT_DIR": str(ours),
        "GIT_WORK_TREE": str(top.absolute()),
        "GIT_INDEX_FILE": str(git / "index"),
        "GIT_OBJECT_DIRECTORY": str(common / "objects"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _changed(program: str, folder: Path, environment: dict[str, str]) -> bool:
    """Whether tracked files of the work tree differ from the commit."""
    words = ("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty")
    done = subprocess.run(
        [program, *words, "--", ".", ":(exclude)submissions"],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=True,
        timeout=30,
    )
    return bool(done.stdout.strip())

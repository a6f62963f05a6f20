"""The box keeps what a judge's container keeps: network, files, processes, user and time."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from comp.bundles.targets import sandbox
from comp.bundles.targets.sandbox import USER, as_root, lacking_spaces, run_boxed
from comp.bundles.targets.target import Mount
from comp.core.errors import CompError

LACKING = lacking_spaces()
boxes = pytest.mark.skipif(LACKING is not None, reason=f"no namespaces here: {LACKING}")
PYTHON = os.path.realpath(sys.executable)
PROBE = """
import json, os, socket
def fails(call):
    try:
        call()
    except OSError as problem:
        return problem.errno
    return 0
print(json.dumps({
    "user": os.getuid(),
    "network": fails(lambda: socket.create_connection(("192.0.2.1", 80), 2)),
    "root": fails(lambda: open("/x", "w")),
    "system": fails(lambda: open("/usr/x", "w")),
    "given": fails(lambda: open("/given/x", "w")),
    "out": fails(lambda: open("/out/x", "w")),
    "tmp": fails(lambda: open("/tmp/x", "w")),
    "seen": os.path.exists(HIDDEN),
    "processes": [name for name in os.listdir("/proc") if name.isdigit()],
    "secret": "SECRET" in os.environ,
}))
"""


@boxes
@pytest.mark.parametrize("rootly", [True, False], ids=["as root", "in a user namespace"])
def test_it_has_no_network_no_rights_and_only_what_is_given(
    rootly: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if rootly and not as_root():
        pytest.skip("needs the rights of root")
    monkeypatch.setenv("SECRET", "x")
    for name in ("given", "out"):
        (tmp_path / name).mkdir()
    if rootly:
        os.chown(tmp_path / "out", USER, USER)
    probe = PROBE.replace("HIDDEN", repr(str(tmp_path)))
    (tmp_path / "probe.py").write_text(probe, encoding="utf-8")
    mounts = [Mount(tmp_path / "given", "/given"), Mount(tmp_path / "out", "/out", writable=True)]
    mounts.append(Mount(tmp_path / "probe.py", "/probe.py"))
    log = tmp_path / "log"
    ran = run_boxed((PYTHON, "/probe.py"), mounts, "/tmp", log, 30, rootly=rootly)
    assert ran.status == 0, log.read_text("utf-8")
    assert json.loads(log.read_text("utf-8")) == {
        "user": USER,
        "network": 101,  # unreachable
        "root": 30,  # read-only
        "system": 30,
        "given": 30,
        "out": 0,
        "tmp": 0,
        "seen": False,
        "processes": ["1"],
        "secret": False,
    }
    assert (tmp_path / "out/x").is_file()


@boxes
def test_it_ends_when_the_time_is_over_with_all_that_it_started(tmp_path: Path) -> None:
    words = ("/bin/sh", "-c", "sleep 60 & sleep 60")
    ran = run_boxed(words, (), "/tmp", tmp_path / "log", 0.5)
    assert ran.status is None
    assert ran.seconds < 30


@boxes
def test_what_a_command_says_and_how_it_ends_is_kept(tmp_path: Path) -> None:
    words = ("/bin/sh", "-c", "echo out; echo 'a b' >&2; exit 7")
    ran = run_boxed(words, (), "/new/folder", tmp_path / "log", 30)
    assert (ran.status, (tmp_path / "log").read_text("utf-8")) == (7, "out\na b\n")


def test_a_mount_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CompError, match="nowhere: not there, so /x cannot be laid out"):
        run_boxed(("true",), [Mount(tmp_path / "nowhere", "/x")], "/tmp", tmp_path / "log", 1)


def test_a_system_without_namespaces_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox.sys, "platform", "darwin")
    assert lacking_spaces() == "namespaces are a part of Linux"
    monkeypatch.setattr(sandbox.sys, "platform", "linux")
    monkeypatch.setattr(sandbox.shutil, "which", lambda *_, **__: None)
    assert str(lacking_spaces()).startswith("the program unshare is missing")

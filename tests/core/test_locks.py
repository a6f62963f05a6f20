"""Two writers: one of them waits, and names the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from comp.core import locks
from comp.core.errors import CompError
from comp.core.locks import HeldError, holder, writing

NOW = 2_000_000_000.0
HOLD = """
import sys
from pathlib import Path
from comp.core.locks import writing
with writing(Path(sys.argv[1])EXTRA):
    print("held", flush=True)
    sys.stdin.read()
"""


def another(folder: Path, extra: str = "") -> subprocess.Popen[str]:
    """A process that holds `folder` until its stdin is closed or it is killed."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process: subprocess.Popen[str] = subprocess.Popen(
        [sys.executable, "-c", HOLD.replace("EXTRA", extra), str(folder)],
        **pipes,  # type: ignore[call-overload]
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_with_pid_and_host_until_the_first_is_killed(
    tmp_path: Path,
) -> None:
    with another(tmp_path) as process:
        try:
            message = rf"held by process {process.pid} on {os.uname().nodename} since \d{{4}}-"
            with pytest.raises(HeldError, match=message), writing(tmp_path):
                pytest.fail("two writers")
            found = holder(tmp_path)
            assert found is not None
            assert found["pid"] == process.pid
        finally:
            process.kill()
    assert (tmp_path / "lock").read_text() != "", "it died without a word"
    assert holder(tmp_path) is None
    with writing(tmp_path):
        pass


def test_two_folds_do_not_disturb_each_other(tmp_path: Path) -> None:
    with another(tmp_path / "fold_0") as process, writing(tmp_path / "fold_1"):
        process.communicate()


def test_a_lock_is_free_after_its_block_also_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), writing(tmp_path):
        raise ZeroDivisionError
    assert holder(tmp_path) is None
    with writing(tmp_path):
        pass


def foreign(folder: Path, age: float) -> None:
    """A lock of another machine that was last refreshed `age` seconds ago."""
    path = folder / "lock"
    path.write_text(json.dumps({"pid": 7, "host": "elsewhere", "since": "2026-01-01 00:00:00"}))
    os.utime(path, (NOW - age, NOW - age))


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is NOW, however long a busy machine takes."""
    clock = SimpleNamespace(time=lambda: NOW, strftime=time.strftime)
    monkeypatch.setattr(locks, "time", clock)


@pytest.mark.usefixtures("stopped_clock")
def test_another_machine_holds_while_its_heart_beats(tmp_path: Path) -> None:
    foreign(tmp_path, age=locks.STALE_SECONDS - 1)
    message = r"process 7 on elsewhere since 2026.*If that machine is gone, its hold ends 120 s"
    with pytest.raises(HeldError, match=message), writing(tmp_path):
        pytest.fail("two writers")
    assert holder(tmp_path) == {"pid": 7, "host": "elsewhere", "since": "2026-01-01 00:00:00"}


@pytest.mark.usefixtures("stopped_clock")
def test_a_machine_that_fell_silent_is_taken_over(tmp_path: Path) -> None:
    foreign(tmp_path, age=locks.STALE_SECONDS)
    assert holder(tmp_path) is None
    with writing(tmp_path):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()


def test_the_heart_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "HEARTBEAT_SECONDS", 0.01)
    with writing(tmp_path):
        os.utime(tmp_path / "lock", (0, 0))
        while not (tmp_path / "lock").stat().st_mtime:
            time.sleep(0.01)


def test_a_lock_with_nonsense_in_it_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"\xff\xfe{")
    with writing(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    refusal = pytest.raises(CompError, match=r"runs/fold_0: cannot be written")
    with refusal, writing(tmp_path / "runs" / "fold_0"):
        pytest.fail("there is no folder")


def test_a_writer_may_wait_for_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hold = "import sys, pathlib, comp.core.locks as locks\n"
    hold += "with locks.writing(pathlib.Path(sys.argv[1]), name='.lock'):\n"
    hold += "    print('held', flush=True)\n    sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(tmp_path)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        release = threading.Thread(target=other.stdin.close)
        with pytest.raises(HeldError), writing(tmp_path, name=".lock"):
            pytest.fail("two writers")
        release.start()
        with writing(tmp_path, name=".lock", wait=True):
            assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()
        release.join()


def test_a_lock_that_is_not_kept_is_removed_and_its_waiter_takes_a_new_one(tmp_path: Path) -> None:
    with another(tmp_path, ", name='.lock', keep=False") as other:
        with pytest.raises(HeldError), writing(tmp_path, name=".lock"):
            pytest.fail("two writers")
        assert other.stdin is not None
        release = threading.Thread(target=other.stdin.close)
        release.start()
        with writing(tmp_path, name=".lock", wait=True, keep=False) as hold:
            release.join()
            assert other.wait() == 0
            hold.check()  # the other one removed its own file, not this one
            assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()
    assert not (tmp_path / ".lock").exists()


def test_a_thread_is_a_second_writer_too_and_looking_does_not_end_a_lock(tmp_path: Path) -> None:
    with writing(tmp_path):
        refused = pytest.raises(HeldError, match=f"held by process {os.getpid()} on")
        with refused, writing(tmp_path):
            pytest.fail("two writers")
        assert (holder(tmp_path) or {})["pid"] == os.getpid()
        command = [sys.executable, "-c", HOLD.replace("EXTRA", ""), str(tmp_path)]
        child = subprocess.run(command, input="", capture_output=True, text=True, check=False)
        assert "HeldError" in child.stderr
    assert holder(tmp_path) is None


def test_containers_of_one_kernel_share_locks_whatever_they_call_their_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with another(tmp_path) as process:
        process.kill()
        process.wait()
        monkeypatch.setattr("socket.gethostname", lambda: "another-container")
        assert "pid" in json.loads((tmp_path / "lock").read_text())
        assert holder(tmp_path) is None
        with writing(tmp_path):
            pass


def test_two_machines_of_one_name_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with another(tmp_path) as process:
        process.kill()
        process.wait()
    monkeypatch.setattr("comp.core.scratch._kernel", lambda: "another machine of the same name")
    with pytest.raises(HeldError, match="If that machine is gone"), writing(tmp_path):
        pytest.fail("two writers")


def test_where_nothing_can_be_locked_the_heartbeat_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_lock", lambda handle: None)
    (tmp_path / "lock").write_text(json.dumps({"pid": 7, "host": os.uname().nodename}))
    with pytest.raises(HeldError), writing(tmp_path):
        pytest.fail("two writers")
    os.utime(tmp_path / "lock", (0, 0))
    with writing(tmp_path):
        pass
    with writing(tmp_path):
        pass


def test_who_slept_for_too_long_finds_its_lock_taken_over(tmp_path: Path) -> None:
    with writing(tmp_path) as hold:
        hold.check()
        (tmp_path / "lock").unlink()
        (tmp_path / "lock").write_text(json.dumps({"pid": 7, "host": "elsewhere"}))
        with pytest.raises(HeldError, match=r"taken over by another process.*same command again"):
            hold.check()
    assert json.loads((tmp_path / "lock").read_text())["pid"] == 7


LATE = """
import fcntl, sys
handle = open(sys.argv[1], "w")
fcntl.lockf(handle, fcntl.LOCK_EX)
print("locked", flush=True)
for text in sys.stdin:
    handle.write(text)
    handle.flush()
    print("written", flush=True)
"""


@pytest.mark.parametrize("writes", [True, False])
def test_a_holder_that_has_not_written_its_name_yet_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: bool
) -> None:
    pytest.importorskip("fcntl")
    words = [sys.executable, "-c", LATE, str(tmp_path / "lock")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, **pipes) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"
        slept = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if writes and len(slept) == 2:
                child.stdin.write('{"pid": 7, "host": "one"}\n')  # type: ignore[union-attr]
                child.stdin.flush()  # type: ignore[union-attr]
                assert child.stdout.readline() == "written\n"  # type: ignore[union-attr]

        monkeypatch.setattr(locks.time, "sleep", sleep)
        assert locks.holder(tmp_path) == ({"pid": 7, "host": "one"} if writes else {})
        assert len(slept) == (2 if writes else 20)
        child.stdin.close()


def test_who_looks_all_the_time_is_never_in_the_way(tmp_path: Path) -> None:
    """A watcher that took the lock for an instant would have it refused now and then."""
    with writing(tmp_path):
        pass
    code = (
        "import sys; from pathlib import Path; from comp.core.locks import holder\n"
        "print('looks', flush=True)\n"
        "while True: holder(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "looks\n"
            for _ in range(300):
                with writing(tmp_path):
                    pass
        finally:
            process.kill()


def test_a_lock_can_be_looked_at_where_nothing_can_be_written(tmp_path: Path) -> None:
    with another(tmp_path) as process:
        try:
            (tmp_path / "lock").chmod(0o444)
            before = (tmp_path / "lock").stat()
            assert (holder(tmp_path) or {})["pid"] == process.pid
            assert (tmp_path / "lock").stat().st_mtime_ns == before.st_mtime_ns
        finally:
            process.kill()

"""When a run stops in the middle: on a signal, or in time before the hours are over."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from comp.core.errors import Interrupted, OutOfTime
from comp.train import stop as module
from comp.train.stop import SIGNALS, TIME_IS_UP, Stop


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """`clock[0] = seconds` sets the time."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_without_hours_it_is_never_time(clock: list[float]) -> None:
    stop = Stop()
    clock[0] += 1e9
    assert (stop.left, stop.requested) == (None, False)


@pytest.mark.parametrize(("hours", "reserve"), [(0.5, 36.0), (10.0, 60.0)])
def test_a_fiftieth_of_the_hours_and_two_checkpoints_are_kept_in_reserve(
    clock: list[float], hours: float, reserve: float
) -> None:
    stop = Stop(hours)
    assert stop.left == pytest.approx(hours * 3600 - reserve)
    stop.longest_save = 5.0
    clock[0] += hours * 3600 - reserve - 10.5
    assert (stop.left, stop.requested) == (pytest.approx(0.5), False)
    clock[0] += 0.5
    assert stop.requested
    with pytest.raises(OutOfTime, match=rf"the {hours:g} hours are over: stopped here; the same"):
        stop.leave("here")


@pytest.mark.parametrize("number", SIGNALS)
def test_at_a_step_a_signal_waits_and_is_told(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = Stop(again="comp train")
    with stop.listening(), stop.at_a_step():
        os.kill(os.getpid(), number)
        assert stop.requested
    assert f"{number.name}: stopping at the next step" in capsys.readouterr().err
    with pytest.raises(
        Interrupted, match=f"{number.name}: stopped x; comp train continues there"
    ) as caught:
        stop.leave("x")
    assert caught.value.exit_code == 128 + number


def test_outside_of_a_step_a_signal_ends_the_command() -> None:
    stop = Stop()
    with pytest.raises(Interrupted, match="SIGTERM: stopped between two folds"), stop.listening():
        os.kill(os.getpid(), signal.SIGTERM)


def test_the_handlers_of_before_come_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Stop().listening() as stop:
        assert [signal.getsignal(number) for number in SIGNALS] == [stop._handle] * 2
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_in_another_thread_the_signals_stay_as_they_are() -> None:
    found = []

    def listen() -> None:
        with Stop().listening():
            found.extend(signal.getsignal(number) for number in SIGNALS)

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(number) for number in SIGNALS]


def test_what_another_process_said_is_taken_over() -> None:
    stop, other = Stop(), Stop(hours=0)
    assert (stop.said, stop.agreed) == (0, False)
    assert other.said == TIME_IS_UP
    stop.adopt(0)
    assert not stop.agreed
    stop.adopt(signal.SIGTERM)
    assert stop.agreed
    with pytest.raises(Interrupted, match="SIGTERM: stopped here"):
        stop.leave("here")
    late = Stop(hours=1)
    late.adopt(TIME_IS_UP)
    assert (late.agreed, late.signal) == (True, None)
    with pytest.raises(OutOfTime, match="the 1 hours are over"):
        late.leave("here")

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from busy import busy, compute, needs_one_processor

from ldjcheck.session.isolation import (
    Died,
    Faulted,
    Finished,
    Spent,
    TimedOut,
    run_isolated,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="local functions cannot be sent to a new process"
)


def run(function: Callable[..., Any], *arguments: Any, timeout: float = 30.0) -> Any:
    return run_isolated(function, *arguments, timeout=timeout)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return "\nState:\tZ" not in status.read_text()  # a zombie, not collected yet


def test_what_was_told_last_is_kept_when_time_is_over() -> None:
    def slow(*, tell: Callable[[Any], None]) -> None:
        tell("little")
        tell({"more": [1, 2]})
        time.sleep(60)

    outcome = run_isolated(slow, timeout=0.5, tells=True)
    assert isinstance(outcome, TimedOut)
    assert outcome.told == {"more": [1, 2]}


def test_the_line_that_hangs_is_known() -> None:
    def called(*, tell: Callable[[Any], None]) -> None:
        time.sleep(60)

    def imported(*, tell: Callable[[Any], None]) -> None:
        exec(compile("import time\n\ntime.sleep(60)", "flow.py", "exec"), {})

    places = []
    for hangs in (called, imported):
        outcome = run_isolated(hangs, timeout=0.5, tells=True)
        assert isinstance(outcome, TimedOut)
        assert outcome.place is not None
        places.append(outcome.place)
    call, load = places
    assert (call.text, call.is_import) == ("time.sleep(60)", False)
    assert (load.file, load.line, load.is_import) == ("flow.py", 3, True)


def test_a_process_that_cannot_be_asked_for_its_line_is_ended_all_the_same() -> None:
    def restless(*, tell: Callable[[Any], None]) -> None:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        time.sleep(60)

    outcome = run_isolated(restless, timeout=0.5, tells=True)
    assert outcome == TimedOut(0.5)


def test_what_was_told_on_the_way_is_not_the_end() -> None:
    def quick(*, tell: Callable[[Any], None]) -> str:
        tell("little")
        return "all"

    assert run_isolated(quick, timeout=30.0, tells=True) == Finished("all")


def test_a_value_comes_back() -> None:
    assert run(divmod, 7, 3) == Finished((2, 1))


def test_a_large_value_comes_back() -> None:
    assert run(bytes, 50_000_000) == Finished(bytes(50_000_000))


def test_the_caller_is_left_as_it_was() -> None:
    assert run(lambda: sys.path.append("nowhere")) == Finished(None)
    assert "nowhere" not in sys.path


def test_an_exception_comes_back_as_its_traceback() -> None:
    outcome = run(lambda: 1 / 0)
    assert isinstance(outcome, Faulted)
    assert outcome.traceback.endswith("ZeroDivisionError: division by zero\n")


def test_a_value_that_cannot_be_sent_is_a_fault() -> None:
    assert isinstance(run(lambda: lambda: None), Faulted)


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (lambda: os._exit(3), "exit code 3"),
        (lambda: os._exit(0), "exit code 0"),
        (os.abort, "SIGABRT"),
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), "SIGSEGV"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "SIGKILL"),
        (lambda: os.closerange(3, 1000), "exit code 1"),
    ],
    ids=["exit 3", "exit 0", "abort", "segfault", "kill", "close everything"],
)
def test_a_process_that_dies_says_how(end: Callable[[], None], how: str) -> None:
    def silently() -> None:
        faulthandler.disable()  # else pytest's would write to the terminal
        end()

    outcome = run(silently)
    assert isinstance(outcome, Died)
    assert how in outcome.how


SCRIBBLE = """
import os
from ldjcheck.session.isolation import run_isolated

def scribble():
    for descriptor in range(3, 200):
        try:
            os.write(descriptor, b"scribble" * 10)
        except OSError:
            continue
    return "value"

print(type(run_isolated(scribble, timeout=30)).__name__)
"""


def test_scribbling_into_every_open_file_forges_no_value() -> None:
    # In a program of its own: the files that are open here belong to pytest.
    ran = subprocess.run(
        [sys.executable, "-c", SCRIBBLE], text=True, capture_output=True, check=True
    )
    assert ran.stdout == "Died\n"


def test_a_hanging_process_is_ended_in_time() -> None:
    started = time.monotonic()
    assert run(lambda: time.sleep(60), timeout=0.5) == TimedOut(0.5)
    assert time.monotonic() - started < 5


@pytest.mark.slow
@needs_one_processor
def test_a_process_among_others_has_all_of_its_limit_and_no_more() -> None:
    with busy():
        started = time.monotonic()
        assert run(lambda: compute(0.8), timeout=1.0) == Finished(None)
        assert time.monotonic() - started > 1.0, "it was not busy enough to tell"
        assert run(lambda: time.sleep(60), timeout=1.0) == TimedOut(1.0)
        assert run(lambda: compute(60), timeout=0.5) == TimedOut(0.5)
        assert time.monotonic() - started < 30


@pytest.mark.slow
@needs_one_processor
def test_what_other_threads_compute_is_not_counted_and_ends() -> None:
    def beside(seconds: float) -> None:
        thread = threading.Thread(target=compute, args=(seconds,))
        thread.start()
        thread.join()

    assert run(beside, 1.0, timeout=0.5) == Finished(None)
    started = time.monotonic()
    assert run(beside, 60, timeout=0.25) == TimedOut(0.25)
    assert time.monotonic() - started < 20


def test_where_nothing_can_be_read_of_a_process_its_time_is_that_of_the_clock() -> None:
    spent, began = Spent(0), time.monotonic()  # no process has this number
    time.sleep(0.05)
    assert 0.05 <= spent.look() <= time.monotonic() - began + 0.01


def test_a_process_deaf_to_signals_is_ended_all_the_same() -> None:
    def deaf() -> None:
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True:
            pass

    assert run(deaf, timeout=0.5) == TimedOut(0.5)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads /proc")
@pytest.mark.parametrize("hangs", [True, False])
def test_processes_that_it_started_end_with_it(tmp_path: Path, *, hangs: bool) -> None:
    note = tmp_path / "pid"

    def start_another() -> None:
        sleeper = subprocess.Popen(["sleep", "60"], close_fds=False)
        note.write_text(str(sleeper.pid))
        if hangs:
            sleeper.wait()
        os._exit(3)

    outcome = run(start_another, timeout=2.0)
    assert isinstance(outcome, TimedOut if hangs else Died)
    time.sleep(0.2)
    assert not is_alive(int(note.read_text()))


def test_threads_that_run_on_delay_nothing() -> None:
    import threading

    def leave_a_thread() -> str:
        threading.Thread(target=time.sleep, args=(60,)).start()
        return "value"

    started = time.monotonic()
    assert run(leave_a_thread) == Finished("value")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("how", ["print", "os.write", "C"])
def test_nothing_printed_reaches_standard_output(
    how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def talk() -> None:
        if how == "print":
            print("hello")
        elif how == "os.write":
            os.write(1, b"hello\n")
        else:
            c = ctypes.CDLL(None)
            c.puts(b"hello")
            c.fflush(None)

    assert run(talk) == Finished(None)
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "hello\n"


def test_what_a_hanging_process_printed_is_seen(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def talk() -> None:
        print("epoch 1")
        time.sleep(60)

    run(talk, timeout=0.5)
    assert capfd.readouterr().err == "epoch 1\n"

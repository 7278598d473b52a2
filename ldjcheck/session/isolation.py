"""Running one function in a process of its own, and learning how that ended, and why.

User code runs there. It may hang, die, print or start processes of its own; what comes
back is a value or the way it ended, and nothing else reaches the caller. Of one that hung,
Linux tells of each thread whether it computed, waited for a processor, or did nothing.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from ldjcheck.tracebacks import RunningLine, running_line


class Share(NamedTuple):
    """What a thread had of its time, in seconds: it `ran`, or `waited` while others did."""

    ran: float
    waited: float


class Spent:
    """The seconds of its limit that a process has used, looked at again and again.

    That is the CPU time of its first thread, which deadlines count as well, and by the
    clock the time in which no thread of it ran or waited for a processor: it hangs.
    What else the machine does takes none of it. Where nothing can be read, it is the
    time by the clock.
    """

    def __init__(self, process: int) -> None:
        self.seconds = 0.0
        self._process = process
        self._looked = time.monotonic()
        self._shares: dict[int, Share] = {}
        self._idle = 0.0  # without a break, up to now

    def look(self) -> float:
        """Return how many seconds it has used until now."""
        now, shares = time.monotonic(), shares_of(self._process)
        gone = {thread: self._since(thread, share) for thread, share in shares.items()}
        first = gone.get(self._process, Share(0.0, 0.0))
        idle = now - self._looked - sum(ran + waited for ran, waited in gone.values())
        # A wait is told of when it is over: what looked idle before is taken back.
        idle = max(idle, -self._idle)
        self._idle = self._idle + idle if idle > 0 else 0.0
        self.seconds += first.ran + idle
        self._looked, self._shares = now, shares
        return self.seconds

    def _since(self, thread: int, share: Share) -> Share:
        before = self._shares.get(thread, Share(0.0, 0.0))
        return Share(share.ran - before.ran, share.waited - before.waited)


def shares_of(process: int) -> dict[int, Share]:
    """Return what each thread of a process had so far; nothing of one that is gone."""
    found = {}
    for thread in Path(f"/proc/{process}/task").glob("*/schedstat"):
        try:
            ran, waited = map(int, thread.read_bytes().split()[:2])
        except (OSError, ValueError):  # it ended meanwhile
            continue
        found[int(thread.parent.name)] = Share(ran / 1e9, waited / 1e9)
    return found


# --- a process of its own -------------------------------------------------------------

_GLANCE = 0.1  # seconds between two looks at whether the process still lives
_GRACE = 1.0  # seconds that a process may take to leave after its answer
_LAST_WORDS = 0.5  # seconds that it may take to say which line it is in
_RESERVE = 5  # seconds after the last limit at which an orphaned process ends itself
_PATIENCE = 8  # times its limit that a process may stay, however busy the machine is


@dataclass(frozen=True, slots=True)
class Finished:
    """The function returned."""

    value: Any


@dataclass(frozen=True, slots=True)
class Faulted:
    """The function raised, which user code is never the reason for."""

    traceback: str


@dataclass(frozen=True, slots=True)
class Died:
    """The process ended before the function returned."""

    how: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The process was ended because its time was over.

    `told` is the last thing that the function told before, if it told any, `doing` what
    it said that it was doing, and `place` the line of the user's that was running.
    """

    seconds: float
    told: Any = None
    doing: str | None = None
    place: RunningLine | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    """The function is still running, and this is what it knows so far."""

    value: Any


Outcome = Finished | Faulted | Died | TimedOut


def run_isolated(
    function: Callable[..., Any], *arguments: Any, timeout: float, tells: bool = False
) -> Outcome:
    """Return how `function(*arguments)` ended in a process of its own.

    When this returns or raises (a Ctrl-C), the process is gone, with every process that
    it started.
    """
    running = start(function, *arguments, timeout=timeout, tells=tells)
    try:
        while (outcome := running.outcome()) is None:
            wait_for([running])
        return outcome
    finally:
        running.end()


def start(
    function: Callable[..., Any], *arguments: Any, timeout: float, tells: bool = False
) -> Running:
    """Return a process of its own that runs `function(*arguments)` from now on.

    It may take `timeout` seconds, which it computes or does nothing; while it waits for
    a processor that others use, none pass.

    A function that `tells` is given `tell=`, to be called with what it knows so far, or
    with what it is doing, in words.

    What is printed there, by C code too, goes to standard error. Where the system
    forks, the process starts with everything that is loaded here; elsewhere function
    and arguments are pickled. Whoever starts it ends it.
    """
    context = _context()
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(
        target=_work, args=(writer, timeout, function, arguments, tells)
    )
    process.start()
    writer.close()
    return Running(process, reader, timeout, tells=tells)


def wait_for(processes: Sequence[Running]) -> None:
    """Wait a glance long, or until one of the processes has something to say."""
    wait([process.reader for process in processes], _GLANCE)


class Running:
    """A process that is at work, and what is known of how it ends."""

    def __init__(
        self, process: BaseProcess, reader: Connection, timeout: float, *, tells: bool
    ) -> None:
        self.process = process
        self.tells = tells
        self.reader = reader
        self.timeout = timeout
        self.deadline = time.monotonic() + _PATIENCE * timeout
        self.spent = Spent(process.pid or 0)
        self.told: Any = None
        self.doing: str | None = None
        self.place: RunningLine | None = None
        self.is_asked = False  # which line it is in

    @property
    def left(self) -> float:
        """How many seconds it may take yet."""
        left = self.timeout - self.spent.look()
        return min(left, self.deadline - time.monotonic())

    def outcome(self) -> Outcome | None:
        """Return how it ended, or None while it works; it does not wait.

        The process is looked at again and again: its sentinel would stay silent while
        processes that it started hold on to what they inherited.
        """
        if self.left <= 0:
            self._ask_for_the_line()
        while self.reader.poll():
            answer = _answer(self.process, self.reader)
            if isinstance(answer, Died) and self.is_asked:
                break  # what does not listen may die of being asked
            if not isinstance(answer, _Told):
                return answer
            if isinstance(answer.value, str):
                self.doing = answer.value
            elif isinstance(answer.value, RunningLine):
                self.place = answer.value
            else:
                self.told = answer.value
        is_gone = self.process.exitcode is not None and not self.reader.poll()
        if is_gone and not self.is_asked:
            return Died(how_it_ended(self.process.exitcode))
        if self.left <= 0:
            return TimedOut(self.timeout, self.told, self.doing, self.place)
        return None

    def _ask_for_the_line(self) -> None:
        """Let a process whose time is over say where it is, if it listens."""
        if self.is_asked or not hasattr(signal, "SIGUSR1") or not self.tells:
            return
        self.is_asked = True
        if self.process.pid is not None and self.process.is_alive():
            os.kill(self.process.pid, signal.SIGUSR1)
            self.reader.poll(_LAST_WORDS)

    def end(self) -> None:
        """End the process, and those that it started."""
        _end(self.process)
        self.reader.close()


def _context() -> ForkContext | SpawnContext:
    if "fork" in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


# --- in the new process -----------------------------------------------------------


def _work(
    writer: Connection,
    timeout: float,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    tells: bool,
) -> None:
    separate(_PATIENCE * timeout)
    outcome: Outcome

    def tell(value: Any) -> None:
        with suppress(OSError):  # user code closed what it does not own
            writer.send_bytes(pickle.dumps(_Told(value)))

    if tells and hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, lambda _, frame: _tell_line(frame, tell))
    try:
        said = {"tell": tell} if tells else {}
        outcome = Finished(function(*arguments, **said))
        answer = pickle.dumps(outcome)
    except BaseException:
        answer = pickle.dumps(Faulted(traceback.format_exc()))
    try:
        writer.send_bytes(answer)
    except OSError:  # user code closed what it does not own
        os._exit(1)


def _tell_line(frame: FrameType | None, tell: Callable[[Any], None]) -> None:
    line = running_line(frame, _work.__code__)
    if line is not None:
        tell(line)


def separate(timeout: float) -> None:
    """Cut this process off from the caller's terminal and standard output."""
    if hasattr(os, "setsid"):
        # A group of its own: it can be ended as a whole, and a Ctrl-C, which the
        # terminal sends to the caller's group, does not look like the user's fault.
        os.setsid()
    for name in ("SIGTERM", "SIGHUP"):  # as the caller answers them, this must not
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    if hasattr(signal, "alarm"):
        # The system keeps this appointment even when the caller was killed.
        signal.alarm(math.ceil(timeout) + _RESERVE)
    os.dup2(2, 1)
    # By line, so that one sees what a hanging layer had to say.
    sys.stdout = os.fdopen(1, "w", 1, errors="backslashreplace", closefd=False)


# --- in the caller ------------------------------------------------------------------


def _answer(process: BaseProcess, reader: Connection) -> Outcome | _Told:
    try:
        outcome = pickle.loads(reader.recv_bytes())
    except (EOFError, OSError):  # it ended before or while answering
        process.join(_GRACE)
        return Died(how_it_ended(process.exitcode))
    except Exception:  # user code wrote into a descriptor that it does not own
        return Died("what it sent back cannot be read")
    if isinstance(outcome, _Told):
        return outcome
    process.join(_GRACE)
    return outcome if isinstance(outcome, Outcome) else Died("it sent back no result")


def how_it_ended(exit_code: int | None) -> str:
    """Return in words how a process ended, by its exit code; negative for a signal."""
    if exit_code is None:
        return "it closed files that are not its own, and ran on"
    if exit_code >= 0:
        return f"it ended itself with exit code {exit_code}, as os._exit does"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"number {-exit_code}"
    hint = ", as when the system's memory is used up" if name == "SIGKILL" else ""
    return f"it was ended by the signal {name}{hint}"


def _end(process: BaseProcess) -> None:
    """End the process and those that it started; no-one is asked."""
    if hasattr(os, "killpg") and process.pid is not None:
        # None may be left, or it had no time yet to form a group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()

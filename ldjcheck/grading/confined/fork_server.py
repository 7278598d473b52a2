"""A process that has torch loaded, knows nothing else, and forks for each job.

What a forked process finds in its memory is what this one has: no rubric, no solution, no
other submission. The grader hands over each job with the open ends of its channels. Run as
a program it reads jobs from its standard input, which is a socket; where the system does
not fork, or sockets hand nothing over, it does one job (`once`) and ends.
"""

import faulthandler
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ldjcheck.grading.confined import Channel
from ldjcheck.grading.sandbox import Limits, confine
from ldjcheck.grading.sandbox.linux import (
    PR_SET_PDEATHSIG,
    is_linux,
    prctl,
    waited_for_processor,
)
from ldjcheck.session.isolation import how_it_ended, separate

_GLANCE = 0.02  # seconds between two looks at whether the process still lives
_MOMENT = 0.5  # seconds to leave by itself
_LAST_WORDS = 0.2  # seconds to print where it is
_PATIENCE = 8  # times its limit that a process may stay, however busy the machine is
_LONGEST_JOB = 2**16
PASSED = 3  # files handed over with a job: to read from, to write to, to print to


def serve() -> None:
    """Do jobs until the grader is gone."""
    control = socket.socket(fileno=os.dup(0))
    _preload()
    _forget_input()
    control.sendall(b"ready\n")
    while True:
        told, files, _, _ = socket.recv_fds(control, _LONGEST_JOB, PASSED)
        if not told:
            return
        if len(files) == PASSED:
            ended = _run(control, json.loads(told), files)
            control.sendall(json.dumps(ended).encode() + b"\n")


def once() -> None:
    """Do one job, whose first line comes on standard input; messages follow it there."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.dup(1)
    _forget_input()
    os.dup2(2, 1)
    job = json.loads(incoming.readline())
    _preload()
    channel = Channel(job["word"], incoming, os.fdopen(outgoing, "wb"))
    _work(job, channel)


def _preload() -> None:
    """Load what jobs need, and run no operator: its threads would not survive a fork."""
    import ldjcheck.mistakes.diagnosis
    import ldjcheck.mistakes.mending
    import ldjcheck.search
    import ldjcheck.targets  # noqa: F401  # loaded once, for all


def loaded_elsewhere(readable: Sequence[str]) -> list[str]:
    """Return the packages that are loaded from elsewhere, as a `.pth` file may have it.

    They load parts of themselves later. What else lies where they do stays out of reach.
    """
    tops = [module for name, module in list(sys.modules.items()) if "." not in name]
    files = filter(None, (getattr(module, "__file__", None) for module in tops))
    found = {
        # a single file may have a path as packages have, as `six` does
        os.path.dirname(file)
        if os.path.basename(file).startswith("__init__.")
        else file
        for file in files
    }
    known = tuple(path.rstrip(os.sep) + os.sep for path in readable)
    return sorted(
        path for path in found if path and not f"{path}{os.sep}".startswith(known)
    )


def _forget_input() -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


# --- in this process ------------------------------------------------------------------


def _run(
    control: socket.socket, job: Mapping[str, Any], files: list[int]
) -> Mapping[str, Any]:
    """Return how a job's process ended.

    The grader says one byte when it has heard all that it wants; the process then has a
    moment to leave. A grader that is gone is heard like one that has enough.
    """
    started = time.monotonic()
    process = os.fork()
    if not process:
        _child(control, job, files)
    for file in files:
        os.close(file)
    deadline = started + _PATIENCE * job["seconds"]
    status, heard = None, False
    while status is None and (left := deadline - time.monotonic()) > 0:
        if not heard:
            left = min(left, job["seconds"] - _own_time(process, started))
            if left <= 0:
                break
        if not heard and (heard := _hears(control, min(_GLANCE, left))):
            deadline = min(deadline, time.monotonic() + _MOMENT)
        elif heard:
            time.sleep(min(_GLANCE, left))
        status = _status(process)
    if status is None and not heard:
        os.kill(process, signal.SIGUSR1)  # it prints where it is
        time.sleep(_LAST_WORDS)
    ended = {"how": status or _end(process), "timed_out": not (status or heard)}
    if not heard:
        control.recv(1)
    return ended


def _own_time(process: int, started: float) -> float:
    """Return how long a process computed or slept.

    What it waited while others had the processor is no fault of its: how many are graded
    side by side, and what else the machine does, must not change a grade.
    """
    return time.monotonic() - started - waited_for_processor(process)


def _hears(control: socket.socket, seconds: float) -> bool:
    readable, _, _ = select.select([control], [], [], seconds)
    if readable:
        control.recv(1)
    return bool(readable)


def _status(process: int) -> str | None:
    """Return how the process ended, or None as long as it runs.

    What is left of its group is ended before its number can be another's.
    """
    seen = os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return None if seen is None else _end(process)


def _end(process: int) -> str:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    return "done" if code == 0 else how_it_ended(code)


# --- in the new process ---------------------------------------------------------------


def _child(control: socket.socket, job: Mapping[str, Any], files: list[int]) -> None:
    try:
        control.close()
        if is_linux():
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        incoming, outgoing, output = files
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        separate(_PATIENCE * job["seconds"])
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=False)
        channel = Channel(
            job["word"], os.fdopen(incoming, "rb"), os.fdopen(outgoing, "wb")
        )
        _work(job, channel)
        sys.stdout.flush()
        os._exit(0)
    except BaseException:
        import traceback

        with suppress(BaseException):
            traceback.print_exc()
            sys.stderr.flush()
    finally:
        os._exit(1)


def _work(job: Mapping[str, Any], channel: Channel) -> None:
    limits = Limits(seconds=job["seconds"], memory=job["memory"], disk=job["disk"])
    confine(
        job["folder"], [*job["readable"], *loaded_elsewhere(job["readable"])], limits
    )
    arguments = channel.receive()
    match job["name"]:  # only some need torch
        case "attempt":
            from ldjcheck.grading.sandbox.measured import attempt

            channel.send(attempt(arguments))
        case "look":
            from ldjcheck.grading.confined.looking import look

            channel.send(look(arguments["files"]))
        case "answer":
            from ldjcheck.grading.confined.answering import answer

            answer(channel, arguments)
        case "diagnose":
            from ldjcheck.grading.confined.diagnosing import diagnose

            diagnose(channel, arguments)

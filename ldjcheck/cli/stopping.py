"""What happens when the system, a terminal or a CI job ends the command."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

_ASKED_TO_END = ("SIGTERM", "SIGHUP")  # not everywhere


@contextlib.contextmanager
def ends_what_it_started() -> Iterator[None]:
    """Let a signal that would end this process first end the processes that it started.

    Those are in groups of their own, which no signal to this one reaches. The exit status
    is that of a process that the signal ended: 128 and its number.
    """
    numbers = [
        number
        for name in _ASKED_TO_END
        if (number := getattr(signal, name, None)) is not None
        # What is ignored, as under `nohup`, stays so; what others do, they do.
        and signal.getsignal(number) is signal.SIG_DFL
    ]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # signals are the main thread's
    for number in numbers:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    """Leave by an exception, on whose way out whoever started a process ends it."""
    sys.exit(128 + number)

"""A machine on which others compute as well."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

needs_one_processor = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or not os.path.exists("/proc/self/schedstat"),
    reason="needs a processor that is shared, and is told who waits for it",
)


@contextmanager
def busy(others: int = 4) -> Iterator[None]:
    """Share one processor with so many endless loops."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    command = [sys.executable, "-S", "-c", "while True: pass"]
    loops = [subprocess.Popen(command) for _ in range(others)]
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
        for loop in loops:
            loop.kill()
            loop.wait()


def compute(seconds: float) -> None:
    """Use so much CPU time of this thread."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass

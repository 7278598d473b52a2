"""Limits of the operating system on memory, processor time and files."""

from __future__ import annotations

import contextlib
import math
import re
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_FILES = 256  # open at once
_SPARE = 5  # seconds of processor time beyond the limit: the clock ends it first


def limit_resources(memory: int, seconds: float, largest_file: int) -> None:
    """Set limits that this process cannot raise again, as far as the system has them.

    `memory` counts from what the process has now: libraries that are loaded already, and
    are shared, are not held against it.
    """
    if resource is None:
        return
    wanted = {
        "RLIMIT_AS": _size_now() + memory,
        "RLIMIT_CPU": math.ceil(seconds) + _SPARE,
        "RLIMIT_FSIZE": largest_file,
        "RLIMIT_NOFILE": _FILES,
        "RLIMIT_CORE": 0,
    }
    for name, value in wanted.items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        _, most = resource.getrlimit(kind)
        if most != resource.RLIM_INFINITY:
            value = min(value, most)
        # macOS knows RLIMIT_AS, and refuses it
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))


def _size_now() -> int:
    """Return the address space in use, in bytes; 0 where it cannot be told."""
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    found = re.search(r"^VmSize:\s+(\d+) kB", text, re.MULTILINE)
    return 0 if found is None else 1024 * int(found[1])

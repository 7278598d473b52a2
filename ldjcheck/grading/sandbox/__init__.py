"""Confining the process that runs foreign code: memory, files, network, other processes.

Each means is asked of the system and may be missing there. What really holds is measured
(`measured`), and said; nothing is claimed because it was asked for.

Where the system confines nothing, a hook of `sys.addaudithook` watches Python's own
operations. It cannot be taken off again from Python, and sees sockets, processes, signals
and files that are opened. Native code, `ctypes` for one, gets around it: this stops
carelessness, and no determined attack.
"""

import contextlib
import math
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ldjcheck.grading.sandbox.linux import (
    confine_files,
    drop_capabilities,
    refuse_system_calls,
)

_REFUSED = (
    "socket.", "subprocess.", "os.fork", "os.exec", "os.posix_spawn", "os.spawn",
    "os.system", "os.startfile", "os.kill", "os.chmod", "os.chown", "os.lchown",
    "os.setxattr", "os.removexattr", "signal.pthread_kill", "ctypes.dlopen", "ftplib.",
    "smtplib.", "urllib.", "http.",
)  # fmt: skip
_OF_PATHS = (
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink",
    "os.truncate", "os.utime", "shutil.",
)  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def watch_operations(folder: str) -> None:
    """Refuse, from now on, what leaves this process or writes outside of a folder."""
    home = os.path.realpath(folder)

    def is_outside(path: Any) -> bool:
        if isinstance(path, int):  # an open file
            return False
        real = os.path.realpath(os.fsdecode(path))
        return real != home and not real.startswith(home + os.sep)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & _WRITES
            refused = writes and path != os.devnull and is_outside(path)
        elif event.startswith(_OF_PATHS):
            paths = [p for p in arguments if isinstance(p, (str, bytes))]
            refused = any(is_outside(path) for path in paths)
        else:
            refused = event.startswith(_REFUSED)
        if refused:
            raise PermissionError(
                f"{event} is not allowed while submissions are graded"
            )

    sys.addaudithook(hook)


try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_FILES = 256  # open at once
_SPARE = 5  # seconds of processor time beyond the limit: the clock ends it first


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a confined process may use: seconds, and bytes."""

    seconds: float = 60.0
    memory: int = 2 * 2**30  # beyond what it has when foreign code starts
    output: int = 2**22  # printed
    disk: int = 2**26  # written, all files together


def confine(folder: str, readable: Sequence[str], limits: Limits) -> None:
    """Confine this process for good; `folder` alone may be written to.

    `readable` are files and folders that may be read besides. Whatever is started later
    inherits the confinement. Where neither files nor calls can be confined by the system,
    Python's own operations are watched instead, which native code can get around.
    """
    os.chdir(folder)
    _limit_resources(limits)
    drop_capabilities()
    by_files = confine_files([folder], readable)
    by_calls = refuse_system_calls()
    if not (by_files and by_calls):
        watch_operations(folder)


def _limit_resources(limits: Limits) -> None:
    """Set limits that this process cannot raise again, as far as the system has them.

    Memory counts from what the process has now: libraries that are loaded already, and
    are shared, are not held against it.
    """
    if resource is None:
        return
    wanted = {
        "RLIMIT_AS": _size_now() + limits.memory,
        "RLIMIT_CPU": math.ceil(limits.seconds) + _SPARE,
        "RLIMIT_FSIZE": limits.disk,
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

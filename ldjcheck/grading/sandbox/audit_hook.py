"""Python's own operations, watched: what is left where the system confines nothing.

A hook of `sys.addaudithook` cannot be taken off again from Python, and sees sockets,
processes, signals and files that are opened. Native code, `ctypes` for one, gets around
it: this stops carelessness, and no determined attack.
"""

from __future__ import annotations

import os
import sys
from typing import Any

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

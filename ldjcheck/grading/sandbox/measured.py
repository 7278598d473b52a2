"""What the confinement really holds back on this system, found out by trying it."""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

_WORDS = {
    "network": "no network",
    "writing": "nothing written outside of its own folder",
    "reading": "no other files read",
    "signals": "no other process stopped",
    "processes": "no processes started",
    "memory": "memory",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforced:
    """What a confined process could not do when it tried, one of each kind."""

    network: bool
    writing: bool
    reading: bool
    signals: bool
    processes: bool
    memory: bool

    @property
    def missing(self) -> tuple[str, ...]:
        """What it could do although it should not."""
        return tuple(f.name for f in fields(self) if not getattr(self, f.name))

    def sentence(self) -> str:
        """Return what is and what is not enforced here, as one says it."""
        held = [_WORDS[f.name] for f in fields(self) if getattr(self, f.name)]
        told = f"Enforced here: {', '.join(['time', *held])}."
        if self.missing:
            left = ", ".join(_WORDS[name] for name in self.missing)
            told += f" NOT enforced on this system: {left}."
        return told


def attempt(trap: Mapping[str, Any]) -> dict[str, bool]:
    """Return what this process can do, each name of `Enforced` with True or False.

    `trap` names what stands outside: a `port` that is listened to, a `folder` that holds
    a file `secret`, a `process`, and how much `memory` is allowed.
    """
    folder = Path(trap["folder"])
    attempts: dict[str, Callable[[], object]] = {
        "network": lambda: socket.create_connection(("127.0.0.1", trap["port"]), 5),
        "writing": lambda: (folder / "written").write_text("written"),
        "reading": lambda: (folder / "secret").read_text(),
        "signals": lambda: os.kill(trap["process"], 0),
        "processes": _start,
        "memory": lambda: bytearray(trap["memory"] + 2**26),
    }
    return {name: _succeeds(attempt) for name, attempt in attempts.items()}


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, MemoryError, AttributeError):
        return False
    return True


def _start() -> None:
    process = os.fork()
    if not process:
        os._exit(0)
    os.waitpid(process, 0)

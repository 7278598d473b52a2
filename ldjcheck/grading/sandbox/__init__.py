"""Confining the process that runs foreign code: memory, files, network, other processes.

Each means is asked of the system and may be missing there. What really holds is measured
(`measured`), and said; nothing is claimed because it was asked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from ldjcheck.grading.sandbox import audit_hook, capabilities, landlock, seccomp
from ldjcheck.grading.sandbox.resource_limits import limit_resources

__all__ = ["Limits", "confine"]


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
    limit_resources(limits.memory, limits.seconds, limits.disk)
    capabilities.drop_all()
    by_files = landlock.confine_files([folder], readable)
    by_calls = seccomp.refuse_system_calls()
    if not (by_files and by_calls):
        audit_hook.watch_operations(folder)

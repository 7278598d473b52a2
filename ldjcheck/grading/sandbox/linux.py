"""Calls of the Linux kernel that Python has no function for.

One gives up what an administrator may do: graders in containers often run as one.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_NO_NEW_PRIVS = 38
PR_SET_PDEATHSIG = 1


def is_linux() -> bool:
    """Return whether there is a Linux kernel to ask."""
    return sys.platform.startswith("linux")


def library() -> ctypes.CDLL:
    """Return the C library, which keeps `errno` for each call."""
    return ctypes.CDLL(None, use_errno=True)


def call(number: int, *arguments: object) -> int:
    """Return what a system call returns; -1 where it fails."""
    return int(library().syscall(ctypes.c_long(number), *arguments))


def prctl(option: int, value: int) -> bool:
    """Set a property of this process; return whether it was."""
    zero = ctypes.c_ulong(0)
    done = library().prctl(option, ctypes.c_ulong(value), zero, zero, zero)
    return bool(done == 0)


def machine() -> str:
    """Return the processor's name as the kernel has it, such as `x86_64`."""
    return os.uname().machine


def waited_for_processor(process: int) -> float:
    """Return for how many seconds a process was ready to run while others ran; else 0."""
    try:
        with open(f"/proc/{process}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):  # another system, or it is gone
        return 0.0


_CAPABILITIES = 0x20080522  # version of the interface: 64 capabilities, in two words


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def drop_capabilities() -> bool:
    """Drop every capability of this process, for good; return whether there is none."""
    if not is_linux():
        return False
    header, none = _Header(_CAPABILITIES, 0), (_Sets * 2)()
    return bool(library().capset(ctypes.byref(header), ctypes.byref(none)) == 0)

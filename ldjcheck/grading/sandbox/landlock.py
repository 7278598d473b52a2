"""Files: Landlock, by which a Linux process gives up rights of its own.

It needs no privileges, Linux 5.13, and works in containers. What newer kernels add, TCP
and signals to processes outside, is given up as well.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

from ldjcheck.grading.sandbox.linux import PR_SET_NO_NEW_PRIVS, call, is_linux, prctl

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every processor
_ASK_VERSION = 1
_BENEATH = 1  # a rule about a file, or all that is beneath a folder
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_FILE_RIGHTS = 0x1 | _READ_FILE | _WRITE_FILE | _TRUNCATE | 1 << 15
# rights by the version of the interface that brought them
_FILES_BY_VERSION = ((1, 0x1FFF), (2, 1 << 13), (3, _TRUNCATE), (5, 1 << 15))
_TCP = 0x3  # to bind, to connect; since version 4
_SCOPES = 0x3  # abstract sockets, signals; since version 6


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def confine_files(writable: Sequence[str], readable: Sequence[str]) -> bool:
    """Give up all files but these, for good; return whether it was done.

    What exists, and how large it is, can still be asked: contents and lists cannot.
    """
    if not is_linux():
        return False
    version = call(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))
    if version < 1:
        return False
    every = sum(rights for since, rights in _FILES_BY_VERSION if version >= since)
    attributes = _Ruleset(
        every, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0
    )
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = call(
        _CREATE, ctypes.byref(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0)
    )
    if ruleset < 0:
        return False
    try:
        for path in writable:
            _allow(ruleset, path, every)
        for path in readable:
            _allow(ruleset, path, _READ_FILE | _READ_DIR)
        _allow(ruleset, os.devnull, every & (_READ_FILE | _WRITE_FILE | 1 << 15))
        if not prctl(PR_SET_NO_NEW_PRIVS, 1):
            return False
        return call(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0)) == 0
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    """Add a rule; what is not there needs none."""
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            rights &= _FILE_RIGHTS
        rule = _PathBeneath(rights, opened)
        what = ctypes.c_int(ruleset), ctypes.c_int(_BENEATH)
        call(_ADD, *what, ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(opened)

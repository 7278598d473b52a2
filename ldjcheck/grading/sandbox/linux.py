"""What Linux confines a process by: Landlock for files, seccomp for system calls.

Graders in containers often run as an administrator, so what one may do is given up first.

Landlock needs no privileges, Linux 5.13, and works in containers. What newer kernels add,
TCP and signals to processes outside, is given up as well.

Seccomp refuses system calls that a layer never needs. No network, no further processes, no
signals to others, no other's memory, limits or priority, no change of owners, modes or
times of files (Landlock leaves these alone). Each refused call fails as without permission.
The filter is a program for the kernel's packet filter, one pair of instructions a call.
"""

import ctypes
import errno
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

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


# --- files: Landlock ------------------------------------------------------------------

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


# --- system calls: seccomp ------------------------------------------------------------

_SET_SECCOMP, _FILTER = 22, 2

# Instructions: load a word, jump if equal, if at least, if all bits are set; return.
_LOAD, _EQUAL, _AT_LEAST, _HAS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST = 0, 4, 16  # where in the kernel's record of a call
_ALLOW, _FAIL, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_OTHER_ABI = 0x40000000  # numbers from here on mean the same calls once more
_AS_THREAD = 0x00010000  # a flag of `clone`

_SINCE_5_1 = (
    424, 425, 426, 427, 428, 429, 430, 431, 432, 433,  # signals, io_uring, mounts
    434, 438, 440, 442, 447, 448, 452, 463, 466, 467, 469,  # other processes, modes
)  # fmt: skip
"""Refused calls with the same number on every processor."""

_CLONE3 = 435


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """The numbers of calls on one processor."""

    architecture: int
    refused: tuple[int, ...]
    # allowed where the first argument is 0 or this process
    about_itself: tuple[int, ...]
    clone: int
    prctl: int


_PROCESSORS: dict[str, _Calls] = {
    "x86_64": _Calls(
        architecture=0xC000003E,
        refused=(
            41,  # socket
            57, 58, 59, 322,  # fork, vfork, execve, execveat
            101, 310, 311, 312,  # ptrace, process_vm_readv and _writev, kcmp
            129, 297,  # rt_sigqueueinfo, rt_tgsigqueueinfo
            141, 142, 144, 203, 251, 256, 279, 314,  # priorities and processors of others
            29, 30, 31, 64, 66, 68, 71, 240, 241,  # shared memory, semaphores, queues
            90, 91, 92, 93, 94, 132, 235, 260, 261, 268, 280,  # modes, owners, times
            188, 189, 190, 197, 198, 199,  # extended attributes
            155, 161, 165, 166, 272, 308, 303, 304,  # mounts, roots, namespaces, handles
            134, 135, 154, 172, 173, 319, 321, 323, 298,  # odd ways into the kernel
            103, 159, 163, 164, 167, 168, 169, 175, 176, 179, 227, 246, 248, 249, 250,
            305, 313, 320,  # the machine's own settings, modules and keys
        ),
        about_itself=(62, 200, 234, 302),  # kill, tkill, tgkill, prlimit64
        clone=56,
        prctl=157,
    ),
    "aarch64": _Calls(
        architecture=0xC00000B7,
        refused=(
            198, 221, 281, 117, 270, 271, 272, 138, 240,
            140, 118, 119, 122, 30, 238, 239, 274,
            194, 195, 196, 190, 191, 186, 187, 180, 181,
            52, 53, 54, 55, 88, 5, 6, 7, 14, 15, 16,
            41, 51, 40, 39, 97, 268, 264, 265,
            92, 279, 280, 282, 241,
            116, 171, 89, 170, 224, 225, 142, 105, 106, 60, 112, 104, 217, 218, 219,
            266, 273, 294,
        ),
        about_itself=(129, 130, 131, 261),
        clone=220,
        prctl=167,
    ),
}  # fmt: skip


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_uint16),
        ("instructions", ctypes.POINTER(_Instruction)),
    )


def refuse_system_calls() -> bool:
    """Have the kernel refuse these calls from now on; return whether it does."""
    calls = _PROCESSORS.get(machine()) if is_linux() else None
    if calls is None:
        return False
    rows = [_Instruction(*row) for row in _filter(calls, os.getpid())]
    array = (_Instruction * len(rows))(*rows)
    program = _Program(len(rows), array)
    if not prctl(PR_SET_NO_NEW_PRIVS, 1):
        return False
    zero = ctypes.c_ulong(0)
    mode = ctypes.c_ulong(_FILTER)
    done = library().prctl(_SET_SECCOMP, mode, ctypes.byref(program), zero, zero)
    return bool(done == 0)


_Row = tuple[int, int, int, int]


def _filter(calls: _Calls, own: int) -> list[_Row]:
    """Return the program: jumps count the instructions that are left out."""
    denied = (_RETURN, 0, 0, _FAIL | errno.EPERM)
    unknown = (_RETURN, 0, 0, _FAIL | errno.ENOSYS)
    number = (_LOAD, 0, 0, _NUMBER)
    rows: list[_Row] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, calls.architecture),
        (_RETURN, 0, 0, _KILL),
        number,
        (_AT_LEAST, 0, 1, _OTHER_ABI),
        (_RETURN, 0, 0, _KILL),
        # the C library then takes `clone`, whose flags can be looked at
        (_EQUAL, 0, 1, _CLONE3),
        unknown,
    ]
    for refused in (*calls.refused, *_SINCE_5_1):
        rows += [(_EQUAL, 0, 1, refused), denied]
    for each in calls.about_itself:
        allowed = [(_EQUAL, 2, 0, 0), (_EQUAL, 1, 0, own)]
        rows += _first_argument(each, [*allowed, denied], number)
    rows += _first_argument(calls.clone, [(_HAS, 1, 0, _AS_THREAD), denied], number)
    # who ends when the server ends could otherwise take that back
    lives_on = [(_EQUAL, 0, 1, PR_SET_PDEATHSIG), denied]
    rows += _first_argument(calls.prctl, lives_on, number)
    return [*rows, (_RETURN, 0, 0, _ALLOW)]


def _first_argument(call: int, looked_at: list[_Row], number: _Row) -> list[_Row]:
    """Return what decides a call by the low word of its first argument."""
    inside = [(_LOAD, 0, 0, _FIRST), *looked_at, number]
    return [(_EQUAL, 0, len(inside), call), *inside]

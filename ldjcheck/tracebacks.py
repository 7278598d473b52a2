"""Tracebacks of the user's code, shown without a frame of ours."""

from __future__ import annotations

import os
import traceback

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_EXHIBITS = os.path.join(_OURS, "classroom", "animals") + os.sep  # read as users' code
_PLUMBING = (
    f"{os.sep}torch{os.sep}nn{os.sep}modules{os.sep}module.py",
    f"{os.sep}torch{os.sep}overrides.py",
    f"{os.sep}torch{os.sep}utils{os.sep}_contextlib.py",
    "<frozen importlib._bootstrap>",
    "<frozen importlib._bootstrap_external>",
    "<frozen runpy>",
    f"{os.sep}importlib{os.sep}__init__.py",
)


def user_traceback(error: BaseException) -> tuple[str, ...]:
    """Return the lines of a traceback as Python prints it, the user's frames only.

    Frames of ldjcheck and of the machinery that only passes calls on are left out; an
    error that happened in no frame of the user's shows its last line alone.
    """
    summary = traceback.TracebackException.from_exception(error, limit=None)
    for part in _chain(summary):
        kept = [frame for frame in part.stack if not _is_plumbing(frame.filename)]
        part.stack = traceback.StackSummary.from_list(kept)
    text = "".join(summary.format()).rstrip()
    return tuple(text.splitlines())


def is_ours(filename: str) -> bool:
    """Return whether a file is part of ldjcheck, and no layer that it shows."""
    return filename.startswith(_OURS) and not filename.startswith(_EXHIBITS)


def _is_plumbing(filename: str) -> bool:
    return is_ours(filename) or filename.endswith(_PLUMBING)


def _chain(
    summary: traceback.TracebackException,
) -> list[traceback.TracebackException]:
    found, queue = [], [summary]
    while queue:
        part = queue.pop()
        found.append(part)
        queue.extend(p for p in (part.__cause__, part.__context__) if p is not None)
    return found

"""The user's own fault, told in the user's own frames."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ldjcheck.errors import CannotCheckError
from ldjcheck.tracebacks import advice_on, message_of, user_traceback

_LONGEST_SUMMARY = 200


@contextmanager
def users_fault(code: str, deed: str, *next_steps: str) -> Iterator[None]:
    """Turn whatever the user's code raises into a `CannotCheckError`.

    `deed` is what was being done, such as "Importing deq.py". Even `SystemExit` and
    `KeyboardInterrupt` are the user's here: a real Ctrl-C never reaches the process
    that runs a target. Running out of memory is LDJ007 whatever was being done.
    """
    try:
        yield
    except CannotCheckError:
        raise
    except BaseException as error:
        code, what = _verdict(code, error)
        evidence = (*user_frames(error), *advice_on(error), *next_steps)
        raise CannotCheckError(code, f"{deed} {what}", evidence) from None


def user_frames(error: BaseException) -> tuple[str, ...]:
    """Return the user's own traceback; nothing when no line of theirs is in it."""
    lines = user_traceback(error)
    return lines if any(line.startswith("  File ") for line in lines) else ()


def shown_path(file: str | Path) -> str:
    """Return the path as the user would type it: relative where that is shorter."""
    try:
        relative = os.path.relpath(file)
    except ValueError:  # another drive
        return str(file)
    return min(relative, str(file), key=len)


def _verdict(code: str, error: BaseException) -> tuple[str, str]:
    """Return the code, and what the code under `users_fault` did."""
    if isinstance(error, SystemExit):
        return code, f"ended the program: sys.exit({error.code!r})."
    summary = _summary(error)
    # torch has errors of its own for memory; on the CPU a plain RuntimeError.
    if isinstance(error, MemoryError) or "allocate memory" in summary:
        return "LDJ007", f"ran out of memory: {summary}."
    return code, f"raised {summary.rstrip('. ')}."


def _summary(error: BaseException) -> str:
    """Return `Type: message` in one line that is not too long."""
    message = next(iter(message_of(error).splitlines()), "")
    name = type(error).__name__
    line = f"{name}: {message}" if message else name
    return line if len(line) <= _LONGEST_SUMMARY else line[:_LONGEST_SUMMARY] + " ..."

"""Who wants to hear of every check that is made: the pytest plugin, during a test.

Whoever waits in a notebook hears what is being done, on a line that goes away.

Nobody else needs it: without a listener nothing happens. It belongs to the context of
the running test, so that parallel checks do not mix.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ldjcheck.checking import Tell
    from ldjcheck.report import Report


@dataclass(frozen=True, slots=True)
class Heard:
    """One check that was made, and what its caller makes of it.

    `struck` holds the codes of findings that the caller expects.
    """

    report: Report
    asserted: bool = False  # a mistake fails the test; else the caller only looks
    struck: frozenset[str] = frozenset()
    target: str | None = None  # what to call it in reports, where that is not the test


LISTENER: ContextVar[Callable[[Heard], None] | None] = ContextVar(
    "LISTENER", default=None
)
"""Set for the time of one test."""


def announce(
    report: Report,
    *,
    asserted: bool = False,
    struck: frozenset[str] = frozenset(),
    target: str | None = None,
) -> None:
    """Tell the listener, if there is one, about a check."""
    listener = LISTENER.get()
    if listener is not None:
        listener(Heard(report, asserted=asserted, struck=struck, target=target))


@contextmanager
def unheard() -> Iterator[None]:
    """Check without telling anybody."""
    token = LISTENER.set(None)
    try:
        yield
    finally:
        LISTENER.reset(token)


SILENT = 1.0
"""Seconds: who gets an answer by then needs no line."""


@contextmanager
def shown_in_notebook() -> Iterator[Tell | None]:
    """Give what shows a reader in a running notebook what is being done; None elsewhere."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if getattr(shell, "kernel", None) is None:
        yield None
        return
    shows: Any = import_module("IPython.display")  # which has no types
    begun = time.monotonic()
    line: Any = None

    def tell(known: Any) -> None:
        nonlocal line
        spent = time.monotonic() - begun
        if isinstance(known, str) and spent >= SILENT:
            shown = shows.HTML(f"<small>{escape(known)}, {spent:.0f} s</small>")
            if line is None:
                line = shows.display(shown, display_id=True)
            else:
                line.update(shown)

    try:
        yield tell
    finally:
        if line is not None:
            line.update(shows.HTML(""))

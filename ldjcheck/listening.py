"""Who wants to hear of every check that is made: the pytest plugin, during a test.

Nobody else needs it: without a listener nothing happens. It belongs to the context of
the running test, so that parallel checks do not mix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

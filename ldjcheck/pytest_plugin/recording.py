"""The checks that a test makes, on their way to the process that sums them up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ldjcheck.listening import LISTENER, Heard

PROPERTY = "ldjcheck"
"""The name of the user property in which results travel."""

_SHOWN = 3  # layers of one test
_HEARD = pytest.StashKey[list[Heard]]()


@contextmanager
def hearing(item: pytest.Item) -> Iterator[None]:
    """Keep every check that is made meanwhile with the test."""
    heard: list[Heard] = []
    item.stash[_HEARD] = heard
    token = LISTENER.set(heard.append)
    try:
        yield
    finally:
        LISTENER.reset(token)


def hand_on(item: pytest.Item) -> tuple[str, ...]:
    """Put what was heard since the last time into the test's user properties.

    Return the screens of wrong layers that the test has only looked at: where it fails,
    by `assert report.status == "pass"` say, nothing else tells what was found.
    """
    heard = item.stash.get(_HEARD, [])
    if not heard:
        return ()
    looked = [e.report for e in heard if not e.asserted and e.report.status != "pass"]
    is_whole = item.config.getoption("ldj_report") is not None
    for each in heard:
        item.user_properties.append((PROPERTY, _told(each, item, is_whole=is_whole)))
    heard.clear()
    screens = tuple(str(report) for report in looked[:_SHOWN])
    more = len(looked) - len(screens)
    return (*screens, *([f"{more} more were not right either"] if more else []))


def in_short(call: pytest.CallInfo[None]) -> str | None:
    """Return what is wrong with a layer in one line, where that is why a test fails."""
    if call.excinfo is None:
        return None
    from ldjcheck.testing.exceptions import LdjError, LdjMismatch

    error = call.excinfo.value
    if not isinstance(error, LdjMismatch | LdjError):
        return None
    from ldjcheck.report import failure

    return failure.in_short(error.report.run)


def _told(heard: Heard, item: pytest.Item, *, is_whole: bool) -> dict[str, Any]:
    """Return a check as plain data; all its numbers only where a report wants them."""
    result = heard.report.to_dict()["results"][0]
    result["target"] = heard.target or item.nodeid
    if not is_whole:
        result |= {"checks": [], "ledger": [], "inferred": {}}
    return {
        "asserted": heard.asserted,
        "struck": sorted(heard.struck),
        "result": result,
    }

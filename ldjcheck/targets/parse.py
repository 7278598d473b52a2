"""Taking apart what the user typed: `SOURCE` or `SOURCE:EXPR`."""

from __future__ import annotations

import re

from ldjcheck.errors import CannotCheckError
from ldjcheck.records import Target

# An expression may hold colons of its own (`flow[1:]`), and a Windows path has one
# after its drive: the colon that counts is the first one that is not a drive's.
_TARGET = re.compile(
    r"(?P<source>(?:[A-Za-z]:(?=[\\/]))?[^:]*)(?::(?P<expr>.*))?", re.DOTALL
)


def parse_target(text: str) -> Target:
    """Return the target that `text` names; `expr` is None when only a source is given.

    Raises:
        CannotCheckError: LDJ001, when there is no source before the colon.
    """
    match = _TARGET.fullmatch(text.strip())
    source = match["source"].strip() if match else ""
    if match is None or not source:
        raise CannotCheckError(
            "LDJ001",
            f"There is no source in {text!r}.",
            ("A target is SOURCE:EXPR, for example:", "  ldjcheck deq.py:Layer"),
        )
    expr = (match["expr"] or "").strip()
    return Target(text=text, source=source, expr=expr or None)

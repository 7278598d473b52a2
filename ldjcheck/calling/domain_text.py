"""Domains as they are typed. Nothing here loads torch: a slip is answered before."""

import math

from ldjcheck.records import Domain


def _end(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # which is below and above nothing


def parse_domain(text: str) -> Domain:
    """Return the domain that `real`, `unit`, `positive`, `int:a:b` or `interval:a:b` names.

    Raises:
        ValueError: none of these.
    """
    kind, *ends = text.split(":")
    if kind in ("real", "unit", "positive") and not ends:
        return Domain(kind=kind)  # type: ignore[arg-type]  # narrowed by the line above
    if kind in ("int", "interval") and len(ends) == 2:
        low, high = (_end(end) for end in ends)
        if low < high:
            return Domain(kind=kind, low=low, high=high)  # type: ignore[arg-type]
    raise ValueError(
        f"{text!r} is no domain: real, unit, positive, int:0:255 or interval:-1:1"
    )

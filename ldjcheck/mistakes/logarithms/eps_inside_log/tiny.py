"""Differences too small for the laws, but not for a number inside a logarithm.

Laws between numbers hold to about seven digits, so a difference below that would satisfy
any of them. A number that does not belong into a logarithm, such as 1e-8 against log(0),
is told by its own measure: without it, nothing of the difference is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ldjcheck.mistakes.engine.arithmetic.targets import (
    find_targets,
    user_node,
    value_node,
    without,
)
from ldjcheck.mistakes.engine.case import operand
from ldjcheck.mistakes.engine.closeness import adds_something
from ldjcheck.mistakes.engine.kinds import NUMBER_IN_LOG
from ldjcheck.mistakes.engine.source.places import location_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.mistakes.engine.arithmetic.targets import Target
    from ldjcheck.mistakes.engine.case import Case
    from ldjcheck.records import Explanation

_LEFT = 0.05  # the part of the difference that rounding may leave
_ROUNDING = 1e-13  # relative, of numbers that cancel


def tiny_numbers(case: Case) -> Iterator[Explanation]:
    """Yield the numbers inside logarithms without which every trace agrees."""
    agree = tuple(not adds_something([d]) for d in case.differences)
    if all(agree):
        return
    for target in find_targets(case.traces, [t.edges for t in case.terms], agree):
        first = target.first
        if target.kind != "edge" or first is None or value_node(first).name != "number":
            continue
        if _leaves_nothing(case, target):
            yield NUMBER_IN_LOG.explanation(
                location=location_of(user_node(first).place),
                operand=operand(target),
                size=target.size,
            )


def _leaves_nothing(case: Case, target: Target) -> bool:
    for trace, items in zip(case.traces, target.items, strict=True):
        now = without(trace, items) if items else trace.reported
        if now is None or not bool(torch.isfinite(now).all()):
            return False
        left = (now - trace.exact).abs()
        before = (trace.reported - trace.exact).abs()
        allowed = _LEFT * before + _ROUNDING * (1 + trace.exact.abs())
        if bool((left > allowed).any()):
            return False
    return True

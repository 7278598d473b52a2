"""Terms that the ldj should not have: of nothing that the map does, or counted twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ldjcheck.mistakes.engine.arithmetic.linear_part import contribution
from ldjcheck.mistakes.engine.arithmetic.targets import value_node
from ldjcheck.mistakes.engine.case import operand, target_location
from ldjcheck.mistakes.engine.closeness import (
    adds_something,
    alike,
    fits,
    is_constant,
    same,
)
from ldjcheck.mistakes.engine.kinds import TWICE, UNNEEDED, UNNEEDED_UNSUMMED
from ldjcheck.mistakes.engine.source.places import location_of
from ldjcheck.records import Explanation
from ldjcheck.tape import ancestors
from ldjcheck.tape.linear import linear_positions
from ldjcheck.torch_ops import ADD, SUBTRACT

if TYPE_CHECKING:
    from ldjcheck.mistakes.engine.proposals import Term


def unneeded(term: Term) -> Iterator[Explanation]:
    """Yield that a term must go: it belongs to nothing, or it is there twice."""
    case, target, amounts = term.case, term.target, term.amounts
    if not adds_something(amounts):
        return
    if not all(fits(t, n, 0 * n) for t, n in zip(case.traces, term.needs, strict=True)):
        return
    first = target.first
    assert first is not None
    used = value_node(first)
    if target.kind != "value" and _has_twin(term):
        yield TWICE.explanation(
            location=target_location(case, target),
            operand=operand(target),
            size=target.size,
            rank=used.index,
        )
        return
    users = [
        user
        for user in case.traces[0].own
        for position in linear_positions(user)
        if user.argument(position) is used
    ]
    sums = ADD | SUBTRACT
    if (
        target.kind == "edge"
        and len(users) > 1
        and all(user.name in sums for user in users)
    ):
        later = max(users, key=lambda node: node.index)
        yield TWICE.explanation(
            location=location_of(later.place),
            operand=operand(target),
            size=target.size,
        )
        return
    unsummed = used.value.numel() > case.traces[0].batch
    kind = UNNEEDED_UNSUMMED if unsummed else UNNEEDED
    yield kind.explanation(
        constant=is_constant(amounts),
        location=target_location(case, target),
        operand=operand(target),
        size=target.size,
        rank=used.index,
    )


def _has_twin(term: Term) -> bool:
    """Return whether another term of the ldj adds the very same numbers everywhere."""
    case, target = term.case, term.target
    for index, (trace, terms) in enumerate(zip(case.traces, case.terms, strict=True)):
        items = target.items[index]
        if len(items) != 1:
            return False
        mine = value_node(items[0])
        others = [
            node
            for node in (*terms.leaves, *terms.nodes)
            if node is not mine
            and node.name == mine.name
            and node.value.shape == mine.value.shape
            and alike(node.value, mine.value)
        ]
        if not any(
            mine not in ancestors(node)
            and node not in ancestors(mine)
            and same(contribution(trace, node), term.amounts[index])
            for node in others
        ):
            return False
    return True

"""The ledger: what each executed line did to log|det| and to the reported ldj."""

from __future__ import annotations

import linecache

import torch
from torch import Tensor

from ldjcheck.cells import split_cell
from ldjcheck.mistakes.engine.arithmetic.linear_part import (
    Terms,
    contribution,
    terms_add_up,
)
from ldjcheck.mistakes.engine.closeness import ADDS_UP, SOMETHING, is_constant, same
from ldjcheck.mistakes.engine.source.places import shown_file
from ldjcheck.records import LedgerLine
from ldjcheck.tape import Edge, Node, Place, Trace, ancestors, in_order


def ledger_fault(trace: Trace, terms: Terms) -> str | None:
    """Return why a ledger of this trace would not be the truth, or None."""
    if not trace.steps and len(trace.points) > 1:
        return "the exact ldj was added up by sublayer, not by line"
    if not trace.steps and bool((trace.exact.abs() > SOMETHING).any()):
        return "the map's operations are hidden, in compiled code for instance"
    slack = trace.slack / (1 + trace.exact.abs())  # `same` takes what is relative
    if not same(trace.step_sum, trace.exact, ADDS_UP + slack):
        return "the steps that were seen do not add up to the exact ldj"
    if torch.isfinite(trace.reported).all() and not terms_add_up(trace, terms, ADDS_UP):
        return "the terms that were seen do not add up to the reported ldj"
    return None


def ledger_lines(trace: Trace, terms: Terms) -> tuple[LedgerLine, ...]:
    """Return the lines in the order they ran, for the first sample, with running totals."""
    exact: dict[tuple[str, int, int], float] = {}
    reported: dict[tuple[str, int, int], float] = {}
    first: dict[tuple[str, int, int], tuple[int, Place]] = {}

    def note(
        node: Node, amount: float, into: dict[tuple[str, int, int], float]
    ) -> None:
        place = _last_place(node)
        if place is None:
            return
        key = (place.file, place.line, place.call)
        into[key] = into.get(key, 0.0) + amount
        first.setdefault(key, (node.index, place))

    for step in trace.steps:
        note(step.end, float(step.logdet[0]), exact)
    for target in terms.all:
        amount = float(contribution(trace, target)[0])
        if amount:
            note(target if isinstance(target, Node) else target[0], amount, reported)
    if trace.ldj is not None and trace.ldj not in trace.own_set and trace.ldj.places:
        note(trace.ldj, float(trace.reported[0]), reported)
    lines, exact_total, reported_total = [], 0.0, 0.0
    for key, (_, place) in sorted(first.items(), key=lambda item: item[1][0]):
        exact_total += exact.get(key, 0.0)
        reported_total += reported.get(key, 0.0)
        file, cell = split_cell(place.file)
        lines.append(
            LedgerLine(
                direction=trace.direction,
                file=shown_file(file),
                cell=cell,
                line=place.line,
                function=place.function,
                text=linecache.getline(place.file, place.line).strip(),
                exact=exact.get(key),
                reported=reported.get(key),
                exact_total=exact_total,
                reported_total=reported_total,
            )
        )
    return tuple(lines)


def _last_place(node: Node) -> Place | None:
    """Return where a value was made: what we made of several outputs, where they were."""
    if node.place is not None:
        return node.place
    made = reversed(in_order(ancestors(node)))
    return next((each.place for each in made if each.place is not None), None)


def reported_shares(trace: Trace, terms: Terms) -> Tensor | None:
    """Return the reported ldj of the first sample by dim, `(dims,)`; None if not split.

    A term that exists per dim before it is summed is split as it was; a constant one is
    spread evenly. Anything else, half a chunk's scales for instance, cannot be told.
    """
    if trace.dims > 64:
        return None
    shares = torch.zeros(trace.dims, dtype=torch.float64)
    for target in terms.all:
        amount = contribution(trace, target)
        value = _value(target)
        if value.numel() == trace.batch * trace.dims and value.dim() > 1:
            shares += _by_dim(trace, target, value)
        elif value.numel() == 1 and is_constant([amount]):
            shares += amount[0] / trace.dims
        else:
            return None
    return shares if same(shares.sum().reshape(1), trace.reported[:1]) else None


def _value(target: Node | Edge) -> Tensor:
    if isinstance(target, Node):
        return target.value
    value: Tensor = target[0].argument(target[1]).value
    return value


def _by_dim(trace: Trace, target: Node | Edge, value: Tensor) -> Tensor:
    parts = []
    for index in range(trace.dims):
        changed = value.clone().reshape(trace.batch, -1)
        changed[:, index] = 0.0
        new = changed.reshape(value.shape)
        if isinstance(target, Node):
            left = trace.replayed({target: new})
        else:
            left = trace.replayed(None, {target: new})
        parts.append((trace.reported - left)[0])
    return torch.stack(parts)

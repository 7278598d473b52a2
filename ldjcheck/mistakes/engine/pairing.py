"""Steps of the map against terms of the ldj: what is left where equal ones cancel.

What scales some or all entries is a part of its own: a coupling that scales both its halves
before it joins them is one step, and its factors are seen at the multiplications themselves.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ldjcheck.mistakes.engine.case import Case, contribution, user_node
from ldjcheck.mistakes.engine.closeness import adds_something, same
from ldjcheck.mistakes.engine.places import (
    argument_text,
    beyond_map,
    place_of,
    source_text,
)
from ldjcheck.records import Location
from ldjcheck.tape import Node, Place, Trace, location_of
from ldjcheck.torch_ops import ABSOLUTE, DIVIDE, LINEAR, LOG, MULTIPLY

_HANDS_ON = LOG | ABSOLUTE | LINEAR
_GROUP, _MOST = 3, 8  # parts that may be one together, and of how many


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """One factor, wherever it multiplies: `amounts` per trace, each `(batch,)` in nats."""

    amounts: list[Tensor]
    node: Node  # the last multiplication, in the first trace
    operand: str | None


def scalings_of(traces: Sequence[Trace]) -> list[Scaling]:
    """Return the factors that no input has a part in, as the source writes them.

    One that is written twice is one, as in `a * k, b * k`.
    """
    seen = [_by_operand(trace) for trace in traces]
    return [
        Scaling(
            amounts=[
                torch.stack([amount for _, amount in one[key]]).sum(0) for one in seen
            ],
            node=uses[-1][0],
            operand=key[0],
        )
        for key, uses in seen[0].items()
        if all(len(one.get(key, ())) == len(uses) for one in seen)
    ]


def _by_operand(trace: Trace) -> dict[tuple[str, bool], list[tuple[Node, Tensor]]]:
    found: dict[tuple[str, bool], list[tuple[Node, Tensor]]] = {}
    for node, position in _multiplications(trace):
        factor = node.args[position]
        value = factor.value if isinstance(factor, Node) else torch.as_tensor(factor)
        text = argument_text(node, position) or source_text(node.place)
        logs = value.detach().double().abs().log().expand(node.value.shape)
        amount = logs.reshape(trace.batch, -1).sum(1)
        if text is None or not bool(torch.isfinite(amount).all()):
            continue  # a mask, for instance
        divides = node.name in DIVIDE
        key = text, divides
        found.setdefault(key, []).append((node, -amount if divides else amount))
    return found


def _multiplications(trace: Trace) -> Iterator[tuple[Node, int]]:
    """Yield each multiplication of what depends on the input, and where its factor is."""
    for node in trace.order:
        scales = node.name in MULTIPLY | DIVIDE and node in trace.depending
        if not scales or len(node.args) < 2 or node.place is None:
            continue
        if not node.value.dim() or len(node.value) != trace.batch:
            continue
        positions = (0, 1) if node.name in MULTIPLY else (1,)
        given = [(i, node.args[i]) for i in positions]
        fixed = [
            i for i, a in given if not isinstance(a, Node) or a not in trace.depending
        ]
        if len(fixed) == 1:
            yield node, fixed[0]


Amounts = list["torch.Tensor"]  # one (batch,) per trace


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one step does to log|det|, or what one term adds to the ldj."""

    amounts: Amounts
    place: Place | None  # in the first trace
    nodes: tuple[int, int] = (0, 0)  # of a step: the index where it begins, and ends


Left = Callable[[], tuple[list[Part], list[Part]] | None]
"""What `left_over` of a case is, worked out when it is asked for first."""


def left_over(case: Case) -> tuple[list[Part], list[Part]] | None:
    """Return the steps and the terms that nothing cancels.

    A step that is the sum of a few terms everywhere is right, and so is a term that is the
    sum of a few steps. What scales entries within a step is one of its own where that lets
    terms cancel. None where the traces do not have the same ones.
    """
    steps, terms = _steps(case), _terms(case)
    if steps is None or terms is None:
        return None
    steps, terms = _cancelled(steps, terms)
    if not steps or not terms:
        return steps, terms
    scalings = scalings_of(case.traces)
    finer = [part for step in steps for part in _taken_apart(step, scalings)]
    fewer = _cancelled(finer, terms)
    return fewer if len(fewer[1]) < len(terms) else (steps, terms)


def _cancelled(steps: list[Part], terms: list[Part]) -> tuple[list[Part], list[Part]]:
    steps, terms = _uncancelled(steps, terms)
    terms, steps = _uncancelled(terms, steps)
    return steps, terms


def _taken_apart(step: Part, scalings: Sequence[Scaling]) -> list[Part]:
    """Return the scalings within a step, and what is left of it without them."""
    begin, end = step.nodes
    inner = [
        Part(amounts=scaling.amounts, place=scaling.node.place)
        for scaling in scalings
        if begin < scaling.node.index <= end and adds_something(scaling.amounts)
    ]
    if not inner:
        return [step]
    pairs = zip(step.amounts, _sums(inner), strict=True)
    rest = Part(amounts=[whole - part for whole, part in pairs], place=step.place)
    return [*inner, rest] if adds_something(rest.amounts) else inner


def _uncancelled(ones: list[Part], others: list[Part]) -> tuple[list[Part], list[Part]]:
    """Return what is left where each of some is the sum of up to three of the others."""
    kept = []
    for one in ones:
        groups = (
            group
            for size in range(1, _GROUP + 1)
            for group in itertools.combinations(others[:_MOST], size)
        )
        twin = next((group for group in groups if _are_equal(one, group)), None)
        if twin is None:
            kept.append(one)
        else:
            others = [each for each in others if not any(each is t for t in twin)]
    return kept, others


def _are_equal(one: Part, group: Sequence[Part]) -> bool:
    """Return whether a part is the sum of some others in every trace, one by one."""
    pairs = zip(one.amounts, _sums(group), strict=True)
    return all(same(amount, total) for amount, total in pairs)


def _sums(group: Sequence[Part]) -> Iterator[Tensor]:
    columns = zip(*(part.amounts for part in group), strict=True)
    return (torch.stack(parts).sum(0) for parts in columns)


def _steps(case: Case) -> list[Part] | None:
    """Return the steps that do something."""
    first = case.traces[0]
    ends = [first.source, *(step.end for step in first.steps)]

    def step(i: int) -> Part:
        return Part(
            amounts=[t.steps[i].logdet for t in case.traces],
            place=place_of(first, ends[i + 1]),
            nodes=(ends[i].index, ends[i + 1].index),
        )

    return _telling({len(trace.steps) for trace in case.traces}, step)


def _terms(case: Case) -> list[Part] | None:
    """Return the terms that add something."""
    first = case.terms[0].all
    pairs = list(zip(case.traces, case.terms, strict=True))

    def term(i: int) -> Part:
        made = _made(case.traces[0], user_node(first[i]))
        return Part(
            amounts=[contribution(trace, terms.all[i]) for trace, terms in pairs],
            place=beyond_map(case.traces[0], made),
        )

    return _telling({len(terms.all) for terms in case.terms}, term)


def _made(trace: Trace, term: Node) -> Node:
    """Return what a term is made of where its own line makes nothing of that.

    A logarithm or a magnitude of one value hands it on, right or wrong: what is wrong stands
    where the value was made.
    """
    node = term
    while node.name in _HANDS_ON and node in trace.own_set:
        inputs = [used for _, used in node.inputs()]
        if len(inputs) != 1:
            break
        node = inputs[0]
    return node if node in trace.own_set and node.place is not None else term


def _telling(counts: set[int], part: Callable[[int], Part]) -> list[Part] | None:
    """Return the parts that do something; None unless all traces have as many."""
    if len(counts) != 1:
        return None
    found = map(part, range(counts.pop()))
    return [each for each in found if adds_something(each.amounts)]


def suspect_of(case: Case, left: Left, *, adds_up: bool) -> Location | None:
    """Return the statement that holds the whole difference, when there is just one.

    It is the only one of the ldj's own arithmetic; or, where steps and terms of the traces
    `add_up`, the only one whose terms and steps part ways while all others cancel.
    """
    own = [node.place for node in case.traces[0].own]
    alone = _only([place for place in own if place is not None])
    if alone is not None or not adds_up or not case.finite:
        return location_of(alone)
    parted = left()
    if parted is None:
        return None
    steps, terms = (_only([part.place for part in parts]) for parts in parted)
    return None if steps is None else location_of(terms)


def _only(places: Sequence[Place | None]) -> Place | None:
    """Return the last of some places if they are all on one line, and all known."""
    lines = {(place.file, place.line): place for place in places if place is not None}
    return (
        next(iter(lines.values())) if len(lines) == 1 and None not in places else None
    )

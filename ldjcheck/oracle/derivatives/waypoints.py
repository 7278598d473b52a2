"""Where all that autograd recorded between two points passes through.

A map that is written in one method calls nothing on the way that would tell its steps
apart. But what every path of the recorded graph goes through is a step's end, whoever
wrote it: J is the product of what lies before and what lies behind.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.autograd.graph import GradientEdge, Node

from ldjcheck.running.observers.calls import Point
from ldjcheck.tape.node import chain, dominators


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """One output of a recorded operation, and those that it was made of."""

    node: Node
    output: int
    parents: tuple[_Place, ...]


def waypoints(start: Point, end: Point) -> list[Point]:
    """Return the points between two others that every path goes through, in their order.

    Those that hold a batch of as many real numbers as the start does, a sample in each of
    their first entries. Their numbers are not known, but only where autograd has them.
    """
    if start.edge is None or end.edge is None:
        return []
    order = _in_order(end.edge)
    first = (start.edge.node, start.edge.output_nr)
    source, last = order.get(first), order[end.edge.node, end.edge.output_nr]
    if source is None:
        return []
    above = dominators(order.values(), set(order.values()), source)
    between = list(chain(last, above))[1:-1]
    found = (_point_at(place, start) for place in reversed(between))
    return [point for point in found if point is not None]


def _in_order(end: GradientEdge) -> dict[tuple[Node, int], _Place]:
    """Return all that an output was made of, what comes first before what follows."""
    found: dict[tuple[Node, int], _Place] = {}
    left = [(end.node, end.output_nr)]
    while left:
        here = left[-1]
        before = [(n, nr) for n, nr in here[0].next_functions if n is not None]
        missing = [each for each in before if each not in found]
        if missing and here not in found:
            left += missing
            continue
        left.pop()
        if here not in found:
            found[here] = _Place(*here, tuple(found[each] for each in before))
    return found


def _point_at(place: _Place, start: Point) -> Point | None:
    """Return a place as a point, if it holds what the start does."""
    # torch 2.4 has it, and later ones
    held = getattr(place.node, "_input_metadata", ())
    if place.output >= len(held):
        return None
    made, shape = held[place.output], tuple(held[place.output].shape)
    batch, count = len(start.tensor), torch.Size(shape).numel()
    if made.dtype.is_complex or shape[:1] != (batch,) or count != batch * start.size:
        return None  # as many complex numbers are twice as many
    like = start.tensor.new_empty((), dtype=made.dtype).expand(shape)
    return Point(tensor=like, edge=GradientEdge(place.node, place.output))

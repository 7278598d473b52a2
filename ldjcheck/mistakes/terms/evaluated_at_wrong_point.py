"""LDJ112: a derivative is taken after its step instead of before, or the reverse.

The derivative is taken at the step's output instead of its input, or the
reverse. Often `z` was overwritten before the line that needed the old one.

The rule:
    y = f(x)   =>   log|det J| = sum log|f'(x_i)|,   f' at x, not at y
    For the sigmoid: log f'(x) = -x - 2*softplus(-x) = log y + log(1 - y).

How it shows:
    reported(x) = exact(f(x)) on every sample. Wrong nearly everywhere, right
    where x = f(x).

Wrong (-) and right (+):
     import torch
     from torch import nn
     from torch.nn.functional import softplus

     class Sigmoid(nn.Module):
         # Squeeze the real line into (0, 1).
         def forward(self, z):
    +        ldj = (-z - 2 * softplus(-z)).sum(dim=1)
             z = torch.sigmoid(z)
    -        ldj = (-z - 2 * softplus(-z)).sum(dim=1)
             return z, ldj

What it costs:
    No formula: it depends on where the data lie.

Question:
    A derivative is taken at the point where a step begins. What does your variable hold
    when you use it?

Easily confused with:
    LDJ116: right in a region of inputs, not at a point
    LDJ120: the formula fits at no point
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.engine.kinds import OTHER_POINT, Use, Value, ValueEdit
from ldjcheck.mistakes.rewriting import points
from ldjcheck.numerics.tolerance import is_once_more
from ldjcheck.records import Explanation
from ldjcheck.torch_ops import PUT, SAME, SHAPES

if TYPE_CHECKING:
    from torch import Tensor

    from ldjcheck.tape import Node, Trace


def _tell(e: Explanation) -> str:
    point = e.detail or "another point"
    return f"A term is evaluated at the wrong point: it belongs at {point}."


def _seen(e: Explanation) -> Iterator[str]:
    if e.detail:
        yield f"all numbers agree with the term taken at {e.detail}"


_BACK_AND_ON = (-1, -2, 1, 2)  # points that one turn of a loop may be


def _edits(use: Use) -> Iterator[ValueEdit]:
    """Yield: take the value at another whole intermediate value of the map instead.

    In a loop each turn has its own: so many steps before the point where it is taken.
    """
    if not _is_whole(use) or _is_computed(use):
        return
    if any(map(_differ, use.values)):
        for steps in _BACK_AND_ON:
            detail = _name_of_neighbour(use.values[0][0], steps)
            if detail is not None:
                yield ValueEdit(OTHER_POINT, _further_on(steps), detail=detail)
    if len({len(trace.points) for trace in use.traces}) > 1:
        return
    for index in range(len(use.traces[0].points)):
        detail = _name_of_point(use.traces[0], index, use.user)
        yield ValueEdit(OTHER_POINT, _at_point(index), detail=detail)


def _is_computed(use: Use) -> bool:
    """Return whether the ldj's own arithmetic makes the value: then it is no point.

    It is where the map comes by it too, and is run again for the ldj.
    """
    trace, node = use.traces[0], use.made
    while node in trace.own_set and node.name in SAME | SHAPES | PUT and node.parents:
        node = node.parents[0]
    if node not in trace.own_set:
        return False
    return not any(is_once_more(node.value, point.value) for point in trace.points)


def _is_whole(use: Use) -> bool:
    """Return whether a value has an entry for each dim, and depends on the input."""
    for trace, values in zip(use.traces, use.values, strict=True):
        if values and not use.depends_on_input(trace, values[0].node):
            return False
        for value in values:
            if not value.now.is_floating_point() or value.node.name == "number":
                return False
            if value.now.numel() != trace.batch * trace.dims:
                return False
    return True


def _at_point(index: int) -> Callable[[Value], Tensor]:
    def edit(value: Value) -> Tensor:
        now, point = value.now, value.trace.points[index].value
        if point.reshape(-1).equal(now.reshape(-1)):
            return now
        return point.reshape(now.shape)

    return edit


def _differ(values: Sequence[Value]) -> bool:
    """Return whether a place is met with more than one value, as in a loop."""
    return any(not each.now.equal(values[0].now) for each in values[1:])


def _further_on(steps: int) -> Callable[[Value], Tensor | None]:
    def edit(value: Value) -> Tensor | None:
        other = _neighbour(value, steps)
        return None if other is None else other.value.reshape(value.now.shape)

    return edit


def _neighbour(value: Value, steps: int) -> Node | None:
    """Return the point so many further on than the one that a value is, if it is one."""
    at, points = _index_of_point(value), value.trace.points
    if at is None or not 0 <= at + steps < len(points):
        return None
    return points[at + steps]


def _index_of_point(value: Value) -> int | None:
    """Return which point of its trace a value is, None where it is none."""
    now = value.now.reshape(-1)
    for index, point in enumerate(value.trace.points):
        if point.value.reshape(-1).equal(now):
            return index
    return None


def _name_of_neighbour(value: Value, steps: int) -> str | None:
    """Return how to say where it belongs; None where it is at no point that has one."""
    from ldjcheck.mistakes.engine.places import own_place

    at = _index_of_point(value)
    if at is None:
        return None
    place = own_place(value.trace.points[at].places)
    where = f"line {place.line}" if place else "this step"
    return f"the value {'before' if steps < 0 else 'after'} {where}"


def _name_of_point(trace: Trace, index: int, user: Node) -> str:
    from ldjcheck.mistakes.engine.places import own_place

    if index == 0:
        return "the input of the layer"
    if index == len(trace.points) - 1:
        return "the output of the layer"
    point = trace.points[index]
    place = own_place(point.places)
    where = f"line {place.line}" if place else "an earlier step"
    before = point.index < user.index
    return f"the value {'after' if before else 'of'} {where}"


RULE = Rule(
    code="LDJ112",
    name="evaluated-at-wrong-point",
    summary="derivative taken at another point",
    page=Page.read(__doc__),
    edits=_edits,
    claims=(
        Claim(
            OTHER_POINT, mend=(points.other_names, points.wholes, points.other_order)
        ),
    ),
    tell=_tell,
    seen=_seen,
)

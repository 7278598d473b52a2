"""Mistakes of one region only: a wrong branch, or a bound that the ldj does not follow."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from ldjcheck.mistakes.engine import kinds
from ldjcheck.mistakes.engine.case import (
    Case,
    Item,
    Target,
    edited,
    user_node,
    value_node,
)
from ldjcheck.mistakes.engine.closeness import ADDS_UP, fits
from ldjcheck.mistakes.engine.places import ldj_statement, place_of, source_text
from ldjcheck.records import Explanation, Location
from ldjcheck.tape import Node, Trace, location_of
from ldjcheck.torch_ops import BOUNDED

# A region is spoken of where so many of all samples are right, or where a condition tells
# right from wrong on every sample, and on no fewer right ones than this.
_RIGHT = 0.08
_TOLD_APART = 3
_WORK = 1_000_000  # operations that are run again, for each way to read a condition


def region_explanations(case: Case) -> Iterator[Explanation]:
    """Yield edits that follow the map's own conditions, and regions that are right.

    Raises:
        TimeIsUpError: the case's deadline came first.
    """
    traces = case.traces
    conditions = [_conditions(trace, trace.order) for trace in traces]
    written = [_conditions(trace, trace.own) for trace in traces]
    if not any(conditions):  # the map's kink is in an operation: the ldj's own is left
        yield from _other_conditions(case, written)
    yield from _other_conditions(case, conditions)
    yield from _right_regions(traces, conditions)


def _conditions(trace: Trace, nodes: Sequence[Node]) -> list[Node]:
    sizes = (trace.batch * trace.dims, trace.batch)
    return [
        node
        for node in nodes
        if node.value.dtype == torch.bool and node.value.numel() in sizes
    ]


def _other_conditions(
    case: Case, conditions: list[list[Node]]
) -> Iterator[Explanation]:
    apart = _told_apart(conditions)
    if len(apart) * len(case.targets) * len(case.traces[0].own) > _WORK:
        return  # as of a solver, each of whose turns asks whether it is done
    for target in case.targets if apart else ():
        if target.kind == "value" or target.single:
            continue
        for index in apart:
            if case.deadline is not None:
                case.deadline.check()
            for negated in (False, True):
                for edit in (_as_condition, _as_mask):
                    if _agrees(case.traces, target, conditions, index, negated, edit):
                        node = user_node(target.first)
                        written = edit is _as_condition
                        kind = (
                            kinds.OTHER_CONDITION_WRITTEN
                            if written
                            else kinds.OTHER_CONDITION
                        )
                        yield kind.explanation(
                            location=location_of(node.place),
                            operand=source_text(conditions[0][index].place),
                            rank=-node.index,
                        )


def _told_apart(conditions: list[list[Node]]) -> list[int]:
    """Return which conditions tell entries apart, the first of those that are alike."""
    found: dict[bytes, int] = {}
    for index, nodes in enumerate(zip(*conditions, strict=False)):
        values = torch.cat([node.value.flatten() for node in nodes])
        if values.any() and not values.all():
            found.setdefault(values.cpu().numpy().tobytes(), index)
    return list(found.values())


def _agrees(
    traces: Sequence[Trace],
    target: Target,
    conditions: list[list[Node]],
    index: int,
    negated: bool,
    edit: Callable[[Tensor, Tensor], Tensor | None],
) -> bool:
    for trace, items, found in zip(traces, target.items, conditions, strict=True):
        condition = found[index].value ^ negated

        def by_condition(_: Trace, item: Item, c: Tensor = condition) -> Tensor | None:
            return edit(value_node(item).value, c)

        now = edited(trace, items, by_condition)
        if now is None or not fits(trace, now, trace.exact):
            return False
    return True


def _as_condition(value: Tensor, condition: Tensor) -> Tensor | None:
    if value.dtype != torch.bool or value.numel() != condition.numel():
        return None
    return condition.reshape(value.shape)


def _as_mask(value: Tensor, condition: Tensor) -> Tensor | None:
    if not value.is_floating_point() or value.numel() != condition.numel():
        return None
    return torch.where(condition.reshape(value.shape), value, torch.zeros_like(value))


def _right_regions(
    traces: Sequence[Trace], conditions: list[list[Node]]
) -> Iterator[Explanation]:
    gaps = [(trace.reported - trace.exact).abs() for trace in traces]
    right = torch.cat(
        [g <= ADDS_UP * (1 + t.exact.abs()) for g, t in zip(gaps, traces, strict=True)]
    )
    wrong = torch.cat([~(g < 1e-4) for g in gaps])
    if not right.any() or not wrong.any():
        return
    few = float(right.float().mean()) <= _RIGHT
    own = [_conditions(trace, trace.own) for trace in traces]
    widest, found = 0, None
    for words, inside in _predicates(traces, [*conditions], own):
        try:
            where = torch.cat(
                [
                    inside(i).reshape(trace.batch, -1).all(1)
                    for i, trace in enumerate(traces)
                ]
            )
        except RuntimeError:
            continue
        count = int(where.sum())
        if count <= widest or where.all() or not right[where].all():
            continue
        told_apart = count >= _TOLD_APART and bool(wrong[~where].all())
        mostly = not few and float(wrong[~where].float().mean()) > 0.5
        if not told_apart and not mostly:
            continue
        if _one_size_has_both(traces, where, wrong & ~where):
            widest, found = count, words
    if found is not None:
        yield kinds.REGION.explanation(
            location=_branch(traces[0]), detail=found, size=50
        )


def _one_size_has_both(traces: Sequence[Trace], inside: Tensor, wrong: Tensor) -> bool:
    """Return whether samples of one shape are right inside of a region and wrong outside.

    Where only another size makes the difference, it is no region of the inputs.
    """
    sizes = [trace.batch for trace in traces]
    parts = zip(traces, inside.split(sizes), wrong.split(sizes), strict=True)
    right_at, wrong_at = set(), set()
    for trace, within, off in parts:
        right_at |= {trace.shape} if within.any() else set()
        wrong_at |= {trace.shape} if off.any() else set()
    return bool(right_at & wrong_at)


def _predicates(
    traces: Sequence[Trace], conditions: list[list[Node]], own: list[list[Node]]
) -> Iterator[tuple[str, Callable[[int], Tensor]]]:
    yield "where every input is positive", lambda i: traces[i].source.value > 0
    yield "where every input is negative", lambda i: traces[i].source.value < 0
    for found in (conditions, own):
        for index in range(min(map(len, found), default=0)):
            text = source_text(found[0][index].place) or "a condition"
            yield (
                f"where {text} holds everywhere",
                lambda i, f=found, j=index: f[i][j].value,  # type: ignore[misc]  # mypy cannot type the defaults
            )
            yield (
                f"where {text} holds nowhere",
                lambda i, f=found, j=index: ~f[i][j].value,  # type: ignore[misc]
            )

    for words, nodes in _bounds(traces):
        yield (
            f"where {words} changes nothing",
            lambda i, n=nodes: n[i].value == n[i].args[0].value,  # type: ignore[misc]
        )


def _bounds(traces: Sequence[Trace]) -> Iterator[tuple[str, list[Node]]]:
    """Yield the operations, one per trace, that leave values alone up to a bound."""
    found = [
        [
            node
            for node in (*trace.order, *trace.own)
            if node.name in BOUNDED and node.value.shape[:1] == (trace.batch,)
        ]
        for trace in traces
    ]
    for index in range(min(map(len, found))):
        nodes = [each[index] for each in found]
        yield source_text(nodes[0].place) or f"`{nodes[0].name}`", nodes


def _branch(trace: Trace) -> Location | None:
    for node in reversed(trace.own):
        if node.name in ("where", "log", "log1p") and node.place is not None:
            return location_of(place_of(trace, node))
    return location_of(ldj_statement(trace))

"""A small number that the map has as well, and that the ldj does not take into account.

Such as 1e-8 beside a norm in the map and beside its square in the logarithm. No edit of
the ldj alone shows it: without the number both are others, and then they agree.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from ldjcheck.mistakes.engine.case import Case, Target, target_location, value_node
from ldjcheck.mistakes.engine.closeness import fits
from ldjcheck.mistakes.engine.kinds import NUMBER_IN_LOG_AND_MAP
from ldjcheck.records import Explanation
from ldjcheck.tape import Edge, Node, Trace, ancestors, evaluate, in_order

_SMALL = 1e-3  # what guards against zero; larger numbers mean something


def guard_numbers(case: Case) -> Iterator[Explanation]:
    """Yield the small numbers without which the ldj is right, that of the map then too."""
    tried: set[float] = set()
    for target in case.targets:
        number = _small_number(target)
        if number is None or number in tried:
            continue
        tried.add(number)
        if all(_agree_without(trace, number) for trace in case.traces):
            yield NUMBER_IN_LOG_AND_MAP.explanation(
                location=target_location(case, target), size=target.size
            )


def _small_number(target: Target) -> float | None:
    if target.kind != "edge":
        return None
    node = value_node(target.first)
    if node.name != "number" or not 0.0 < abs(float(node.value)) <= _SMALL:
        return None
    return float(node.value)


def _agree_without(trace: Trace, number: float) -> bool:
    """Return whether both ldj of a call agree once this number is zero wherever it is."""
    output = trace.output
    if output is None or trace.ldj is None:
        return False
    order = in_order(ancestors(output, trace.ldj))
    edges: dict[Edge, float] = {
        (node, position): 0.0
        for node in order
        for position, used in node.inputs()
        if used.name == "number" and float(used.value) == number
    }
    if not any(node not in trace.own_set for node, _ in edges):
        return False  # the map does without it
    affected = _affected(order, {node for node, _ in edges} | {trace.source})

    def run(x: Tensor) -> dict[Node, Tensor]:
        values = {trace.source: x}
        for node in affected:
            values[node] = evaluate(node, lambda n: values.get(n, n.value), edges)
        return values

    def mapped(x: Tensor) -> Tensor:
        y = run(x).get(output, output.value)
        return y.reshape(trace.batch, -1).sum(0)

    x = trace.source.value.detach().clone()
    try:
        rows = torch.autograd.functional.jacobian(mapped, x)
        reported = trace.per_sample(run(x)[trace.ldj])
    except Exception:  # the user's own operations may raise anything
        return False
    jacobian = rows.reshape(len(rows), trace.batch, -1).transpose(0, 1).double()
    if jacobian.shape[1] != jacobian.shape[2]:
        return False
    exact = torch.stack([torch.linalg.slogdet(j).logabsdet for j in jacobian])
    return bool(torch.isfinite(exact).all()) and fits(trace, reported, exact)


def _affected(order: list[Node], moved: set[Node]) -> list[Node]:
    """Return what must be computed anew when these nodes, or their uses, are others."""
    found = set(moved)
    for node in order:
        if node.function is not None and any(p in found for p in node.parents):
            found.add(node)
    return [node for node in order if node in found and node.function is not None]

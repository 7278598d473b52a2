"""Factors that the map scales some or all entries by, and what each adds to log|det|.

A coupling that scales both its halves before it joins them is one step; that part of it is
seen at the multiplications themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ldjcheck.mistakes.engine.source.places import argument_text, source_text
from ldjcheck.tape import Node, Trace
from ldjcheck.torch_ops import DIVIDE, MULTIPLY


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
        if node not in trace.depending or len(node.args) < 2 or node.place is None:
            continue
        if not node.value.dim() or len(node.value) != trace.batch:
            continue
        positions = (0, 1) if node.name in MULTIPLY else (1,)
        if node.name not in MULTIPLY | DIVIDE:
            continue
        fixed = [i for i in positions if not _depends(trace, node.args[i])]
        if len(fixed) == 1:
            yield node, fixed[0]


def _depends(trace: Trace, value: object) -> bool:
    return isinstance(value, Node) and value in trace.depending

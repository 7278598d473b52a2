"""In which of its arguments an operation is linear, the others held fixed."""

from __future__ import annotations

import torch

from ldjcheck.tape.node import Node, Position
from ldjcheck.torch_ops import (
    ADD,
    DIVIDE,
    JOIN,
    LINEAR,
    MULTIPLY,
    PRODUCTS,
    SPLIT,
    SUBTRACT,
)

ONES = frozenset({"ones", "new_ones", "ones_like"})


def linear_positions(node: Node) -> list[Position]:
    """Return the arguments in which the node is linear, the others held fixed."""
    name, args = node.name, node.args
    if name in ADD | SUBTRACT:
        return [i for i in (0, 1) if i < len(args) and isinstance(args[i], Node)]
    if name in MULTIPLY or name in PRODUCTS:
        return _factor(node, (0, 1))
    if name == "einsum":
        return _factor(node, tuple(range(1, len(args))))
    if name in DIVIDE:
        above, below = args[0], args[1] if len(args) > 1 else None
        if isinstance(above, Node) and (not isinstance(below, Node) or is_fixed(below)):
            return [0]
        return []
    if name in LINEAR or name in SPLIT:
        return [0] if args and isinstance(args[0], Node) else []
    if name in JOIN:
        parts = args[0] if args else node.kwargs.get("tensors", ())
        return [(0, j) for j, part in enumerate(parts) if isinstance(part, Node)]
    if name == "where" and len(args) == 3:
        chosen = args[0]  # `x.where(c, other)` has it behind
        first = 1 if chosen.value.dtype == torch.bool else 0
        return [i for i in (first, 2) if isinstance(args[i], Node)]
    if name == "__setitem__":
        return [i for i in (0, 2) if isinstance(args[i], Node)]
    if name == "scatter" and len(args) == 2:
        return [0, 1]
    return []


def _factor(node: Node, positions: tuple[int, ...]) -> list[Position]:
    """Return the one factor that carries the data; two that do are no linear use."""
    args = node.args
    found = [i for i in positions if i < len(args) and isinstance(args[i], Node)]
    if len(found) < 2:
        return list(found)
    varying = [i for i in found if not is_fixed(args[i])]
    if varying:
        return [varying[0]] if len(varying) == 1 else []
    if len(found) > 2:
        return [found[0]]
    first, second = args[found[0]], args[found[1]]
    smaller = first.value.numel() <= second.value.numel()
    return [found[0 if smaller and first.name not in ONES else 1]]


def is_fixed(node: Node) -> bool:
    """Return whether a value depends on no input, noise or parameter."""
    stack, seen = [node], set()
    while stack:
        current = stack.pop()
        if current in seen:
            continue
        seen.add(current)
        if current.name in ("input", "incoming") or current.random or current.learnable:
            return False
        stack.extend(current.parents)
    return True

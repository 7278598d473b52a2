"""Small questions about numbers: do they differ, is this a count, a mask, a law."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from .case import Shape


def differs(a: Tensor, b: Tensor, least: float) -> bool:
    """Return whether numbers are further apart than `least` anywhere."""
    return not bool(((a - b).abs() <= least).all())  # NaN differs


def same(a: Tensor, b: Tensor) -> bool:
    """Return whether numbers agree, NaN included."""
    return torch.allclose(a, b, atol=1e-9, rtol=1e-9, equal_nan=True)


def law(
    values: list[Tensor], right: list[Tensor], law: Callable[[Tensor], Tensor]
) -> bool:
    """Return whether every wrong value follows from the right one by a law."""
    return all(
        torch.allclose(v, law(r), atol=1e-8, rtol=1e-7)
        for v, r in zip(values, right, strict=True)
    )


def unsigned(node: ast.expr) -> ast.expr:
    """Return `2` of `-2`, and `-1` of `(-1) ** n`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        node = node.left
    return node.operand if isinstance(node, ast.UnaryOp) else node


def number(value: Any) -> float | None:
    """Return a number, or the one entry of a tensor."""
    if torch.is_tensor(value):
        return float(value) if value.numel() == 1 else None
    return float(value) if isinstance(value, int | float) or is_whole(value) else None


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number by type, as counts are."""
    if torch.is_tensor(value):
        return value.numel() == 1 and not value.is_floating_point()
    return hasattr(value, "__index__")


def is_mask(value: Any) -> bool:
    """Return whether a tensor holds zeros and ones, some of both."""
    if not torch.is_tensor(value):
        return False
    ones, zeros = (value == 1), (value == 0)
    return bool((ones | zeros).all() and ones.any() and zeros.any())


def areas(shape: Shape) -> tuple[int, ...]:
    """Return H * W, as given and as left by one squeeze."""
    area = shape[1] * shape[2]
    return (area, area // 4)

"""How much work a call is: the multiplications of its convolutions and matrix products.

Seconds would tell as well, but differ from machine to machine, and what is concluded from
them would differ too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ldjcheck.torch_ops import named
from ldjcheck.tracing import Args


def multiplications(
    name: str, args: Args, named: Mapping[str, Any], result: Any
) -> int:
    """Return the multiplications of an operation; 0 of what takes few."""
    per_entry = MULTIPLYING.get(name)
    if per_entry is None or not isinstance(result, Tensor):
        return 0
    operands = [
        value for value in (*args, *named.values()) if isinstance(value, Tensor)
    ]
    if len(operands) < 2 or not all(each.dim() for each in operands[:2]):
        return 0
    return per_entry(operands, result)


def _of_weight(operands: list[Tensor], result: Tensor) -> int:
    weight = operands[1]
    return result.numel() * (weight.numel() // max(1, len(weight)))


def _transposed(operands: list[Tensor], result: Tensor) -> int:
    weight = operands[1]
    return operands[0].numel() * (weight.numel() // max(1, len(weight)))


def _of_last_axis(operands: list[Tensor], result: Tensor) -> int:
    return result.numel() * operands[0].shape[-1]


def _added(operands: list[Tensor], result: Tensor) -> int:
    return result.numel() * operands[1].shape[-1]


MULTIPLYING: Mapping[str, Callable[[list[Tensor], Tensor], int]] = {
    **dict.fromkeys(named("of-weight"), _of_weight),
    **dict.fromkeys(named("transposed"), _transposed),
    **dict.fromkeys(named("last-axis"), _of_last_axis),
    **dict.fromkeys(named("added"), _added),
}

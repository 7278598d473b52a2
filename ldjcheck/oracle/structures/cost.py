"""What the dense way would cost, told before it is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import thread_time

from ldjcheck.oracle.structures.block import Block

_FLOPS = 2e9  # multiplications and additions of a factorisation per second, at least
_AT_ONCE = 256


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a dense Jacobian takes: products, and about how long and how much memory."""

    products: int
    seconds: float
    memory: int  # bytes

    def __str__(self) -> str:
        """Return it in words."""
        seconds = f"{self.seconds:{'.1g' if self.seconds < 10 else '.0f'}}"
        passes = f"{self.products} backward passes"
        return f"{passes}, about {seconds} s, {_size(self.memory)}"


Afford = Callable[[Cost], bool]
"""Says whether a dense Jacobian may be worked out."""


def cost_of_dense(block: Block) -> Cost:
    """Return what all entries of a block cost, from the time that one product takes."""
    (w,) = block.random(1)
    started = thread_time()  # as deadlines count it
    block.times(w)
    one = thread_time() - started
    size, batch = block.size, block.batch
    factorised = 2.0 / 3.0 * batch * float(size) ** 3 / _FLOPS
    chunk = min(_AT_ONCE, size)
    return Cost(
        products=size,
        seconds=size * one + factorised,
        memory=8 * batch * (size * size + 2 * chunk * block.products.dims),
    )


def _size(memory: int) -> str:
    amount = float(memory)
    for unit in ("bytes", "KB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"

"""Strategies for whole flows, right or with one mistake planted in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

Mistake = Literal["sign", "once", "mean", "twice", "dropped"]
MISTAKES: tuple[Mistake, ...] = ("sign", "once", "mean", "twice", "dropped")


class Step(Protocol):
    """One step of a flow on `(batch, dims)`; its log-derivatives are one a dim."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return y and the log-derivatives, both `(batch, dims)`."""

    def inverse(self, y: Tensor) -> Tensor:
        """Return the x that `forward` maps to y."""


@dataclass(frozen=True)
class Scale:
    """Multiplies by a constant, another one for each dim in turn."""

    factors: tuple[float, ...]

    def _of(self, x: Tensor) -> Tensor:
        count = -(-x.shape[1] // len(self.factors))
        return torch.tensor(self.factors * count, dtype=x.dtype)[: x.shape[1]]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return x times the factors, and the logs of their sizes."""
        factors = self._of(x)
        return x * factors, factors.abs().log().expand_as(x)

    def inverse(self, y: Tensor) -> Tensor:
        """Return y divided by the factors."""
        return y / self._of(y)


@dataclass(frozen=True)
class Bend:
    """Stretches what is far out: sinh(a·x)/a."""

    strength: float

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return sinh(a·x)/a, and log cosh(a·x)."""
        bent = self.strength * x
        return torch.sinh(bent) / self.strength, torch.log(torch.cosh(bent))

    def inverse(self, y: Tensor) -> Tensor:
        """Return asinh(a·y)/a."""
        return torch.asinh(self.strength * y) / self.strength


@dataclass(frozen=True)
class Couple:
    """Scales every second dim by a function of the dim before it."""

    strength: float
    swapped: bool = False

    def _scales(self, x: Tensor) -> Tensor:
        pairs = x.shape[1] // 2
        kept = x[:, int(self.swapped) : 2 * pairs : 2]
        moved = torch.zeros_like(x)
        moved[:, 1 - int(self.swapped) : 2 * pairs : 2] = torch.sin(kept)
        return self.strength * moved

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the coupled x, and the log-scales."""
        logs = self._scales(x)
        return x * logs.exp(), logs

    def inverse(self, y: Tensor) -> Tensor:
        """Return what was coupled: the kept dims are what they were."""
        return y * (-self._scales(y)).exp()


@dataclass(frozen=True)
class Turn:
    """Turns the order of the dims around: no volume changes."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return x with its dims the other way around, and zeros."""
        return x.flip(1), torch.zeros_like(x)

    def inverse(self, y: Tensor) -> Tensor:
        """Return y with its dims the other way around."""
        return y.flip(1)


@dataclass(frozen=True)
class Planted:
    """Which step is wrong, and how: the ldj of that step is changed by `mistake`.

    `sign` flips it, `once` counts a single dim of it, `mean` averages it over the dims,
    `twice` doubles it, and `dropped` leaves it out.
    """

    step: int
    mistake: Mistake

    def of(self, logs: Tensor) -> Tensor:
        """Return the wrong ldj, `(batch,)`, of log-derivatives `(batch, dims)`."""
        total = logs.sum(dim=1)
        if self.mistake == "sign":
            return -total
        if self.mistake == "once":
            return logs[:, 0]
        if self.mistake == "mean":
            return logs.mean(dim=1)
        return 2 * total if self.mistake == "twice" else 0 * total


class RandomFlow(nn.Module):
    """Runs steps one after another: `flow(x) -> (y, ldj)`, `flow.inverse(y) -> (x, ldj)`.

    Args:
        steps: what it does to `(batch, *event)`, the event flattened.
        planted: the mistake in its forward ldj; None: it is right.
    """

    def __init__(self, steps: tuple[Any, ...], planted: Planted | None = None) -> None:
        super().__init__()
        self.steps = steps
        self.planted = planted

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return y and the ldj that the flow reports, `(batch,)`."""
        flat = x.reshape(len(x), -1)
        ldj = torch.zeros(len(x), dtype=x.dtype)
        for index, step in enumerate(self.steps):
            flat, logs = step.forward(flat)
            if self.planted is not None and self.planted.step == index:
                ldj = ldj + self.planted.of(logs)
            else:
                ldj = ldj + logs.sum(dim=1)
        return flat.reshape(x.shape), ldj

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return x and the ldj of the way back; it is always right."""
        flat = y.reshape(len(y), -1)
        ldj = torch.zeros(len(y), dtype=y.dtype)
        for step in reversed(self.steps):
            flat = step.inverse(flat)
            ldj = ldj - step.forward(flat)[1].sum(dim=1)
        return flat.reshape(y.shape), ldj

    def __repr__(self) -> str:
        """Return the call that makes this flow again."""
        planted = "" if self.planted is None else f", {self.planted!r}"
        return f"RandomFlow({self.steps!r}{planted})"


_SIZES = (2.0, 3.0, 0.5, 1.5, 0.25)


def flows(
    *, min_steps: int = 1, max_steps: int = 4, mistakes: Sequence[Mistake] | None = None
) -> st.SearchStrategy[RandomFlow]:
    """Return a strategy for flows that take every event shape.

    Args:
        min_steps: the fewest steps.
        max_steps: the most.
        mistakes: plant one of these in the forward ldj, `sign`, `once`, `mean`, `twice`
            or `dropped`; None: the ldj is right. `once` and `mean` need two dims or more
            to show.

    Shrinks to a single step; with a mistake, to a scaling by 2 and the first of them.

    Raises:
        ValueError: a mistake that does not exist.
    """
    unknown = set(mistakes or ()) - set(MISTAKES)
    if unknown:
        raise ValueError(
            f"no such mistake: {sorted(unknown)[0]!r}; there are {MISTAKES}"
        )

    @st.composite
    def drawn(draw: st.DrawFn) -> RandomFlow:
        steps = draw(st.lists(_steps(), min_size=min_steps, max_size=max_steps))
        if mistakes is None:
            return RandomFlow(tuple(steps))
        index = draw(st.integers(0, len(steps) - 1))
        steps[index] = draw(_scales())  # its mistake shows wherever the inputs lie
        planted = Planted(index, draw(st.sampled_from(list(mistakes))))
        return RandomFlow(tuple(steps), planted)

    return drawn()


def _scales() -> st.SearchStrategy[Any]:
    """Return scalings whose logs do not cancel: all factors grow, or all shrink."""
    sign = st.sampled_from([1.0, -1.0])
    grow = st.sampled_from([s for s in _SIZES if s > 1])
    shrink = st.sampled_from([s for s in _SIZES if s < 1])

    def signed(sizes: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
        one = st.builds(lambda a, b: a * b, sign, sizes)
        return st.lists(one, min_size=1, max_size=3).map(tuple)

    return st.builds(Scale, st.one_of(signed(grow), signed(shrink)))


def _steps() -> st.SearchStrategy[Any]:
    return st.one_of(
        _scales(),
        st.just(Turn()),
        st.builds(Bend, st.sampled_from([1.0, 0.5])),
        st.builds(Couple, st.sampled_from([0.5, -0.7]), st.booleans()),
    )

"""Rules of quadrature that a layer holds: points and weights, made once.

An integral over [0, 1] or [-1, 1] is a weighted sum over points. Nothing says so but the
numbers themselves: they integrate constants and straight lines exactly. A finer rule
applies the same one to equal parts of the interval, and goes to the integral.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ldjcheck.holdings import attributes, reachable

_FEWEST = 3  # points: fewer are no approximation that somebody relies on
_INTERVALS = ((0.0, 1.0), (-1.0, 1.0))
_DEGREE = 1  # up to which polynomials are tried
_SAME = 1e-5  # points and weights may be float32


@dataclass(frozen=True, slots=True)
class HeldRule:
    """Where an object keeps the points and the weights of a rule."""

    owner: Any
    points: str
    weights: str
    low: float
    high: float

    @property
    def size(self) -> int:
        """The number of points."""
        return _held(self.owner)[self.points].numel()

    def refine(self, times: int) -> None:
        """Put the rule that is so many times finer in its place."""
        held = _held(self.owner)
        points, weights = held[self.points], held[self.weights]
        wide = (self.high - self.low) / times
        starts = [self.low + wide * part for part in range(times)]
        along = _axis(points)
        scaled = (points - self.low) / times
        _keep(self.owner, self.points, torch.cat([s + scaled for s in starts], along))
        finer = torch.cat([weights / times] * times, _axis(weights))
        _keep(self.owner, self.weights, finer)


def rules_held(layer: Any) -> Iterator[HeldRule]:
    """Yield the rules of quadrature among the fixed tensors of a layer's parts."""
    for owner in reachable(layer):
        if isinstance(owner, (Tensor, dict, list, tuple)):
            continue
        held = {name: t for name, t in _held(owner).items() if _is_row(t)}
        for points in held:
            for weights in held:
                for low, high in _INTERVALS if points != weights else ():
                    if _integrates(held[points], held[weights], low, high):
                        yield HeldRule(owner, points, weights, low, high)


def _held(owner: Any) -> dict[str, Tensor]:
    """Return the tensors that an object keeps and training does not move."""
    own = attributes(owner)
    if isinstance(owner, torch.nn.Module):
        own = {**own, **owner._buffers}
    return {
        name: value
        for name, value in own.items()
        if isinstance(value, Tensor) and not value.requires_grad
    }


def _keep(owner: Any, name: str, value: Tensor) -> None:
    if isinstance(owner, torch.nn.Module) and name in owner._buffers:
        owner._buffers[name] = value
    else:
        object.__setattr__(owner, name, value)


def _is_row(tensor: Tensor) -> bool:
    """Return whether all entries lie along one axis."""
    n = tensor.numel()
    return tensor.is_floating_point() and n >= _FEWEST and n == max(tensor.shape)


def _axis(tensor: Tensor) -> int:
    return tensor.shape.index(tensor.numel())


def _integrates(points: Tensor, weights: Tensor, low: float, high: float) -> bool:
    if points.numel() != weights.numel():
        return False
    at, by = points.flatten().double(), weights.flatten().double()
    if bool(((at < low - _SAME) | (at > high + _SAME)).any()):
        return False
    return all(
        abs(float((by * at**k).sum()) - (high ** (k + 1) - low ** (k + 1)) / (k + 1))
        < _SAME
        for k in range(_DEGREE + 1)
    )

"""What the gradient of the reported ldj was found to be, beside that of the exact one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldjcheck.records.observed import Observation

if TYPE_CHECKING:
    from ldjcheck.records.edit import Location
    from ldjcheck.records.words import Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientPart:
    """Two derivatives along one random direction of `x` or of one parameter.

    Both are of a weighted sum over the samples, in nats: `reported` is what autograd says
    of the layer's own ldj, `exact` a central difference of the exact value.
    """

    name: str
    reported: float
    exact: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientMeasured(Observation):
    """How autograd's derivative of the reported ldj compares, in one direction.

    `why` says why it was not judged, `nearer` that this was done with parameters moved
    less, since further out it is no cut that makes the difference. The call `raised` where
    it was given tensors that want a gradient. `cut` is the word at
    `location` that keeps the derivative from passing: `detach`, `no_grad`, `item`,
    `backward`.
    """

    direction: Direction
    why: str | None = None
    raised: bool = False
    nearer: bool = False
    worst: float = 0.0
    allowed: float = 0.0
    wrong: tuple[GradientPart, ...] = ()
    untouched: int = 0  # tensors whose gradient is right
    cut: str | None = None
    location: Location | None = None
    map_off: bool = False  # a backward of the user's gives y another derivative

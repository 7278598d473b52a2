"""log|det J| of a whole flow: the sum over its parts, at the points where it calls them.

J = P J_K ... P J_2 P J_1, where each part's Jacobian has a structure of its own, and P are
permutations: between the parts numbers are squeezed, split off and put together, but not
changed. That is looked up number by number, and proved by random products: those through
the whole flow equal those through its parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.oracle.derivatives.products import (
    DifferenceProducts,
    ForwardProducts,
    NoProductsError,
    Products,
    ReverseProducts,
    opened,
)
from ldjcheck.oracle.structures.by_structure import Wanted, solved
from ldjcheck.oracle.structures.permutation import parities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldjcheck.oracle.derivatives.products import EventMap
    from ldjcheck.oracle.structures.determinant import Determinant

_PROBES = 2
_ROUNDING = 2.0**10  # units that the rounding of products explains, per part
_LOUD = 8.0  # times the noise that was seen, and no more, may a residual be
_FACTOR = 1.1  # no power of two, by which nothing is rounded
_NEAR = 1e-10  # relative: a number that is computed once more


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A part of a flow, and the point at which the flow calls it, `(batch, *event)`."""

    f: EventMap
    x: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """What is known of a flow from its parts, `(batch,)` each, in nats."""

    exact: Tensor  # the sum over the parts
    sign: Tensor
    allowed: Tensor | None
    parts: tuple[Determinant, ...]
    adds_up: Tensor  # on which samples the parts are shown to make up the whole
    residual: Tensor  # of the products through the whole, relative to their size
    bound: Tensor  # what rounding explains of that
    broken_at: int | None  # the step whose input is not what came before; K: the output
    products: int
    calls: int  # of parts, and of the whole: a few

    @property
    def is_known(self) -> Tensor:
        """On which samples the sum is the flow's log|det J|."""
        return self.adds_up & ~torch.isnan(self.exact)


def composed(
    steps: Sequence[Step], whole: Step, wanted: Wanted | None = None
) -> Composition:
    """Return log|det J| of a flow as the sum over its parts.

    Args:
        steps: the parts in the order in which they run, each at its own point. A part may
            take some of the numbers only, as behind a split.
        whole: the flow itself, at the point where the numbers start.
        wanted: what is asked of each part.

    Raises:
        NoProductsError: nothing differentiates through the flow, or one of its parts.
        UnequalDimsError: the Jacobian of one of them is not square.
    """
    wanted = wanted or Wanted()
    pairs = [_part(step, wanted) for step in steps]
    parts = tuple(part for part, _ in pairs)
    proof = _proved(steps, [y for _, y in pairs], whole, wanted.seed)
    allowed = [part.allowed for part in parts if part.allowed is not None]
    return Composition(
        exact=torch.stack([part.exact for part in parts]).sum(dim=0),
        sign=torch.stack([part.sign for part in parts]).prod(dim=0) * proof.parity,
        allowed=torch.stack(allowed).sum(dim=0) if wanted.bounds else None,
        parts=parts,
        adds_up=proof.holds,
        residual=proof.residual,
        bound=proof.bound,
        broken_at=proof.broken_at,
        products=proof.products + sum(part.products for part in parts),
        calls=proof.calls + sum(part.calls for part in parts),
    )


def _part(step: Step, wanted: Wanted) -> tuple[Determinant, Tensor]:
    """Return what is known of a part, and y, flat: what its call recorded is let go."""
    found, products = solved(step.f, step.x, wanted)
    return found, products.y.double()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    holds: Tensor
    residual: Tensor
    bound: Tensor
    parity: float
    broken_at: int | None
    products: int
    calls: int


def _proved(
    steps: Sequence[Step], outputs: Sequence[Tensor], whole: Step, seed: int
) -> _Proof:
    """Return on which samples products through the whole are those through the parts."""
    w = _random(whole.x, seed)
    try:
        chain = _Chain((ReverseProducts,))
        direct = chain.multiplied(whole, torch.cat([w, _FACTOR * w[:1]]))
    except NoProductsError:
        chain = _Chain((ForwardProducts, DifferenceProducts))
        direct = chain.multiplied(whole, torch.cat([w, _FACTOR * w[:1]]))
    noise = (direct[-1] / _FACTOR - direct[0]).abs()
    none = torch.zeros(len(w[0]), dtype=torch.float64, device=w.device)
    places, broken_at = _route(steps, outputs, whole.x, chain.values[0])
    if broken_at is None:
        through = chain.through(steps, places, w)
        size = direct[:-1].abs() + through.abs()
        residual = (direct[:-1] - through).abs()
        units = _ROUNDING * chain.epsilon * (1 + len(steps))
        allowed = units * size + _LOUD * noise
        holds = (residual <= allowed).all(dim=2).all(dim=0)
        relative = torch.where(residual > 0, residual / size, 0.0).amax(dim=(0, 2))
        bound = torch.where(size > 0, allowed / size, 0.0).amax(dim=(0, 2))
    else:
        holds, relative, bound = none > 0, none + torch.inf, none
    return _Proof(
        holds=holds,
        residual=relative,
        bound=bound,
        parity=1.0 if broken_at is not None else float(parities(places[-1][None])),
        broken_at=broken_at,
        products=chain.products,
        calls=chain.calls,
    )


class _Chain:
    """Products through one map after the other, in one mode, with what they cost."""

    def __init__(self, ways: tuple[type[Products], ...]) -> None:
        self.ways = ways
        self.products = 0
        self.calls = 0
        self.epsilon = 0.0
        self.values: list[Tensor] = []  # of the maps, in the order in which they came

    def multiplied(self, step: Step, w: Tensor) -> Tensor:
        """Return A w of one map, `(k, batch, dims)`.

        Raises:
            NoProductsError: this mode does not go through the map.
        """
        products, first = opened(step.f, step.x, w[0], self.ways)
        found = torch.cat([first[None], products.times(w[1:])])
        self.products += products.products
        self.calls += products.calls
        self.epsilon = max(self.epsilon, products.epsilon)
        self.values.append(products.y.double())
        return found

    def through(
        self, steps: Sequence[Step], places: Sequence[Tensor], w: Tensor
    ) -> Tensor:
        """Return the product of all steps, where each takes its numbers from its places."""
        *between, last = places
        backwards = ReverseProducts in self.ways
        state = torch.zeros_like(w)
        if backwards:
            state[..., last] = w
        else:
            state = w.clone()
        pairs = list(zip(steps, between, strict=True))
        for step, at in reversed(pairs) if backwards else pairs:
            state[..., at] = self.multiplied(step, state[..., at])
        return state if backwards else state[..., last]


def _route(
    steps: Sequence[Step], outputs: Sequence[Tensor], x: Tensor, y: Tensor
) -> tuple[list[Tensor], int | None]:
    """Return where each step's numbers stand among all, at last those of y.

    And the number of the first step whose input is not there.
    """
    state = x.flatten(1).double()
    places = list[Tensor]()
    for number, values in enumerate([*(step.x.flatten(1) for step in steps), y]):
        found = _found(values.double(), state)
        if found is None or (number == len(steps) and values.shape != state.shape):
            return places, number
        places.append(found)
        if number < len(steps):
            state = state.clone()
            state[:, found] = outputs[number]
    return places, None


def _found(values: Tensor, among: Tensor) -> Tensor | None:
    """Return where values `(batch, n)` stand among others, in all samples, or None.

    What is computed once more may be off in its last digits.
    """
    if values.shape == among.shape and _is_near(values, among):
        return torch.arange(values.shape[1], device=values.device)
    ranked, order = among[0].sort()
    right = torch.searchsorted(ranked, values[0].contiguous())
    right = right.clamp_max(len(ranked) - 1)
    left = (right - 1).clamp_min(0)
    nearer = (values[0] - ranked[left]).abs() < (ranked[right] - values[0]).abs()
    places = order[torch.where(nearer, left, right)]
    alone = len(places.unique()) == len(places)
    return places if alone and _is_near(values, among[:, places]) else None


def _is_near(here: Tensor, there: Tensor) -> bool:
    return bool(((here - there).abs() <= _NEAR * (1.0 + here.abs())).all())


def _random(x: Tensor, seed: int) -> Tensor:
    """Return random vectors, `(probes, batch, dims)`, between 1/2 and 3/2 in size."""
    generator = torch.Generator().manual_seed(seed)
    shape = (_PROBES, len(x), x[0].numel())
    size = 0.5 + torch.rand(shape, generator=generator, dtype=torch.float64)
    sign = torch.randint(0, 2, shape, generator=generator).double() * 2 - 1
    return (size * sign).to(x.device)

"""Strategies for what a layer is fed: shapes, inputs, masks, parameters, seeds."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.distributions import constraints, transform_to

from ldjcheck.calling.domain_text import parse_domain
from ldjcheck.calling.domains import ends_of
from ldjcheck.records import Domain, Shape

_FAR = 10.0
_CLOSE = 0.01  # as close to an open end as inputs get, as a share of the whole


def event_shapes(
    *,
    min_rank: int = 1,
    max_rank: int = 3,
    min_size: int = 1,
    max_size: int = 5,
    max_dims: int = 64,
) -> st.SearchStrategy[Shape]:
    """Return a strategy for event shapes: `(3,)`, `(2, 5)`, `(1, 4, 4)`.

    Shrinks to `(min_size,) * min_rank`.
    """
    sizes = st.integers(min_size, max_size)
    shapes = st.lists(sizes, min_size=min_rank, max_size=max_rank)
    return shapes.map(tuple).filter(lambda shape: math.prod(shape) <= max_dims)


def seeds() -> st.SearchStrategy[int]:
    """Return a strategy for what seeds torch and NumPy alike; shrinks to 0."""
    return st.integers(0, 2**32 - 1)


def numbers(low: float = -_FAR, high: float = _FAR) -> st.SearchStrategy[float]:
    """Return a strategy for floats that are no trap by themselves: none is subnormal.

    Shrinks to 0, where that lies between the ends, and to whole numbers.
    """
    return st.floats(low, high, allow_subnormal=False).map(_plain)


def inputs(
    shape: Shape | st.SearchStrategy[Shape],
    domain: str | constraints.Constraint = "real",
    *,
    batch: int | st.SearchStrategy[int] = st.integers(1, 4),  # noqa: B008  # no state
) -> st.SearchStrategy[Tensor]:
    """Return a strategy for float64 inputs, `(batch, *shape)`.

    Args:
        shape: the event shape of one sample, or a strategy for it.
        domain: where inputs live, as `--domain` takes it, or a constraint of
            `torch.distributions.constraints`.
        batch: how many samples, or a strategy for it.

    Shrinks to one sample of zeros, or of what is simplest in the domain.
    """

    @st.composite
    def drawn(draw: st.DrawFn) -> Tensor:
        event = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
        count = draw(batch) if isinstance(batch, st.SearchStrategy) else batch
        size = count * math.prod(event)
        if isinstance(domain, constraints.Constraint):
            return _constrained(draw, domain, (count, *event), size)
        each = _in_domain(parse_domain(domain))
        return _tensor(draw(_exactly(each, size)), (count, *event))

    return drawn()


@st.composite
def masks(draw: st.DrawFn, shape: Shape) -> Tensor:
    """Return a strategy for boolean masks, `shape`, with entries of both kinds.

    A single entry is True. Shrinks to one True, the first one.
    """
    size = math.prod(shape)
    flags = draw(_exactly(st.booleans(), size))
    if size > 1 and all(flags):
        flags[-1] = False
    if not any(flags):
        flags[0] = True
    return torch.tensor(flags).reshape(shape)


@st.composite
def parameters(
    draw: st.DrawFn, layer: nn.Module, *, scale: float = 1.0
) -> dict[str, Tensor]:
    """Return a strategy for a layer's parameters, by name, of the layer's own shapes.

    Give them to `torch.func.functional_call`, or to `layer.load_state_dict` with
    `strict=False`. Numbers lie in [-scale, scale]. Shrinks to zeros.
    """
    return {
        name: _tensor(
            draw(_exactly(numbers(-scale, scale), value.numel())), tuple(value.shape)
        ).to(value.dtype)
        for name, value in layer.named_parameters()
    }


def _plain(value: float) -> float:
    """Return the number without digits that no mistake needs, and never -0."""
    return round(value, 6) + 0.0


def _exactly(each: st.SearchStrategy[Any], size: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(each, min_size=size, max_size=size)


def _tensor(values: Sequence[float], shape: Shape) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


def _in_domain(domain: Domain) -> st.SearchStrategy[float]:
    low, high = ends_of(domain)
    if domain.kind == "int":
        return st.integers(int(low), int(high)).map(float)
    if domain.kind == "positive":
        return numbers(_CLOSE, _FAR)
    if domain.kind in ("unit", "interval"):
        hair = _CLOSE * (high - low)
        return numbers(low + hair, high - hair)
    return numbers()


def _constrained(
    draw: st.DrawFn, constraint: constraints.Constraint, shape: Shape, size: int
) -> Tensor:
    """Return numbers that keep a constraint, by torch's own map onto it."""
    if constraint.is_discrete:
        low = getattr(constraint, "lower_bound", 0)
        high = getattr(constraint, "upper_bound", low + _FAR)
        each = st.integers(int(low), int(high)).map(float)
        return _tensor(draw(_exactly(each, size)), shape)
    onto = transform_to(constraint)
    before = onto.inverse_shape(torch.Size(shape))
    values = draw(_exactly(numbers(-4.0, 4.0), math.prod(before)))
    made: Tensor = onto(_tensor(values, tuple(before)))
    return made

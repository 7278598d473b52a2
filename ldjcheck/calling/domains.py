"""Where inputs live, and seeded draws from there."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ldjcheck.object_graph import attributes, numbers_of_code, reachable
from ldjcheck.records import Domain, Shape
from ldjcheck.records.words import Region

REAL = Domain(kind="real")
GUESSES = (
    REAL,
    Domain(kind="positive"),
    Domain(kind="unit"),
    Domain(kind="interval", low=-1.0, high=1.0),
)
"""Domains tried, in this order, on a layer that declares none."""

TAMEST = GUESSES[2]
"""All other guesses contain it: what raises here, raises there too."""


def inside(domain: Domain) -> tuple[Domain, ...]:
    """Return the guesses that are a part of a domain: where only a part of it is meant."""
    if domain.kind == "real":
        return GUESSES[1:]
    return (TAMEST,) if domain.kind == "positive" else ()


_LARGEST_BOUND = 20.0  # of an interval that inputs may live in
_MOST_BOUNDS = 8
_LEAST_WRITTEN = 0.5  # what code has that is smaller guards against zero
_COMMON_LEVELS = (256, 32, 16, 8, 4, 2)
# beyond the bounds of usual splines, and short of where logistics saturate
_FAR_OUT = 6.0
_SPREAD = {"usual": 1.0, "near": 0.4, "far": 3.0, "plus": 1.0, "minus": 1.0}


def integer_guesses(layer: Any) -> Iterator[Domain]:
    """Yield integer domains 0..n-1, n from the layer's own integers first."""
    items = (item for item in reachable(layer) if not isinstance(item, (Tensor, dict)))
    values = (value for item in items for value in attributes(item).values())
    whole = (v for v in values if isinstance(v, int) and not isinstance(v, bool))
    held = {value for value in whole if 2 <= value <= 65536}
    bits = {2**value for value in held if value <= 16}
    own = *sorted(held, reverse=True), *sorted(bits, reverse=True)
    for levels in (*own, *_COMMON_LEVELS):
        yield Domain(kind="int", low=0, high=levels - 1)


def bounded_guesses(layer: Any) -> Iterator[Domain]:
    """Yield the unit interval, and those up to a bound that the layer holds as a number.

    Or that its code does: a spline's helper has its ends for defaults.
    """
    yield TAMEST
    held = {
        float(value)
        for item in reachable(layer)
        if not isinstance(item, (Tensor, dict, list, tuple))
        for value in attributes(item).values()
        if type(value) in (int, float) and 0 < value <= _LARGEST_BOUND
    }
    written = {abs(number) for number in numbers_of_code(layer)} - held
    written = {n for n in written if _LEAST_WRITTEN <= n <= _LARGEST_BOUND}
    bounds = (*sorted(held)[:_MOST_BOUNDS], *sorted(written)[:_MOST_BOUNDS])
    for bound in bounds:
        yield Domain(kind="interval", low=-bound, high=bound)
        if bound != 1.0:
            yield Domain(kind="interval", low=0.0, high=bound)


def describe(domain: Domain) -> str:
    """Return the domain as `--domain` takes it."""
    if domain.kind == "int":
        return f"int:{domain.low:.0f}:{domain.high:.0f}"
    if domain.kind == "interval":
        high = "inf" if domain.high is None else f"{domain.high:g}"
        return f"interval:{domain.low:g}:{high}"
    return domain.kind


def draw(
    domain: Domain, shape: Shape, batch: int, region: Region, generator: torch.Generator
) -> Tensor:
    """Return float64 inputs, shape `(batch, *shape)`, from a region of the domain."""
    z = torch.randn((batch, *shape), generator=generator, dtype=torch.float64)
    z = _SPREAD[region] * {"plus": z.abs(), "minus": -z.abs()}.get(region, z)
    if region == "far":
        z = _reaching_out(z)
    if domain.kind == "real":
        return z
    if domain.kind == "positive":
        return torch.exp(0.7 * z)
    if domain.kind == "int":
        return _integers(domain, z)
    low, high = ends_of(domain)
    if math.isinf(high):
        return low + torch.exp(0.7 * z)
    return low + (high - low) * (0.01 + 0.98 * torch.sigmoid(z))


def _reaching_out(z: Tensor) -> Tensor:
    """Return z with its lowest and highest entry far out, however few entries there are."""
    flat = z.flatten()
    low, high = flat.argmin(), flat.argmax()
    flat[low] = flat[low].clamp_max(-_FAR_OUT)
    flat[high] = flat[high].clamp_min(_FAR_OUT)
    return flat.reshape(z.shape)


def _integers(domain: Domain, z: Tensor) -> Tensor:
    """Return whole numbers; the ends are left to `far`, where clips and casts may bite."""
    low, high = ends_of(domain)
    if high - low >= 3 and z.abs().max() < 2.9:
        low, high = low + 1, high - 1
    u = torch.distributions.Normal(0.0, 1.0).cdf(z)
    return (low + torch.floor(u * (high - low + 1))).clamp(low, high)


def ends_of(domain: Domain) -> tuple[float, float]:
    """Return the least and the largest number of a domain; infinite where it has none."""
    if domain.kind == "unit":
        return 0.0, 1.0
    low = domain.low if domain.low is not None else -math.inf
    high = domain.high if domain.high is not None else math.inf
    return low, high

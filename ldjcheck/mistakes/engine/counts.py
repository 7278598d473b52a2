"""What a multiplier is a count of: of dims, pixels, channels, or a plain number."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ldjcheck.mistakes.engine import kinds
from ldjcheck.mistakes.engine.closeness import EXACTLY
from ldjcheck.records import Multiplier, Shape
from ldjcheck.tape import Trace

_NOTHING = 1e-9  # an entry of the Jacobian that is no dependence


def names_of_axes(
    traces: Sequence[Trace], shapes: Sequence[Shape]
) -> tuple[str, ...] | None:
    """Return the names of the event's axes; None where there are more than four.

    Sequences come as (C, T) and as (T, C). The axis whose entries the map mixes is that of
    the channels, and so is the one that a learned vector has the size of: every step of
    time is treated alike.
    """
    rank = len(shapes[0])
    if rank == 2:
        return ("T", "C") if _last_is_channels(traces, shapes) else ("C", "T")
    return {1: ("dims",), 3: ("C", "H", "W"), 4: ("C", "T", "H", "W")}.get(rank)


def _last_is_channels(traces: Sequence[Trace], shapes: Sequence[Shape]) -> bool:
    mixed = [_mixes(t, s) for t, s in zip(traces, shapes, strict=True)]
    first, last = any(m[0] for m in mixed), any(m[1] for m in mixed)
    if first or last:
        return last and not first
    told = [
        (s, {size for n in t.nodes if n.learnable for size in n.value.shape})
        for t, s in zip(traces, shapes, strict=True)
    ]
    return all(s[1] in sizes and s[0] not in sizes for s, sizes in told)


def _mixes(trace: Trace, shape: Shape) -> tuple[bool, bool]:
    """Return along which of two axes an output depends on other inputs than its own."""
    jacobian = trace.jacobian
    if jacobian is None or jacobian.shape[1:] != (trace.dims, trace.dims):
        return False, False
    size = jacobian.abs().amax(0).reshape(*shape, *shape)
    first = size.amax(dim=(1, 3))  # which entry of the first axis moves which
    last = size.amax(dim=(0, 2))
    return _off_diagonal(first), _off_diagonal(last)


def _off_diagonal(matrix: Tensor) -> bool:
    eye = torch.eye(len(matrix), dtype=torch.bool)
    return bool((matrix.masked_fill(eye, 0.0) > _NOTHING).any())


_NUMBERS = (
    (1.0, ""),
    (2.0, "2"),
    (0.5, "1/2"),
    (3.0, "3"),
    (1 / 3, "1/3"),
    (4.0, "4"),
    (0.25, "1/4"),
    (1.5, "3/2"),
    (2 / 3, "2/3"),
)
_SMALL, _LARGEST = 3, 1_000_000  # smaller ones are plain numbers
_SEVERAL = 3  # sizes that tell a count of one size from a number that fits by chance
_BASES = (
    (math.log(2), "ln 2"),
    (1 / math.log(2), "1/ln 2"),
    (math.log(10), "ln 10"),
    (1 / math.log(10), "1/ln 10"),
)


@dataclass(frozen=True, slots=True)
class Fit:
    """A multiplier that fits at every configuration, and how simple it is."""

    cost: float
    multiplier: Multiplier
    instead: int | None = None  # the number that must stand where the count belongs


def active_dims(trace: Trace) -> int:
    """Return how many dims the map changes in one step or another."""
    if not trace.steps:
        return trace.dims
    idle = torch.stack([step.idle for step in trace.steps]).all(0)
    return int((~idle).sum())


def fit_multiplier(
    values: Sequence[float],
    traces: Sequence[Trace],
    *,
    constant: bool,
    dims_written: bool = False,
) -> list[Fit]:
    """Return the counts that a multiplier may be, the simplest first.

    A value is infinite where the term is zero and should not be.
    Where the source multiplies by the number of dims already, `dims_written`, another
    count in its place is likelier than a fraction, even if all sizes tried are one. The
    shapes of the input are tried first, then those of each intermediate value, since a
    sublayer after a squeeze counts other sizes.
    """
    if all(abs(value) < EXACTLY for value in values):
        return []
    shapes = [trace.shape for trace in traces]
    slack = max((trace.slack for trace in traces), default=0.0)
    found = _plain_numbers(values, slack)
    if dims_written:
        found += _in_place_of_dims(values, traces, slack)
        found.sort(key=lambda fit: fit.cost)
    if found and (len(set(shapes)) > 1 or found[0].multiplier.family != "number"):
        return found
    inner = (
        tuple(tuple(point.value.shape[1:]) for point in points)
        for points in zip(*(trace.points for trace in traces), strict=False)
    )
    # A flow has many values of one size.
    for sizes in dict.fromkeys((tuple(shapes), *inner)):
        found += _counts(values, traces, sizes, constant=constant)
        if found:
            break
    return sorted(found, key=lambda fit: fit.cost)


def shape_counts(traces: Sequence[Trace]) -> Iterator[list[float]]:
    """Yield the counts that right code multiplies by: one, dims, H*W or T, channels."""
    yield [1.0] * len(traces)
    yield [float(trace.dims) for trace in traces]
    if all(len(trace.shape) > 1 for trace in traces):
        yield [float(math.prod(trace.shape[1:])) for trace in traces]
        yield [float(trace.shape[0]) for trace in traces]


def _plain_numbers(values: Sequence[float], slack: float) -> list[Fit]:
    found = []
    for sign, (number, label) in itertools.product((1, -1), (*_NUMBERS, *_BASES)):
        if (
            not _fits(values, [sign * number] * len(values), slack)
            or sign * number == 1.0
        ):
            continue
        minus = "-" if sign < 0 else ""
        if number == 1.0:
            found.append(Fit(kinds.SIGN.cost, Multiplier(family="sign", label="-1")))
        elif "ln" in label:
            base = Multiplier(family="log-base", label=minus + label)
            found.append(
                Fit(kinds.LOG_BASE.cost + kinds.TURNED_BASE * (sign < 0), base)
            )
        else:
            plain = Multiplier(family="number", label=minus + label)
            rare = kinds.RARE_NUMBER * (number not in (2.0, 0.5))
            cost = kinds.NUMBER.cost + kinds.TURNED_NUMBER * (sign < 0) + rare
            found.append(Fit(cost, plain))
    return sorted(found, key=lambda fit: fit.cost)


def _counts(
    values: Sequence[float],
    traces: Sequence[Trace],
    shapes: Sequence[Shape],
    *,
    constant: bool,
) -> list[Fit]:
    if len({len(shape) for shape in shapes}) > 1:
        return []
    one_shape = len(set(shapes)) < 2
    slack = max((trace.slack for trace in traces), default=0.0)
    found = []
    factors = (*_NUMBERS[:5], *_BASES)
    for cost, multiplier, counts in _families(traces, shapes):
        if not _in_proportion(values, counts, slack):
            continue  # no factor could make them fit
        fixed = _fixed_counts(values, counts)
        # What varies with the data is summed over dims already: of two, 2 is a number.
        of_two = not constant and all(count == 2.0 for count in counts)
        for sign, (number, label) in itertools.product((1, -1), (*factors, *fixed)):
            if not _fits(values, [sign * number * count for count in counts], slack):
                continue
            batch_only = multiplier.label in ("B", "1/B")
            ambiguous = one_shape and (
                number != 1.0
                or (multiplier.family == "shape" and not batch_only)
                or (of_two and multiplier.family in ("dims", "active"))
            )
            found.append(
                Fit(
                    cost
                    + kinds.TURNED * (sign < 0)
                    + kinds.TIMES_A_NUMBER * (number != 1.0)
                    + kinds.ONE_SHAPE * ambiguous,
                    _scaled(multiplier, sign, label),
                    round(1 / number) if (number, label) in fixed else None,
                )
            )
    return found


def _fixed_counts(
    values: Sequence[float], counts: Sequence[float]
) -> tuple[tuple[float, str], ...]:
    """Return the count of one size that may stand where all sizes' belongs, as a factor.

    Any whole number fits some value at one size, or at two: of several it is what is
    written, as the 784 of an image of 28 x 28.
    """
    if len({*counts}) < _SEVERAL or not all(map(math.isfinite, (values[0], counts[0]))):
        return ()
    written = abs(counts[0] / values[0]) if values[0] else 0.0
    number = round(written)
    if not _SMALL < number <= _LARGEST or abs(written - number) > EXACTLY * number:
        return ()
    return ((1 / number, f"1/{number}"),)


def _in_place_of_dims(
    values: Sequence[float], traces: Sequence[Trace], slack: float
) -> list[Fit]:
    """Return the counts that should stand where the number of dims stands now."""
    shapes = [trace.shape for trace in traces]
    if len({len(shape) for shape in shapes}) > 1:
        return []
    needed = [m * trace.dims for m, trace in zip(values, traces, strict=True)]
    return [
        Fit(
            kinds.IN_PLACE_OF_DIMS.cost,
            Multiplier(family="shape", label=f"{multiplier.label}/dims"),
        )
        for _, multiplier, counts in _families(traces, shapes)
        if "/" not in multiplier.label
        and "B" not in multiplier.label
        and _fits(needed, counts, slack)
    ][:1]


def _in_proportion(
    values: Sequence[float], counts: Sequence[float], slack: float
) -> bool:
    """Return whether values are one and the same multiple of the counts."""
    if not counts[0] or math.isinf(counts[0]) or math.isinf(values[0]):
        return True  # nothing can be ruled out
    factor = values[0] / counts[0]
    return _fits(values, [factor * count for count in counts], 2.0 * (1e-6 + slack))


def _families(
    traces: Sequence[Trace], shapes: Sequence[Shape]
) -> Iterator[tuple[float, Multiplier, list[float]]]:
    dims = [float(math.prod(shape)) for shape in shapes]
    active = [float(active_dims(trace)) for trace in traces]
    yield kinds.DIMS.cost, Multiplier(family="dims", label="dims"), dims
    rank = len(shapes[0])
    if rank == 3:
        spatial = [float(shape[1] * shape[2]) for shape in shapes]
        yield kinds.SPATIAL.cost, Multiplier(family="spatial", label="H*W"), spatial
    elif rank == 4:
        spatial = [float(math.prod(shape[1:])) for shape in shapes]
        yield kinds.SPATIAL.cost, Multiplier(family="spatial", label="T*H*W"), spatial
    elif rank == 2:
        axis = (names_of_axes(traces, shapes) or ()).index("T")
        spatial = [float(shape[axis]) for shape in shapes]
        yield kinds.SPATIAL.cost, Multiplier(family="spatial", label="T"), spatial
    if active != dims:
        yield (
            kinds.ACTIVE.cost,
            Multiplier(family="active", label="active dims"),
            active,
        )
        ratio = [a / d for a, d in zip(active, dims, strict=True)]
        yield (
            kinds.OFF_BY_ONE.cost,
            Multiplier(family="shape", label="(active dims)/dims"),
            ratio,
        )
        if all(active):
            inverse = [1 / r for r in ratio]
            yield (
                kinds.OFF_BY_ONE.cost,
                Multiplier(family="shape", label="dims/(active dims)"),
                inverse,
            )
    yield from _monomials(traces, shapes)
    for off in (1.0, -1.0):
        near = [d - off for d in dims]
        name = f"dims{-off:+.0f}"
        yield kinds.OFF_BY_ONE.cost, Multiplier(family="shape", label=f"({name})"), near
        per = [n / d for n, d in zip(near, dims, strict=True)]
        yield (
            kinds.OFF_BY_ONE_A_DIM.cost,
            Multiplier(family="shape", label=f"({name})/dims"),
            per,
        )
        over = [d / n if n else math.inf for n, d in zip(near, dims, strict=True)]
        yield (
            kinds.OFF_BY_ONE_A_DIM.cost,
            Multiplier(family="shape", label=f"dims/({name})"),
            over,
        )
        one = [1 / n if n else math.inf for n in near]
        yield (
            kinds.ONE_OFF_BY_ONE.cost,
            Multiplier(family="shape", label=f"1/({name})"),
            one,
        )


def _monomials(
    traces: Sequence[Trace], shapes: Sequence[Shape]
) -> Iterator[tuple[float, Multiplier, list[float]]]:
    names = names_of_axes(traces, shapes)
    if names is None:
        return
    sizes = [
        {
            "B": float(trace.batch),
            **{n: float(s) for n, s in zip(names, shape, strict=True)},
        }
        for trace, shape in zip(traces, shapes, strict=True)
    ]
    variables = ("B", *names)
    for exponents in itertools.product((0, 1, -1), repeat=len(variables)):
        if not any(exponents):
            continue
        label = _fraction(
            [n for n, power in zip(variables, exponents, strict=True) if power > 0],
            [n for n, power in zip(variables, exponents, strict=True) if power < 0],
        )
        counts = [
            math.prod(size[n] ** p for n, p in zip(variables, exponents, strict=True))
            for size in sizes
        ]
        sizes_in = sum(map(abs, exponents))
        cost = (
            kinds.MONOMIAL.cost
            + kinds.MORE_SIZES * sizes_in
            + kinds.BATCH_SIZE * bool(exponents[0])
        )
        yield cost, Multiplier(family="shape", label=label), counts


def _fraction(above: Sequence[str], below: Sequence[str]) -> str:
    """Return a quotient of sizes as one would write it: `W/H`, `1/(H*W)`."""
    top = "*".join(above) or "1"
    if not below:
        return top
    bottom = "*".join(below)
    return f"{top}/({bottom})" if len(below) > 1 else f"{top}/{bottom}"


def _scaled(multiplier: Multiplier, sign: int, label: str) -> Multiplier:
    if sign > 0 and not label:
        return multiplier
    minus = "-" if sign < 0 else ""
    factor = f"{label}*" if label else ""
    family = multiplier.family if not label else "shape"
    return Multiplier(family=family, label=f"{minus}{factor}{multiplier.label}")


def _fits(
    values: Sequence[float], expected: Sequence[float], slack: float = 0.0
) -> bool:
    return all(
        value == other
        or (
            math.isfinite(value)
            and abs(value - other) <= (1e-6 + slack) * (1e-3 + abs(value))
        )
        for value, other in zip(values, expected, strict=True)
    )

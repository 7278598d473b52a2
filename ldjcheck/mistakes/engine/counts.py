"""What a multiplier is a count of: of dims, pixels, channels, or a plain number."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import Tensor

from ldjcheck.mistakes.engine import kinds
from ldjcheck.mistakes.engine.closeness import EXACTLY
from ldjcheck.records import Multiplier, Shape
from ldjcheck.tape import Node, Trace
from ldjcheck.torch_ops import DIVIDE, MULTIPLY

_NOTHING = 1e-9  # an entry of the Jacobian that is no dependence


_NUMBERS = tuple(
    Multiplier(family="number", number=Fraction(text))
    for text in ("1", "2", "1/2", "3", "1/3", "4", "1/4", "3/2", "2/3")
)
_BASES = tuple(Multiplier(family="log-base", base=base) for base in (2, -2, 10, -10))
_SMALL, _LARGEST = 3, 1_000_000  # smaller ones are plain numbers
_OF_MAP = 12  # numbers of the map that are tried
_WHOLE = 0.1  # what is off by more from a number is none, however little is known
_DENOMINATOR = 1000  # of what a number is the quotient of
_SEVERAL = 3  # sizes that tell a count of one size from a number that fits by chance


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
    found = _plain_numbers(values, slack, _numbers_of_map(traces[0]))
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


def shape_before(trace: Trace, node: Node) -> Shape:
    """Return the shape of the last sample of whole values that the map made before another.

    That of the input, where there is none: a sample of whole values has all its axes.
    """
    made = (
        each.value.shape[1:]
        for each in reversed(trace.order)
        if each.index < node.index
        and each.value.dim() == len(trace.shape) + 1
        and each.value.shape[0] == trace.batch
        and each in trace.depending
    )
    return tuple(next(made, trace.shape))


def _numbers_of_map(trace: Trace) -> list[Multiplier]:
    """Return the numbers that the map multiplies or divides by, and their reciprocals."""
    numbers = {
        abs(float(each))
        for node in trace.order
        if node.name in MULTIPLY | DIVIDE
        for each in node.args[:2]
        if isinstance(each, int | float) and each
    }
    exact = {_as_fraction(each) for each in numbers if math.isfinite(each)}
    known = {factor.number for factor in _NUMBERS}
    return [
        Multiplier(family="number", number=number)
        for number in sorted({*exact, *(1 / each for each in exact)} - known)
    ][:_OF_MAP]


def _as_fraction(number: float) -> Fraction:
    """Return a number as one writes it: 0.1 as 1/10, and a sixth as 1/6."""
    written = Fraction(str(number))
    plain = written.limit_denominator(_DENOMINATOR)
    return plain if float(plain) == number else written


def _plain_numbers(
    values: Sequence[float], slack: float, more: Sequence[Multiplier] = ()
) -> list[Fit]:
    found = []
    for sign, factor in itertools.product((1, -1), (*_NUMBERS, *_BASES, *more)):
        size = sign * _size(factor)
        if size == 1.0 or not _fits(values, [size] * len(values), slack):
            continue
        turned = sign < 0
        if factor.base:
            cost = kinds.LOG_BASE.cost + kinds.TURNED_BASE * turned
        elif size == -1.0:
            cost = kinds.SIGN.cost
        else:
            rare = kinds.RARE_NUMBER * (_size(factor) not in (2.0, 0.5))
            cost = kinds.NUMBER.cost + kinds.TURNED_NUMBER * turned + rare
            cost += kinds.RARE_NUMBER * (factor in more)
        family = "sign" if size == -1.0 else factor.family
        found.append(Fit(cost, replace(factor, family=family, sign=sign)))
    return sorted(found, key=lambda fit: fit.cost)


def _size(factor: Multiplier) -> float:
    """Return the number or logarithm in a multiplier."""
    if not factor.base:
        return float(factor.number)
    logarithm = math.log(abs(factor.base))
    return logarithm if factor.base > 0 else 1 / logarithm


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
    for cost, count, sizes in _families(traces, shapes):
        if not _in_proportion(values, sizes, slack):
            continue  # no factor could make them fit
        fixed = _fixed_counts(values, sizes, slack)
        # What varies with the data is summed over dims already: of two, 2 is a number.
        of_two = not constant and all(size == 2.0 for size in sizes)
        factors = (*_NUMBERS[:5], *_BASES, *fixed)
        for sign, factor in itertools.product((1, -1), factors):
            scale = sign * _size(factor)
            if not _fits(values, [scale * size for size in sizes], slack):
                continue
            batch_only = (*count.above, *count.below) == ("B",)
            ambiguous = one_shape and (
                factor.is_scaled
                or (count.family == "shape" and not batch_only)
                or (of_two and count.family in ("dims", "active"))
            )
            multiplier = replace(
                count,
                family="shape" if factor.is_scaled else count.family,
                sign=sign,
                number=factor.number,
                base=factor.base,
            )
            more = kinds.TURNED * (sign < 0) + kinds.TIMES_A_NUMBER * factor.is_scaled
            instead = factor.number.denominator if factor in fixed else None
            cost_of_all = cost + more + kinds.ONE_SHAPE * ambiguous
            found.append(Fit(cost_of_all, multiplier, instead))
    return found


def _fixed_counts(
    values: Sequence[float], sizes: Sequence[float], slack: float
) -> tuple[Multiplier, ...]:
    """Return the count of one size that may stand where all sizes' belongs, as a factor.

    Any whole number fits some value at one size, or at two: of several it is what is
    written, as the 784 of an image of 28 x 28.
    """
    if len({*sizes}) < _SEVERAL or not all(map(math.isfinite, (values[0], sizes[0]))):
        return ()
    written = abs(sizes[0] / values[0]) if values[0] else 0.0
    number = round(written)
    known = min((EXACTLY + slack) * number, _WHOLE)
    if not _SMALL < number <= _LARGEST or abs(written - number) > known:
        return ()
    return (Multiplier(family="number", number=Fraction(1, number)),)


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
            kinds.IN_PLACE_OF_DIMS.cost, replace(count, family="shape", below=("dims",))
        )
        for _, count, sizes in _families(traces, shapes)
        if not count.below and "B" not in count.above and _fits(needed, sizes, slack)
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
    """Yield what may be a count, with its cost and how large it is in each trace."""
    names = names_of_axes(traces, shapes)
    sizes = _sizes(traces, shapes, names)
    for kind, more, above, below in _products(names, sizes):
        assert kind.family is not None
        counts = Multiplier(family=kind.family, above=above, below=below)
        yield kind.cost + more, counts, [_ratio(counts, each) for each in sizes]


def counted(multiplier: Multiplier, traces: Sequence[Trace]) -> list[float]:
    """Return what a multiplier counts of the input of each trace, without its number."""
    shapes = [trace.shape for trace in traces]
    names = names_of_axes(traces, shapes)
    return [_ratio(multiplier, each) for each in _sizes(traces, shapes, names)]


def _sizes(
    traces: Sequence[Trace], shapes: Sequence[Shape], names: tuple[str, ...] | None
) -> list[dict[str, float]]:
    return [
        {
            "B": float(trace.batch),
            "dims": float(math.prod(shape)),
            "dims-1": math.prod(shape) - 1.0,
            "dims+1": math.prod(shape) + 1.0,
            "active dims": float(active_dims(trace)),
            **dict(zip(names or (), map(float, shape), strict=False)),
            **{f"{n}-1": s - 1.0 for n, s in zip(names or (), shape, strict=False)},
        }
        for trace, shape in zip(traces, shapes, strict=True)
    ]


def _ratio(counts: Multiplier, sizes: Mapping[str, float]) -> float:
    over = math.prod(sizes[name] for name in counts.above)
    under = math.prod(sizes[name] for name in counts.below)
    return over / under if under else math.inf


def _products(
    names: tuple[str, ...] | None, sizes: Sequence[Mapping[str, float]]
) -> Iterator[tuple[kinds.Kind, float, tuple[str, ...], tuple[str, ...]]]:
    """Yield what stands above and below in each, and what makes it less likely."""
    dims, active = ("dims",), ("active dims",)
    yield kinds.DIMS, 0.0, dims, ()
    if names != dims:
        yield kinds.MONOMIAL, kinds.MORE_SIZES, (), dims
    spatial = tuple(name for name in names or () if name in ("T", "H", "W"))
    if spatial:
        yield kinds.SPATIAL, 0.0, spatial, ()
    if any(size["active dims"] != size["dims"] for size in sizes):
        yield kinds.ACTIVE, 0.0, active, ()
        yield kinds.OFF_BY_ONE, 0.0, active, dims
        if all(size["active dims"] for size in sizes):
            yield kinds.OFF_BY_ONE, 0.0, dims, active
    variables = () if names is None else ("B", *names)
    for exponents in itertools.product((0, 1, -1), repeat=len(variables)):
        if any(exponents):
            pairs = list(zip(variables, exponents, strict=True))
            above = tuple(name for name, power in pairs if power > 0)
            below = tuple(name for name, power in pairs if power < 0)
            more = kinds.MORE_SIZES * len(above + below)
            yield (
                kinds.MONOMIAL,
                more + kinds.BATCH_SIZE * bool(exponents[0]),
                above,
                below,
            )
    for name in names or () if names != dims else ():
        yield kinds.OFF_BY_ONE_A_DIM, kinds.MORE_SIZES, (f"{name}-1",), (name,)
        yield kinds.OFF_BY_ONE_A_DIM, kinds.MORE_SIZES, (name,), (f"{name}-1",)
    for one, other in itertools.permutations(names or (), 2):  # each less one
        more = 2 * kinds.MORE_SIZES
        yield kinds.OFF_BY_ONE_A_DIM, more, (f"{one}-1",), (f"{other}-1",)
    for near in (("dims-1",), ("dims+1",)):
        yield kinds.OFF_BY_ONE, 0.0, near, ()
        yield kinds.OFF_BY_ONE_A_DIM, 0.0, near, dims
        yield kinds.OFF_BY_ONE_A_DIM, 0.0, dims, near
        yield kinds.ONE_OFF_BY_ONE, 0.0, (), near


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

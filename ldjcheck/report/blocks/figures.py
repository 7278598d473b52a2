"""Numbers as a reader sees them: signs shown, and enough digits to see a mistake."""

import math
from collections.abc import Callable, Iterable

from ldjcheck.records import Sample
from ldjcheck.records.result import LawPoint

Formatter = Callable[[float | None], str]

_PLACES = 4  # decimals where nothing small has to be told apart
_DIGITS = 16  # a float64 does not hold more
_LARGEST_FIXED = 1e9
_VANISHES = 1e-9  # relative: two numbers this close are one
_MANTISSA = 12  # decimals before the exponent: a table then still fits the page


def _word(value: float | None) -> str:
    """Return the word for what is no finite number."""
    if value is None:
        return "-"
    if math.isnan(value):
        return "nan"
    return "+inf" if value > 0 else "-inf"


def difference(value: float | None) -> str:
    """Return a signed difference with six significant digits, such as `+83.1777`."""
    if value is None or not math.isfinite(value):
        return _word(value)
    return "0" if value == 0 else f"{value:+#.6g}".rstrip(".")


def by_dims(points: Iterable[LawPoint]) -> list[tuple[int, str]]:
    """Return dims and difference of each size; what vanishes beside others is rounding."""
    points = tuple(points)
    sizes = (abs(p.difference) for p in points if math.isfinite(p.difference))
    least = _VANISHES * max(sizes, default=0.0)
    return [
        (p.dims, difference(0.0 if abs(p.difference) <= least else p.difference))
        for p in points
    ]


def size(value: float | None) -> str:
    """Return a bound or an error by its order of magnitude, such as `3e-12`."""
    if value is None or not math.isfinite(value):
        return _word(value).lstrip("+")
    if value == 0:
        return "0"
    return f"{value:.0e}" if abs(value) < 0.01 else f"{value:.2g}"


def step(value: float | None) -> str:
    """Return what one source line contributed; blank where it contributed nothing."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return _word(value)
    if abs(value) < 1e-12:  # rounding of sums that cancel
        return "0.00"
    return f"{value:+.2f}" if 0.01 <= abs(value) < 1e6 else f"{value:+.2e}"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, such as `1 layer` or `2 layers`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def for_samples(samples: Iterable[Sample]) -> Formatter:
    """Return the formatter of one table's reported and exact columns.

    The smallest difference that is not allowed decides the number of digits.
    """
    samples = tuple(samples)
    return alike(
        (value for s in samples for value in (s.reported, s.exact)),
        (s.difference for s in samples if s.difference is not None and is_wrong(s)),
    )


def is_wrong(sample: Sample) -> bool:
    """Return whether the sample's numbers differ by more than is allowed.

    They do not where no exact one is known.
    """
    if math.isnan(sample.exact):
        return False
    return sample.difference is None or not abs(sample.difference) <= sample.allowed


def for_pairs(pairs: Iterable[tuple[float | None, float | None]]) -> Formatter:
    """Return the formatter that tells the two numbers of each pair apart.

    Pairs that are equal up to rounding do not ask for digits.
    """
    pairs = tuple(pairs)
    gaps = [
        abs(one - other)
        for one, other in pairs
        if one is not None
        and other is not None
        and not math.isclose(one, other, rel_tol=_VANISHES, abs_tol=_VANISHES)
    ]
    return alike((value for pair in pairs for value in pair), gaps)


def alike(values: Iterable[float | None], gaps: Iterable[float]) -> Formatter:
    """Return one format for all values, two digits finer than the smallest gap."""
    sizes = (abs(v) for v in values if v is not None and math.isfinite(v))
    top = max(sizes, default=0.0)
    gap = min((abs(g) for g in gaps if g and math.isfinite(g)), default=None)
    if top and (top >= _LARGEST_FIXED or top < 1e-3):
        digits = _PLACES if gap is None else _order(top) - _order(gap) + 1
        form = f"+.{min(max(digits, _PLACES), _MANTISSA)}e"
    else:
        places = _PLACES if gap is None else max(_PLACES, 1 - _order(gap))
        before_point = max(_order(top), 0) + 1 if top else 1
        form = f"+.{min(places, _DIGITS - before_point)}f"

    def text(value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return _word(value)
        return format(value + 0.0, form)  # -0.0 becomes 0.0

    return text


def _order(value: float) -> int:
    """Return the exponent of ten of a positive number."""
    return math.floor(math.log10(value))

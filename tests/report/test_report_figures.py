"""Numbers show the digit at which they part."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_runs import samples

from ldjcheck.records.result import LawPoint
from ldjcheck.report.blocks import figures

INF = math.inf


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (83.17766, "+83.1777"),
        (-4.00002e-05, "-4.00002e-05"),
        (0.5, "+0.500000"),
        (100000.0, "+100000"),
        (1e20, "+1.00000e+20"),
        (0.0, "0"),
        (INF, "+inf"),
        (-INF, "-inf"),
        (math.nan, "nan"),
        (None, "-"),
    ],
)
def test_a_difference_has_its_sign_and_six_digits(
    value: float | None, text: str
) -> None:
    assert figures.difference(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.2e-12, "3e-12"),
        (0.53, "0.53"),
        (0.0, "0"),
        (INF, "inf"),
        (math.nan, "nan"),
        (None, "-"),
    ],
)
def test_a_bound_shows_its_order(value: float | None, text: str) -> None:
    assert figures.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-88.7228, "-88.72"),
        (-4.00002e-05, "-4.00e-05"),
        (1e-17, "0.00"),
        (2.5e7, "+2.50e+07"),
        (math.nan, "nan"),
        (None, ""),
    ],
)
def test_a_ledger_step_is_short_but_never_hides_a_small_term(
    value: float | None, text: str
) -> None:
    assert figures.step(value) == text


@pytest.mark.parametrize(
    ("reported", "exact", "texts"),
    [
        (27.8314, -55.3462, ("+27.8314", "-55.3462")),
        (55.34624, 55.34628, ("+55.346240", "+55.346280")),
        (2e-05, 1e-05, ("+2.0000e-05", "+1.0000e-05")),
        (1.5e12, 1.5e12 + 2.0, ("+1.500000000000e+12", "+1.500000000002e+12")),
        (INF, 1.0, ("+inf", "+1.0000")),
    ],
)
def test_reported_and_exact_get_as_many_digits_as_it_takes(
    reported: float, exact: float, texts: tuple[str, str]
) -> None:
    number = figures.for_samples(samples((reported, exact)))
    assert (number(reported), number(exact)) == texts


@given(
    exact=st.floats(-1e12, 1e12),
    share=st.floats(1e-10, 1e3) | st.floats(-1e3, -1e-10),
    others=st.lists(st.floats(-1e3, 1e3), max_size=3),
)
def test_numbers_that_differ_look_different(
    exact: float, share: float, others: list[float]
) -> None:
    scale = max([abs(exact), *map(abs, others), 1e-6])
    reported = exact + share * scale
    pairs = [(reported, exact), *((other, other) for other in others)]
    number = figures.for_samples(samples(*pairs, allowed=scale * 1e-14))

    assert number(reported) != number(exact)
    assert len(number(reported)) <= 19  # a table of such columns fits the page


def test_zero_has_no_minus_sign() -> None:
    number = figures.for_samples(samples((-0.0, 0.0)))
    assert number(-0.0) == number(0.0) == "+0.0000"


def test_rounding_does_not_ask_for_digits() -> None:
    one, other = 55.3462, 55.3462 + 1e-14
    number = figures.for_pairs([(one, other)])
    assert number(one) == number(other) == "+55.3462"


def test_what_is_rounding_beside_the_differences_of_other_sizes_is_none() -> None:
    sizes = {1: 5.55e-17, 2: -0.558474, 4: -1.90421}
    points = [LawPoint(dims=dims, difference=gap) for dims, gap in sizes.items()]
    assert figures.by_dims(points) == [(1, "0"), (2, "-0.558474"), (4, "-1.90421")]
    small = [LawPoint(dims=n, difference=n * 1e-7) for n in (1, 2)]
    assert figures.by_dims(small) == [(1, "+1.00000e-07"), (2, "+2.00000e-07")]
    assert figures.by_dims([LawPoint(dims=1, difference=math.nan)]) == [(1, "nan")]
    assert figures.by_dims([]) == []

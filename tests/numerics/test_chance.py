"""What chance explains of estimates: one factor, one shift, and all of them together."""

import random

import pytest

from ldjcheck.numerics.tolerance import (
    CHANCE_OF_ALL,
    DOUBT,
    common_factor,
    common_shift,
    excess,
)


def scattered(count: int, seed: int, wrong: float = 0.0) -> list[tuple[float, ...]]:
    """Return estimates; those that are `wrong` are off by so much, now up and now down."""
    draw = random.Random(seed)
    exact = [draw.gauss(0, 1) for _ in range(count)]
    turns = [draw.choice((-1, 1)) * wrong for _ in exact]
    return [
        (e + 0.1 * (draw.gauss(0, 1) + t), e, 0.1)
        for e, t in zip(exact, turns, strict=True)
    ]


@pytest.mark.parametrize("count", [1, 3, 11, 200])
def test_chance_alone_seldom_lies_beyond_what_leaves_a_doubt(count: int) -> None:
    seen = [excess(scattered(count, seed)) for seed in range(2000)]
    assert sum(each > DOUBT for each in seen) <= 6
    assert max(seen) < CHANCE_OF_ALL


@pytest.mark.parametrize("seed", range(20))
def test_what_is_off_either_way_shows_in_all_of_them_together(seed: int) -> None:
    samples = scattered(12, seed, wrong=6.0)
    assert excess(samples) > CHANCE_OF_ALL


def test_no_factor_and_no_shift_tells_what_is_off_either_way() -> None:
    samples = [(e + turn, e, 0.1) for e in (1.0, -1.0) for turn in (0.6, -0.6)]
    (factor, _), (shift, _) = common_factor(samples), common_shift(samples)
    assert factor == pytest.approx(1.0)
    assert shift == pytest.approx(0.0)
    assert excess(samples) > CHANCE_OF_ALL


def test_of_no_estimate_nothing_is_told() -> None:
    assert excess(()) == 0.0

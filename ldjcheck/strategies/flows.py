"""Strategies for whole flows, right or with one mistake planted in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from ldjcheck.strategies.flow import (
    MISTAKES,
    Bend,
    Couple,
    Mistake,
    Planted,
    RandomFlow,
    Scale,
    Turn,
)

_SIZES = (2.0, 3.0, 0.5, 1.5, 0.25)


def flows(
    *,
    min_steps: int = 1,
    max_steps: int = 4,
    mistakes: Sequence[Mistake] | None = None,
) -> st.SearchStrategy[RandomFlow]:
    """Return a strategy for flows that take every event shape.

    Args:
        min_steps: the fewest steps.
        max_steps: the most.
        mistakes: plant one of these in the forward ldj, `sign`, `once`, `mean`, `twice`
            or `dropped`; None: the ldj is right. `once` and `mean` need two dims or more
            to show.

    Shrinks to a single step; with a mistake, to a scaling by 2 and the first of them.

    Raises:
        ValueError: a mistake that does not exist.
    """
    unknown = set(mistakes or ()) - set(MISTAKES)
    if unknown:
        raise ValueError(
            f"no such mistake: {sorted(unknown)[0]!r}; there are {MISTAKES}"
        )

    @st.composite
    def drawn(draw: st.DrawFn) -> RandomFlow:
        steps = draw(st.lists(_steps(), min_size=min_steps, max_size=max_steps))
        if mistakes is None:
            return RandomFlow(tuple(steps))
        index = draw(st.integers(0, len(steps) - 1))
        steps[index] = draw(_scales())  # its mistake shows wherever the inputs lie
        planted = Planted(index, draw(st.sampled_from(list(mistakes))))
        return RandomFlow(tuple(steps), planted)

    return drawn()


def _scales() -> st.SearchStrategy[Any]:
    """Return scalings whose logs do not cancel: all factors grow, or all shrink."""
    sign = st.sampled_from([1.0, -1.0])
    grow = st.sampled_from([s for s in _SIZES if s > 1])
    shrink = st.sampled_from([s for s in _SIZES if s < 1])

    def signed(sizes: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
        one = st.builds(lambda a, b: a * b, sign, sizes)
        return st.lists(one, min_size=1, max_size=3).map(tuple)

    return st.builds(Scale, st.one_of(signed(grow), signed(shrink)))


def _steps() -> st.SearchStrategy[Any]:
    return st.one_of(
        _scales(),
        st.just(Turn()),
        st.builds(Bend, st.sampled_from([1.0, 0.5])),
        st.builds(Couple, st.sampled_from([0.5, -0.7]), st.booleans()),
    )

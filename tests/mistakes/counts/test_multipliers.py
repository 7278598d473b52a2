"""A multiplier is a monomial; its label is how one would write it."""

from __future__ import annotations

from fractions import Fraction

import pytest

from ldjcheck.records import Multiplier


@pytest.mark.parametrize(
    ("parts", "label"),
    [
        ({"sign": -1}, "-1"),
        ({"number": Fraction(3, 2), "sign": -1}, "-3/2"),
        ({"base": 2}, "ln 2"),
        ({"base": -10, "sign": -1}, "-1/ln 10"),
        ({"above": ("H", "W")}, "H*W"),
        ({"above": ("active dims",)}, "active dims"),
        ({"above": ("active dims",), "below": ("dims",)}, "(active dims)/dims"),
        ({"below": ("dims-1",)}, "1/(dims-1)"),
        ({"above": ("W",), "below": ("B", "H")}, "W/(B*H)"),
        ({"number": Fraction(1, 784), "above": ("dims",)}, "1/784*dims"),
        (
            {"base": -2, "above": ("dims-1",), "below": ("dims",)},
            "1/ln 2*(dims-1)/dims",
        ),
    ],
)
def test_a_multiplier_is_written_as_one_would(
    parts: dict[str, object], label: str
) -> None:
    assert Multiplier(family="shape", **parts).label == label  # type: ignore[arg-type]  # one of each kind


def test_only_what_has_no_count_and_no_logarithm_is_a_plain_number() -> None:
    assert Multiplier.by(Fraction(-1)) == Multiplier(family="sign", sign=-1)
    assert Multiplier.by(Fraction(1, 2)).plain == Fraction(1, 2)
    assert Multiplier(family="log-base", base=2).plain is None
    assert Multiplier(family="dims", above=("dims",)).plain is None

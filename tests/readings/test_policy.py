"""Which of two readings is told: the truth table of the bases."""

from __future__ import annotations

import pytest

import ldjcheck
from ldjcheck.readings.policy import decide, told_of
from ldjcheck.records import Result
from ldjcheck.records.result import Basis

TABLE: dict[tuple[Basis, Basis], str] = {
    # what is wrong rests on, and what is right: which of both is told
    ("stated", "stated"): "other",
    ("stated", "declared"): "first",
    ("stated", "observed"): "first",
    ("stated", "named"): "first",
    ("declared", "stated"): "other",
    ("declared", "declared"): "other",
    ("declared", "observed"): "first",
    ("declared", "named"): "first",
    ("observed", "stated"): "other",
    ("observed", "declared"): "other",
    ("observed", "observed"): "other",
    ("observed", "named"): "neither",
    ("named", "stated"): "other",
    ("named", "declared"): "other",
    ("named", "observed"): "other",
    ("named", "named"): "neither",
}


@pytest.mark.parametrize(("bases", "told"), TABLE.items())
def test_a_right_number_makes_up_for_a_wrong_one_of_no_stronger_basis(
    bases: tuple[Basis, Basis], told: str
) -> None:
    first, other = bases
    assert decide(("fail", first), ("pass", other)) == told


@pytest.mark.parametrize("bases", TABLE)
def test_what_is_not_wrong_or_not_made_up_for_stays(bases: tuple[Basis, Basis]) -> None:
    first, other = bases
    assert decide(("pass", first), ("fail", other)) == "first"
    assert decide(("fail", first), ("fail", other)) == "first"
    assert decide(("unproven", first), ("pass", other)) == "first"


def test_where_there_is_no_other_reading_the_first_is_told() -> None:
    before = Result(target="f.py:F()", layer="F", status="fail")
    assert told_of(before, None, ("", ""), ("", "")) is before
    assert told_of(before, before, ("", ""), ("", "")) is before


def test_a_check_says_how_it_read_the_layer() -> None:
    from torch import Tensor, nn

    class Double(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return 2 * x, x.new_full((len(x),), 3 * 0.6931471805599453)

    (read,) = ldjcheck.check(Double(), shape=(3,)).to_dict()["results"][0]["readings"]
    assert read["claim"] == "log-det"
    assert read["shape"] == [3]
    assert read["status"] == "pass"
    bases = {each["what"]: each["basis"] for each in read["assumptions"]}
    assert bases == {"convention": "observed", "shape": "stated", "domain": "observed"}

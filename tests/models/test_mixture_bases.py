"""A base of the model's own is held to integrate to 1, whatever it is made of."""

from __future__ import annotations

import pytest

from models import mixture_bases as bases
from models.mixture_bases import conditional_over, over
from models.told import Row, Told, told

PASS = Told("pass")
NO_DENSITY = Told("fail", ("LDJ501",), "log_prob")
NOT_KNOWN = Told("unproven", ("LDJ501",), "log_prob")

TABLE = {
    "mixture": Row(over(bases.Mixture), PASS),
    "mixture without scales": Row(over(bases.WithoutScales), NO_DENSITY),
    "mixture without constant": Row(over(bases.WithoutConstant), NO_DENSITY),
    "mixture of plain weights": Row(over(bases.WeightsAsTheyAre), NO_DENSITY),
    "probabilities": Row(over(bases.OfProbabilities), PASS),
    "probabilities unweighted": Row(over(bases.ProbabilitiesUnweighted), NO_DENSITY),
    "diagonal": Row(over(bases.Diagonal), PASS),
    "diagonal without scale": Row(over(bases.DiagonalWithoutScale), NO_DENSITY),
    "diagonal on average": Row(
        over(bases.DiagonalOnAverage), Told("fail", ("LDJ105",), "log_prob")
    ),
    "constant of one dim": Row(over(bases.ConstantOnce), NO_DENSITY),
    "logistic": Row(over(bases.Logistic), PASS),
    "student-t": Row(over(bases.StudentT), PASS),
    "student-t of another power": Row(over(bases.StudentTOfAnotherPower), NO_DENSITY),
    "joint student-t": Row(over(bases.JointStudentT), PASS),
    "joint student-t, a nat more": Row(over(bases.JointStudentTTurned), NO_DENSITY),
    "box": Row(over(bases.Box), PASS),
    "box of one dim": Row(over(bases.BoxOfOneDim), NO_DENSITY),
    "energy": Row(over(bases.Energy), NOT_KNOWN),
    "of context": Row(conditional_over(bases.OfContext), PASS),
    "of context without scale": Row(
        conditional_over(bases.OfContextWithoutScale), NO_DENSITY
    ),
    "mixture of context": Row(conditional_over(bases.MixtureOfContext), PASS),
    "mixture of context unweighted": Row(
        conditional_over(bases.MixtureOfContextUnweighted), NO_DENSITY
    ),
}


@pytest.mark.thinned(24)
@pytest.mark.parametrize("name", TABLE)
def test_a_base_is_told_by_whether_it_integrates_to_one(name: str) -> None:
    assert told(TABLE[name]) == TABLE[name].expected


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 10))
@pytest.mark.parametrize("name", [n for n in TABLE if TABLE[n].expected == PASS])
def test_a_right_base_passes_whatever_it_starts_from(name: str, seed: int) -> None:
    assert told(TABLE[name], seed) == PASS

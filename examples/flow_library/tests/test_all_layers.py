"""One test per layer and check, and what is known about some of them."""

import pytest
from flowlib import Affine, Bend, Coupling, Sequence, Shuffle, Whiten

import ldjcheck


@ldjcheck.parametrize(
    {
        "affine": Affine(4),
        "coupling": Coupling(4),
        "shuffle": Shuffle(4),
        "flow": Sequence(Affine(4), Coupling(4), Shuffle(4), Coupling(4)),
        "whiten": pytest.param(
            Whiten(),
            marks=pytest.mark.ldj(
                expected={"inverse-ldj-untracked": "samples only, see its docstring"}
            ),
        ),
    },
    shape=(4,),
)
def test_layers(layer, check, report):
    assert report.result.convention == "pair"


@ldjcheck.parametrize(
    [Bend()],
    shape=(3,),
    expected={
        "inverse-mismatch": "three steps are enough to draw samples",
        "inverse-ldj-untracked": "samples only, see its docstring",
    },
)
def test_bend():
    """The mistake that is known is expected; any other one fails."""

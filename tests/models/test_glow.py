"""A Glow whose split counts a prior that it learns: right ones pass, a wrong one is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from models.glow import (
    Dropped,
    Glow,
    HandedBack,
    MixOfOnePixel,
    PriorOfScaleTurned,
    PriorWithoutConstant,
    PriorWithoutScale,
    WrittenInside,
)
from models.told import Row, Told, told

IMAGE = {"shape": (1, 4, 4)}
PASS = Told("pass")
NO_DENSITY = Told("fail", ("LDJ501",), "log_prob")
NOT_THERE = Told("fail", ("LDJ501",), "forward")
WRITTEN = Told("fail", ("LDJ501",), "density")
"""Where a prior that depends on what is kept is written, and nobody is asked."""

TABLE = {
    "added": Row(Glow, PASS, IMAGE),
    "added, no scale": Row(lambda: Glow(PriorWithoutScale), NO_DENSITY, IMAGE),
    "added, no constant": Row(lambda: Glow(PriorWithoutConstant), NO_DENSITY, IMAGE),
    "added, turned": Row(lambda: Glow(PriorOfScaleTurned), NO_DENSITY, IMAGE),
    "handed back": Row(HandedBack, PASS, IMAGE),
    "handed back, no scale": Row(
        lambda: HandedBack(PriorWithoutScale), NO_DENSITY, IMAGE
    ),
    "dropped": Row(Dropped, PASS, IMAGE),
    "dropped, no scale": Row(lambda: Dropped(PriorWithoutScale), NOT_THERE, IMAGE),
    "dropped, one pixel": Row(
        lambda: Dropped(mix=MixOfOnePixel), Told("fail", ("LDJ102",), "forward"), IMAGE
    ),
    "written inside": Row(WrittenInside, PASS, IMAGE),
    "written inside, no scale": Row(
        lambda: WrittenInside(PriorWithoutScale), WRITTEN, IMAGE
    ),
    "written inside, turned": Row(
        lambda: WrittenInside(PriorOfScaleTurned), WRITTEN, IMAGE
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
def test_the_prior_of_what_leaves_is_told_by_its_place(name: str) -> None:
    assert told(TABLE[name]) == TABLE[name].expected


DATA = {"inputs": torch.randn(4, 1, 4, 4, generator=torch.Generator().manual_seed(3))}


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (Dropped, Told("pass")),
        (lambda: Dropped(PriorWithoutScale), NOT_THERE),
        (
            lambda: Dropped(mix=MixOfOnePixel),
            Told("fail", ("LDJ102",), "forward"),
        ),
    ],
    ids=["right", "no scale", "one pixel"],
)
def test_data_that_is_given_is_the_flows_and_no_sublayers(
    make: Callable[[], nn.Module], expected: Told
) -> None:
    assert told(Row(make, expected, DATA)) == expected

"""Readings are proposed, told apart, and measured once each, whoever proposes them again."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from ldjcheck import checking, readings
from ldjcheck.readings.reading import Measured, Outcome, Reading
from ldjcheck.records import Domain, Layer, Options, Result
from ldjcheck.settling.subject import settle_layer

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOM = Path(readings.__path__[0])
ENOUGH = 200  # proposals, after which it would go on for ever


class Scaling(nn.Module):
    """A right layer."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        return torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) + ldj


LAYER = Scaling()


def read(obj: object = LAYER, **asked: object) -> Reading:
    """Return a layer as it is settled at first."""
    layer = Layer(target="layer", name="layer", obj=obj)
    return Reading(subject=settle_layer(layer, replace(Options(), **asked)))  # type: ignore[arg-type]


def checked() -> Result:
    layer = Layer(target="layer", name="layer", obj=LAYER)
    return checking.check_layer(layer, Options())


def test_the_same_layer_read_in_the_same_way_is_one_reading() -> None:
    assert read().key == read().key


@pytest.mark.parametrize(
    "other",
    [
        read(mode="train"),
        read(shape=((None, (2, 3)),)),
        read(domain=Domain(kind="unit")),
        read(kind="model"),
        read(LAYER.log_prob),
        read(Scaling()),
        replace(read(), values_alone=True),
    ],
    ids=["mode", "shape", "domain", "claim", "method", "layer", "values"],
)
def test_readings_that_ask_for_something_else_are_told_apart(other: Reading) -> None:
    assert other.key != read().key


def test_what_is_read_says_what_its_number_is() -> None:
    assert [read().claim, read(kind="model").claim] == ["log-det", "density"]


def test_what_a_reading_assumes_is_what_its_report_tells() -> None:
    reading = read().assuming("domain", Domain(kind="unit"), "observed", "unit: seen")
    (assumed,) = reading.assumptions
    assert reading.subject.inferred[assumed.what] == assumed.why == "unit: seen"


def test_a_reading_that_is_proposed_again_is_not_measured_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = itertools.count(1)

    def again(seen: Measured) -> Iterator[Reading]:
        assert next(asked) < ENOUGH
        yield seen.reading

    def once_more(outcome: Outcome) -> Iterator[Reading]:
        yield Reading(subject=outcome.subject, adopt=lambda *_: pytest.fail("adopted"))

    expected = checked()
    monkeypatch.setattr(checking, "BY_NUMBERS", (again,))
    monkeypatch.setattr(checking, "BY_RESULT", (("once-more", once_more),))
    assert checked().checks == expected.checks
    assert next(asked) == 2


def test_readings_without_end_are_measured_up_to_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = itertools.count(1)

    def another(seen: Measured) -> Iterator[Reading]:
        high = next(asked)
        assert high < ENOUGH
        bench = replace(seen.subject.bench, domain=Domain(kind="int", low=0, high=high))
        yield seen.reading.of(replace(seen.subject, bench=bench))

    monkeypatch.setattr(checking, "_MOST", 5)
    monkeypatch.setattr(checking, "BY_NUMBERS", (another,))
    monkeypatch.setattr(checking, "BY_RESULT", ())
    assert checked().status == "pass"
    assert next(asked) == 6


def test_every_kind_of_reading_stands_in_a_register() -> None:
    kinds = (*readings.BY_NUMBERS, *(propose for _, propose in readings.BY_RESULT))
    assert len(kinds) == len({*kinds})
    assert {(kind.__module__, kind.__name__) for kind in kinds} == {*proposing()}


def proposing() -> Iterator[tuple[str, str]]:
    """Yield the functions of the room that propose readings, with their modules."""
    for path in ROOM.rglob("*.py"):
        inside = path.relative_to(ROOM).with_suffix("").parts
        for name in re.findall(r"^def (propose\w*)\(", path.read_text(), re.MULTILINE):
            yield ".".join(["ldjcheck.readings", *inside]), name

"""What is probed: batches, draws, regions, and the places where inputs live."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_layers import Affine, Curve, Logit, Pair
from torch import Tensor, nn

import ldjcheck
from ldjcheck.calling.domain_text import parse_domain
from ldjcheck.calling.domains import describe, draw, integer_guesses
from ldjcheck.records import Domain, Options, Probe
from ldjcheck.settling.design import plan_probes
from ldjcheck.settling.other_sizes import resized

REAL = Domain(kind="real")

shapes = st.lists(st.integers(1, 8), min_size=1, max_size=3).map(tuple)


def planned(shape: tuple[int, ...], **options: Any) -> tuple[Probe, ...]:
    others = resized(shape, frozenset())
    return plan_probes(shape, others, REAL, Options(**options), has_parameters=True)


# The plan


@settings(max_examples=80, deadline=None)
@given(shapes)
def test_the_batch_differs_from_every_size_and_is_varied(
    shape: tuple[int, ...],
) -> None:
    probes = planned(shape)
    assert probes[0].shape == shape
    assert probes[0].batch >= (3 if math.prod(shape) < 512 else 2)
    assert all(probe.batch not in probe.shape for probe in probes)
    assert len({probe.batch for probe in probes}) >= 2
    assert len({probe.shape for probe in probes}) >= 2
    assert {probe.region for probe in probes[:3]} == {"usual", "near", "far"}


@given(shapes, st.integers(2, 6))
def test_a_batch_that_was_asked_for_is_the_first_one(
    shape: tuple[int, ...], batch: int
) -> None:
    if batch != 3 or (3 not in shape and math.prod(shape) < 512):
        assert planned(shape, batch=batch)[0].batch == batch


def test_parameters_are_drawn_anew_at_one_size_and_the_same_at_others() -> None:
    probes = planned((4,))
    draws = [probe.draw for probe in probes if probe.shape == (4,)]
    assert len(set(draws)) == len(draws) >= 3
    assert {probe.draw for probe in probes if probe.shape != (4,)} == {draws[0]}
    assert 0 not in draws, "draw 0 would leave the parameters as built"


class Scaling(nn.Module):
    """Its log-scale is counted once, however many dims there are."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor(0.4))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), self.log_s.expand(len(x))


def test_what_a_difference_does_over_sizes_can_be_read_off() -> None:
    report = ldjcheck.check(Scaling(), shape=(4,), direction="forward")
    law = report.to_dict()["results"][0]["findings"][0]["law"]
    counted = {p["dims"]: p["difference"] for p in law["points"]}
    assert len(counted) >= 3
    assert law["expression"] == "(1 - dims) * self.log_s"
    one = counted[4] / (1 - 4)
    for dims, difference in counted.items():
        assert difference == pytest.approx((1 - dims) * one)


def test_as_is_leaves_the_parameters_where_they_are() -> None:
    assert {probe.draw for probe in planned((4,), params="as-is")} == {0}


def test_another_seed_probes_elsewhere() -> None:
    first, second = planned((4,), seed=0), planned((4,), seed=1)
    assert not {c.draw for c in first} & {c.draw for c in second}
    assert planned((4,), seed=0) == first


# Domains


INSIDE = {
    "real": lambda x: torch.isfinite(x),
    "positive": lambda x: x > 0,
    "unit": lambda x: (x > 0) & (x < 1),
    "interval:-2:5": lambda x: (x > -2) & (x < 5),
    "int:0:7": lambda x: (x == x.round()) & (x >= 0) & (x <= 7),
    "int:-3:3": lambda x: (x == x.round()) & (x >= -3) & (x <= 3),
}


@pytest.mark.parametrize("text", INSIDE)
@pytest.mark.parametrize("region", ["usual", "near", "far", "plus", "minus"])
def test_inputs_are_drawn_inside_their_domain(text: str, region: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    x = draw(parse_domain(text), (50,), 20, region, generator)
    assert x.shape == (20, 50)
    assert x.dtype == torch.float64
    assert bool(INSIDE[text](x).all())
    assert x.std() > 0
    again = draw(
        parse_domain(text), (50,), 20, region, torch.Generator().manual_seed(0)
    )
    assert torch.equal(x, again)


def test_regions_reach_the_signs_and_the_distance_they_name() -> None:
    def region(name: Any) -> Tensor:
        return draw(REAL, (50,), 20, name, torch.Generator().manual_seed(0))

    assert (region("plus") >= 0).all()
    assert (region("minus") <= 0).all()
    assert region("near").std() < region("usual").std() < region("far").std()


@pytest.mark.parametrize("text", INSIDE)
def test_a_domain_is_written_as_it_is_read(text: str) -> None:
    assert describe(parse_domain(text)) == text


@pytest.mark.parametrize(
    "text", ["", "reel", "int", "int:3:1", "interval:a:b", "int:1"]
)
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_domain(text)


def test_the_layers_own_numbers_are_its_first_levels() -> None:
    class Quantizes:
        def __init__(self) -> None:
            self.bits = 3
            self.hidden = 20

    highs = [domain.high for domain in integer_guesses(Quantizes())]
    assert {19, 2, 7} <= set(highs[:4])
    assert 255 in highs


# Domains found by trying


class Log(nn.Module):
    """Finite on positive numbers only."""

    def forward(self, x: Tensor) -> Pair:
        return torch.log(x), -torch.log(x).sum(1)


class Arctanh(nn.Module):
    """Finite between -1 and 1 only, and raises elsewhere."""

    def forward(self, x: Tensor) -> Pair:
        if (x.abs() >= 1).any():
            raise ValueError("outside of (-1, 1)")
        return torch.atanh(x), -torch.log1p(-(x**2)).sum(1)


class Table(nn.Module):
    """Adds noise to whole numbers 0, ..., 4, and rounds on the way back."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = 5

    def forward(self, x: Tensor) -> Pair:
        y = (x + torch.rand_like(x)) / self.levels
        return y, -torch.log(torch.tensor(5.0)).expand(len(x)) * x.shape[1]

    def inverse(self, y: Tensor) -> Pair:
        x = torch.floor(y * self.levels).clamp(0, self.levels - 1)
        return x, torch.log(torch.tensor(5.0)).expand(len(y)) * y.shape[1]


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("layer", "domain"),
    [
        (Curve(), "real"),
        (Log(), "positive"),
        (Logit(), "unit"),
        (Arctanh(), "unit"),
        (Table(), "int:0:4"),
    ],
)
def test_a_domain_is_found_and_told(layer: nn.Module, domain: str) -> None:
    report = ldjcheck.check(layer, shape=(4,))
    assert report.status == "pass", report
    assert report.result.inferred["domain"].startswith(f"{domain}: ")


def test_a_domain_that_was_said_is_kept() -> None:
    report = ldjcheck.check(Arctanh(), shape=(4,), domain="interval:-0.5:0.5")
    assert report.status == "pass"
    assert report.result.inferred["domain"] == "interval:-0.5:0.5: as you said"


def test_no_shape_that_works_is_said_with_what_was_tried() -> None:
    class Picky(nn.Module):
        def forward(self, x: Tensor) -> Pair:
            raise ValueError(f"I do not take {x.dim()} axes")

    finding = ldjcheck.check(Picky()).findings[0]
    assert finding.code == "LDJ006"
    assert any("I do not take 2 axes" in line for line in finding.evidence)
    assert any("shape=" in line for line in finding.evidence)


# Regions and draws matter


class RightNear(nn.Module):
    """Wrong beyond 2.5 only."""

    def forward(self, x: Tensor) -> Pair:
        ldj = torch.where(x.abs() < 2.5, x, 1.1 * x)
        return x.exp(), ldj.sum(1)


class RightForSomeWeights(Affine):
    """Takes the logarithm of a scale that is positive at first, but need not stay so."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([0.1, 0.2, 0.05, 0.1]))

    def forward(self, x: Tensor) -> Pair:
        return x * self.scale, self.scale.clamp_min(1e-3).log().sum().expand(len(x))

    inverse = None  # type: ignore[assignment]


@pytest.mark.thinned(2)
@pytest.mark.parametrize("layer", [RightNear(), RightForSomeWeights()])
def test_a_mistake_in_one_region_or_for_some_weights_is_found(
    layer: nn.Module,
) -> None:
    assert ldjcheck.check(layer, shape=(4,)).status == "fail"


def test_a_configuration_is_a_record_that_cannot_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        planned((4,))[0].batch = 1  # type: ignore[misc]

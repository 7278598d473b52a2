"""The volume picture's numbers: a small cell grows by exp(log|det J|), measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_layers import Affine, Coupling, Curve, Logit
from torch import Tensor, nn

import ldjcheck
from ldjcheck.records.portrait import shoelace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck import Report
    from ldjcheck.records import Direction, Sample
    from ldjcheck.records.portrait import Cell, GridImage

    Pair = tuple[Tensor, Tensor]

NUMBER = st.floats(-50, 50)
CLOSE = 2e-3  # a cell is small, and a square of four corners has straight sides


def grids(report: Report) -> tuple[GridImage, ...]:
    assert report.result.portrait is not None
    return report.result.portrait.grids


def measured(report: Report) -> Iterator[tuple[Direction, Cell, Sample]]:
    """Yield every cell with the numbers of the sample that it stands around."""
    for grid in grids(report):
        (check,) = (
            c for c in report.checks if (c.name, c.direction) == ("ldj", grid.direction)
        )
        for cell in grid.cells:
            yield grid.direction, cell, check.samples[cell.sample]


# --- areas ----------------------------------------------------------------------------


@given(a=NUMBER, b=NUMBER, c=NUMBER, d=NUMBER, x=NUMBER, y=NUMBER)
def test_a_parallelogram_has_the_area_of_its_determinant(
    a: float, b: float, c: float, d: float, x: float, y: float
) -> None:
    corners = ((x, y), (x + a, y + b), (x + a + c, y + b + d), (x + c, y + d))
    assert shoelace(corners) == pytest.approx(abs(a * d - b * c), abs=1e-9)


@given(st.lists(st.tuples(NUMBER, NUMBER), min_size=3, max_size=8).map(tuple))
def test_an_area_does_not_depend_on_where_and_which_way_one_starts(
    corners: tuple[tuple[float, float], ...],
) -> None:
    area = shoelace(corners)
    assert shoelace((*corners[1:], corners[0])) == pytest.approx(area, abs=1e-9)
    assert shoelace(corners[::-1]) == pytest.approx(area, abs=1e-9)


# --- maps -------------------------------------------------------------------------------


class Turn(nn.Module):
    """A rotation and a reflection: areas stay, and the determinant is -1."""

    def forward(self, x: Tensor) -> Pair:
        c, s = math.cos(0.7), math.sin(0.7)
        return x @ torch.tensor([[c, s], [s, -c]]), torch.zeros(len(x))


class Wrong(Coupling):
    """Reports twice what is true."""

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y, 2 * ldj


class Given(nn.Module):
    """A scale that a context chooses."""

    def forward(self, x: Tensor, context: Tensor) -> Pair:
        return x * torch.exp(context), context.sum(1)


class Noisy(nn.Module):
    """Whole numbers take noise and are scaled."""

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        volume = z.shape[1] * math.log(8)
        if reverse:
            return torch.floor(z * 8), ldj + volume
        return (z + torch.rand_like(z)) / 8, ldj - volume


LAYERS: dict[str, tuple[nn.Module, dict[str, Any]]] = {
    "affine": (Affine(2), {}),
    "curve": (Curve(), {}),
    "logit": (Logit(), {}),
    "coupling": (Coupling(2), {}),
    "wrong": (Wrong(2), {}),
    "turned": (Turn(), {}),
    "given": (Given(), {"context": {"context": 2}}),
    "noisy": (Noisy(), {"domain": "int:0:7"}),
}


@pytest.mark.thinned(3)
@pytest.mark.parametrize("name", LAYERS)
def test_a_small_cell_grows_by_the_exact_factor_whatever_is_reported(name: str) -> None:
    layer, options = LAYERS[name]
    report = ldjcheck.check(layer, shape=2, **options)
    cells = list(measured(report))
    assert cells
    for _, cell, sample in cells:
        assert math.log(cell.factor) == pytest.approx(sample.exact, abs=CLOSE)


def test_both_ways_are_drawn_where_there_are_two() -> None:
    report = ldjcheck.check(Affine(2), shape=2)
    assert [grid.direction for grid in grids(report)] == ["forward", "inverse"]
    assert [len(grid.cells) for grid in grids(report)] == [3, 3]


def test_each_line_is_mapped_point_by_point() -> None:
    grid = grids(ldjcheck.check(Curve(), shape=2, params="as-is"))[0]
    for line, after in zip(grid.lines, grid.lines_after, strict=True):
        for (x, y), (u, v) in zip(line, after, strict=True):
            assert u == pytest.approx(x + 0.5 * math.tanh(x))
            assert v == pytest.approx(y + 0.5 * math.tanh(y))


def test_the_square_that_is_drawn_is_seen_from_the_last_row() -> None:
    for grid in grids(ldjcheck.check(Affine(2), shape=2)):
        entries = [point[0] for line in grid.lines for point in line]
        for cell in grid.cells:
            across = [point[0] for point in cell.outline]
            share = (max(across) - min(across)) / (max(entries) - min(entries))
            assert share > 0.09


def test_the_grid_of_a_map_of_the_unit_square_stays_inside_of_it() -> None:
    grid = grids(ldjcheck.check(Logit(), shape=2))[0]
    entries = [entry for line in grid.lines for point in line for entry in point]
    assert 0 < min(entries) < 0.05
    assert 0.95 < max(entries) < 1


def test_the_plane_of_a_layer_that_takes_noise_is_that_of_the_noise() -> None:
    found = grids(ldjcheck.check(Noisy(), shape=2, domain="int:0:7"))
    assert [grid.of_noise for grid in found] == [True], "the way back rounds"
    assert found[0].cells[0].factor == pytest.approx(1 / 64)


# --- no picture rather than a wrong one ------------------------------------------------


class Meeting(nn.Module):
    """Samples meet: no sample has a map of its own."""

    def forward(self, x: Tensor) -> Pair:
        return x + x.mean(0, keepdim=True), torch.zeros(len(x))


class OfItsBatch(nn.Module):
    """Scales by how many samples there are."""

    def forward(self, x: Tensor) -> Pair:
        return x * len(x), torch.full((len(x),), 2 * math.log(len(x)))


class OfThree(nn.Module):
    """Takes three samples, and no other number."""

    def forward(self, x: Tensor) -> Pair:
        assert len(x) == 3
        return 2 * x, torch.full((3,), 2 * math.log(2))


@pytest.mark.parametrize("layer", [Meeting(), OfItsBatch(), OfThree()], ids=repr)
def test_a_layer_that_is_another_map_for_many_points_has_no_picture(
    layer: nn.Module,
) -> None:
    assert grids(ldjcheck.check(layer, shape=2)) == ()


@pytest.mark.parametrize("shape", [(1,), (3,), (1, 2, 2)])
def test_other_dims_have_no_picture(shape: tuple[int, ...]) -> None:
    assert grids(ldjcheck.check(Curve(), shape=shape)) == ()


class Counting(Curve):
    """Counts its calls, wherever copies of it are made."""

    calls = 0

    def forward(self, x: Tensor) -> Pair:
        type(self).calls += 1
        return super().forward(x)


@pytest.mark.parametrize(("dims", "more"), [(2, 2), (4, 0)])
def test_a_grid_costs_two_calls_and_all_else_none(dims: int, more: int) -> None:
    def calls(*, pictures: bool) -> int:
        class Fresh(Counting):
            calls = 0

        ldjcheck.check(Fresh(), shape=dims, pictures=pictures)
        return Fresh.calls

    least = calls(pictures=False)
    assert least + more <= calls(pictures=True) <= least + more + 1  # to set a copy up

"""A way back that solves an equation is judged by what it found, not by its loop."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Contraction(nn.Module):
    """y = x + tanh(W x + b) with |W| = 1/2, inverted by fixed-point iteration."""

    def __init__(self, stop: float, slip: float = 0.0) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.stop, self.slip = stop, slip

    def step(self, x: Tensor) -> tuple[Tensor, Tensor]:
        weight = self.linear.weight
        weight = 0.5 * weight / torch.linalg.matrix_norm(weight, 2)
        return torch.tanh(x @ weight.T + self.linear.bias), weight

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h, weight = self.step(x)
        slope = torch.eye(4) + torch.diag_embed(1 - h**2) @ weight
        return x + h, torch.linalg.slogdet(slope)[1]

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x = y
        while True:
            new = y - self.step(x)[0]
            if (new - x).abs().max() < self.stop:
                return new, self.slip - self.forward(new)[1]
            x = new


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [1e-14, 1e-12])
def test_an_iterated_inverse_passes_though_its_loop_was_stopped_early(
    stop: float,
) -> None:
    assert ldjcheck.check(Contraction(stop), shape=(4,)).status == "pass"


@pytest.mark.slow
@pytest.mark.parametrize("stop", [1e-9, 1e-8, 1e-6, 1e-5])
def test_a_loosely_iterated_inverse_passes_with_a_note(stop: float) -> None:
    report = ldjcheck.check(Contraction(stop), shape=(4,))
    assert report.status == "pass"
    assert [(f.code, f.severity) for f in report.findings] == [("LDJ306", "note")]


@pytest.mark.slow
@pytest.mark.parametrize("stop", [1e-14, 1e-10])
def test_a_small_constant_in_the_ldj_of_an_iterated_inverse_is_seen(
    stop: float,
) -> None:
    report = ldjcheck.check(Contraction(stop, slip=1e-5), shape=(4,))
    assert report.status == "fail"
    assert {f.direction for f in report.findings} == {"inverse"}


@pytest.mark.slow
def test_a_solver_that_float32_cannot_satisfy_does_not_hang_the_check() -> None:
    for seed in range(4):
        torch.manual_seed(seed)
        report = ldjcheck.check(Contraction(1e-13), shape=(4,))
        assert report.status == "pass", report


class Steps(Contraction):
    """A few steps, however far they lead."""

    def __init__(self, steps: int, slip: float = 0.0) -> None:
        super().__init__(0.0, slip)
        self.steps = steps

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x = y
        for _ in range(self.steps):
            x = y - self.step(x)[0]
        return x, self.slip - self.forward(x)[1]


@pytest.mark.slow
def test_a_solver_that_gives_up_has_a_right_ldj_at_the_wrong_point() -> None:
    (finding,) = ldjcheck.check(Steps(3), shape=(4,)).findings
    assert finding.code == "LDJ301"
    found = ldjcheck.check(Steps(3, slip=0.5), shape=(4,)).findings
    assert len({f.code for f in found}) == 2, found


class Halved(nn.Module):
    """Inverted by halving an interval eight times: what comes out moves in jumps."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + torch.tanh(x), torch.log(2 - torch.tanh(x) ** 2).sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        low, high = torch.full_like(y, -50.0), torch.full_like(y, 50.0)
        for _ in range(8):
            x = (low + high) / 2
            above = x + torch.tanh(x) > y
            low, high = torch.where(above, low, x), torch.where(above, x, high)
        return x, -self.forward(x)[1]


def test_a_solver_that_moves_in_jumps_is_no_map_without_an_inverse() -> None:
    (finding,) = ldjcheck.check(Halved(), shape=(4,)).findings
    assert finding.code == "LDJ301"


class Solved(nn.Module):
    """The same the other way round, as flows for sampling have it."""

    def __init__(self, stop: float, slip: float = 0.0) -> None:
        super().__init__()
        self.back = Contraction(stop, slip)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.back.inverse(x)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        y, ldj = self.back(y)
        return y, ldj


@pytest.mark.slow
@pytest.mark.parametrize("stop", [1e-6, 1e-5])
def test_a_map_that_is_solved_for_is_judged_by_its_way_back(stop: float) -> None:
    report = ldjcheck.check(Solved(stop), shape=(4,))
    assert report.status == "unproven", report
    assert report.checks[0].status == "pass"
    assert report.checks[0].method == "preimage"


@pytest.mark.slow
def test_and_a_small_constant_in_its_ldj_is_seen() -> None:
    assert ldjcheck.check(Solved(1e-6, slip=1e-5), shape=(4,)).status == "fail"


class Bisected(nn.Module):
    """A cubic whose way back halves an interval to a literal 1e-6, with its true gradient."""

    def __init__(self, slip: float = 0.0) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(4))
        self.slip = slip

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x**3 / 9 + x + self.shift, (x**2 / 3 + 1).log().sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            low, high = torch.full_like(y, -20.0), torch.full_like(y, 20.0)
            while (high - low).max() > 1e-6:
                middle = (low + high) / 2
                above = middle**3 / 9 + middle + self.shift > y
                low = torch.where(above, low, middle)
                high = torch.where(above, middle, high)
            x = (low + high) / 2
        slope = (x**2 / 3 + 1).detach()
        x = x + (y - y.detach()) / slope
        return x + self.slip, -(x**2 / 3 + 1).log().sum(1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_an_inverse_that_halves_to_a_literal_tolerance_passes_with_a_note(
    seed: int,
) -> None:
    report = ldjcheck.check(Bisected(), seed=seed)
    assert report.status == "pass", report
    assert "LDJ306" in [finding.code for finding in report.findings]


@pytest.mark.slow
def test_a_slip_above_what_a_solver_may_leave_is_none_of_its_residuals() -> None:
    assert ldjcheck.check(Bisected(slip=1e-3)).status == "fail"

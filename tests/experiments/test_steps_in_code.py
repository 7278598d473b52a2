"""Fixed steps are told from a mistake wherever their count is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap

import ldjcheck

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = 12
Pair = tuple[Tensor, Tensor]


class Field(nn.Module):
    """A velocity and its divergence; `counted` says how often the latter counts."""

    def __init__(self, counted: float = 1.0) -> None:
        super().__init__()
        self.a = nn.Parameter(0.5 * torch.randn(2, 2))
        self.counted = counted

    def slope(self, x: Tensor) -> Pair:
        h = torch.tanh(x @ self.a)
        return h, self.counted * ((1 - h**2) * self.a.diagonal()).sum(1)


class Written(Field):
    def forward(self, x: Tensor) -> Pair:
        ldj = x.new_zeros(len(x))
        for _ in range(10):
            v, trace = self.slope(x)
            x, ldj = x + v / 10, ldj + trace / 10
        return x, ldj


class WrittenAsTimes(Field):
    def forward(self, x: Tensor) -> Pair:
        times = torch.linspace(0, 1, 11)
        ldj = x.new_zeros(len(x))
        for step in times.diff():
            v, trace = self.slope(x)
            x, ldj = x + step * v, ldj + step * trace
        return x, ldj


class WrittenApart(Field):
    """Ten steps of a twentieth: neither says what the other is."""

    def forward(self, x: Tensor) -> Pair:
        step = 0.05
        ldj = x.new_zeros(len(x))
        for _ in range(10):
            v, trace = self.slope(x)
            x, ldj = x + step * v, ldj + step * trace
        return x, ldj


class AtModuleLevel(Field):
    def forward(self, x: Tensor) -> Pair:
        ldj = x.new_zeros(len(x))
        for _ in range(COUNT):
            v, trace = self.slope(x)
            x, ldj = x + v / COUNT, ldj + trace / COUNT
        return x, ldj


class InItsClass(Field):
    count = 9

    def forward(self, x: Tensor) -> Pair:
        ldj = x.new_zeros(len(x))
        for _ in range(self.count):
            v, trace = self.slope(x)
            x, ldj = x + v / self.count, ldj + trace / self.count
        return x, ldj


class CountAndSize(Field):
    def __init__(self, counted: float = 1.0) -> None:
        super().__init__(counted)
        self.count, self.step = 10, 0.07

    def forward(self, x: Tensor) -> Pair:
        ldj = x.new_zeros(len(x))
        for _ in range(self.count):
            v, trace = self.slope(x)
            x, ldj = x + self.step * v, ldj + self.step * trace
        return x, ldj


def integrate(f: Callable[[Tensor], Pair], x: Tensor, *, count: int = 11) -> Pair:
    ldj = x.new_zeros(len(x))
    for _ in range(count):
        v, trace = f(x)
        x, ldj = x + v / count, ldj + trace / count
    return x, ldj


class ByDefault(Field):
    def forward(self, x: Tensor) -> Pair:
        return integrate(self.slope, x)


KEPT = {
    "in its code: the 10": Written,
    "in its code as times": WrittenAsTimes,
    "in its code: the 10 and the 0.05": WrittenApart,
    "at module level": AtModuleLevel,
    "in its class": InItsClass,
    "count and size": CountAndSize,
    "by default": ByDefault,
}


@pytest.mark.slow
@pytest.mark.parametrize("make", KEPT.values(), ids=KEPT)
def test_what_finer_steps_take_away_is_no_mistake(make: type[Field]) -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(make())
    assert report.status == "pass", report
    assert (
        "finer steps"
        in report.to_dict()["results"][0]["inferred"]["approximation forward"]
    )
    assert COUNT == 12


def by_function(x: Tensor, counted: float = 1.0) -> Pair:
    """Nothing of it can be copied, and what is finer is taken back."""
    ldj = x.new_zeros(len(x))
    for _ in range(10):
        ldj = ldj + counted * (-torch.sin(x)).sum(1) / 10
        x = x + torch.cos(x) / 10
    return x, ldj


@pytest.mark.slow
def test_steps_of_a_function_are_made_finer_too() -> None:
    code = by_function.__code__
    assert ldjcheck.check(by_function, shape=2).status == "pass"
    assert ldjcheck.check(lambda x: by_function(x, 0.5), shape=2).status == "fail"
    assert by_function.__code__ is code


@pytest.mark.slow
def test_a_mistake_stays_however_fine_the_steps() -> None:
    torch.manual_seed(0)
    assert ldjcheck.check(Written(counted=0.5)).status == "fail"
    assert integrate.__kwdefaults__ == {"count": 11}


class Bisected(nn.Module):
    """x + a tanh x, undone by halving an interval; the ldj of that is taken at `at`."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self.at, self.a = at, nn.Parameter(torch.zeros(3))

    def slope(self) -> Tensor:
        return 0.9 * torch.tanh(self.a)

    def ldj(self, x: Tensor) -> Tensor:
        return torch.log(1 + self.slope() * (1 - torch.tanh(x) ** 2)).sum(1)

    def forward(self, x: Tensor) -> Pair:
        return x + self.slope() * torch.tanh(x), self.ldj(x)

    def inverse(self, y: Tensor) -> Pair:
        low, high = y.detach() - 1, y.detach() + 1
        for _ in range(60):
            x = (low + high) / 2
            below = x + self.slope() * torch.tanh(x) < y
            low, high = torch.where(below, x, low), torch.where(below, high, x)
        return x, -self.ldj(x if self.at == "x" else y)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("at", "found"), [("x", []), ("y", ["LDJ112"])])
def test_no_coefficient_is_a_step_size_beside_iterations_of_a_solver(
    at: str, found: list[str]
) -> None:
    """Halved, it makes the map nearly the identity, where all points are one."""
    torch.manual_seed(0)
    report = ldjcheck.check(Bisected(at))
    assert [finding.code for finding in report.findings] == found


class Steps(nn.Module):
    """A map of several steps, each with the slope of the step itself: it is exact.

    The first of them are not counted; more of them would each be less.
    """

    def __init__(self, left_out: int, damps: bool = False) -> None:
        super().__init__()
        self.num_steps, self.left_out, self.damps = 5, left_out, damps
        self.strength = nn.Parameter(torch.full((3,), 0.4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj, dt = x.new_zeros(len(x)), 1.0 / self.num_steps
        for step in range(self.num_steps):
            bend = torch.ones_like(x) if self.damps else torch.cos(x)
            slope = (1 + dt * torch.tanh(self.strength) * bend).log().sum(dim=1)
            ldj = ldj + (slope if step >= self.left_out else 0.0)
            x = x + dt * torch.tanh(self.strength) * (x if self.damps else torch.sin(x))
        return x, ldj


@pytest.mark.thinned(2)
@pytest.mark.parametrize("damps", [False, True])
def test_a_step_that_is_not_counted_is_no_approximation(damps: bool) -> None:
    assert ldjcheck.check(Steps(0, damps)).status == "pass"
    wrong = ldjcheck.check(Steps(1, damps))
    assert wrong.status == "fail", wrong


class Turns(nn.Module):
    """A map of several steps, each with a slope of its own or all with the same."""

    def __init__(self, shared: bool) -> None:
        super().__init__()
        self.num_steps = 6
        rows = 1 if shared else self.num_steps
        self.w = nn.Parameter(torch.linspace(0.4, 1.0, 3 * rows).view(rows, 3))

    def forward(self, x: Tensor) -> Pair:
        ldj, dt = x.new_zeros(len(x)), 1.0 / self.num_steps
        for step in range(self.num_steps):
            w = self.w[step % len(self.w)]
            ldj = ldj + (1 + dt * w * torch.cos(w * x)).log().sum(dim=1)
            x = x + dt * torch.sin(w * x)
        return x, ldj


class TurnsBehind(Turns):
    """The same with each slope at the point that its step leads to."""

    def forward(self, x: Tensor) -> Pair:
        ldj, dt = x.new_zeros(len(x)), 1.0 / self.num_steps
        for step in range(self.num_steps):
            w = self.w[step % len(self.w)]
            x = x + dt * torch.sin(w * x)
            ldj = ldj + (1 + dt * w * torch.cos(w * x)).log().sum(dim=1)
        return x, ldj


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True])
def test_a_slope_at_the_point_behind_its_step_is_no_approximation(shared: bool) -> None:
    """More steps leave less of it, and an edit none of it."""
    assert ldjcheck.check(Turns(shared)).status == "pass"
    (finding,) = ldjcheck.check(TurnsBehind(shared)).findings
    assert finding.code == "LDJ112"
    assert "the value before line" in finding.message
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"


class Bends(nn.Module):
    """Three steps along a field, each with the determinant of its own Jacobian."""

    def __init__(self, behind: bool) -> None:
        super().__init__()
        self.num_steps, self.behind = 3, behind
        torch.manual_seed(0)
        self.field = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 2))

    def forward(self, x: Tensor) -> Pair:
        ldj, h = x.new_zeros(len(x)), 1.0 / self.num_steps
        for _ in range(self.num_steps):
            moved = x + h * self.field(x)
            slopes = vmap(jacrev(self.field))(moved if self.behind else x)
            step = torch.eye(2, dtype=x.dtype) + h * slopes
            ldj = ldj + torch.linalg.slogdet(step)[1]
            x = moved
        return x, ldj


@pytest.mark.slow
def test_a_determinant_of_the_wrong_point_is_no_approximation() -> None:
    """Who takes the determinant of a step means that step, and not a limit of them."""
    assert ldjcheck.check(Bends(behind=False)).status == "pass"
    wrong = ldjcheck.check(Bends(behind=True))
    assert wrong.status == "fail", wrong
    fix = wrong.findings[0].fix
    assert fix is not None
    assert fix.applicability == "verified"


class BendsInPlace(Bends):
    """The same by a helper, at the point that has no other name once it is updated."""

    def log_slope(self, x: Tensor, h: float) -> Tensor:
        step = torch.eye(2, dtype=x.dtype) + h * vmap(jacrev(self.field))(x)
        return torch.linalg.slogdet(step)[1]

    def forward(self, x: Tensor) -> Pair:
        ldj, h = x.new_zeros(len(x)), 1.0 / self.num_steps
        for _ in range(self.num_steps):
            x = x + h * self.field(x)
            ldj = ldj + self.log_slope(x, h)
        return x, ldj


@pytest.mark.slow
def test_what_reads_a_point_after_its_update_is_put_before_it() -> None:
    (finding,) = ldjcheck.check(BendsInPlace(behind=True)).findings
    assert finding.code == "LDJ112"
    assert finding.location is not None
    assert finding.location.text == "ldj = ldj + self.log_slope(x, h)"
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"


class OfFourthOrder(Field):
    """Twenty steps of a Runge-Kutta method leave 1e-11 of the difference: no mistake."""

    steps = 20

    def forward(self, x: Tensor) -> Pair:
        h, ldj = 1.0 / self.steps, x.new_zeros(len(x))
        for _ in range(self.steps):
            k1, l1 = self.slope(x)
            k2, l2 = self.slope(x + h / 2 * k1)
            k3, l3 = self.slope(x + h / 2 * k2)
            k4, l4 = self.slope(x + h * k3)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            ldj = ldj + h / 6 * (l1 + 2 * l2 + 2 * l3 + l4)
        return x, ldj


@pytest.mark.slow
@pytest.mark.parametrize("steps", [20, 30])
def test_what_a_good_solver_leaves_is_no_mistake(steps: int) -> None:
    layer = OfFourthOrder()
    layer.steps = steps
    layer.a.data = torch.tensor([[0.3, -0.2], [0.2, 0.25]])
    report = ldjcheck.check(layer, shape=(2,), params="as-is")
    assert report.status == "pass", report

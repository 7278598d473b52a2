"""A term that is left out is missing on the line that makes the ldj, wherever that is."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Transform, constraints

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Gated(nn.Module):
    """y = g z + (1 - g) m, g and m of the dims before: log|det J| = sum(log g)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.means = nn.Parameter(torch.randn(3, 3))
        self.gates = nn.Parameter(torch.randn(3, 3))
        self.register_buffer("before", torch.tril(torch.ones(3, 3), -1))

    def forward(self, z: Tensor) -> Pair:
        m = z @ (self.means * self.before).T
        s = z @ (self.gates * self.before).T + 1.0
        g = torch.sigmoid(s)
        return g * z + (1 - g) * m, self.ldj(g)

    def ldj(self, g: Tensor) -> Tensor:
        return torch.log(g).sum(-1)


class OfTheOtherGate(Gated):
    def ldj(self, g: Tensor) -> Tensor:
        return torch.log(1 - g).sum(-1)


@pytest.mark.slow
def test_what_a_helper_leaves_out_is_missing_in_the_helper() -> None:
    assert ldjcheck.check(Gated()).status == "pass"
    (finding,) = ldjcheck.check(OfTheOtherGate()).findings
    assert finding.code == "LDJ110"
    assert finding.location is not None
    assert finding.location.line == inspect.getsourcelines(OfTheOtherGate.ldj)[1] + 1


class Positive(nn.Module):
    """y = exp(s x): a helper stretches, and counts that; the exponential is not counted."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(3))

    def stretched(self, x: Tensor) -> Pair:
        ldj = self.log_s.sum().expand(len(x))
        return x * self.log_s.exp(), ldj

    def forward(self, x: Tensor) -> Pair:
        z, ldj = self.stretched(x)
        return torch.exp(z), ldj


def test_what_a_caller_leaves_out_is_missing_in_the_caller() -> None:
    (finding,) = ldjcheck.check(Positive(), shape=(3,)).findings
    assert finding.code == "LDJ110"
    assert finding.location is not None
    assert finding.location.text == "return torch.exp(z), ldj"


class SinhOfExp(Transform):
    """y = sinh(exp(x)), with the ldj of the exponential alone."""

    bijective = True
    domain = constraints.real_vector
    codomain = constraints.independent(constraints.positive, 1)

    def _call(self, x: Tensor) -> Tensor:
        return torch.exp(x).sinh()

    def _inverse(self, y: Tensor) -> Tensor:
        return torch.log(torch.asinh(y))

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x.sum(-1)


@pytest.mark.slow
def test_where_map_and_ldj_are_calls_apart_it_is_missing_in_that_of_the_ldj() -> None:
    (finding,) = ldjcheck.check(SinhOfExp(), shape=(3,)).findings
    assert finding.code == "LDJ110"
    assert finding.location is not None
    assert finding.location.text == "return x.sum(-1)"


class Planar(nn.Module):
    """A helper keeps the map invertible; the ldj must be of what that returns."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.w, self.u = (nn.Parameter(torch.randn(dims)) for _ in range(2))

    def bounded(self) -> Tensor:
        lean = torch.dot(self.w, self.u)
        kept = torch.nn.functional.softplus(lean) - 1
        return self.u + (kept - lean) * self.w / torch.dot(self.w, self.w)

    def forward(self, z: Tensor) -> Pair:
        u = self.bounded()
        h = torch.tanh(z @ self.w)
        slope = (1 - h**2)[:, None] * self.w
        det = 1 + slope @ u
        return z + h[:, None] * u, det.abs().log()


class PlanarOfTheFreeVector(Planar):
    def forward(self, z: Tensor) -> Pair:
        u = self.bounded()
        h = torch.tanh(z @ self.w)
        slope = (1 - h**2)[:, None] * self.w
        det = 1 + slope @ self.u
        return z + h[:, None] * u, det.abs().log()


def test_what_a_helper_returns_is_called_as_its_caller_calls_it() -> None:
    assert ldjcheck.check(Planar()).status == "pass"
    (finding,) = ldjcheck.check(PlanarOfTheFreeVector()).findings
    assert finding.location is not None
    assert finding.location.text == "det = 1 + slope @ self.u"
    assert finding.fix is not None
    assert finding.fix.edits[0].after.strip() == "det = 1 + slope @ u"


class Bump(nn.Module):
    """x + r tanh(x), r above -1, whose map and ldj are asked apart."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.rho = nn.Parameter(0.5 * torch.randn(dims))

    def transform(self, x: Tensor) -> Tensor:
        return x + torch.expm1(self.rho) * torch.tanh(x)

    def log_abs_det(self, x: Tensor) -> Tensor:
        slope = 1 - torch.tanh(x) ** 2
        return torch.log1p(torch.expm1(self.rho) * slope).sum(-1)


class BumpByExp(Bump):
    def log_abs_det(self, x: Tensor) -> Tensor:
        slope = 1 - torch.tanh(x) ** 2
        return torch.log1p(torch.exp(self.rho) * slope).sum(-1)


class Stretch(nn.Module):
    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.randn(dims))

    def transform(self, x: Tensor) -> Tensor:
        return x * self.log_scale.exp()

    def log_abs_det(self, x: Tensor) -> Tensor:
        return self.log_scale.sum().expand(len(x))


class Composed(nn.Module):
    """Runs the map of its parts once more for their ldjs."""

    def __init__(self, bump: type[Bump] = Bump) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.parts = nn.ModuleList([Stretch(), bump(), Stretch(), bump()])

    def ldj(self, x: Tensor) -> Tensor:
        total = x.new_zeros(len(x))
        for part in self.parts:
            total = total + part.log_abs_det(x)
            x = part.transform(x)
        return total

    def forward(self, x: Tensor) -> Pair:
        y = x
        for part in self.parts:
            y = part.transform(y)
        return y, self.ldj(x)


class AtTheInput(Composed):
    def ldj(self, x: Tensor) -> Tensor:
        first, second, *_ = self.parts
        return first.log_abs_det(x) + second.log_abs_det(x)

    def forward(self, x: Tensor) -> Pair:
        first, second, *_ = self.parts
        return second.transform(first.transform(x)), self.ldj(x)


@pytest.mark.slow
def test_what_an_ldj_computes_once_more_is_one_value_to_choose_from() -> None:
    assert ldjcheck.check(Composed()).status == "pass"
    finding, *_ = ldjcheck.check(Composed(BumpByExp)).findings
    assert finding.fix is not None
    (edit,) = finding.fix.edits
    assert edit.before.replace("exp(", "expm1(") == edit.after


def test_a_helper_that_is_given_the_wrong_point_is_innocent() -> None:
    finding, *_ = ldjcheck.check(AtTheInput()).findings
    assert finding.code == "LDJ112"
    assert finding.location is not None
    assert finding.location.text.startswith("return first.log_abs_det(x) + second")

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

"""Terms that stand nowhere in the ldj, though a value of the map is what is missing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import constraints
from torch.distributions.transforms import Transform

import ldjcheck


class HalfSigmoid(nn.Module):
    """Of log y (1 - y), the slope of a sigmoid, it has the first half."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.sigmoid(x)
        return y, y.log().sum(1)


def test_half_of_a_slope_is_missing_as_it_would_be_written() -> None:
    report = ldjcheck.check(HalfSigmoid(), shape=(3,))
    (found,) = [f for f in report.findings if f.severity == "error"]
    assert found.code == "LDJ110"
    assert "log|1 - y|" in found.message
    assert found.location is not None
    assert found.location.text is not None


class Narrowed(nn.Module):
    """A coupling whose one step scales twice; of that, the ldj has what the net says."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        log_s, t = torch.tanh(self.net(a)).chunk(2, dim=1)
        return torch.cat([a, b * log_s.exp() / 5 + t], dim=1), log_s.sum(1)


def test_a_factor_within_a_step_is_missing_as_the_source_writes_it() -> None:
    (found,) = ldjcheck.check(Narrowed(), shape=(4,)).findings
    assert found.code == "LDJ110"
    assert found.message == "The log-determinant leaves out `log(5)`."


class NormalQuantile(nn.Module):
    """Makes uniform numbers normal; the slope is one over the density, with its constant."""

    def forward(self, u: Tensor) -> tuple[Tensor, Tensor]:
        z = 2**0.5 * torch.erfinv(2 * u - 1)
        return z, z.square().sum(1) / 2


def test_the_constant_of_a_normal_density_is_gained_by_what_makes_numbers_normal() -> (
    None
):
    report = ldjcheck.check(NormalQuantile(), shape=(3,), domain="unit")
    (found,) = [f for f in report.findings if f.severity == "error"]
    assert found.code == "LDJ110"
    assert "log(2 pi) / 2 for each dim" in found.message
    assert found.fix is not None
    assert found.fix.applicability == "verified"
    assert "+ 0.5 * torch.log(torch.tensor(2 * torch.pi)) * " in (
        found.fix.edits[0].after
    )


class Stacked(nn.Module):
    """Three scales in a loop, which assigns the ldj where it should add to it."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(0.4 * torch.sin(torch.arange(9.0)).reshape(3, 3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for log_s in self.log_s:
            x = x * log_s.exp()
            ldj = log_s.sum()
        return x, ldj.expand(len(x))


def test_a_loop_that_keeps_the_last_ldj_alone_is_told_so() -> None:
    (found,) = ldjcheck.check(Stacked()).findings
    assert found.code == "LDJ110"
    assert "Only the last of several log-determinants is kept" in found.message


class Mirrored(nn.Module):
    """A coupling that turns and stretches what it has moved, and counts its move alone."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4)
        self.k = -1.7

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        log_s, t = self.net(a).chunk(2, dim=1)
        return torch.cat([a, (b * log_s.exp() + t) * self.k], dim=1), log_s.sum(1)


@pytest.mark.slow
def test_a_factor_below_zero_that_is_left_out_is_named() -> None:
    (found,) = ldjcheck.check(Mirrored()).findings
    assert found.code == "LDJ110"
    assert "self.k" in found.message


class Squeezed(Transform):
    """What it does and what it reports stand in methods that others call, each for itself."""

    domain = codomain = constraints.real_vector
    bijective = True

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = torch.linspace(-0.4, 0.8, 6)

    def _call(self, x: Tensor) -> Tensor:
        return x.asinh() * self.log_scale.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return (y * (-self.log_scale).exp()).sinh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.log_scale.expand(x.shape).sum(dim=-1)


@pytest.mark.slow
def test_a_step_is_missing_where_its_class_says_what_the_ldj_is() -> None:
    pyro = pytest.importorskip("pyro.distributions.transforms")
    first, last = pyro.affine_coupling(6, [8]), pyro.affine_coupling(6, [8])
    flow = pyro.ComposeTransformModule([first, Squeezed(), pyro.permute(6), last])
    report = ldjcheck.check(flow, direction="forward")
    (finding,) = (f for f in report.findings if f.severity == "error")
    assert finding.code == "LDJ110"
    assert finding.location is not None
    line = "return self.log_scale.expand(x.shape).sum(dim=-1)"
    assert (finding.location.text or "").strip() == line

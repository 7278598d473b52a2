"""Small numbers with names of their own: an epsilon in a logarithm, and a one."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Sigmoid(nn.Module):
    """A coupling layer whose log has a small number that the map has not."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.eps = eps
        self.net = nn.Linear(3, 6)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        s, t = self.net(a).chunk(2, dim=1)
        scale = torch.sigmoid(s)
        ldj = torch.log(scale + self.eps).sum(dim=1)
        return torch.cat([a, b * scale + t], dim=1), ldj


class Constant(nn.Module):
    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.scale = nn.Parameter(torch.linspace(0.6, 1.4, 6))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = torch.log(self.scale.abs() + self.eps).sum()
        return x * self.scale, ldj.expand(len(x))


class Halves(Sigmoid):
    """The same, its log written down for either sign of what it depends on."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        s, t = self.net(a).chunk(2, dim=1)
        scale = torch.sigmoid(s)
        low = torch.log(scale + self.eps)
        high = torch.log(1 / (1 + torch.exp(-s)) + self.eps)
        ldj = torch.where(s < 0, low, high).sum(dim=1)
        return torch.cat([a, b * scale + t], dim=1), ldj


class Normed(nn.Module):
    """A norm that is kept from zero in the map, and its square in the log."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.scale = nn.Parameter(torch.linspace(0.6, 1.4, 6))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        squares = (self.scale**2).sum()
        y = x * self.scale / (squares.sqrt() + self.eps)
        ldj = self.scale.abs().log() - 0.5 * torch.log(squares + self.eps)
        return y, ldj.sum().expand(len(x))


@pytest.mark.thinned(8)
@pytest.mark.parametrize("eps", [1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-12])
@pytest.mark.parametrize("layer", [Sigmoid, Constant])
def test_no_epsilon_that_costs_nothing_fails_a_layer(layer: Any, eps: float) -> None:
    report = ldjcheck.check(layer(eps), shape=(6,))
    assert report.status == "pass"
    assert {f.code for f in report.findings} <= {"LDJ117"}


@pytest.mark.thinned(4)
@pytest.mark.parametrize("layer", [Sigmoid, Constant, Halves, Normed])
def test_an_epsilon_of_the_usual_size_is_a_note(layer: Any) -> None:
    findings = ldjcheck.check(layer(1e-8), shape=(6,)).findings
    assert [(f.code, f.severity) for f in findings] == [("LDJ117", "note")]


class Tanh(nn.Module):
    """Its log cancels more digits the larger x is: the epsilon shows by sample."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.tanh(x)
        return y, torch.log(1 - y**2 + 1e-12).sum(dim=1)


def test_an_epsilon_is_a_note_where_samples_are_known_to_different_digits() -> None:
    report = ldjcheck.check(Tanh(), shape=(4,))
    assert report.status == "pass"
    assert [(f.code, f.severity) for f in report.findings] == [("LDJ117", "note")]


class OfFloat32(nn.Module):
    """Scales by a buffer, and tells the logarithm by another, both made in float32."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("width", torch.linspace(100.0, 200.0, 128))
        self.register_buffer("slope", 1 / self.width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = torch.log(self.width + self.eps).sum()
        return x / self.slope, ldj.expand(len(x))


class Squeezed(OfFloat32):
    """Keeps what comes out from the edges, and does not count that."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, ldj = super().forward(x)
        return 0.5e-5 + (1 - 1e-5) * y, ldj


@pytest.mark.slow
def test_a_small_step_is_missed_where_float32_leaves_an_ldj_of_many_nats_open() -> None:
    (found,) = ldjcheck.check(Squeezed(0.0), shape=(128,)).findings
    assert found.code == "LDJ110"


@pytest.mark.slow
def test_an_epsilon_is_named_where_float32_leaves_an_ldj_of_many_nats_open() -> None:
    assert ldjcheck.check(OfFloat32(0.0), shape=(128,)).findings == ()
    (found,) = ldjcheck.check(OfFloat32(2e-4), shape=(128,)).findings
    assert (found.code, found.severity) == ("LDJ117", "error")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "eps"), [(Sigmoid, 0.0), (Normed, 1e-12)])
def test_another_difference_of_that_size_is_no_epsilon(kind: Any, eps: float) -> None:
    class Off(kind):  # type: ignore[misc]  # a parameter
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            y, ldj = super().forward(x)
            return y, ldj * (1 + 1e-8)

    report = ldjcheck.check(Off(eps), shape=(6,))
    assert report.status == "fail"
    assert report.findings[0].code != "LDJ117"


@pytest.mark.slow
def test_a_sum_of_logs_that_starts_at_one_is_named() -> None:
    class Started(Constant):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            ldj = torch.ones(len(x)) + torch.log(self.scale.abs()).sum()
            return x * self.scale, ldj

    first = ldjcheck.check(Started(0.0), shape=(6,)).findings[0]
    assert first.code == "LDJ118"
    assert first.message == (
        "The log-determinant is 1 too large: a sum of logs starts at 0."
    )


class Kilometres(nn.Module):
    """y = 1000 x in 256 dims, its logarithm counted twice; the determinant is infinite."""

    def forward(
        self, x: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        own = math.log(1000) * x.reshape(len(x), 256).shape[1]
        if reverse:
            return x / 1000, ldj - own
        return 1000 * x, ldj + 2 * own


@pytest.mark.slow
def test_a_determinant_beyond_the_floats_fits_no_number() -> None:
    first = ldjcheck.check(Kilometres(), shape=(256,)).findings[0]
    assert first.code == "LDJ114"
    assert "missing-log" not in first.also_fits

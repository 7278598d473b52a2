"""Layers that count the log-density of their noise, beside a base or alone, right or wrong."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Step(nn.Module):
    """A planar step, right by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(0.5 * torch.randn(2))

    def forward(self, z: Tensor) -> Pair:
        turned = torch.tanh(z @ self.w)
        slope = 1 + 0.5 * (1 - turned**2) * self.w.square().sum()
        return z + 0.5 * self.w * turned[:, None], slope.log()


class Posterior(nn.Module):
    """Draws z given x, and says how probable that is."""

    def __init__(self) -> None:
        super().__init__()
        self.to_z = nn.Linear(5, 4)
        self.step = Step()

    def drawn(self, x: Tensor) -> Pair:
        mean, log_std = self.to_z(x).chunk(2, dim=-1)
        z = mean + log_std.exp() * torch.randn_like(mean)
        return z, Normal(mean, log_std.exp()).log_prob(z).sum(dim=-1)

    def encode(self, x: Tensor) -> Pair:
        z, log_q = self.drawn(x)
        z, ldj = self.step(z)
        log_q = log_q - ldj
        return z, log_q


class Turned(Posterior):
    def encode(self, x: Tensor) -> Pair:
        z, log_q = self.drawn(x)
        z, ldj = self.step(z)
        log_q = log_q + ldj
        return z, log_q


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 3])
def test_a_density_of_what_is_drawn_is_told_however_wrong_it_is(seed: int) -> None:
    """The edit keeps it, and leaves a step that is right by itself alone."""
    torch.manual_seed(seed)
    assert ldjcheck.check(Posterior(), seed=seed).status == "pass"
    finding = ldjcheck.check(Turned(), seed=seed).findings[0]
    assert finding.code == "LDJ104"
    assert finding.location is not None
    assert finding.location.function == "encode"
    assert finding.fix is not None
    assert "log_q = log_q - ldj" in finding.fix.edits[0].after


class StepOfNoSquare(Step):
    def forward(self, z: Tensor) -> Pair:
        turned = torch.tanh(z @ self.w)
        slope = 1 + 0.5 * (1 - turned) * self.w.square().sum()
        return z + 0.5 * self.w * turned[:, None], slope.log()


class OfNoSquare(Posterior):
    def __init__(self) -> None:
        super().__init__()
        self.step = StepOfNoSquare()


class Uncounted(Posterior):
    def encode(self, x: Tensor) -> Pair:
        z, log_q = self.drawn(x)
        z, ldj = self.step(z)  # noqa: RUF059  # it is forgotten
        return z, log_q


class Unscaled(Posterior):
    def drawn(self, x: Tensor) -> Pair:
        mean, log_std = self.to_z(x).chunk(2, dim=-1)
        z = mean + log_std.exp() * torch.randn_like(mean)
        log_q = -0.5 * ((z - mean) / log_std.exp()) ** 2 - 0.5 * math.log(2 * math.pi)
        return z, log_q.sum(dim=-1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("make", "code", "part"),
    [
        (OfNoSquare, "LDJ120", "(1 - turned)"),
        (Uncounted, "LDJ110", "return z, log_q"),
        (Unscaled, "LDJ110", "log_q = -0.5"),
    ],
)
def test_steps_of_noise_count_in_log_q_with_minus(
    make: type[Posterior], code: str, part: str, seed: int
) -> None:
    """The draw is the first of them: so lines that are right cancel, and one is left."""
    torch.manual_seed(seed)
    finding = ldjcheck.check(make(), seed=seed).findings[0]
    assert finding.code == code, finding
    assert finding.location is not None
    assert finding.location.text is not None
    assert part in finding.location.text
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"


class Dequantized(nn.Module):
    """Adds learned noise to whole numbers; its bits are of z, and of the noise too."""

    def __init__(self) -> None:
        super().__init__()
        self.shift, self.log_s = (nn.Parameter(0.3 * torch.randn(3)) for _ in "ab")

    def noise(self, x: Tensor) -> Pair:
        eps = torch.randn_like(x)
        u = eps * self.log_s.exp() + self.shift
        log_q = Normal(0.0, 1.0).log_prob(eps).sum(dim=1) - self.log_s.sum()
        log_q = log_q + (2 * nn.functional.softplus(u) - u).sum(dim=1)
        return torch.sigmoid(u), log_q

    def forward(self, x: Tensor) -> Pair:
        u, log_q = self.noise(x)
        return (x + u) / 256, -log_q - math.log(256) * x.shape[1]

    def bits_per_dim(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        log_p = Normal(0.0, 1.0).log_prob(z).sum(dim=1)
        return -(log_p + ldj) / (math.log(2) * x.shape[1])


@pytest.mark.thinned(3)
@pytest.mark.parametrize("make", [Posterior, OfNoSquare, Dequantized])
def test_the_ledger_of_a_density_of_noise_begins_with_the_draw(
    make: type[nn.Module],
) -> None:
    torch.manual_seed(0)
    asked = {"shape": (3,), "domain": "int:0:255"} if make is Dequantized else {}
    result = ldjcheck.check(make(), ledger=True, **asked).result
    check = result.checks[0]
    lines = [line for line in result.ledger if line.exact is not None]
    assert lines[-1].exact_total == pytest.approx(check.samples[0].exact)
    assert "randn_like" in lines[0].text


@pytest.mark.slow
def test_what_noise_is_asked_is_no_base_of_z() -> None:
    report = ldjcheck.check(Dequantized(), shape=(3,), domain="int:0:255")
    assert report.status == "pass", report
    assert not report.result.unasked


class Stretched(Dequantized):
    def forward(self, x: Tensor) -> Pair:
        u, log_q = self.noise(x)
        ldj = math.log(20) * x.shape[1] - log_q
        ldj = ldj - math.log(256) * x.shape[1]
        return 20 * (x + u) / 256, ldj


class CountsLevelsOnce(Dequantized):
    def forward(self, x: Tensor) -> Pair:
        u, log_q = self.noise(x)
        ldj = math.log(20) * x.shape[1] - log_q
        ldj = ldj - math.log(256)
        return 20 * (x + u) / 256, ldj


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_off_by_a_constant_is_read_as_it_is_meant(seed: int) -> None:
    """Taken for log q it is off by less, but by as much for no two samples."""
    torch.manual_seed(seed)
    asked: Any = {"shape": (3,), "domain": "int:0:255", "seed": seed}
    assert ldjcheck.check(Stretched(), **asked).status == "pass"
    finding = ldjcheck.check(CountsLevelsOnce(), **asked).findings[0]
    assert finding.code == "LDJ101", finding
    assert finding.location is not None
    assert finding.location.text == "ldj = ldj - math.log(256)"
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"

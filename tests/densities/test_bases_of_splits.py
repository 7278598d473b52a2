"""A base that is asked about what a flow goes on with counts that twice."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Coupling(nn.Module):
    """No way back: that a flow is inside is seen by its numbers."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.half = dims // 2
        self.net = nn.Linear(self.half, dims - self.half)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x[:, : self.half], x[:, self.half :]
        s = torch.tanh(self.net(a))
        return torch.cat([b * s.exp(), a], 1), s.sum(1)


def log_normal(z: Tensor, mean: Tensor, log_s: Tensor) -> Tensor:
    u = (z - mean) * torch.exp(-log_s)
    return (-0.5 * u**2 - log_s - 0.5 * math.log(2 * math.pi)).sum(1)


class TwoLevels(nn.Module):
    """Drops half of its dims under a prior that depends on the rest."""

    def __init__(self, asked: str = "dropped") -> None:
        super().__init__()
        self.first, self.last = Coupling(8), Coupling(4)
        self.prior = nn.Linear(4, 8)
        self.asked = asked

    def log_prob(self, x: Tensor) -> Tensor:
        x, total = self.first(x)
        kept, dropped = x.chunk(2, 1)
        mean, log_s = self.prior(kept).chunk(2, 1)
        asked = dropped if self.asked == "dropped" else kept
        total = total + log_normal(asked, mean, 0.3 * log_s)
        z, ldj = self.last(kept)
        return total + ldj + log_normal(z, torch.zeros_like(z), torch.zeros_like(z))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_the_prior_of_what_is_kept_is_told_as_that(seed: int) -> None:
    assert ldjcheck.check(TwoLevels(), seed=seed).status == "pass"
    report = ldjcheck.check(TwoLevels("kept"), seed=seed)
    assert report.status == "fail", report
    (finding,) = (f for f in report.findings if f.severity == "error")
    assert finding.code == "LDJ501"
    told = "counts what the flow goes on with, and nothing what it drops."
    assert finding.message.endswith(told)


class LogVariance(TwoLevels):
    """Counts half of the log-scale that it divides by, as if that were a log-variance's."""

    def log_prob(self, x: Tensor) -> Tensor:
        x, total = self.first(x)
        kept, dropped = x.chunk(2, 1)
        mean, log_s = (0.3 * each for each in self.prior(kept).chunk(2, 1))
        counted = log_s if self.asked == "dropped" else 0.5 * log_s
        off = (dropped - mean) ** 2 / torch.exp(2 * log_s)
        terms = -0.5 * (off + math.log(2 * math.pi)) - counted
        z, ldj = self.last(kept)
        ends = log_normal(z, torch.zeros_like(z), torch.zeros_like(z))
        return total + terms.sum(1) + ldj + ends


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_scale_that_a_split_counts_wrongly_is_no_reason_not_to_know(
    seed: int,
) -> None:
    assert ldjcheck.check(LogVariance(), seed=seed).status == "pass"
    report = ldjcheck.check(LogVariance("half"), seed=seed)
    assert report.status == "fail", report
    assert {f.code for f in report.findings if f.severity == "error"} <= {
        "LDJ114",
        "LDJ501",
    }


class ManySteps(TwoLevels):
    """Much is made of what is kept, before and after a part is dropped."""

    def __init__(self, asked: str = "dropped") -> None:
        super().__init__(asked)
        self.later = nn.ModuleList(Coupling(4) for _ in range(12))

    def log_prob(self, x: Tensor) -> Tensor:
        x, total = self.first(x)
        kept, dropped = x.chunk(2, 1)
        mean, log_s = (0.3 * each for each in self.prior(kept).chunk(2, 1))
        total = total + log_normal(dropped, mean, log_s)
        for step in self.later:
            kept, ldj = step(kept)
            total = total + (ldj if self.asked == "dropped" else -ldj)
        return total + log_normal(kept, torch.zeros_like(kept), torch.zeros_like(kept))


@pytest.mark.slow
def test_what_is_dropped_is_found_before_however_many_steps() -> None:
    torch.manual_seed(0)
    assert ldjcheck.check(ManySteps()).status == "pass"
    report = ldjcheck.check(ManySteps("turned"))
    assert report.status == "fail"
    assert report.findings[0].code == "LDJ104"


class Standard(TwoLevels):
    """Both parts are standard normal, and the call hands neither back."""

    def log_prob(self, x: Tensor) -> Tensor:
        x, total = self.first(x)
        kept, dropped = x.chunk(2, 1)
        scored = dropped if self.asked == "dropped" else kept
        total = total - (0.5 * scored**2 + 0.5 * math.log(2 * math.pi)).sum(1)
        z, ldj = self.last(kept)
        return total + ldj - (0.5 * z**2 + 0.5 * math.log(2 * math.pi)).sum(1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_standard_prior_of_what_is_kept_is_told_as_that(seed: int) -> None:
    assert ldjcheck.check(Standard(), seed=seed, kind="model").status == "pass"
    report = ldjcheck.check(Standard("kept"), seed=seed, kind="model")
    assert report.status == "fail", report
    told = "counts what the flow goes on with, and nothing what it drops."
    assert report.findings[0].message.endswith(told)


class OneConstantForAll(TwoLevels):
    """Of what is kept and of what is dropped the constants are counted together."""

    constants = 8.0

    def log_prob(self, x: Tensor) -> Tensor:
        x, total = self.first(x)
        kept, dropped = x.chunk(2, 1)
        mean, log_s = (0.3 * each for each in self.prior(kept).chunk(2, 1))
        off = 0.5 * (dropped - mean) ** 2 / torch.exp(2 * log_s)
        z, ldj = self.last(kept)
        total = total - (off + log_s).sum(1) + ldj - (0.5 * z**2).sum(1)
        return total - 0.5 * self.constants * math.log(2 * math.pi)


class ForHalfOfThem(OneConstantForAll):
    constants = 4.0


class LossWithoutConstants(OneConstantForAll):
    constants = 0.0

    def forward(self, x: Tensor) -> Tensor:
        loss = -super().log_prob(x)
        return loss

    log_prob = None  # type: ignore[assignment]


@pytest.mark.slow
@pytest.mark.parametrize("model", [OneConstantForAll, LossWithoutConstants])
def test_constants_may_stand_together_or_be_left_out_of_a_loss(
    model: type[TwoLevels],
) -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(model(), kind="model")
    assert report.status == "pass", report


@pytest.mark.slow
def test_constants_for_a_part_alone_are_not_enough() -> None:
    torch.manual_seed(0)
    assert ldjcheck.check(ForHalfOfThem(), kind="model").status != "pass"


class Continuous(nn.Module):
    """Euler or Runge-Kutta steps with an exact trace, under a base that is written out."""

    count = 1.0

    def __init__(self, dims: int = 3, steps: int = 4) -> None:
        super().__init__()
        self.field = nn.Sequential(nn.Linear(dims, 8), nn.Tanh(), nn.Linear(8, dims))
        self.steps = steps

    def change(self, z: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            z = z if z.requires_grad else z.requires_grad_(True)
            dz = self.field(z)
            rows = [
                torch.autograd.grad(dz[:, i].sum(), z, create_graph=True)[0][:, i]
                for i in range(z.shape[1])
            ]
        return dz, torch.stack(rows, 1).sum(1)

    def log_prob(self, x: Tensor) -> Tensor:
        z, total, h = x, x.new_zeros(len(x)), 1 / self.steps
        for _ in range(self.steps):
            k1, d1 = self.change(z)
            k2, d2 = self.change(z + h / 2 * k1)
            k3, d3 = self.change(z + h / 2 * k2)
            k4, d4 = self.change(z + h * k3)
            z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            total = total + self.count * h / 6 * (d1 + 2 * d2 + 2 * d3 + d4)
        return -0.5 * (z**2 + math.log(2 * math.pi)).sum(1) + total


class HalfCounted(Continuous):
    count = 0.5


@pytest.mark.slow
def test_a_written_base_stands_after_any_number_of_steps() -> None:
    torch.manual_seed(0)
    assert ldjcheck.check(Continuous()).status == "pass"
    assert ldjcheck.check(HalfCounted()).status == "fail"

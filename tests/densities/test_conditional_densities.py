"""What a split hands back beside the density has a density of its own, given what is kept."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

ZERO = torch.zeros(())


def log_normal(z: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    squared = (z - mean) ** 2 * torch.exp(-2 * log_scale)
    return (-0.5 * squared - log_scale - 0.5 * math.log(2 * math.pi)).sum(dim=1)


def turned(z: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    squared = (z - mean) ** 2 * torch.exp(-2 * log_scale)
    return (-0.5 * squared + log_scale - 0.5 * math.log(2 * math.pi)).sum(dim=1)


class Split(nn.Module):
    """It returns log p(x), and the parts of z: what leaves is normal given what stays."""

    log_normal = staticmethod(log_normal)

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.3, 0.4, 4))
        self.last = nn.Parameter(torch.tensor([0.2, -0.1]))
        self.prior = nn.Linear(2, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        kept, dropped = (x * self.log_scale.exp()).chunk(2, dim=1)
        z = kept * self.last.exp()
        log_p = self.of_both(kept, dropped, z)
        return log_p + self.log_scale.sum() + self.last.sum(), [dropped, z]

    def of_both(self, kept: Tensor, dropped: Tensor, z: Tensor) -> Tensor:
        mean, log_scale = self.prior(kept).chunk(2, dim=1)
        log_p = self.log_normal(dropped, mean, log_scale)
        return log_p + log_normal(z, ZERO, ZERO)


class Conditions(Split):
    """What leaves early scales what stays: the ldj depends on it as well."""

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        kept, dropped = (x * self.log_scale.exp()).chunk(2, dim=1)
        z = kept * dropped.tanh().exp()
        log_p = self.of_both(kept, dropped, z)
        return log_p + self.log_scale.sum() + dropped.tanh().sum(dim=1), [dropped, z]


class Turned(Split):
    log_normal = staticmethod(turned)


class Lost(Split):
    def of_both(self, kept: Tensor, dropped: Tensor, z: Tensor) -> Tensor:
        mean, log_scale = self.prior(kept).chunk(2, dim=1)
        log_p = self.log_normal(dropped, mean, log_scale)
        log_p = log_normal(z, ZERO, ZERO)
        return log_p  # the line that it is about


def checked(model: nn.Module) -> ldjcheck.Report:
    return ldjcheck.check(model, shape=(4,), pictures=False)


def test_a_conditional_density_of_a_part_that_comes_back_passes() -> None:
    assert checked(Split()).status == "pass"


@pytest.mark.slow
def test_a_part_that_scales_the_others_too_is_not_told_to_have_another_mass() -> None:
    assert not {f.code for f in checked(Conditions()).findings} & {"LDJ501"}


@pytest.mark.slow
@pytest.mark.parametrize("model", [Turned, Lost])
def test_one_that_is_none_or_that_is_lost_fails(model: type[Split]) -> None:
    report = checked(model())
    codes = {f.code for f in report.findings if f.severity == "error"}
    assert (report.status, codes) == ("fail", {"LDJ501"}), report


def log_density(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    away = (x - mean) ** 2 * torch.exp(-2 * log_scale)
    return -0.5 * (math.log(2 * math.pi) + 2 * log_scale + away)


class Stretched(nn.Module):
    """Stretches half of the channels, given the others, and turns the halves round."""

    def __init__(self) -> None:
        super().__init__()
        self.stretch = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        log_scale = torch.tanh(self.stretch(a))
        y = torch.cat([b.sinh() * log_scale.exp(), a], 1)
        return y, (log_scale + b.cosh().log()).sum((1, 2, 3))


class OfDropped(nn.Module):
    """What is dropped has a density by what is kept, which a function writes out."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.ModuleList([Stretched(), Stretched()])
        self.prior = nn.Conv2d(2, 4, 3, padding=1)

    def of_dropped(self, kept: Tensor, dropped: Tensor) -> Tensor:
        mean, log_scale = self.prior(kept).chunk(2, 1)
        return log_density(dropped, mean, log_scale).sum((1, 2, 3))

    def log_prob(self, x: Tensor) -> Tensor:
        ldj = torch.zeros(len(x))
        for step in self.steps:
            x, of_step = step(x)
            ldj = ldj + of_step
        kept, dropped = x.chunk(2, 1)
        nothing = torch.zeros_like(kept)
        of_kept = log_density(kept, nothing, nothing).sum((1, 2, 3))
        return self.of_dropped(kept, dropped) + of_kept + ldj


class OfDroppedAveraged(OfDropped):
    def of_dropped(self, kept: Tensor, dropped: Tensor) -> Tensor:
        mean, log_scale = self.prior(kept).chunk(2, 1)
        return log_density(dropped, mean, log_scale).mean(1).sum((1, 2))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_density_that_its_caller_averages_is_mended_there(seed: int) -> None:
    torch.manual_seed(seed)
    assert ldjcheck.check(OfDropped(), seed=seed).status == "pass"
    report = ldjcheck.check(OfDroppedAveraged(), seed=seed)
    finding = report.findings[0]
    assert (finding.code, finding.location.function) == ("LDJ105", "of_dropped")
    (edit,) = finding.fix.edits
    assert edit.line == finding.location.line
    assert ".sum(1).sum((1, 2))" in edit.after

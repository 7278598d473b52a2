"""What a policy says of an action afterwards is held against what its sampler said."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import ldjcheck


class Actor(nn.Module):
    """An action is 3 tanh(u), and u is normal."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(4, 4)  # half of what it sees is as many as it does

    def about(self, obs: Tensor) -> Normal:
        mean, log_std = self.net(obs).chunk(2, dim=-1)
        return Normal(mean, log_std.exp())

    def forward(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        pi = self.about(obs)
        u = pi.rsample()
        logp = pi.log_prob(u) - torch.log(3 * (1 - u.tanh().pow(2)))
        return 3 * u.tanh(), logp.sum(dim=-1)

    def log_prob(self, obs: Tensor, action: Tensor) -> Tensor:
        a = action / 3
        logp = self.about(obs).log_prob(a.atanh()) - torch.log(3 * (1 - a.pow(2)))
        return logp.sum(dim=-1)


class Clamped(Actor):
    """It gives up the last millionth, so that no number is lost."""

    def log_prob(self, state: Tensor, action: Tensor) -> Tensor:
        return super().log_prob(state, action.clamp(-3 + 3e-6, 3 - 3e-6))


class Turned(Actor):
    def log_prob(self, obs: Tensor, action: Tensor) -> Tensor:
        a = action / 3
        logp = self.about(obs).log_prob(a.atanh()) + torch.log(1 - a.pow(2))
        return logp.sum(dim=-1) - a.shape[-1] * math.log(3)


class OfSizes(Turned):
    """It can be built for other observations."""

    def __init__(self, obs_dim: int = 4, act_dim: int = 2) -> None:
        super().__init__()
        self.net = nn.Linear(obs_dim, 2 * act_dim)


class MeanLoss(Actor):
    """Its loss is a mean over all that was drawn, and right."""

    log_prob = None  # type: ignore[assignment]

    def nll(self, obs: Tensor, action: Tensor) -> Tensor:
        return -Actor.log_prob(self, obs, action).mean()


class BeforeTanh(Actor):
    """What it is asked about is no action."""

    def log_prob(self, obs: Tensor, u: Tensor) -> Tensor:
        return self.about(obs).log_prob(u).sum(dim=-1)


class Prior(Actor):
    """How probable an action is to be wanted, and not to be drawn."""

    def log_prob(self, obs: Tensor, action: Tensor) -> Tensor:
        return -action.square().sum(dim=-1) - obs.square().sum(dim=-1)


def checked(model: nn.Module) -> ldjcheck.Report:
    return ldjcheck.check(model, pictures=False)


def title_of(report: ldjcheck.Report) -> str:
    return str(report).splitlines()[0]


@pytest.mark.slow
@pytest.mark.parametrize("actor", [Clamped, Actor, MeanLoss])
def test_a_density_that_says_what_the_sampler_said_passes(actor: type[Actor]) -> None:
    report = checked(actor())
    assert report.status == "pass", report
    assert "not checked" not in title_of(report)


@pytest.mark.slow
@pytest.mark.parametrize("actor", [Turned, OfSizes])
def test_one_that_says_something_else_is_blamed_in_its_own_line(
    actor: type[Actor],
) -> None:
    report = checked(actor())
    assert report.status == "fail", report
    (finding,) = report.result.findings
    assert finding.code == "LDJ104"
    assert finding.location is not None
    assert "+ torch.log(1 - a.pow(2))" in str(finding.location.text)
    assert "log_prob" not in report.result.inferred  # which says what is not checked
    (reading,) = report.result.readings
    assert {each.basis for each in reading.assumptions} == {"observed"}  # none typed


@pytest.mark.thinned(2)
@pytest.mark.parametrize("actor", [BeforeTanh, Prior])
def test_one_that_may_be_of_something_else_is_said_not_to_be_checked(
    actor: type[Actor],
) -> None:
    report = checked(actor())
    assert report.status == "pass", report
    assert "log_prob not checked" in title_of(report)

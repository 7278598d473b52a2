"""Densities that stand beside z in what a call returns, and those that forget their base."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Layers(nn.Module):
    """Two layers of constants of their own, and a learned normal base, written out."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(3))
        self.mean, self.logs = (nn.Parameter(torch.zeros(3)) for _ in range(2))
        self.sign = sign

    def flow(self, x: Tensor) -> Pair:
        total: Any = 0.0
        for slope in (0.3, 0.6, 0.7, 0.8, 0.9):
            ldj = torch.where(x < 0, math.log(slope), 0.0).sum(1)
            x, total = F.leaky_relu(x, slope), total + ldj
        return x * self.log_s.exp(), total + self.sign * self.log_s.sum()

    @staticmethod
    def logp(mean: Tensor, logs: Tensor, z: Tensor) -> Tensor:
        squares = (z - mean) ** 2 * torch.exp(-2 * logs)
        return -0.5 * (math.log(2 * math.pi) + 2 * logs + squares).sum(1)


class Bits(Layers):
    def forward(self, x: Tensor) -> Pair:
        z, objective = self.flow(x)
        objective = objective + self.logp(self.mean, self.logs, z)
        nll = -objective / float(math.log(2.0) * x.shape[1])
        return z, nll


class Objective(Layers):
    def forward(self, x: Tensor) -> Pair:
        z, objective = self.flow(x)
        objective = objective - 0.5 * (z**2).sum(1) - 1.5 * math.log(2 * math.pi)
        return z, objective


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", [Bits, pytest.param(Objective, marks=pytest.mark.slow)]
)
def test_a_density_of_any_unit_beside_z_is_no_ldj(model: type[Layers]) -> None:
    right = ldjcheck.check(model(), shape=(3,))
    assert (right.status, right.result.convention) == ("pass", "density"), str(right)
    wrong = ldjcheck.check(model(sign=-1.0), shape=(3,))
    assert wrong.status == "fail"
    assert wrong.result.convention == "density"


class Losses(Layers):
    """The constant of its base comes after those of all its layers."""

    def nll(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        log_p = -0.5 * (math.log(2 * math.pi) + z.pow(2)).sum(-1)
        return -(log_p + ldj)


def test_the_constants_of_many_layers_are_not_those_of_the_base() -> None:
    report = ldjcheck.check(Losses(), shape=(3,), kind="model")
    assert report.status == "pass", str(report)


@dataclass
class Output:
    z: Tensor
    log_det: Tensor
    log_prob: Tensor


class Several(Layers):
    def forward(self, x: Tensor) -> Output:
        z, log_det = self.flow(x)
        return Output(z=z, log_det=log_det, log_prob=log_det - 7)


def test_a_density_beside_an_ldj_is_said_not_to_be_checked() -> None:
    report = ldjcheck.check(Several(), shape=(3,))
    assert report.status == "pass"
    assert "log_prob not checked" in str(report).splitlines()[0]


LOG_S = torch.tensor([0.3, -0.2, 0.5])


def log_prob(x: Tensor) -> Tensor:
    z = x * LOG_S.to(x).exp()
    return -0.5 * (z**2 + math.log(2 * math.pi)).sum(1) + LOG_S.sum()


def test_a_function_that_is_named_like_a_density_is_one() -> None:
    report = ldjcheck.check(log_prob, shape=(3,))
    assert (report.status, report.result.kind) == ("pass", "model"), str(report)


class Forgets(nn.Module):
    """What it says of x is its ldj: the base is asked, or is not, and never added."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(3))
        self.base = torch.distributions.Normal(0.0, 1.0)

    def flow(self, x: Tensor) -> Pair:
        return x * self.log_s.exp() + 2, self.log_s.sum().expand(len(x))

    def sample(self, count: int) -> Tensor:
        return (self.base.sample((count, 3)) - 2) * (-self.log_s).exp()


class AsksInVain(Forgets):
    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)
        log_p = self.base.log_prob(z).sum(1)  # noqa: F841
        return ldj


class NeverAsks(Forgets):
    def nll(self, x: Tensor) -> Tensor:
        z, ldj = self.flow(x)  # noqa: RUF059
        return -ldj


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "after"),
    [
        (AsksInVain, "return ldj + log_p"),
        (NeverAsks, "return -ldj - self.base.log_prob(z).flatten(1).sum(1)"),
    ],
)
def test_a_prior_that_is_forgotten_is_a_mistake(
    model: type[Forgets], after: str
) -> None:
    report = ldjcheck.check(model())
    (finding,) = [f for f in report.findings if f.severity == "error"]
    assert finding.code == "LDJ501"
    assert finding.message == "The density leaves out the log-density of z."
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
    assert finding.fix.edits[0].after.strip() == after


class Uniform(Forgets):
    """A uniform density is 1, of which the log is zero: nothing is forgotten."""

    def flow(self, x: Tensor) -> Pair:
        u = x * self.log_s.exp()
        ldj = (self.log_s + F.logsigmoid(u) + F.logsigmoid(-u)).sum(1)
        return torch.sigmoid(u), ldj

    def log_prob(self, x: Tensor) -> Tensor:
        _, ldj = self.flow(x)
        return ldj


def test_a_uniform_base_adds_nothing_and_is_not_forgotten() -> None:
    report = ldjcheck.check(Uniform())
    assert report.status == "pass", str(report)
    wrong = [f.code for f in report.findings if f.severity == "error"]
    assert wrong == []


class Tutorial(nn.Module):
    """Its call is its loss, in bits per dim and averaged; noise is drawn on the way."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(3))
        self.prior = torch.distributions.Normal(0.0, 1.0)
        self.sign = sign

    def forward(self, x: Tensor) -> Tensor:
        return self.likelihood(x)

    def encode(self, x: Tensor) -> Pair:
        z = (x + torch.rand_like(x)) / 256
        ldj = self.log_s.sum() - math.log(256) * x.shape[1]
        return z * self.log_s.exp(), ldj.expand(len(x))

    def likelihood(self, x: Tensor) -> Tensor:
        z, ldj = self.encode(x)
        log_px = self.prior.log_prob(z).sum(dim=1) + self.sign * ldj
        bpd = -log_px / math.log(2) / x.shape[1]
        return bpd.mean()


@pytest.mark.slow
def test_a_model_whose_call_is_its_loss_is_checked_by_its_other_method() -> None:
    right = ldjcheck.check(Tutorial(), domain="int:0:255")
    assert right.status == "pass", str(right)
    assert right.result.convention == "two-methods"
    assert "not checked" not in str(right).splitlines()[0]
    wrong = ldjcheck.check(Tutorial(sign=-1.0), domain="int:0:255")
    assert [f.code for f in wrong.findings if f.severity == "error"] == ["LDJ104"]


class Levels(nn.Module):
    """Hands back all that leaves at its splits, each with a density that is learned."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.scales = nn.ParameterList([torch.zeros(n) for n in (8, 4, 2)])
        self.priors = nn.ModuleList([nn.Linear(n, 2 * n) for n in (4, 2)])
        self.sign = sign

    @staticmethod
    def normal(z: Tensor, mean: Tensor, logs: Tensor) -> Tensor:
        squares = (z - mean) ** 2 * torch.exp(-2 * logs)
        return -0.5 * (math.log(2 * math.pi) + 2 * logs + squares).sum(1)

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        zs, logdet, logp = [], x.new_zeros(len(x)), x.new_zeros(len(x))
        for scale, prior in zip(self.scales, self.priors, strict=False):
            x = x * scale.exp()
            logdet = logdet + scale.sum() - 0.5 * torch.log1p(x**2).sum(1)
            x = torch.asinh(x)
            x, z = x.chunk(2, 1)
            mean, logs = prior(x).chunk(2, 1)
            zs.append(z)
            logp = logp + self.normal(z, mean, logs)
        x, logdet = x * self.scales[2].exp(), logdet + self.sign * self.scales[2].sum()
        logp = logp + self.normal(x, torch.zeros_like(x), torch.zeros_like(x))
        return [*zs, x], logp + logdet


@pytest.mark.slow
def test_the_parts_of_z_may_come_back_in_a_list_beside_the_density() -> None:
    right = ldjcheck.check(Levels(), shape=(8,))
    assert (right.status, right.result.convention) == ("pass", "density"), str(right)
    wrong = ldjcheck.check(Levels(sign=-1.0), shape=(8,))
    assert (wrong.status, wrong.result.convention) == ("fail", "density")


class OfTheCall(nn.Module):
    """Minus a log-density of each sample, written out, and no name for it."""

    def __init__(self, times: float = 1.0) -> None:
        super().__init__()
        self.s, self.times = nn.Parameter(torch.zeros(3)), times

    def forward(self, x: Tensor) -> Tensor:
        z = x * self.s.exp()
        normal = 0.5 * (z**2).sum(1) + 0.5 * z.shape[1] * math.log(2 * math.pi)
        return normal - self.times * self.s.sum()


@pytest.mark.slow
def test_a_call_is_a_density_where_the_layer_is_said_to_be_a_model() -> None:
    wrong = ldjcheck.check(OfTheCall(times=-1.0))
    assert wrong.findings[0].code == "LDJ104"
    assert ldjcheck.check(OfTheCall(), kind="model").status == "pass"
    assert ldjcheck.check(OfTheCall()).status == "pass"  # as that alone it is right
    wrong = ldjcheck.check(OfTheCall(times=-1.0), kind="model")
    assert wrong.findings[0].code == "LDJ104"

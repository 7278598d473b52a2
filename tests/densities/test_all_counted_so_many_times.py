"""Densities that are right but for what all of it is multiplied by, and who multiplies it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Scaled(nn.Module):
    """A flow with a density that is right, and others that are made of it."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.linspace(-0.5, 0.7, 4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.sinh(x) * self.log_s.exp()
        return z, torch.log(torch.cosh(x)).sum(1) + self.log_s.sum()

    def compute_log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        return -0.5 * (z**2 + math.log(2 * math.pi)).sum(1) + ldj

    def nll_per_dim(self, x: Tensor) -> Tensor:
        return -self.compute_log_prob(x) / 4

    def get_bpd(self, x: Tensor) -> Tensor:
        return -self.compute_log_prob(x).mean() / 4 / math.log(2)


class InNats(Scaled):
    def get_bpd(self, x: Tensor) -> Tensor:
        return -self.compute_log_prob(x) / 4


class InNatsOnAverage(Scaled):
    def get_bpd(self, x: Tensor) -> Tensor:
        return -self.compute_log_prob(x).mean() / 4


class DividedTwice(Scaled):
    def nll_per_dim(self, x: Tensor) -> Tensor:
        return -self.compute_log_prob(x) / x.shape[1] / x.shape[1]


def test_densities_of_many_names_and_units_are_checked_beside_a_call() -> None:
    report = ldjcheck.check(Scaled())
    assert report.status == "pass", report
    for name in ("compute_log_prob", "nll_per_dim", "get_bpd"):
        assert report.result.inferred[name] == "checked as well, and right"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name", "function", "mended"),
    [
        (InNats, "wrong-log-base", "get_bpd", "/ math.log(2)"),
        (InNatsOnAverage, "wrong-log-base", "get_bpd", "/ math.log(2)"),
        (DividedTwice, "mean-not-sum", "nll_per_dim", "-self.compute_log_prob(x)"),
    ],
)
def test_a_density_that_is_right_is_not_where_another_goes_wrong(
    kind: type[Scaled], name: str, function: str, mended: str
) -> None:
    """A mean has no place of its own: then it is where it is returned."""
    report = ldjcheck.check(kind())
    (finding,) = report.findings
    assert (finding.name, finding.location and finding.location.function) == (
        name,
        function,
    )
    assert f"{function} is not, and that is what is shown" in str(report)
    assert finding.fix is not None
    assert mended in finding.fix.edits[0].after


class MeansOfTerms(Scaled):
    """Its loss takes the mean of each term, and adds what is to be taken off."""

    def loss(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        prior = 0.5 * (z**2).sum(1) + 2 * math.log(2 * math.pi)
        return prior.mean() + ldj.mean()


@pytest.mark.slow
def test_what_mends_a_loss_is_written_where_the_loss_is() -> None:
    """Turning the sign in the call would mend it as well, and spoil the call."""
    (finding,) = ldjcheck.check(MeansOfTerms()).findings
    assert finding.name == "sign-flipped"
    assert finding.fix is not None
    assert [edit.after.strip() for edit in finding.fix.edits] == [
        "return prior.mean() - ldj.mean()"
    ]


class OfADim(Scaled):
    """What is minimised is the nll of a dim, on average: it has its minimum where it had."""

    def nll(self, x: Tensor) -> Tensor:
        return -(self.compute_log_prob(x) / x.shape[1]).mean()


class OfADimAskingItsBase(Scaled):
    def nll(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
        return -(prior + ldj).mean() / x.shape[1] / math.log(2)


class OfADimUpToAConstant(Scaled):
    """The constant of the normal is left out too: no gradient knows of it."""

    def nll(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        return (0.5 * (z**2).sum(1) - ldj).mean() / x.shape[1]


class AsAColumn(Scaled):
    def nll(self, x: Tensor) -> Tensor:
        return -self.compute_log_prob(x)[:, None]


class PriorOfADim(Scaled):
    """One term is divided, and the other is not."""

    def nll(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
        return -(prior / x.shape[1] + ldj).mean()


@pytest.mark.slow
def test_an_nll_may_be_that_of_a_dim_and_all_of_it_is() -> None:
    for right in (OfADim, OfADimAskingItsBase, OfADimUpToAConstant, AsAColumn):
        report = ldjcheck.check(right())
        assert report.result.inferred["nll"] == "checked as well, and right", report
    wrong = ldjcheck.check(PriorOfADim())
    assert [finding.name for finding in wrong.findings] == ["mean-not-sum"]

"""A batch norm that is checked in training: it says what it is, and is checked as used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair


class BatchNorm(nn.Module):
    half = 0.5

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("var", torch.full((3,), 2.0))

    def forward(self, x: Tensor) -> Pair:
        mean, var = self.mean, self.var
        if self.training:
            mean, var = x.mean(0), x.var(0)
        ldj = -self.half * torch.log(var + 1e-5).sum()
        return (x - mean) / (var + 1e-5).sqrt(), ldj.expand(len(x))


class Doubled(BatchNorm):
    half = 1.0


def test_moments_of_the_batch_are_named_with_what_to_do() -> None:
    report = ldjcheck.check(BatchNorm(), mode="train")
    assert report.status == "unproven"
    (finding,) = report.findings
    assert (finding.code, finding.severity) == ("LDJ207", "warning")
    assert "uses the moments of the batch in training" in finding.message
    assert "check it in eval mode" in finding.message


@pytest.mark.slow
def test_what_is_wrong_in_evaluation_is_found_from_training() -> None:
    report = ldjcheck.check(Doubled(), mode="train")
    assert report.status == "fail", report
    assert report.findings[0].code == "LDJ114"
    assert "evaluation" in report.to_dict()["results"][0]["inferred"]["mode"]


class Curved(nn.Module):
    """Takes its slopes by autograd, which is itself differentiated where it is trained."""

    def __init__(self, *, always: bool | None = None) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([0.3, 0.5, -0.2]))
        self.always = always

    def forward(self, x: Tensor) -> Pair:
        graph = self.training if self.always is None else self.always
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_()
            y = torch.sinh(x * self.a.exp())
            (slopes,) = torch.autograd.grad(
                y.sum(), x, create_graph=graph, retain_graph=True
            )
        return y, slopes.log().sum(1)


@pytest.mark.slow
def test_a_gradient_that_is_cut_in_evaluation_alone_is_no_mistake() -> None:
    assert ldjcheck.check(Curved()).status == "pass"
    report = ldjcheck.check(Curved(always=False))
    assert [finding.code for finding in report.findings] == ["LDJ210"]


class Sampled(nn.Module):
    """Its ldj is a trace: estimated by noise where it is trained, and exact in evaluation."""

    def __init__(self, *, always: bool | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a = nn.Parameter(0.3 * torch.randn(3, 3))
        self.always = always

    def forward(self, x: Tensor) -> Pair:
        graph = self.training if self.always is None else self.always
        a = self.a if graph else self.a.detach()
        e = torch.randn_like(x)
        trace = ((e @ a) * e).sum(1) if self.training else a.trace().expand(len(x))
        return x @ torch.matrix_exp(self.a).T, trace


class Signed(Sampled):
    """By the signs of noise, of which no polynomial is made: chance alone tells its mean."""

    def forward(self, x: Tensor) -> Pair:
        y, trace = super().forward(x)
        a = self.a if self.always is None else self.a.detach()
        e = torch.randn_like(x).sign()
        return y, ((e @ a) * e).sum(1) if self.training else trace


@pytest.mark.slow
@pytest.mark.parametrize("layer", [Sampled, Signed])
def test_so_it_is_where_what_is_trained_is_an_estimate(layer: type[Sampled]) -> None:
    report = ldjcheck.check(layer().eval())
    assert report.status == "pass", report
    assert "estimator" in ldjcheck.check(layer(), mode="train").result.inferred
    report = ldjcheck.check(layer(always=False).eval())
    (finding,) = report.findings
    assert (report.status, finding.code) == ("unproven", "LDJ210"), report
    assert "not judged" in finding.evidence[-1]

"""What a layer wants before its first call, and what its way back wants besides y."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class RefusesUntilTrained(nn.Module):
    """An actnorm that must see a batch in training first."""

    counts = True

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(3, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(3, 1, 1))
        self.ready = False

    def _begin(self, x: Tensor) -> None:
        if not self.training:
            raise ValueError("not initialised")
        with torch.no_grad():
            self.bias.copy_(-x.mean((0, 2, 3))[:, None, None])
            self.log_scale.copy_(-x.std((0, 2, 3)).log()[:, None, None])
        self.ready = True

    def forward(self, x: Tensor, logdet: Any = None, reverse: bool = False) -> Any:
        if not self.ready:
            self._begin(x)
        own = self.log_scale.sum() * (x[0, 0].numel() if self.counts else 1)
        if reverse:
            return x * torch.exp(-self.log_scale) - self.bias, logdet - own
        return (x + self.bias) * torch.exp(self.log_scale), logdet + own


class CountsOnce(RefusesUntilTrained):
    counts = False


def test_one_call_in_training_goes_before_where_evaluation_is_refused() -> None:
    report = ldjcheck.check(RefusesUntilTrained())
    assert report.status == "pass", report
    assert "ValueError: not initialised" in report.result.inferred["warm-up"]


def test_a_mistake_is_found_behind_it() -> None:
    report = ldjcheck.check(CountsOnce())
    assert report.findings[0].code == "LDJ102", report


def test_as_it_is_nothing_goes_before() -> None:
    report = ldjcheck.check(RefusesUntilTrained(), params="as-is")
    assert report.status == "error"


class TwoScales(nn.Module):
    """Hands back both halves; its `reverse` draws the second anew unless it is told not to."""

    sign = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(4))
        self.prior = nn.Linear(2, 4)
        nn.init.zeros_(self.prior.weight)
        nn.init.zeros_(self.prior.bias)

    def forward(self, x: Tensor) -> Any:
        out, z_new = (x * torch.exp(self.log_scale)).chunk(2, dim=1)
        mean, log_sd = self.prior(out).chunk(2, dim=1)
        z = (z_new - mean) * torch.exp(-log_sd)
        log_p = (-0.5 * z**2 - log_sd - 0.5 * math.log(2 * math.pi)).sum(1)
        return out, self.log_scale.sum(), log_p, z_new

    def reverse(
        self, output: Tensor, eps: Tensor | None = None, reconstruct: bool = False
    ) -> Tensor:
        if not reconstruct:
            mean, log_sd = self.prior(output).chunk(2, dim=1)
            eps = mean + torch.exp(log_sd) * eps
        assert eps is not None
        whole = torch.cat([output, eps], dim=1)
        return whole * torch.exp(-self.sign * self.log_scale)


class TwoScalesWrongBack(TwoScales):
    sign = -1.0


def test_a_sampler_is_told_to_reconstruct() -> None:
    report = ldjcheck.check(TwoScales())
    assert report.status == "pass", report
    assert ".reverse(*y, reconstruct=True)" in report.result.inferred["way back"]


class Untellable(TwoScales):
    """Has no word for it, so that it cannot be called right without being told how."""

    def reverse(self, output: Tensor, eps: Tensor | None = None) -> Tensor:
        assert eps is not None
        return super().reverse(output, eps)


def test_one_that_does_not_lead_back_all_the_same_is_wrong() -> None:
    report = ldjcheck.check(TwoScalesWrongBack())
    assert [f.code for f in report.findings if f.severity == "error"] == ["LDJ301"]


def test_a_way_back_that_raises_says_what_it_was_not_given() -> None:
    report = ldjcheck.check(Untellable())
    assert report.status == "error"
    assert "--direction forward" in str(report)
    assert "eps=None" in str(report)


def test_what_the_way_back_alone_takes_can_be_given() -> None:
    report = ldjcheck.check(TwoScales(), kwarg={"reconstruct": True})
    assert report.result.inferred.get("way back", "").startswith(".reverse(*y")


class NarrowSplit(nn.Module):
    """Drops half under a normal whose width is anything between tiny and huge."""

    def __init__(self, log_sd: float, constant: float = 0.5 * math.log(2 * math.pi)):
        super().__init__()
        self.log_sd, self.constant = log_sd, constant

    def forward(
        self, x: Tensor, ldj: Any = None, reverse: bool = False, temperature: Any = None
    ) -> Any:
        if reverse:
            made = x + math.exp(self.log_sd) * torch.randn_like(x) * temperature
            return torch.cat([x, made], dim=1), ldj
        kept, dropped = x.chunk(2, dim=1)
        z = (dropped - kept) * math.exp(-self.log_sd)
        log_p = -0.5 * z**2 - self.log_sd - self.constant
        return kept, ldj + log_p.sum(1)


@pytest.mark.parametrize("log_sd", [-14.0, -5.0, 0.0, 12.0])
def test_a_density_is_integrated_however_wide_it_is(log_sd: float) -> None:
    report = ldjcheck.check(
        NarrowSplit(log_sd), shape=(4,), kind="split", kwarg={"temperature": 1.0}
    )
    assert report.status == "pass", report
    assert {f.code for f in report.findings} == {"LDJ305", "LDJ303"}


@pytest.mark.parametrize("log_sd", [-14.0, 12.0])
def test_its_constant_must_be_there_however_wide_it_is(log_sd: float) -> None:
    layer = NarrowSplit(log_sd, constant=0.0)
    report = ldjcheck.check(layer, shape=(4,), kind="split", direction="forward")
    assert report.findings[0].code == "LDJ501", report

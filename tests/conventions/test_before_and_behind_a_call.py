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


@pytest.mark.slow
def test_a_mistake_is_found_behind_it() -> None:
    report = ldjcheck.check(CountsOnce(), shape=(3, 2, 4))
    assert report.findings[0].code == "LDJ102", report


def test_as_it_is_nothing_goes_before() -> None:
    layer = RefusesUntilTrained()
    report = ldjcheck.check(layer, shape=(3, 2, 4), params="as-is")
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_way_back_that_raises_says_what_it_was_not_given() -> None:
    report = ldjcheck.check(Untellable())
    assert report.status == "error"
    assert "direction='forward'" in str(report)
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


class HandsOnItsContext(nn.Module):
    """A step over frames that turns its condition around for the next one."""

    sign = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.channels = 2
        self.net = nn.Conv1d(3, self.channels, 1)

    def forward(self, x: Tensor, c: Tensor) -> Any:
        half, _ = c.chunk(2, dim=1)
        log_s = torch.tanh(self.net(half))
        c = c.flip(1)
        return x * torch.exp(log_s), c, log_s.sum((1, 2))

    def reverse(self, y: Tensor, c: Tensor) -> Any:
        c = c.flip(1)
        half, _ = c.chunk(2, dim=1)
        return y * torch.exp(-self.sign * torch.tanh(self.net(half))), c


class HandsOnAndGoesWrongBack(HandsOnItsContext):
    sign = -1.0


@pytest.mark.slow
def test_the_way_back_gets_the_context_that_the_way_there_handed_on() -> None:
    report = ldjcheck.check(HandsOnItsContext())
    assert report.status == "pass", report
    assert report.result.inferred["c"].startswith("(6, 8)")
    wrong = ldjcheck.check(HandsOnAndGoesWrongBack())
    assert [f.code for f in wrong.findings if f.severity == "error"] == ["LDJ301"]


class Conditional(nn.Module):
    """Takes a context, or none, and says so by its own widths."""

    def __init__(self, context: int) -> None:
        super().__init__()
        self.net = nn.Linear(2 + context, 4)

    def forward(self, x: Tensor, context: Any = None, mode: str = "direct") -> Any:
        a, b = x.chunk(2, dim=1)
        given = a if context is None else torch.cat([a, context], dim=1)
        s, t = torch.tanh(self.net(given)).chunk(2, dim=1)
        ldj = s.sum(1, keepdim=True)
        if mode == "direct":
            return torch.cat([a, b * torch.exp(s) + t], dim=1), ldj
        return torch.cat([a, (b - t) * torch.exp(-s)], dim=1), -ldj


def test_a_context_that_was_needed_is_not_called_optional_nor_tried_at_length() -> None:
    needed = ldjcheck.check(Conditional(3)).result
    assert needed.status == "pass"
    assert "context" in needed.inferred
    assert "right without it" not in needed.inferred["context"]
    assert ldjcheck.check(Conditional(0)).status == "pass"


class UnboundDown(nn.Module):
    """A sigmoid of a steep net: a draw away from how it is built, it is flat in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(6))

    def forward(self, x: Tensor, ldj: Any, reverse: bool = False) -> Any:
        scale = torch.sigmoid(400 * self.weight + 2)
        own = torch.log(scale).sum()
        if reverse:
            return x / scale, ldj - own
        return x * scale, ldj + own


def test_a_draw_that_float32_cannot_hold_is_no_fault_of_the_layer() -> None:
    report = ldjcheck.check(UnboundDown())
    assert report.status == "pass", report


class FlowWithNarrowSplit(nn.Module):
    """Adds a log-density that is so large that what comes in loses its digits beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.split = NarrowSplit(-13.0)

    def forward(self, x: Tensor, ldj: Any, reverse: bool = False) -> Any:
        if reverse:
            raise NotImplementedError
        return self.split(2 * x, ldj + x[0].numel() * math.log(2))


def test_a_total_that_loses_digits_beside_a_density_is_not_ignored() -> None:
    report = ldjcheck.check(FlowWithNarrowSplit(), shape=(4,))
    assert report.status == "unproven", report
    assert {f.code for f in report.findings} == {"LDJ402", "LDJ305"}

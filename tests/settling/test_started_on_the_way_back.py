"""Layers whose first batch, on the way back, sets what they learn later."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class NormOfTheDensity(nn.Module):
    """Scale and shift are those of the first batch whose density is asked for."""

    def __init__(self, dims: int = 4) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.randn(dims))
        self.shift = nn.Parameter(torch.randn(dims))
        self.started = False

    def forward(self, z: Tensor) -> Pair:
        ldj = self.log_scale.sum().expand(len(z))
        return z * self.log_scale.exp() + self.shift, ldj

    def inverse(self, x: Tensor) -> Pair:
        if not self.started:
            self.log_scale.data = x.std(0).log().detach()
            self.shift.data = x.mean(0).detach()
            self.started = True
        ldj = -self.log_scale.sum().expand(len(x))
        return (x - self.shift) * torch.exp(-self.log_scale), ldj


class InTraining(nn.Module):
    """The flag is a buffer, and is looked at in training only."""

    def __init__(self, dims: int = 4) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(0.3 * torch.randn(dims))
        self.register_buffer("ready", torch.tensor(0))

    def forward(self, x: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        if not reverse:
            return x * self.log_scale.exp(), ldj + self.log_scale.sum()
        if self.training and not self.ready:
            with torch.no_grad():
                self.log_scale.copy_(x.std(0).log())
            self.ready.fill_(1)
        return x * torch.exp(-self.log_scale), ldj - self.log_scale.sum()


class WrongSignBack(NormOfTheDensity):
    def inverse(self, x: Tensor) -> Pair:
        z, ldj = super().inverse(x)
        return z, -ldj


class StartedAnewEachTime(NormOfTheDensity):
    def inverse(self, x: Tensor) -> Pair:
        self.started = False
        return super().inverse(x)


def test_a_layer_that_starts_itself_on_the_way_back_is_right_once_started() -> None:
    report = ldjcheck.check(NormOfTheDensity())
    assert (report.status, report.findings) == ("pass", ())
    assert (
        "one call there and one back"
        in report.to_dict()["results"][0]["inferred"]["warm-up"]
    )


def test_so_is_one_that_starts_in_training_with_a_buffer_for_its_flag() -> None:
    assert ldjcheck.check(InTraining()).status == "pass"


@pytest.mark.slow
def test_its_mistakes_are_told_as_those_of_others() -> None:
    report = ldjcheck.check(WrongSignBack())
    assert [f.code for f in report.findings] == ["LDJ302"]


def test_one_that_never_has_done_couples_its_samples() -> None:
    report = ldjcheck.check(StartedAnewEachTime())
    assert report.status == "fail"
    assert report.findings[0].code in ("LDJ207", "LDJ209")

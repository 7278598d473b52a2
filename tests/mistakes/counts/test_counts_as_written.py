"""Counts that are one too many channels have one name, however they are written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class PerChannel(nn.Module):
    """One scale a channel, whose log counts once a pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def count(self, x: Tensor) -> float:
        return x.shape[2] * x.shape[3]

    def forward(self, x: Tensor) -> Pair:
        return x * self.s.exp(), (self.s.sum() * self.count(x)).expand(len(x))


class Numel(PerChannel):
    def forward(self, x: Tensor) -> Pair:
        return x * self.s.exp(), (self.s.sum() * x[0].numel()).expand(len(x))


class Product(PerChannel):
    def forward(self, x: Tensor) -> Pair:
        _, c, h, w = x.shape
        return x * self.s.exp(), (self.s.sum() * (c * h * w)).expand(len(x))


class Divided(PerChannel):
    def forward(self, x: Tensor) -> Pair:
        ldj = self.s.sum() * x.numel() / x.size(0)
        return x * self.s.exp(), ldj.expand(len(x))


@pytest.mark.slow
@pytest.mark.parametrize("layer", [Numel, Product, Divided])
def test_channels_counted_twice_have_one_name_however_they_are_written(
    layer: Any,
) -> None:
    assert ldjcheck.check(layer()).findings[0].code == "LDJ103"


def test_pixels_counted_once_are_right() -> None:
    assert ldjcheck.check(PerChannel()).status == "pass"


class ByNumpy(PerChannel):
    def forward(self, x: Tensor) -> Pair:
        ldj = self.s.sum() * np.prod(x.shape[1:])
        return x * self.s.exp(), ldj.expand(len(x))


@pytest.mark.slow
def test_a_count_that_numpy_takes_is_a_count_too_and_loses_an_axis() -> None:
    found = ldjcheck.check(ByNumpy()).findings[0]
    assert found.code == "LDJ103"
    assert found.fix is not None
    (edit,) = found.fix.edits
    assert edit.after.strip() == "ldj = self.s.sum() * np.prod(x.shape[2:])"


class TimesTheBatch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.tensor([0.3, -0.2, 0.4]))

    def forward(self, x: Tensor) -> Pair:
        batch = len(x)
        return x * self.s.exp(), (batch * self.s.sum()).expand(batch)


@pytest.mark.slow
def test_a_constant_times_the_batch_is_summed_over_the_batch() -> None:
    found = ldjcheck.check(TimesTheBatch()).findings[0]
    assert found.code == "LDJ106"
    assert "wrong-dims-factor" in found.also_fits
    assert found.fix is not None
    (edit,) = found.fix.edits
    assert edit.after.strip() == "return x * self.s.exp(), self.s.sum().expand(batch)"


class AveragedChannels(nn.Module):
    """A log-scale a channel, averaged in so many words, and then counted once."""

    def __init__(self) -> None:
        super().__init__()
        self.logs = nn.Parameter(torch.tensor([0.4, -0.2, 0.3]).reshape(1, 3, 1, 1))

    def forward(self, x, ldj):
        return x * self.logs.exp(), ldj + self.logs.mean()


def test_a_constant_that_is_averaged_in_so_many_words_is_no_missing_count():
    report = ldjcheck.check(AveragedChannels())
    first = report.findings[0]
    assert (first.name, first.also_fits) == ("mean-not-sum", ("missing-dims-factor",))


class AveragedOverAll(nn.Module):
    """A coupling of signals whose log-scales are averaged, batch included, and halved."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Conv1d(2, 4, 3, padding=1)

    def forward(self, x):
        a, b = x.chunk(2, 1)
        log_s, t = self.net(a).chunk(2, 1)
        y = torch.cat([a, (b - t) * torch.exp(-log_s)], 1)
        return y, torch.mean(-log_s) / 2


def test_a_mean_over_batch_and_dims_has_its_name_and_its_mend():
    report = ldjcheck.check(AveragedOverAll())
    first = report.findings[0]
    assert first.name == "batch-reduced"
    assert first.fix is not None
    assert first.fix.applicability == "verified"


class OverSteps(nn.Module):
    """Of steps with features, which a vector is not: its `size(1)` counts features."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(5))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = x.size(1) * self.log_s.sum()
        return x * self.log_s.exp(), total.repeat(x.size(0))


def test_a_count_that_is_right_with_an_axis_more_is_not_proved_wrong() -> None:
    report = ldjcheck.check(OverSteps())
    assert report.status == "unproven"
    (finding,) = report.findings
    assert (finding.code, finding.severity) == ("LDJ103", "unproven")
    assert finding.evidence[0] == (
        "wrong for events (5,), right for events (6, 5): say which are meant, "
        "shape=5 or shape=(6, 5)"
    )
    assert finding.fix is not None
    assert finding.fix.applicability == "suggested"
    assert ldjcheck.check(OverSteps(), shape=(5,)).findings[0].severity == "error"
    assert ldjcheck.check(OverSteps(), shape=(6, 5)).status == "pass"

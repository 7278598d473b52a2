"""Calls whose input is not their first argument: a time or a context stands before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import ldjcheck


class Timed(nn.Module):
    """y = x * exp(a * t), of one time for the whole batch."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = nn.Parameter(torch.linspace(-0.6, 0.9, 4))

    def forward(self, t: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * torch.exp(self.rate * t), self.ldj(t).expand(len(x))

    def ldj(self, t: Tensor) -> Tensor:
        return (self.rate * t).sum()


class AveragesTime(Timed):
    def ldj(self, t: Tensor) -> Tensor:
        return (self.rate * t).mean()


class Conditioned(nn.Module):
    """y = z * exp(s(h)), of a context that stands before z both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 4)

    def forward(self, cond: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        log_scale = self.net(cond)
        return z * log_scale.exp(), log_scale.sum(-1)

    def inverse(self, cond: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        log_scale = self.net(cond)
        return y * torch.exp(-log_scale), -log_scale.sum(-1)


class Unnamed(Conditioned):
    """What stands first has a name that says nothing."""

    def forward(self, a: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(a, z)

    def inverse(self, a: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return super().inverse(a, y)


def test_a_time_is_one_number_and_the_input_what_is_moved() -> None:
    report = ldjcheck.check(Timed())
    assert report.status == "pass", report
    assert report.result.inferred["t"] == "0.7: one time for the whole batch"


def test_a_mistake_about_a_time_is_found() -> None:
    report = ldjcheck.check(AveragesTime())
    assert report.findings[0].code == "LDJ105", report


def test_a_time_can_be_given_by_name() -> None:
    report = ldjcheck.check(Timed(), kwarg={"t": 0.5})
    assert report.status == "pass", report


def test_what_is_named_like_a_context_is_no_input() -> None:
    report = ldjcheck.check(Conditioned())
    assert report.status == "pass", report
    assert {c.status for c in report.checks} == {"pass"}


def test_what_is_given_as_a_context_is_no_input() -> None:
    report = ldjcheck.check(Unnamed(), context={"a": (3,)})
    assert report.status == "pass", report
    assert {c.status for c in report.checks} == {"pass"}


class TotalFirst(nn.Module):
    """Takes the running total before the input, and hands it back before the output."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))

    def own(self, x: Tensor) -> Tensor:
        return self.log_s.sum().expand(len(x))

    def forward(
        self, log_det: Tensor, x: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        if reverse:
            return log_det - self.own(x), x * (-self.log_s).exp()
        return log_det + self.own(x), x * self.log_s.exp()


class TotalFirstWrong(TotalFirst):
    def own(self, x: Tensor) -> Tensor:
        return -super().own(x)


def test_a_total_that_comes_first_is_no_input() -> None:
    report = ldjcheck.check(TotalFirst())
    assert report.status == "pass", str(report)
    assert report.to_dict()["results"][0]["convention"] == "accumulator"


def test_a_mistake_behind_a_total_that_comes_first_is_found() -> None:
    report = ldjcheck.check(TotalFirstWrong())
    assert report.findings[0].code == "LDJ104"

"""Each context has a map of its own, and contexts live in domains as inputs do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Times(nn.Module):
    """Of either sign, by its context: none of these maps folds."""

    def forward(self, x: Tensor, context: Tensor) -> Pair:
        return x * context, context.abs().log().sum(1)


class TimesTwice(nn.Module):
    def forward(self, x: Tensor, context: Tensor) -> Pair:
        return x * context, 2 * context.abs().log().sum(1)


class TimesByMethod(nn.Module):
    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        return x * context

    def log_det(self, x: Tensor, context: Tensor) -> Tensor:
        return context.abs().log().sum(1)


class Bends(nn.Module):
    """It folds at every context."""

    def forward(self, x: Tensor, context: Tensor) -> Pair:
        slope = 1 + 2 * torch.cos(x)
        return x + 2 * torch.sin(x) + context, slope.abs().log().sum(1)


class Root(nn.Module):
    """Wants a context above zero, for its output is no number elsewhere."""

    def forward(self, x: Tensor, context: Tensor) -> Pair:
        return x * context.sqrt() + 1, 0.5 * context.log().sum(1)


class RootTwice(nn.Module):
    def forward(self, x: Tensor, context: Tensor) -> Pair:
        return x * context.sqrt() + 1, context.log().sum(1)


class RootInATotal(nn.Module):
    def forward(self, z: Tensor, ldj: Tensor, t: Tensor, reverse: bool = False) -> Pair:
        own = 0.5 * t.log().sum(1)
        return (z / t.sqrt(), ldj - own) if reverse else (z * t.sqrt(), ldj + own)


class LogOfIt(nn.Module):
    """Its ldj alone is no number where the context is negative."""

    def forward(self, x: Tensor, context: Tensor) -> Pair:
        return x * context, context.log().sum(1)


@pytest.mark.parametrize("layer", [Times, TimesByMethod, Root, RootInATotal])
def test_contexts_of_either_sign_fold_nothing(layer: Any) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", report


WRONG = {TimesTwice: "LDJ114", RootTwice: "LDJ114", Bends: "LDJ304"}


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("layer", "code"), WRONG.items(), ids=lambda v: getattr(v, "__name__", "")
)
def test_what_is_wrong_at_one_context_is_found(layer: Any, code: str) -> None:
    report = ldjcheck.check(layer())
    assert [f.code for f in report.findings] == [code], report


def test_a_domain_that_was_found_is_told() -> None:
    told = ldjcheck.check(LogOfIt()).result.inferred["context"]
    assert "positive: at others its numbers are not finite" in told


def test_the_domain_of_a_context_can_be_given() -> None:
    report = ldjcheck.check(Root(), context={"context": "4:positive"})
    assert report.status == "pass"
    report = ldjcheck.check(LogOfIt(), context={"context": "4:real"})
    assert [f.code for f in report.findings] == ["LDJ109"]


def test_no_domain_is_a_mistake_of_the_user() -> None:
    with pytest.raises(ValueError, match="positive"):
        ldjcheck.check(Root(), context={"context": "4:posit"})


class Log(nn.Module):
    """Its derivative is finite where it is no number itself."""

    def forward(self, x: Tensor) -> Pair:
        return (x + 2).log(), -(x + 2).abs().log().sum(1)


class LogByMethod(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x + 2).log()

    def log_det(self, x: Tensor) -> Tensor:
        return -(x + 2).abs().log().sum(1)


class LogInATotal(nn.Module):
    def forward(self, z: Tensor, ldj: Tensor) -> Pair:
        return (z + 2).log(), ldj - (z + 2).abs().log().sum(1)


@pytest.mark.parametrize("layer", [Log, LogByMethod, LogInATotal])
def test_points_where_the_output_is_no_number_say_nothing_of_a_fold(layer: Any) -> None:
    report = ldjcheck.check(layer(), domain="real")
    assert "LDJ304" not in {f.code for f in report.findings}, report

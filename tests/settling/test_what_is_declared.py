"""What a layer says in its signature and in constraints holds in every convention."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import constraints

import ldjcheck

Pair = tuple[Tensor, Tensor]


class ByNameOnly(nn.Module):
    """The context must be given, and by its name."""

    def __init__(self, counted: float = -1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(5, 6)
        self.counted = counted

    def forward(self, x: Tensor, *, context: Tensor) -> Pair:
        s, t = self.net(context).chunk(2, -1)
        return (x - t) * torch.exp(-s), self.counted * s.sum(-1)


class Products:
    """y_k = x_1 * ... * x_k, of positive numbers: it folds where one of them is 0."""

    domain: ClassVar[constraints.Constraint] = constraints.positive

    def forward(self, x: Tensor) -> Pair:
        y = torch.cumprod(x, -1)
        return y, torch.log(y[:, :-1].abs()).sum(-1)


class ProductsOfAny(Products):
    domain = constraints.real


@pytest.mark.slow
def test_a_context_that_only_its_name_can_give_is_found() -> None:
    report = ldjcheck.check(ByNameOnly())
    assert (report.status, report.findings) == ("pass", ())
    assert "a Linear takes 5 features" in report.result.inferred["context"]
    (finding,) = ldjcheck.check(ByNameOnly(counted=1.0)).findings
    assert finding.code == "LDJ104"


def test_a_pair_that_declares_its_domain_is_checked_there() -> None:
    report = ldjcheck.check(Products())
    assert (report.status, report.findings) == ("pass", ())
    assert report.result.inferred["domain"] == "positive: declared by the layer"
    assert ldjcheck.check(ProductsOfAny()).findings[0].code == "LDJ304"


class LogarithmsOfAny(Products):
    domain = constraints.real  # as a base class says of all bijectors

    def forward(self, x: Tensor) -> Pair:
        return x.log(), -x.log().sum(-1)


def test_a_domain_that_bounds_nothing_is_no_declaration() -> None:
    report = ldjcheck.check(LogarithmsOfAny())
    assert (report.status, report.findings) == ("pass", ())

"""What hands its input on, with the ldj of something else, is told what was meant."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

import ldjcheck


class Coupling(nn.Module):
    """Scale and shift one half of the dims by what the other half says."""

    def __init__(self, dims: int = 4) -> None:
        super().__init__()
        self.net = nn.Linear(dims // 2, dims)

    def mapped(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        s = torch.tanh(s)
        return torch.cat([a, b * s.exp() + t], 1), s.sum(1)


class Model(Coupling):
    """A flow to a normal base."""

    def base(self) -> Independent:
        return Independent(Normal(torch.zeros(4), torch.ones(4)), 1)

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self.mapped(x)
        return self.base().log_prob(z) + ldj


class AsksAboutX(Model):
    def log_prob(self, x: Tensor) -> Tensor:
        _z, ldj = self.mapped(x)
        return self.base().log_prob(x) + ldj


class HandsXBack(Coupling):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        _y, ldj = self.mapped(x)
        return x, ldj


class AddsToNothing(Coupling):
    """x is handed back, and the number is the ldj of nothing that was computed."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        return torch.cat([a, b], 1), self.net(a).sum(1)


@pytest.mark.slow
def test_a_base_that_is_asked_about_x_is_told_so_and_asked_about_z() -> None:
    assert ldjcheck.check(Model().log_prob).status == "pass"
    first = ldjcheck.check(AsksAboutX().log_prob).findings[0]
    assert first.code == "LDJ111"
    assert first.message == (
        "The base density is asked about the input itself, not about what "
        "`self.mapped(x)` makes of it."
    )
    assert first.fix is not None
    assert [edit.after.strip() for edit in first.fix.edits] == [
        "return self.base().log_prob(_z) + ldj"
    ]


def test_a_layer_that_hands_x_back_is_told_what_it_has_computed() -> None:
    first = ldjcheck.check(HandsXBack()).findings[0]
    assert first.code == "LDJ111"
    assert first.message == (
        "What goes in comes out, and the log-determinant is that of what "
        "`self.mapped(x)` makes of it."
    )
    assert first.fix is not None
    assert [edit.after.strip() for edit in first.fix.edits] == ["return _y, ldj"]


def test_where_the_number_is_of_nothing_that_was_computed_it_is_a_term_too_many() -> (
    None
):
    first = ldjcheck.check(AddsToNothing()).findings[0]
    assert first.code == "LDJ111"
    assert "a term too many" in first.message

"""(batch, 1) and (batch,) make (batch, batch): each sample is counted with each other one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class ColumnAndRow(nn.Module):
    """The first dim's term keeps its axis, that of the others does not."""

    def forward(self, x: Tensor) -> Pair:
        terms = torch.log(torch.cosh(x))
        return torch.sinh(x), terms[:, :1] + terms[:, 1:].sum(1)


class Planar(nn.Module):
    """x + u tanh(w x), with u taken once per sample in a product of matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.linspace(0.2, 0.5, 4))
        self.u = nn.Parameter(torch.linspace(0.1, 0.4, 4))

    def forward(self, x: Tensor) -> Pair:
        h = torch.tanh(x @ self.w)[:, None]
        slope = (1 - h**2) * self.w
        return x + h * self.u, torch.log(torch.abs(1 + slope @ self.u.expand_as(x).T))


@pytest.mark.slow
@pytest.mark.parametrize("layer", [ColumnAndRow, Planar])
def test_what_is_right_on_the_diagonal_has_the_wrong_shape(
    layer: type[nn.Module],
) -> None:
    (finding,) = ldjcheck.check(layer(), shape=(4,)).findings
    assert finding.code == "LDJ201"
    assert "its values are right" in finding.evidence[1]


class WrongBesides(ColumnAndRow):
    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y, -ldj


def test_what_is_wrong_there_is_a_mistake_of_its_own() -> None:
    found = ldjcheck.check(WrongBesides(), shape=(4,)).findings
    assert {f.code for f in found} == {"LDJ201", "LDJ104"}


class HalfUnsummed(nn.Module):
    """Of six dims three are scaled: in a batch of three their logs look like pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, 1)
        s = self.net(a)
        return torch.cat([a, b * s.exp()], 1), s


class HalfConstant(HalfUnsummed):
    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, 1)
        s = self.net.bias.expand_as(b)
        return torch.cat([a, b * s.exp()], 1), s


@pytest.mark.thinned(2)
@pytest.mark.parametrize("layer", [HalfUnsummed, HalfConstant])
def test_as_many_parts_as_samples_are_no_pairs(layer: type[nn.Module]) -> None:
    (finding,) = ldjcheck.check(layer(), shape=(6,)).findings
    assert finding.code == "LDJ202"
    said = "summed over axis 1 it is right on every sample"
    assert finding.evidence[0].startswith(said)

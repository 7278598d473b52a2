"""An error that is the same at every shape is shown once, and is no matter of shapes."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair


class Viewed(nn.Module):
    """Its own weight does not fit, whatever comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Pair:
        weight = self.weight.view(2, 7)
        return x * weight, weight.log().sum().expand(len(x))


class Unfitted(nn.Module):
    def forward(self, z: Tensor, ldj: Tensor) -> Pair:
        raise ValueError("call fit() first")


class Wide(nn.Module):
    """Sizes do matter here: none of them is right."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 3), nn.Linear(2, 4))

    def forward(self, x: Tensor) -> Pair:
        y: Tensor = self.net(x)
        return y, y.sum(-1)


@pytest.mark.parametrize("layer", [Viewed, Unfitted])
def test_the_users_line_is_shown_once(layer: type[nn.Module]) -> None:
    (finding,) = ldjcheck.check(layer()).findings
    assert finding.code == "LDJ005"
    told = "\n".join(finding.evidence)
    assert told.count("in forward") == 1
    assert "no matter of shapes" in told
    assert "shape=" not in told


def test_shapes_with_one_reason_stand_in_one_line() -> None:
    (finding,) = ldjcheck.check(Wide()).findings
    assert finding.code == "LDJ006"
    assert "shape=" in "\n".join(finding.evidence)
    reasons = [line.rpartition("): ")[2] for line in finding.evidence[:6]]
    assert len(reasons) == len({*reasons})


class NeedsCondition(nn.Module):
    """The condition may be None, says the signature, and the code does not agree."""

    sign = 1.0

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(2 + 5, 4)

    def forward(self, x: Tensor, cond: Tensor | None = None) -> Pair:
        a, b = x.chunk(2, dim=-1)
        s, t = self.net(torch.cat([a, cond], dim=-1)).chunk(2, dim=-1)
        s = torch.tanh(s)
        return torch.cat([a, b * s.exp() + t], dim=-1), self.sign * s.sum(-1)


class AddingWithFeatures(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(3, 8)

    def forward(
        self,
        z: Tensor,
        ldj: Tensor,
        reverse: bool = False,
        features: Tensor | None = None,
    ) -> Pair:
        s, t = self.net(features).chunk(2, dim=-1)
        if reverse:
            return (z - t) * (-s).exp(), ldj - s.sum(-1)
        return z * s.exp() + t, ldj + s.sum(-1)


class ByMethod(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(2, 3)

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        return x * self.net(h).exp()

    def log_det(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        ldj: Tensor = self.net(h).sum(-1)
        return ldj


@pytest.mark.thinned(2)
@pytest.mark.parametrize("layer", [NeedsCondition, AddingWithFeatures, ByMethod])
def test_an_optional_tensor_is_tried_where_all_shapes_fail(
    layer: type[nn.Module],
) -> None:
    assert ldjcheck.check(layer()).status == "pass"


@pytest.mark.slow
def test_what_is_wrong_with_one_is_found() -> None:
    turned = NeedsCondition()
    turned.sign = -1.0
    assert ldjcheck.check(turned).findings[0].code == "LDJ104"


class RaisesLater(nn.Module):
    """What fits its first layer is multiplied by a matrix of another size."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Pair:
        y = self.net(x)
        return y @ torch.ones(5, 5), torch.zeros(len(x))


def test_where_the_natural_shape_gets_further_its_line_is_told() -> None:
    (finding,) = ldjcheck.check(RaisesLater()).findings
    line = inspect.getsourcelines(RaisesLater.forward)[1] + 2
    assert finding.code == "LDJ006"
    told = f"If a sample is (4,), it is line {line} that is to be mended."
    assert told in finding.evidence
    (finding,) = ldjcheck.check(Wide()).findings
    assert "is to be mended" not in str(finding.evidence)

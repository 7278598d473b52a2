"""A pair in a dictionary or a dataclass, whatever its entries are called."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import ldjcheck


@dataclass
class Record:
    """What a call returns."""

    image: Tensor
    log_prob: Tensor


class Scale(nn.Module):
    """Scales, and hands back y and ldj in a record of some kind."""

    def __init__(self, kind: str, share: float = 1.0) -> None:
        super().__init__()
        self.kind = kind
        self.share = share
        self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))

    def forward(self, x: Tensor) -> object:
        y, ldj = x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))
        ldj = self.share * ldj
        if self.kind == "dataclass":
            return Record(y, ldj)
        return {"a": y, "b": ldj}


class WithDensity(Scale):
    """Hands back the density of x in the place of the ldj."""

    def forward(self, x: Tensor) -> object:
        z = x * self.log_scale.exp()
        ldj = self.share * self.log_scale.sum()
        return {"z": z, "logp": Normal(0.0, 1.0).log_prob(z).sum(1) + ldj}


@pytest.mark.thinned(3)
@pytest.mark.parametrize("share", [1.0, 0.0])
@pytest.mark.parametrize("kind", ["dataclass", "dict", "density"])
def test_it_is_judged_as_a_tuple_is(kind: str, share: float) -> None:
    layer = WithDensity if kind == "density" else Scale
    report = ldjcheck.check(layer(kind, share))
    assert report.status == ("pass" if share else "fail"), report
    expected = "density" if kind == "density" else "pair"
    assert report.result.convention == expected


@dataclass
class OnASphere:
    """A point of as many numbers as x has comes first, and is not the output."""

    point: Tensor
    height: Tensor
    latent: Tensor
    log_det: Tensor


class Stereographic(nn.Module):
    """x is scaled, and where it stands on a sphere is told as well."""

    def __init__(self, dims: int = 3, sign: float = 1.0) -> None:
        super().__init__()
        self.log_scale, self.sign = nn.Parameter(torch.randn(dims)), sign

    def forward(self, x: Tensor) -> OnASphere:
        square = (x**2).sum(1, keepdim=True)
        z, ldj = x * self.log_scale.exp(), self.sign * self.log_scale.sum()
        height = (square - 1) / (square + 1)
        return OnASphere(2 * x / (square + 1), height, z, ldj.expand(len(x)))


class StereographicTuple(Stereographic):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        told = super().forward(x)
        point, height, z, log_det = told.point, told.height, told.latent, told.log_det
        return point, height, z, log_det


@pytest.mark.parametrize("kind", [Stereographic, StereographicTuple])
def test_of_several_outputs_the_one_that_is_called_so_is_asked_first(
    kind: type[Stereographic],
) -> None:
    torch.manual_seed(0)
    assert ldjcheck.check(kind()).status == "pass"
    assert ldjcheck.check(kind(sign=-1.0)).findings[0].code == "LDJ104"

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

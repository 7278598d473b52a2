"""A flag that is off stays off where the call without it gives each sample a number."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Scale(nn.Module):
    """Scales each dim."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))

    def pair(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))


class WithWholeJacobian(Scale):
    """Its flag asks for another thing than the ldj."""

    def forward(self, x: Tensor, full_jacobian: bool = False) -> tuple[Tensor, Tensor]:
        y, ldj = self.pair(x)
        return y, torch.diag_embed(
            self.log_scale.exp() + 0 * x
        ) if full_jacobian else ldj


class OnlyOnDemand(Scale):
    """Without the flag there is none."""

    def forward(self, x: Tensor, logdet: bool = False) -> object:
        return self.pair(x) if logdet else x * self.log_scale.exp()


class ZerosUnlessAsked(Scale):
    """Without the flag it is zero for each sample."""

    def forward(self, x: Tensor, return_logdet: bool = False) -> tuple[Tensor, Tensor]:
        y, ldj = self.pair(x)
        return y, ldj if return_logdet else torch.zeros_like(ldj)


class ZeroUnlessAsked(Scale):
    """Without the flag it is the number 0."""

    def forward(self, x: Tensor, jac: bool = False) -> tuple[Tensor, Tensor | int]:
        y, ldj = self.pair(x)
        return y, ldj if jac else 0


class WithOffsets(Scale):
    """Its offsets are None unless they are given, and then the ldj leaves them out."""

    def forward(
        self, x: Tensor, offsets: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        y, ldj = self.pair(x)
        return y if offsets is None else y * offsets.exp(), ldj


@pytest.mark.parametrize(
    "layer",
    [WithWholeJacobian, OnlyOnDemand, ZerosUnlessAsked, ZeroUnlessAsked, WithOffsets],
)
def test_each_is_called_so_that_it_reports(layer: type[nn.Module]) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", report


def test_one_that_reports_nothing_either_way_is_told() -> None:
    class Never(Scale):
        def forward(self, x: Tensor, logdet: bool = False) -> tuple[Tensor, Tensor]:
            return self.pair(x)[0], x.new_zeros(len(x))

    assert ldjcheck.check(Never()).findings[0].code == "LDJ119"

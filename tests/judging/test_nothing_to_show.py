"""An ldj of zero proves nothing where another formula would give zero as well."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Wavelet(nn.Module):
    """Half the sum and the difference of neighbours: of determinant -1, and holds nothing."""

    def forward(self, x: Tensor) -> Pair:
        one, other = x[:, ::2], x[:, 1::2]
        return torch.cat([(one + other) / 2, one - other], 1), torch.zeros(len(x))


class Held(Wavelet):
    """The same by a number that it holds, which may be another some day."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("share", torch.tensor(0.5))

    def forward(self, x: Tensor) -> Pair:
        one, other = x[:, ::2], x[:, 1::2]
        return torch.cat([(one + other) * self.share, one - other], 1), torch.zeros(
            len(x)
        )


class Set(Wavelet):
    """The same by a number that is set when it is built, and is 1 here."""

    def __init__(self, smooth: float = 1.0) -> None:
        super().__init__()
        self.smooth = smooth

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        weight = torch.arange(1.0, 1 + y.shape[1], dtype=y.dtype) ** self.smooth
        return y * weight / weight.log().mean().exp(), ldj


def test_a_linear_map_that_holds_nothing_is_the_same_for_good() -> None:
    assert ldjcheck.check(Wavelet()).status == "pass"


def test_what_holds_a_number_may_be_another_map() -> None:
    assert ldjcheck.check(Held()).status != "pass"
    assert ldjcheck.check(Set()).status == "unproven"

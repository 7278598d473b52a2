"""A way back that returns another shape than x had: the inverse of something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair


class Squeeze(nn.Module):
    """Puts the places of an image into its channels, and adds the others to the first."""

    def there(self, x: Tensor) -> Tensor:
        first, *others = (x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1))
        return torch.cat([first + sum(others), *others], 1)

    def back(self, y: Tensor) -> Tensor:
        first, *others = y.chunk(4, 1)
        parts = first - sum(others), *others
        batch, channels, height, width = parts[0].shape
        x = torch.stack(parts, 2).reshape(batch, channels, 2, 2, height, width)
        return x.permute(0, 1, 4, 2, 5, 3).reshape(batch, channels, 2 * height, -1)

    def forward(self, x: Tensor, rev: bool = False) -> Pair:
        return (self.back(x) if rev else self.there(x)), x.new_zeros(len(x))


class FlagUnheard(Squeeze):
    """Squeezes once more where it is asked to go back."""

    def forward(self, x: Tensor, rev: bool = False) -> Pair:
        return self.there(x), x.new_zeros(len(x))


class FlagUnheardAndEmpty(Squeeze):
    """No place is left on the way back."""

    def forward(self, x: Tensor, rev: bool = False) -> Pair:
        return (x[:, :, :0] if rev else self.there(x)), x.new_zeros(len(x))


class Flat(nn.Module):
    """The way back returns x, as flat as y is."""

    def forward(self, x: Tensor) -> Pair:
        return 2 * x.flatten(1), torch.full((len(x),), 2.0).log() * x[0].numel()

    def inverse(self, y: Tensor) -> Pair:
        return y / 2, torch.full((len(y),), 0.5).log() * y[0].numel()


@pytest.mark.parametrize("layer", [Squeeze, Flat])
def test_x_in_its_own_shape_or_flat_is_the_way_back(layer: type[nn.Module]) -> None:
    report = ldjcheck.check(layer(), shape=(2, 4, 8))
    assert report.status == "pass", str(report)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("layer", [FlagUnheard, FlagUnheardAndEmpty])
def test_other_numbers_or_another_count_are_not(layer: type[nn.Module]) -> None:
    report = ldjcheck.check(layer(), shape=(2, 4, 8))
    assert report.status == "fail", str(report)
    (finding,) = (f for f in report.findings if f.severity == "error")
    assert finding.code == "LDJ301"
    assert "has the shape" in finding.evidence[0]


class SumsAllUp(nn.Module):
    """The way back returns one number for the whole batch."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.randn(3))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), self.log_s.sum().expand(len(x))

    def inverse(self, y: Tensor) -> Pair:
        return (y * (-self.log_s).exp()).sum(), -self.log_s.sum().expand(len(y))


def test_one_number_for_all_samples_is_no_way_back() -> None:
    report = ldjcheck.check(SumsAllUp(), shape=(3,))
    assert report.status == "fail"
    assert "an output of shape () came out" in str(report)

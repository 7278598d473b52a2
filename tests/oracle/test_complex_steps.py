"""Real maps whose steps are of complex numbers: no step of these is square."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Spectrum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft(x)


class Gains(nn.Module):
    """One real factor for each frequency, the same for both that are conjugate."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.log_gain = nn.Parameter(0.1 * torch.randn(size // 2 + 1))

    def of_all(self) -> Tensor:
        return torch.cat([self.log_gain, self.log_gain[1:-1].flip(0)])

    def forward(self, z: Tensor) -> Tensor:
        return z * self.of_all().exp()


class Back(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return torch.fft.ifft(z).real


class Filter(nn.Module):
    """A circular filter by its spectrum, with as many complex numbers on the way."""

    def __init__(self, size: int = 160, *, half: bool = False) -> None:
        super().__init__()
        self.parts = nn.ModuleList([Spectrum(), Gains(size), Back()])
        self.half = half

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        gains = self.parts[1]
        log_gain = gains.log_gain if self.half else gains.of_all()
        for part in self.parts:
            x = part(x)
        return x, log_gain.sum().expand(len(x))


class FilterAtOnce(Filter):
    """The same in one method, so that nothing but the tape tells its steps."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        gains = self.parts[1]
        log_gain = gains.log_gain if self.half else gains.of_all()
        y = torch.fft.ifft(torch.fft.fft(x) * gains.of_all().exp()).real
        return y, log_gain.sum().expand(len(x))


@pytest.mark.parametrize("kind", [Filter, FilterAtOnce])
def test_complex_numbers_on_the_way_are_no_parts_of_the_map(kind: type[Filter]) -> None:
    torch.manual_seed(0)
    assert ldjcheck.check(kind()).status == "pass"
    assert ldjcheck.check(kind(half=True)).status == "fail"

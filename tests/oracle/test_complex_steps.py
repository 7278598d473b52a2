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


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Filter, FilterAtOnce])
def test_complex_numbers_on_the_way_are_no_parts_of_the_map(kind: type[Filter]) -> None:
    torch.manual_seed(0)
    assert ldjcheck.check(kind()).status == "pass"
    assert ldjcheck.check(kind(half=True)).status == "fail"


class Filtered(nn.Module):
    """A circular convolution in the spectrum, then a sinh of each entry."""

    def __init__(self, size: int = 8) -> None:
        super().__init__()
        self.size = size
        self.log_magnitude = nn.Parameter(0.3 * torch.randn(size // 2 + 1))
        self.phase = nn.Parameter(torch.randn(size // 2 - 1))

    def spectrum(self) -> Tensor:
        phase = nn.functional.pad(torch.tanh(self.phase), (1, 1))
        return torch.polar(self.log_magnitude.exp(), phase)

    def filtered(self, x: Tensor) -> Tensor:
        return torch.fft.irfft(torch.fft.rfft(x) * self.spectrum(), n=self.size)


class OfTheOutput(Filtered):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.filtered(x)
        ldj = 2 * self.log_magnitude.sum() - self.log_magnitude[[0, -1]].sum()
        z = torch.sinh(y)
        return z, ldj + torch.log(torch.cosh(z)).sum(1)


class HalfOfTheSpectrum(Filtered):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.filtered(x)
        ldj = self.spectrum().abs().log().sum()
        return torch.sinh(y), ldj + torch.log(torch.cosh(y)).sum(1)


@pytest.mark.parametrize("seed", range(2))
def test_a_map_through_the_spectrum_is_taken_apart_and_mended(seed: int) -> None:
    torch.manual_seed(seed)
    (finding,) = ldjcheck.check(OfTheOutput(), seed=seed).findings
    assert finding.code == "LDJ112"
    assert finding.fix is not None
    assert [edit.after.strip() for edit in finding.fix.edits] == [
        "return z, ldj + torch.log(torch.cosh(y)).sum(1)"
    ]


def test_a_spectrum_that_the_map_makes_as_well_is_not_to_blame_but_who_asks_for_it() -> (
    None
):
    finding = ldjcheck.check(HalfOfTheSpectrum()).findings[0]
    assert finding.location is not None
    assert finding.location.text == "ldj = self.spectrum().abs().log().sum()"

"""Noise that leaves its cell is warned of; a way back that is wrong stays a mistake."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Dequantize(nn.Module):
    """Whole numbers to real ones in [0, 1), with noise that tests vary."""

    def __init__(self, quants: int = 256) -> None:
        super().__init__()
        self.quants = quants

    def noise(self, x: Tensor) -> Tensor:
        return torch.rand_like(x)

    def rounded(self, z: Tensor) -> Tensor:
        return torch.floor(z)

    def ldj(self, x: Tensor) -> Tensor:
        return torch.full((len(x),), float(self.quants)).log() * x[0].numel()

    def forward(self, x: Tensor) -> Pair:
        return (x + self.noise(x)) / self.quants, -self.ldj(x)

    def inverse(self, z: Tensor) -> Pair:
        return self.rounded(z * self.quants), self.ldj(z)


class Centred(Dequantize):
    def noise(self, x: Tensor) -> Tensor:
        return torch.rand_like(x) - 0.5


class Wide(Dequantize):
    """Noise that reaches over the next number, and is counted so."""

    def noise(self, x: Tensor) -> Tensor:
        return 1.3 * torch.rand_like(x)


class Nearest(Centred):
    """Noise around each number, which rounding to the nearest undoes."""

    def rounded(self, z: Tensor) -> Tensor:
        return torch.round(z)


class Upwards(Dequantize):
    def rounded(self, z: Tensor) -> Tensor:
        return torch.ceil(z)


class Rescaled(Dequantize):
    """The way back multiplies by another number of levels."""

    def inverse(self, z: Tensor) -> Pair:
        return self.rounded(z * (self.quants - 1)), self.ldj(z)


def codes(layer: nn.Module) -> list[str]:
    report = ldjcheck.check(layer, shape=(6,), domain="int:0:255")
    return [f.code for f in report.findings if f.severity != "note"]


def test_noise_in_the_cell_is_fine() -> None:
    assert codes(Dequantize()) == []
    assert codes(Nearest()) == []


def test_noise_that_leaves_its_cell_is_a_warning() -> None:
    report = ldjcheck.check(Wide(), shape=(6,), domain="int:0:255")
    assert report.status == "pass", report
    assert [f.code for f in report.findings] == ["LDJ502"]
    strict = ldjcheck.check(Wide(), shape=(6,), domain="int:0:255", strict=True)
    assert strict.status == "fail"


def test_shifted_noise_may_as_well_be_a_shifted_way_back() -> None:
    assert codes(Centred()) == ["LDJ301", "LDJ502"]


@pytest.mark.parametrize("layer", [Upwards, Rescaled])
def test_a_wrong_way_back_is_no_matter_of_noise(layer: type[Dequantize]) -> None:
    assert "LDJ301" in codes(layer())
    assert "LDJ502" not in codes(layer())


class Variational(nn.Module):
    """Noise that a flow makes, seeing the numbers; `alpha` stretches it a little."""

    def __init__(self, alpha: float = 0.0) -> None:
        super().__init__()
        self.net = nn.Linear(4, 8)
        self.alpha = alpha

    def forward(self, x: Tensor) -> Pair:
        u = 0.01 + 0.98 * torch.rand_like(x)
        ldj = torch.full((len(x),), 0.98).log() * x.shape[1]
        ldj = ldj - (u.log() + (1 - u).log()).sum(1)
        u = u.log() - (1 - u).log()
        s, t = self.net(x / 255).chunk(2, dim=1)
        u, ldj = u * s.exp() + 3 * t, ldj + s.sum(1)
        log_slope = nn.functional.logsigmoid(u) + nn.functional.logsigmoid(-u)
        u = (torch.sigmoid(u) - self.alpha / 2) / (1 - self.alpha)
        ldj = ldj + (log_slope - torch.tensor(1 - self.alpha).log()).sum(1)
        return (x + u) / 256, ldj - torch.tensor(256.0).log() * x.shape[1]

    def inverse(self, z: Tensor) -> Pair:
        ldj = torch.tensor(256.0).log() * z.shape[1]
        return torch.floor(z * 256), ldj.expand(len(z))


def test_a_flow_of_the_noise_is_judged_by_the_noise() -> None:
    report = ldjcheck.check(Variational(), shape=(4,), domain="int:0:255")
    assert report.status == "pass", report
    assert report.checks[0].wrt == "noise"
    assert report.result.kind == "dequantization"


def test_stretched_noise_leaves_its_cell_now_and_then() -> None:
    report = ldjcheck.check(Variational(0.1), shape=(4,), domain="int:0:255")
    assert [f.code for f in report.findings if f.severity != "note"] == ["LDJ502"]

"""A count that is written as a number, of an axis that nobody gave: no mistake, a warning."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Particles(nn.Module):
    """Scales each of four particles in all of its coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(0.3 * torch.randn(4, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * self.log_scale.exp(), 3 * self.total(x)

    def total(self, x: Tensor) -> Tensor:
        return self.log_scale.sum().expand(len(x))


class WrongBack(Particles):
    """Right there, and wrong on the way back."""

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return y * (-self.log_scale).exp(), 3 * self.total(y)


class CountedOnce(Particles):
    """Counts no coordinates: at one alone that would do."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * self.log_scale.exp(), self.total(x)


class Averaged(Particles):
    """Averages over the particles as well."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * self.log_scale.exp(), 3 * self.log_scale.mean().expand(len(x))


def test_one_that_is_right_for_three_coordinates_passes_with_a_warning() -> None:
    report = ldjcheck.check(Particles())
    assert report.status == "pass", report
    assert [finding.code for finding in report.findings] == ["LDJ121"]
    assert "PASS" in str(report)
    assert "at (4, 3) alone" in str(report).partition("\n")[0]


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("layer", "code"),
    [(WrongBack, "LDJ302"), (CountedOnce, "LDJ102"), (Averaged, "LDJ103")],
)
def test_what_is_wrong_at_that_size_too_fails(
    layer: type[Particles], code: str
) -> None:
    report = ldjcheck.check(layer())
    assert report.findings[0].code == code, report

"""Maps that wrap around: they are checked on one period, and nothing else is excused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Wrapped(nn.Module):
    """A shift on the circle from -2 to 2, stretched into an affine map of its own."""

    step = 0.5

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.remainder(x + self.step + 2, 4) - 2
        return y * 3, torch.log(torch.tensor(3.0)).expand(len(x)) * x.shape[1]

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.remainder(y / 3 - self.step + 2, 4) - 2
        return x, -torch.log(torch.tensor(3.0)).expand(len(y)) * y.shape[1]


def test_a_map_that_wraps_around_is_one_to_one_on_its_period() -> None:
    report = ldjcheck.check(Wrapped())
    assert report.status == "pass", report
    assert report.result.inferred["domain"] == "interval:-2:2: it repeats every 4"


def test_a_way_back_that_wraps_around_is_one_to_one_there() -> None:
    class Wraps(nn.Module):
        """Goes there as it is, and comes back to the stretch from -1 to 1."""

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return 3 * x, torch.log(torch.tensor(3.0)).expand(len(x)) * x.shape[1]

        def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
            ldj = -torch.log(torch.tensor(3.0)).expand(len(y)) * y.shape[1]
            return torch.remainder(y / 3 + 1, 2) - 1, ldj

    report = ldjcheck.check(Wraps())
    assert report.status == "pass", report
    assert report.result.inferred["domain"] == "interval:-1:1: it repeats every 2"


@pytest.mark.slow
def test_a_wrong_way_back_is_no_period() -> None:
    class Wrong(Wrapped):
        def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
            x, ldj = super().inverse(y)
            return torch.where(x > 0, x + 1.0, x), ldj

    assert ldjcheck.check(Wrong()).status == "fail"


@pytest.mark.slow
def test_a_way_back_that_forgets_its_shift_is_no_period() -> None:
    class Forgets(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x.exp() + 1, x.sum(1)

        def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
            return torch.log(y - 1) + 0.5, -torch.log(y - 1).sum(1)

    assert ldjcheck.check(Forgets()).findings[0].code == "LDJ301"


def test_a_square_and_its_root_are_no_period() -> None:
    class Square(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x**2, torch.log(2 * x.abs()).sum(1)

        def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
            return y.sqrt(), -torch.log(2 * y.sqrt()).sum(1)

    assert ldjcheck.check(Square()).status == "fail"


class Turns(nn.Module):
    """Turns the first entry by 1, on the circle from -4 to 4, and scales the other by it."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        scale = 1 + a**2
        return torch.cat([turned(a, 1.0), b * scale], dim=1), scale.log().sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        a, b = y.chunk(2, dim=1)
        a = turned(a, -1.0)
        scale = 1 + a**2
        return torch.cat([a, b / scale], dim=1), -scale.log().sum(1)


def turned(x: Tensor, by: float) -> Tensor:
    return torch.remainder(x + by + 4, 8) - 4


def test_a_turn_that_only_far_inputs_make_and_others_depend_on_is_seen() -> None:
    report = ldjcheck.check(Turns(), shape=(2,))
    assert report.status == "pass", report
    assert report.result.inferred["domain"] == "interval:-4:4: it repeats every 8"

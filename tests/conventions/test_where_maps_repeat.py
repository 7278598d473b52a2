"""Maps that wrap around: they are checked on one period, and nothing else is excused."""

from __future__ import annotations

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


def test_a_wrong_way_back_is_no_period() -> None:
    class Wrong(Wrapped):
        def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
            x, ldj = super().inverse(y)
            return torch.where(x > 0, x + 1.0, x), ldj

    assert ldjcheck.check(Wrong()).status == "fail"


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

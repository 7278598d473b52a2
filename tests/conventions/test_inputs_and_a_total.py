"""Several tensors and a total out mean several tensors and a total in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from collections.abc import Callable

Three = tuple[Tensor, Tensor, Tensor]


class Halves(nn.Module):
    """One half moves the other, each a tensor of its own."""

    sign = 1.0

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(3, 6)

    def forward(self, x1: Tensor, x2: Tensor, ldj: Tensor) -> Three:
        s, t = self.net(x1).chunk(2, dim=-1)
        s = torch.tanh(s)
        return x1, x2 * s.exp() + t, ldj + self.sign * s.sum(-1)

    def inverse(self, y1: Tensor, y2: Tensor, ldj: Tensor) -> Three:
        s, t = self.net(y1).chunk(2, dim=-1)
        s = torch.tanh(s)
        return y1, (y2 - t) * (-s).exp(), ldj - s.sum(-1)


class HalvesTurned(Halves):
    sign = -1.0


class Leapfrog(nn.Module):
    """Positions and momenta move each other; the total has a name of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.f, self.g = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(
        self, place: Tensor, speed: Tensor, volume: Tensor, reverse: bool = False
    ) -> Three:
        if not reverse:
            s = torch.tanh(self.f(place))
            speed = speed * s.exp()
            r = torch.tanh(self.g(speed))
            return place * r.exp(), speed, volume + self.both(s, r)
        r = torch.tanh(self.g(speed))
        place = place * (-r).exp()
        s = torch.tanh(self.f(place))
        return place, speed * (-s).exp(), volume - self.both(s, r)

    def both(self, s: Tensor, r: Tensor) -> Tensor:
        return s.sum(-1) + r.sum(-1)


class LeapfrogHalf(Leapfrog):
    def both(self, s: Tensor, r: Tensor) -> Tensor:
        return s.sum(-1)


class Thirds(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(4, 2)

    def forward(
        self, a: Tensor, b: Tensor, c: Tensor, logdet: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        s = torch.tanh(self.net(torch.cat([a, b], dim=-1)))
        return a, b, c * s.exp(), logdet + s.sum(-1)


class ThirdsMean(Thirds):
    def forward(
        self, a: Tensor, b: Tensor, c: Tensor, logdet: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        s = torch.tanh(self.net(torch.cat([a, b], dim=-1)))
        return a, b, c * s.exp(), logdet + s.mean(-1)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("layer", [Halves, Leapfrog, Thirds])
def test_all_tensors_that_come_back_are_inputs(
    layer: Callable[[], nn.Module],
) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", report
    assert "flat" in report.to_dict()["results"][0]["inferred"]["shape"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "code"),
    [(HalvesTurned, "LDJ104"), (LeapfrogHalf, "LDJ110"), (ThirdsMean, "LDJ105")],
)
def test_what_is_wrong_with_them_is_named(
    layer: Callable[[], nn.Module], code: str
) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "fail"
    assert report.findings[0].code == code, report


class Unnamed(nn.Module):
    """Its source says nothing of what comes back."""

    sign = 1.0

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(2, 2)

    def forward(self, one: Tensor, two: Tensor, three: Tensor) -> Three:
        s = torch.tanh(self.net(one))
        result = one, two * s.exp(), three + self.sign * s.sum(-1)
        return result


@pytest.mark.slow
def test_a_description_says_so_by_names_of_its_own() -> None:
    said = "f(x1, x2, ldj) -> y1, y2, ldj"
    assert ldjcheck.check(Unnamed(), convention=said).status == "pass"
    turned = Unnamed()
    turned.sign = -1.0
    report = ldjcheck.check(turned, convention=said)
    assert report.findings[0].code == "LDJ104", report


class WithContext(nn.Module):
    """A mask that comes back is a context, and no input."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(4, 4)

    def forward(self, x: Tensor, mask: Tensor, ldj: Tensor) -> Three:
        s = torch.tanh(self.net(x * mask)) * (1 - mask)
        return x * s.exp(), mask, ldj + s.sum(-1)


def test_a_context_that_goes_on_is_no_input() -> None:
    report = ldjcheck.check(WithContext())
    assert report.status == "pass", report
    assert "flat" not in report.to_dict()["results"][0]["inferred"]["shape"]

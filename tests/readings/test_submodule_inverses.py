"""The ways back of what a flow holds are checked where its own call runs none of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

import ldjcheck


class Coupling(nn.Module):
    """Scale and shift one half of the dims by what the other half says."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4)

    def moments(self, a: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.net(a).chunk(2, 1)
        return torch.tanh(s), t

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        s, t = self.moments(a)
        return torch.cat([b * s.exp() + t, a], 1), s.sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        b, a = y.chunk(2, 1)
        s, t = self.moments(a)
        return torch.cat([a, (b - t) * (-s).exp()], 1), -s.sum(1)


class ShiftedTooLate(Coupling):
    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        b, a = y.chunk(2, 1)
        s, t = self.moments(a)
        return torch.cat([a, b * (-s).exp() - t], 1), -s.sum(1)


class SignOfTheWayThere(Coupling):
    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        b, a = y.chunk(2, 1)
        s, t = self.moments(a)
        return torch.cat([a, (b - t) * (-s).exp()], 1), s.sum(1)


class OneWay(Coupling):
    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError


class Model(nn.Module):
    """Three couplings to a normal base; only sampling goes back."""

    def __init__(self, kind: type[Coupling] = Coupling) -> None:
        super().__init__()
        self.layers = nn.ModuleList(kind() for _ in range(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for layer in self.layers:
            x, ldj = layer(x)
            total = total + ldj
        return x, total

    def log_prob(self, x: Tensor) -> Tensor:
        z, total = self(x)
        return Independent(Normal(torch.zeros(4), torch.ones(4)), 1).log_prob(z) + total

    def sample(self, count: int) -> Tensor:
        z = torch.randn(count, 4)
        for layer in reversed(self.layers):
            z, _ = layer.inverse(z)
        return z


def test_right_ways_back_are_said_to_be_checked() -> None:
    report = ldjcheck.check(Model())
    assert report.status == "pass"
    told = report.result.inferred["layers[0]"]
    assert told == "its way back, which this call does not run, is right"


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("kind", "code"), [(ShiftedTooLate, "LDJ301"), (SignOfTheWayThere, "LDJ302")]
)
def test_a_wrong_way_back_is_told_of_the_layer_that_has_it(
    kind: type[Coupling], code: str
) -> None:
    report = ldjcheck.check(Model(kind))
    assert report.status == "fail"
    first = report.findings[0]
    assert first.code == code
    assert first.message.startswith(f"In sublayer layers[0] ({kind.__name__}): the inv")
    assert first.location is not None
    assert first.location.function == "inverse"
    assert first.fix is not None


def test_a_way_back_that_is_not_offered_is_none() -> None:
    report = ldjcheck.check(Model(OneWay))
    assert report.status == "pass"
    assert not report.findings


def test_who_asks_for_the_way_there_alone_is_told_of_no_other() -> None:
    assert ldjcheck.check(Model(ShiftedTooLate), direction="forward").status == "pass"


class EitherWay(Coupling):
    """One function for both ways, by a flag."""

    sign = -1.0

    def forward(self, x: Tensor, reverse: bool = False) -> tuple[Tensor, Tensor]:
        first, second = x.chunk(2, 1)
        if reverse:
            s, t = self.moments(second)
            return torch.cat([second, (first - t) * (-s).exp()], 1), self.sign * s.sum(
                1
            )
        s, t = self.moments(first)
        return torch.cat([second * s.exp() + t, first], 1), s.sum(1)


class WrongEitherWay(EitherWay):
    sign = 1.0


class SampledByFlag(Model):
    def sample(self, count: int) -> Tensor:
        z = torch.randn(count, 4)
        for layer in reversed(self.layers):
            z, _ = layer(z, reverse=True)
        return z


@pytest.mark.slow
def test_a_flag_that_turns_one_function_round_hides_no_wrong_way_back() -> None:
    assert ldjcheck.check(SampledByFlag(EitherWay)).status == "pass"
    report = ldjcheck.check(SampledByFlag(WrongEitherWay))
    assert report.status == "fail"
    assert report.findings[0].direction == "inverse"


class Sampler(nn.Module):
    """z to x by the ways back of its layers, with the ldj that they report."""

    def __init__(self, kind: type[Coupling]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(kind() for _ in range(2))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        total = z.new_zeros(len(z))
        for layer in reversed(self.layers):
            z, ldj = layer.inverse(z)  # type: ignore[operator]
            total = total + ldj
        return z, total


@pytest.mark.slow
def test_a_way_back_that_a_right_call_has_run_is_not_asked_by_itself() -> None:
    report = ldjcheck.check(Sampler(Coupling))
    assert report.status == "pass"
    assert "run by this call" in report.result.inferred["layers[0]"]
    assert ldjcheck.check(Sampler(SignOfTheWayThere)).status == "fail"

"""Layers that nobody calls: a method of their own is the way forward."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Scaled(nn.Module):
    """Goes forward by `normalise_batch`, and back by `inverse`, which gives x alone."""

    sign = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([0.3, -0.2, 0.5, 0.1]))

    def normalise_batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_det = torch.zeros(x.size(0)) + self.sign * self.a.sum()
        return x * self.a.exp(), log_det

    def inverse(self, z: Tensor) -> Tensor:
        return z * (-self.a).exp()


class Flipped(Scaled):
    sign = -1.0


class WithHelper(Scaled):
    """Has a method that returns a pair of another kind."""

    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, spread = x.mean(0), x.std(0)
        return mean, spread


def test_a_method_that_returns_a_log_det_is_the_way_forward_of_what_has_no_call() -> (
    None
):
    for layer in (Scaled(), WithHelper()):
        report = ldjcheck.check(layer, shape=(4,))
        assert report.status == "pass", report
        assert "round trip" in str(report)


def test_a_wrong_one_is_found_as_behind_a_call() -> None:
    report = ldjcheck.check(Flipped(), shape=(4,))
    assert report.findings[0].code == "LDJ104"


class HandsOn(nn.Module):
    """Is called to encode; what decodes is undone by that, and counts half or all of it."""

    def __init__(self, share: float = 1.0) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([0.3, -0.2, 0.5, 0.1]))
        self.share = share

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * self.a.exp(), self.a.sum().expand(len(x))

    def decode(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z * (-self.a).exp(), -self.share * self.a.sum().expand(len(z))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.encode(x)


class Reconstructs(HandsOn):
    """Asks both itself: neither is its way back."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, ldj = self.encode(x)
        return self.decode(z)[0] + z, ldj


class OfTwoNets(nn.Module):
    """A coupling whose networks are called as a map and its way back often are."""

    def __init__(self) -> None:
        super().__init__()
        self.f, self.g = nn.Linear(2, 4), nn.Linear(4, 4)

    def conditioned(self, a: Tensor) -> Tensor:
        return torch.tanh(self.g(a))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, -1)
        s, t = self.conditioned(torch.tanh(self.f(a))).chunk(2, -1)
        return torch.cat([a, b * s.exp() + t], -1), s.sum(-1)


def test_networks_are_no_ways() -> None:
    result = ldjcheck.check(OfTwoNets()).result
    assert result.status == "pass"
    back = [check for check in result.checks if check.direction == "inverse"]
    assert all(check.status == "not-available" for check in back)


@pytest.mark.slow
def test_a_call_that_hands_on_to_encode_is_undone_by_decode() -> None:
    right = ldjcheck.check(HandsOn()).result
    assert right.status == "pass"
    assert {check.direction for check in right.checks} >= {"forward", "inverse"}
    wrong = ldjcheck.check(HandsOn(share=0.5)).result
    assert [f.direction for f in wrong.findings][:1] == ["inverse"]


@pytest.mark.slow
def test_what_a_call_asks_itself_does_not_undo_it() -> None:
    checks = ldjcheck.check(Reconstructs()).result.checks
    back = [check for check in checks if check.direction == "inverse"]
    assert all(check.status == "not-available" for check in back)


class Standardised:
    """No module, and no call: what it is fitted to stands in plain tensors."""

    def __init__(self, counted: float = 1.0) -> None:
        self.mean, self.scale = torch.tensor([0.5, 1.0]), torch.tensor([2.0, 0.3])
        self.counted = counted

    def transform(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.scale

    def log_jac(self, x: Tensor) -> Tensor:
        return -self.counted * self.scale.log().sum().expand(len(x))


def test_what_has_no_call_may_have_a_method_of_the_way_and_one_for_its_ldj() -> None:
    report = ldjcheck.check(Standardised())
    assert (report.status, report.result.convention) == ("pass", "log-det-method")
    assert ldjcheck.check(Standardised(counted=-1.0)).findings[0].code == "LDJ104"


class AsInKeras(nn.Module):
    """No forward: `call`, and what the base class would ask for the log-det."""

    def __init__(self, counted: float = 1.0) -> None:
        super().__init__()
        self.a, self.counted = nn.Parameter(torch.zeros(3)), counted

    def call(self, x: Tensor) -> Tensor:
        return torch.sinh(x) * self.a.exp()

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        return (torch.cosh(x).log() + self.counted * self.a).sum(1)


def test_what_has_no_forward_may_have_a_call_and_a_hidden_method_for_its_ldj() -> None:
    report = ldjcheck.check(AsInKeras())
    assert (report.status, report.result.convention) == ("pass", "log-det-method")
    assert ldjcheck.check(AsInKeras(counted=-1.0)).findings[0].code == "LDJ104"


class Warped:
    """Is never called; what its method returns first has no name, and is a logarithm."""

    def __init__(self, power: float = 1.0) -> None:
        self.gain = torch.tensor([0.5, 1.2, 0.8])
        self.power = power

    def push(self, z: Tensor) -> tuple[Tensor, Tensor]:
        slope = self.gain * torch.cosh(z) ** self.power
        return torch.log(slope).sum(-1), self.gain * torch.sinh(z)

    def moments(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z.mean(-1), z.std(-1)


class Moments(Warped):
    push = None  # type: ignore[assignment]


@pytest.mark.slow
def test_a_method_that_returns_a_logarithm_is_called_where_nothing_else_is() -> None:
    assert ldjcheck.check(Warped()).status == "pass"
    assert ldjcheck.check(Warped(2.0)).status == "fail"
    assert ldjcheck.check(Moments()).status == "error"


class FromTheBase(nn.Module):
    """Decodes z, and counts that; x alone is encoded."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.a, self.sign = nn.Parameter(torch.randn(4) * 0.3), sign

    def decode(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z * self.a.exp(), self.sign * self.a.sum().expand(len(z))

    def encode(self, pos: Tensor) -> Tensor:
        return pos * (-self.a).exp()


@pytest.mark.parametrize("seed", range(3))
def test_of_two_ways_the_one_that_counts_is_the_way_there(seed: int) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(FromTheBase(), seed=seed)
    assert report.status == "pass", report
    assert "round trip" in str(report)
    wrong = ldjcheck.check(FromTheBase(-1.0), seed=seed)
    assert wrong.findings[0].code == "LDJ104", wrong

"""A shape that is written in words is tried first: what is counted there is what is judged."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class _Scaled(nn.Module):
    """Points are scaled alike, and as `factor` says their ldj is counted."""

    def __init__(self, factor: int = 3) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(0.4))
        self.shift = nn.Parameter(torch.zeros(3))
        self.factor = factor

    def scaled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = self.factor * x.shape[1] * self.log_scale
        return x * self.log_scale.exp() + self.shift, ldj.expand(len(x))


class InADocstring(_Scaled):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scale particles (B, N, 3)."""
        return self.scaled(x)


# Particles of shape [batch, N, 3].
class AboveTheClass(_Scaled):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.scaled(x)


class AtTheEndOfALine(_Scaled):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # x: (b, n, 3)
        return self.scaled(x)


def points(x: Tensor) -> tuple[Tensor, Tensor]:
    """Scale points (N, T, 2) by three."""
    ldj = 2 * x.shape[1] * torch.tensor(3.0).log()
    return 3.0 * x, ldj.expand(len(x))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [InADocstring, AboveTheClass, AtTheEndOfALine])
def test_what_is_right_there_passes_and_its_twin_fails(kind: type[_Scaled]) -> None:
    right = ldjcheck.check(kind()).result
    assert (right.status, right.checks[0].shape) == ("pass", (8, 3))
    # It is right for vectors of three.
    wrong = ldjcheck.check(kind(factor=1)).result
    assert (wrong.status, wrong.checks[0].shape) == ("fail", (8, 3))


def test_functions_are_asked_for_their_words_too() -> None:
    result = ldjcheck.check(points).result
    assert (result.status, result.checks[0].shape) == ("pass", (8, 2))


def test_a_shape_that_raises_is_left_for_one_that_runs() -> None:
    class Misdescribed(nn.Module):
        """Takes (B, N, 3), it says, and takes vectors of five."""

        def __init__(self) -> None:
            super().__init__()
            self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.6, 5))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            batch, _ = x.shape
            return x * self.log_scale.exp(), self.log_scale.sum().expand(batch)

    result = ldjcheck.check(Misdescribed()).result
    assert (result.status, result.checks[0].shape) == ("pass", (5,))


def test_words_that_are_none_are_left_alone() -> None:
    odd = type("Odd", (_Scaled,), {"__doc__": 3, "forward": _Scaled.scaled})
    result = ldjcheck.check(odd(factor=1)).result  # which is right for vectors of three
    assert (result.status, result.checks[0].shape) == ("pass", (3,))


class Alike(nn.Module):
    """Scales all dims alike. Returns y, and the log-det of a batch [batch, 1]."""

    def __init__(self, *, counts: bool) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor([0.4]))
        self.counts = counts

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        dims = x[0].numel() if self.counts else 1
        return x * self.log_scale.exp(), (dims * self.log_scale).expand(len(x))


def test_a_column_is_no_event_of_one_dim() -> None:
    assert ldjcheck.check(Alike(counts=True)).result.status == "pass"
    wrong = ldjcheck.check(Alike(counts=False)).result  # which one dim does not show
    assert [finding.code for finding in wrong.findings] == ["LDJ101"]


class Flattened(nn.Module):
    """Makes images vectors. Takes images or any (batch, dims), as all layers here do."""

    def __init__(self) -> None:
        super().__init__()
        self.input_shape, self.output_shape = (2, 4, 6), (48,)

    def forward(self, x: Tensor, rev: bool = False) -> tuple[Tensor, Tensor]:
        shape = self.input_shape if rev else self.output_shape
        return x.reshape(-1, *shape), x.new_zeros(len(x))


def test_a_shape_that_is_held_is_tried_before_one_that_words_leave_open() -> None:
    result = ldjcheck.check(Flattened()).result
    assert result.status == "pass", result
    assert result.checks[0].shape == (2, 4, 6)


class MovesSome(nn.Module):
    """Positions are (B, N, 3); half of the points is scaled by what the others are."""

    def __init__(self, points: int, coordinates: int) -> None:
        super().__init__()
        self.net = nn.Linear(1, 1)
        self.register_buffer("moved", torch.arange(0, points, 2))
        self.register_buffer("fixed", torch.arange(1, points, 2))
        self.coordinates = coordinates

    def forward(self, pos: Tensor) -> tuple[Tensor, Tensor]:
        others = pos[:, self.fixed].square().sum(-1, keepdim=True)
        log_s = torch.tanh(self.net(others))
        new = pos.clone()
        new[:, self.moved] = pos[:, self.moved] * log_s.exp()
        return new, self.coordinates * log_s.sum((1, 2))


class Points(nn.Module):
    """Holds how many there are; how many coordinates, its layers alone say."""

    def __init__(self, n: int = 10, coordinates: int = 3) -> None:
        super().__init__()
        self.n = n
        self.steps = nn.ModuleList(MovesSome(n, coordinates) for _ in range(2))

    def forward(self, pos: Tensor) -> tuple[Tensor, Tensor]:
        ldj = pos.new_zeros(len(pos))
        for step in self.steps:
            pos, own = step(pos)
            ldj = ldj + own
        return pos, ldj


@pytest.mark.slow
def test_what_a_sublayer_says_of_its_input_is_filled_with_held_sizes() -> None:
    report = ldjcheck.check(Points())
    assert report.status == "pass", report
    assert report.checks[0].shape == (10, 3)
    assert ldjcheck.check(Points(coordinates=1)).status == "fail"

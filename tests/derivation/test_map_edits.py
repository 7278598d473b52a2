"""A map that is computed wrongly is edited where it is, and its ldj is left alone."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ldjcheck


class Permuted(nn.Module):
    """Scale the entries in another order; the way back puts them in that order again."""

    def __init__(self, dims: int = 5) -> None:
        super().__init__()
        order = torch.randperm(dims)
        while order.equal(order.argsort()):
            order = torch.randperm(dims)
        self.register_buffer("order", order)
        self.register_buffer("back", order.argsort())
        self.log_s = nn.Parameter(torch.randn(dims))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = self.log_s.sum().expand(len(x))
        return x[:, self.order] * self.log_s.exp(), ldj

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x = y * (-self.log_s).exp()
        return x[:, self.order], -self.log_s.sum().expand(len(y))


class OneByOne(nn.Module):
    """What is drawn conditions the next dim on the noise, and not on what came of it."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.dims = dims
        self.register_buffer("before", torch.ones(dims, dims).tril(-1))
        self.weight = nn.Parameter(torch.randn(2, dims, dims))

    def says(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s, t = torch.tanh(x @ (self.weight * self.before).mT)
        return s, t

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.says(x)
        return x * s.exp() + t, s.sum(1)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        x, ldj = torch.zeros_like(z), 0.0
        for i in range(self.dims):
            s, t = self.says(z)
            column = (z[:, i] - t[:, i]) * (-s[:, i]).exp()
            x = torch.cat([x[:, :i], column[:, None], x[:, i + 1 :]], 1)
            ldj = ldj - s[:, i]
        return x, ldj


class SeesNow(nn.Module):
    """A series of which each step is scaled by what a network saw, that step included."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(2, 6, batch_first=True)
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        past = F.pad(x, (0, 0, 1, 0))[:, 1:]
        shift, raw = self.head(self.rnn(past)[0]).chunk(2, -1)
        log_s = torch.tanh(raw)
        return x * log_s.exp() + shift, log_s.sum((1, 2))


class Gated(nn.Module):
    """Of two networks of a coupling one is given the half that it is to scale."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 2))
        self.scale = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, moved = x.chunk(2, 1)
        t = self.shift(kept)
        s = torch.tanh(self.scale(moved))
        return torch.cat([kept, moved * s.exp() + t], 1), s.sum(1)


def degrees(dims: int, hidden: int) -> tuple[Tensor, Tensor]:
    at, inner = torch.arange(dims), torch.arange(hidden) % (dims - 1)
    first = inner[:, None] >= at
    last = at[:, None] >= inner
    return first.double(), last.double()


class Made(nn.Module):
    """A masked network whose last mask lets each dim see itself."""

    def __init__(self, dims: int = 4, hidden: int = 12) -> None:
        super().__init__()
        first, last = degrees(dims, hidden)
        self.register_buffer("first", first)
        self.register_buffer("last", last.repeat(2, 1))
        self.enter = nn.Parameter(torch.randn(hidden, dims) / 2)
        self.leave = nn.Parameter(torch.randn(2 * dims, hidden) / 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        seen = torch.tanh(F.linear(x, self.enter * self.first))
        shift, s = F.linear(seen, self.leave * self.last).chunk(2, 1)
        return x * torch.exp(s) + shift, s.sum(1)


class Chain(nn.Module):
    """Several steps, undone in the order in which they are done."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.ModuleList(Bend() for _ in range(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = torch.zeros(len(x))
        for step in self.steps:
            x, more = step(x)
            ldj = ldj + more
        return x, ldj

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        ldj = torch.zeros(len(y))
        for step in self.steps:
            y, more = step.inverse(y)
            ldj = ldj + more
        return y, ldj


class Bend(nn.Module):
    """Scales, shifts and bends."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s, self.t = (
            nn.Parameter(torch.randn(4) / 2),
            nn.Parameter(torch.randn(4)),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        bent = x * self.log_s.exp() + self.t
        return torch.sinh(bent / 4), (self.log_s + (bent / 4).cosh().log()).sum(
            1
        ) - LOG_4S

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        bent = 4 * torch.asinh(y)
        ldj = LOG_4S - (self.log_s + (bent / 4).cosh().log()).sum(1)
        return (bent - self.t) * (-self.log_s).exp(), ldj


LOG_4S = 4 * math.log(4.0)


class Rolled(nn.Module):
    """Moves entries along, and once more on the way back."""

    def __init__(self, by: int = 1) -> None:
        super().__init__()
        self.by = by
        self.log_s = nn.Parameter(torch.randn(5))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = self.log_s.sum().expand(len(x))
        return torch.roll(x * self.log_s.exp(), self.by, 1), ldj

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        moved = torch.roll(y, self.by, 1)
        return moved * (-self.log_s).exp(), -self.log_s.sum().expand(len(y))


class Joined(nn.Module):
    """Joins its halves in one order where it swaps them, and else in the other."""

    def __init__(self, swap: bool = True) -> None:
        super().__init__()
        self.swap = swap
        self.net = nn.Linear(2, 4)

    def halves(self, v: Tensor) -> tuple[Tensor, Tensor]:
        a, b = v.chunk(2, 1)
        return (b, a) if self.swap else (a, b)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = self.halves(x)
        s, t = self.net(a).chunk(2, 1)
        b = b * s.exp() + t
        return torch.cat([b, a] if self.swap else [a, b], 1), s.sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        a, b = self.halves(y)
        s, t = self.net(a).chunk(2, 1)
        b = (b - t) * (-s).exp()
        halves = [a, b] if self.swap else [a, b]  # noqa: RUF034 -- that is the mistake
        return torch.cat(halves, 1), -s.sum(1)


MENDED: list[tuple[type[nn.Module], tuple[int, ...], str, str]] = [
    (
        Permuted,
        (5,),
        "LDJ301",
        "return x[:, self.back], -self.log_s.sum().expand(len(y))",
    ),
    (Chain, (4,), "LDJ301", "for step in reversed(self.steps):"),
    (Rolled, (5,), "LDJ301", "moved = torch.roll(y, -self.by, 1)"),
    (
        Joined,
        (4,),
        "LDJ301",
        "halves = [b, a] if self.swap else [a, b]  # noqa: RUF034 -- that is the mistake",
    ),
    (OneByOne, (3,), "LDJ301", "s, t = self.says(x)"),
    (SeesNow, (5, 2), "LDJ120", "past = F.pad(x, (0, 0, 1, 0))[:, :-1]"),
    (Gated, (4,), "LDJ120", "s = torch.tanh(self.scale(kept))"),
    (Made, (4,), "LDJ120", "last = at[:, None] > inner"),
]


@pytest.mark.thinned(16)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("kind", "shape", "code", "after"), MENDED)
def test_the_wrong_statement_of_a_map_is_told_and_mended(
    kind: type[nn.Module], shape: tuple[int, ...], code: str, after: str, seed: int
) -> None:
    torch.manual_seed(seed)
    findings = ldjcheck.check(kind(), shape=shape).findings
    found = next(f for f in findings if f.code == code)
    assert found.fix is not None
    assert found.fix.applicability == "verified"
    (edit,) = found.fix.edits
    assert edit.after.strip() == after
    assert found.location is not None
    assert found.location.line == edit.line


def gaussian(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    left = (z - mean) * torch.exp(-log_std)
    return (-0.5 * left**2 - log_std - 0.5 * math.log(2 * math.pi)).sum(1)


class CountsTheWrongHalf(nn.Module):
    """A density of two parts, of which one is counted twice and the other never."""

    def __init__(self) -> None:
        super().__init__()
        self.prior = nn.Linear(2, 4)
        self.log_s = nn.Parameter(torch.randn(2) / 2)

    def log_prob(self, x: Tensor) -> Tensor:
        kept, gone = x.chunk(2, 1)  # noqa: RUF059 -- that is the mistake
        mean, log_std = self.prior(kept).chunk(2, 1)
        dropped = gaussian(kept, mean, torch.tanh(log_std))
        z = kept * self.log_s.exp()
        none = torch.zeros_like(z)
        return dropped + self.log_s.sum() + gaussian(z, none, none)


@pytest.mark.slow
def test_a_density_of_the_wrong_half_is_told_at_its_line_and_mended() -> None:
    torch.manual_seed(0)
    (found,) = ldjcheck.check(CountsTheWrongHalf(), shape=(4,)).findings
    assert found.code == "LDJ501"
    assert found.fix is not None
    (edit,) = found.fix.edits
    assert edit.after.strip() == "dropped = gaussian(gone, mean, torch.tanh(log_std))"
    assert found.location is not None
    assert found.location.line == edit.line

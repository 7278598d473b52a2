"""Flows whose dims leave on the way, at splits: checked as one map to all dims."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from collections.abc import Callable

Pair = tuple[Tensor, Tensor]


class Coupling(nn.Module):
    """Scales the second half, as told by the first."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.net = nn.Linear(dims // 2, dims - dims // 2)

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        a, b = z.chunk(2, dim=1)
        s = torch.tanh(self.net(a))
        if reverse:
            return torch.cat([a, b * torch.exp(-s)], dim=1), self.back(ldj, s)
        return torch.cat([a, b * torch.exp(s)], dim=1), self.there(ldj, s)

    def there(self, ldj: Tensor, s: Tensor) -> Tensor:
        return ldj + s.sum(dim=1)

    def back(self, ldj: Tensor, s: Tensor) -> Tensor:
        return ldj - s.sum(dim=1)


class Averaging(Coupling):
    def there(self, ldj: Tensor, s: Tensor) -> Tensor:
        return ldj + s.mean(dim=1)


class BackwardsAdding(Coupling):
    def back(self, ldj: Tensor, s: Tensor) -> Tensor:
        return ldj + s.sum(dim=1)


class Turning(nn.Module):
    """Puts the last dim first."""

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        return z.roll(-1 if reverse else 1, dims=1), ldj


class Split(nn.Module):
    """Drops half of the dims, whose log-density depends on the other half."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.net = nn.Linear(dims // 2, dims)

    def log_p_of(self, u: Tensor, log_s: Tensor) -> Tensor:
        return (-(u**2) / 2 - log_s - 0.5 * math.log(2 * math.pi)).sum(dim=1)

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        kept = z if reverse else z[:, : z.shape[1] // 2]
        mean, log_s = self.net(kept).chunk(2, dim=1)
        if reverse:
            u = torch.randn_like(z)
            whole = torch.cat([z, mean + u * torch.exp(log_s)], dim=1)
            return whole, ldj - self.log_p_of(u, log_s)
        u = (z[:, z.shape[1] // 2 :] - mean) * torch.exp(-log_s)
        return kept, ldj + self.log_p_of(u, log_s)


class WithoutScale(Split):
    def log_p_of(self, u: Tensor, log_s: Tensor) -> Tensor:
        return super().log_p_of(u, 0 * log_s)


class Flow(nn.Module):
    """Two scales and a half, in the convention of courses."""

    def __init__(
        self, coupling: type[Coupling] = Coupling, split: type[Split] = Split
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                Coupling(8), Turning(), coupling(8), split(8),
                Coupling(4), Turning(), split(4), Coupling(2),
            ]
        )  # fmt: skip

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        for layer in reversed(self.layers) if reverse else self.layers:
            z, ldj = layer(z, ldj, reverse=reverse)
        return z, ldj


class Forgetful(Flow):
    """Throws away what the layers say."""

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        return super().forward(z, ldj, reverse)[0], ldj


class BackTooFar(Flow):
    """Scales what comes back."""

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        z, ldj = super().forward(z, ldj, reverse)
        return (2 * z, ldj) if reverse else (z, ldj)


class Small(Flow):
    """One split, and a layer before it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Coupling(4), Split(4)])


class SmallTooFar(Small, BackTooFar):
    pass


def checked(
    built: Callable[[], nn.Module], seed: int = 0, **options: Any
) -> ldjcheck.Report:
    torch.manual_seed(seed)
    return ldjcheck.check(built(), shape=(8,), **options)


# With the last seeds, densities are so steep that what is drawn from them leaves no trace.
@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 4, 9, 10])
def test_a_right_flow_is_proved_both_ways_and_says_where_dims_leave(seed: int) -> None:
    report = checked(Flow, seed)
    assert report.status == "pass", report
    assert [c.status for c in report.checks[:3]] == ["pass"] * 3
    assert [c.dims for c in report.checks[:2]] == [8, 8]
    assert report.result.kind == "flow"
    (note,) = report.findings
    assert note.code == "LDJ305"
    assert "`layers[3]` (Split), `layers[6]` (Split)" in note.message


def test_a_flow_of_one_split_is_proved_both_ways() -> None:
    report = ldjcheck.check(Small(), shape=(4,))
    assert report.status == "pass", report
    assert [c.status for c in report.checks[:3]] == ["pass"] * 3
    assert [f.code for f in report.findings] == ["LDJ305"]


def test_of_a_way_back_that_leads_elsewhere_no_ldj_is_judged() -> None:
    report = ldjcheck.check(SmallTooFar(), shape=(4,))
    first, *_, last = report.findings
    assert (first.code, first.direction) == ("LDJ301", "inverse")
    assert [c.status for c in report.checks[:3]] == ["pass", "unproven", "fail"]
    assert (last.code, last.direction) == ("LDJ305", "inverse")
    assert last.message.startswith("2 dims go in and 4 come out")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flow", "code", "direction", "place"),
    [
        (partial(Flow, coupling=Averaging), "LDJ105", "forward", "s.mean(dim=1)"),
        pytest.param(
            partial(Flow, coupling=BackwardsAdding), "LDJ302", "inverse", "ldj + s.sum(dim=1)",
            marks=pytest.mark.slow,
        ),
        (partial(Flow, split=WithoutScale), "LDJ501", "forward", "self.log_p_of(u, log_s)"),
        pytest.param(
            Forgetful, "LDJ119", "forward", None, marks=pytest.mark.slow
        ),
        (BackTooFar, "LDJ301", "inverse", None),
    ],
    ids=["coupling", "coupling on the way back", "density", "flow", "way back"],
)  # fmt: skip
def test_one_mistake_is_named_where_it_is(
    flow: Callable[[], nn.Module], code: str, direction: str, place: str | None
) -> None:
    report = checked(flow)
    assert report.status == "fail"
    first = report.findings[0]
    assert (first.code, first.direction) == (code, direction), report
    if place is not None:
        assert first.location is not None
        assert place in first.location.text
    if code == "LDJ501":
        assert first.message.startswith("In sublayer `layers[3]` (WithoutScale):")
    if code == "LDJ105":
        wrong = [line.sublayer for line in report.result.sublayers if line.is_wrong]
        assert wrong == ["layers[2]"]


class Inline(nn.Module):
    """Drops half of the dims in its own lines, under a standard normal."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Coupling(8), Coupling(4)
        self.prior = torch.distributions.Normal(0.0, 1.0)

    def density(self, kept: Tensor, left: Tensor) -> Tensor:
        return self.prior.log_prob(left).sum(dim=1)

    def forward(self, z: Tensor) -> Pair:
        z, ldj = self.first(z, torch.zeros(len(z)))
        z, left = z.chunk(2, dim=1)
        z, ldj = self.second(z, ldj + self.density(z, left))
        return z, ldj


class AveragesInline(Inline):
    def density(self, kept: Tensor, left: Tensor) -> Tensor:
        return self.prior.log_prob(left).mean(dim=1)


class OfWhatIsKept(Inline):
    def density(self, kept: Tensor, left: Tensor) -> Tensor:
        return self.prior.log_prob(kept).sum(dim=1)


class AsksOnly(Inline):
    """Keeps the density for itself, and says only what the map does."""

    def density(self, kept: Tensor, left: Tensor) -> Tensor:
        self.asked = super().density(kept, left)
        return 0 * self.asked


@pytest.mark.thinned(4)
@pytest.mark.parametrize(
    ("flow", "status"),
    [
        (Inline, "pass"),
        (AsksOnly, "pass"),
        (AveragesInline, "fail"),
        (OfWhatIsKept, "unproven"),
    ],
    ids=["right", "asks only", "averages", "of what is kept"],
)
def test_dims_that_the_flow_drops_itself_are_those_whose_density_it_asks(
    flow: Callable[[], nn.Module], status: str
) -> None:
    assert checked(flow).status == status


class Sinking(nn.Module):
    """A model of a flow with a split; the base is a standard normal."""

    def __init__(self, sign: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Coupling(8), Split(8), Coupling(4)])
        self.base = torch.distributions.Normal(0.0, 1.0)
        self.sign = sign

    def log_prob(self, x: Tensor) -> Tensor:
        ldj = torch.zeros(len(x))
        for layer in self.layers:
            x, ldj = layer(x, ldj)
        return self.base.log_prob(x).sum(dim=1) + self.sign * ldj


@pytest.mark.slow
@pytest.mark.parametrize(("sign", "status"), [(1.0, "pass"), (-1.0, "fail")])
def test_the_density_of_a_model_counts_what_left(sign: float, status: str) -> None:
    assert checked(partial(Sinking, sign), kind="model").status == status


class Standardising(nn.Module):
    """Drops the second half under a normal whose mean and deviation the first half tells."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.net = nn.Linear(dims // 2, dims)

    def log_density(self, u: Tensor) -> Tensor:
        return -(u**2 / 2 + math.log(2 * math.pi) / 2).sum(dim=1)

    def forward(self, z: Tensor) -> Pair:
        a, b = z.chunk(2, dim=1)
        mean, s = self.net(a).chunk(2, dim=1)
        return a, self.log_density((b - mean) * torch.exp(-s)) - s.sum(dim=1)


class WritingItOut(nn.Module):
    """A model that writes its base and the sum of its layers' ldjs out in full."""

    def __init__(self, *dims: int, split: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(map(Coupling, dims))
        self.split = Standardising(dims[0]) if split else None

    def counted(self, ldjs: list[Tensor]) -> Tensor:
        return torch.stack(ldjs).sum(dim=0)

    def log_prob(self, x: Tensor) -> Tensor:
        ldjs = []
        for layer in self.layers:
            x, ldj = layer(x, torch.zeros(len(x)))
            ldjs.append(ldj)
            if self.split is not None and len(ldjs) == 1:
                x, ldj = self.split(x)
                ldjs.append(ldj)
        return self.counted(ldjs) - (x**2 / 2 + math.log(2 * math.pi) / 2).sum(dim=1)


class Forgetting(WritingItOut):
    def counted(self, ldjs: list[Tensor]) -> Tensor:
        return super().counted(ldjs[:-1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "flow",
    [
        partial(WritingItOut, 8, 4, split=True),
        partial(WritingItOut, 8, 8, split=False),
        partial(WritingItOut, *[8] * 7, split=False),
    ],
    ids=["with a split", "of two layers", "of seven layers"],
)
def test_a_model_may_write_its_base_out(flow: Callable[[], nn.Module]) -> None:
    assert checked(flow, kind="model").status == "pass"


@pytest.mark.slow
def test_a_model_that_writes_its_base_out_may_forget_a_layer() -> None:
    report = checked(partial(Forgetting, 8, 8, split=False), kind="model")
    assert [finding.code for finding in report.findings] == ["LDJ110"]

"""Whole flows by their parts: the sum is the flow's, or nothing is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import ldjcheck
from ldjcheck.oracle.structures.by_structure import Wanted
from ldjcheck.oracle.structures.composition import determined
from ldjcheck.running.observers.calls import SubmoduleCalls
from oracle.custom_functions import NoBackward

from .maps import (
    Map,
    actnorm,
    autoregressive,
    chained,
    chunk_coupling,
    dense_ldj,
    mask_coupling,
    net,
    normal,
    one_by_one,
    planar,
    residual,
    shuffled,
    squeeze,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ldjcheck.oracle.structures.determinant import Determinant


class Part(nn.Module):
    """A sublayer that reports an ldj, which nobody believes."""

    def __init__(self, f: Map) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.f(x), x.new_zeros(len(x))


class Unreporting(Part):
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return self.f(x)


class Flow(nn.Module):
    """Runs its parts one after the other, with something between them that no call is."""

    def __init__(
        self,
        maps: Sequence[Map],
        kind: type[Part] = Part,
        between: Map = lambda x: x,
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleList(kind(f) for f in maps)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            y = part(x)
            x = self.between(y if isinstance(y, Tensor) else y[0])
        return x


def by_parts(flow: Map, x: Tensor, *, refuse: bool = False) -> Determinant:
    wanted = Wanted(afford=(lambda _: False) if refuse else None)
    return determined(flow, x, SubmoduleCalls(), wanted)


def assert_is_the_flows(flow: Map, x: Tensor) -> Determinant:
    found, (sign, exact) = by_parts(flow, x), dense_ldj(flow, x)
    assert found.method == "composition"
    torch.testing.assert_close(found.exact, exact, atol=1e-9, rtol=1e-10)
    assert torch.equal(found.sign, sign)
    assert found.allowed is not None
    assert (found.allowed < 1e-7).all()
    assert found.anchored is not None
    assert found.anchored.all()
    return found


def couplings(count: int, dims: int) -> list[Map]:
    halves: Map = lambda x: x.flip(1)  # noqa: E731 - one of a list
    return [
        each for seed in range(count) for each in (chunk_coupling(dims, seed), halves)
    ]


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("kind", [Part, Unreporting])
def test_a_flow_of_couplings_is_the_sum_over_its_parts(
    count: int, kind: type[Part]
) -> None:
    assert_is_the_flows(Flow(couplings(count, 30), kind), normal(0, 3, 30))


def test_a_flow_of_all_kinds_of_parts_is_their_sum() -> None:
    dims = 36
    maps: list[Map] = [
        torch.sinh, planar(dims), residual(dims), lambda x: x[:, shuffled(dims)],
        autoregressive(dims), lambda x: -x,
    ]  # fmt: skip
    assert_is_the_flows(Flow(maps), normal(0, 3, dims))


def image_flow() -> Flow:
    return Flow(
        [
            mask_coupling((1, 4, 6)), squeeze, actnorm, one_by_one(4),
            mask_coupling((4, 2, 3), 1),
        ]
    )  # fmt: skip


def test_a_flow_of_images_is_the_sum_over_its_parts() -> None:
    assert_is_the_flows(image_flow(), normal(0, 3, 1, 4, 6))


def test_a_part_may_be_a_flow_itself() -> None:
    inner = [Flow(couplings(2, 30)), Flow([torch.sinh, residual(30)])]
    assert_is_the_flows(Flow([*inner, lambda x: x.flip(1)]), normal(0, 3, 30))


class Multiscale(nn.Module):
    """Half of the numbers leave after the first part, and meet the rest at the end."""

    def __init__(self, *, swapped: bool) -> None:
        super().__init__()
        self.first, self.swapped = Flow(couplings(1, 40)), swapped
        self.second = Flow([*couplings(1, 20), residual(20)])

    def forward(self, x: Tensor) -> Tensor:
        kept, done = self.first(x).chunk(2, dim=1)
        z = self.second(kept)
        return torch.cat([z, done] if self.swapped else [done, z], dim=1)


@pytest.mark.parametrize("swapped", [False, True])
def test_behind_a_split_a_part_takes_some_of_the_numbers(swapped: bool) -> None:
    assert_is_the_flows(Multiscale(swapped=swapped), normal(0, 3, 40))


def test_numbers_that_are_there_twice_are_told_apart_by_other_samples() -> None:
    x = normal(0, 3, 30)
    x[0, 3] = x[0, 20]
    assert_is_the_flows(Flow(couplings(3, 30)), x)


# What stands between the parts, and is none


def test_what_is_done_between_the_parts_is_a_part_too() -> None:
    scaling: Map = lambda x: (0.5 + torch.sigmoid(x)).flip(1)  # noqa: E731
    flow = Flow(couplings(2, 30), between=scaling)
    assert_is_the_flows(flow, normal(0, 3, 30))


@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-6, 1e-9])
def test_a_hidden_step_that_leaves_the_numbers_is_no_composition(size: float) -> None:
    def unseen(x: Tensor) -> Tensor:
        return x + size * (x.flip(1) - x.flip(1).detach())

    flow = Flow([chunk_coupling(30), residual(30, 1)], between=unseen)
    found = by_parts(flow, normal(0, 3, 30), refuse=True)
    assert found.method != "composition"
    assert not found.is_known.any()


class Shortcut(Flow):
    """Adds to its output what it was given: the parts are not all that there is."""

    share = 1e-6

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y + self.share * (x - x.detach())


def test_a_path_around_the_parts_is_no_composition() -> None:
    found = by_parts(Shortcut(couplings(2, 30)), normal(0, 3, 30), refuse=True)
    assert not found.is_known.any()


class Additive(nn.Module):
    """Half of the numbers go through a network, and are added to the other half."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Unreporting(net(0, 20, 20))

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=1)
        return torch.cat([a, b + self.net(a)], dim=1)


class Residual(nn.Module):
    """A residual step whose network is called like a sublayer."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Part(net(0, 40, 40))

    def forward(self, x: Tensor) -> Tensor:
        moved: Tensor = self.net(x)[0]
        return x + 0.3 * moved


@pytest.mark.parametrize("make", [Additive, Residual])
def test_a_network_that_a_step_calls_is_no_part_of_the_way(
    make: Callable[[], nn.Module],
) -> None:
    flow, x = make(), normal(0, 3, 40)
    found, (_, exact) = by_parts(flow, x), dense_ldj(flow, x)
    assert found.method != "composition"
    torch.testing.assert_close(found.exact, exact)


class Leaking(nn.Module):
    """A coupling whose network sees one of the numbers that it moves."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s = torch.zeros_like(x)
        s[:, 25] = torch.tanh(x[:, 0])
        s[:, 26] = torch.tanh(x[:, 25])
        s[:, 25] = s[:, 25] + torch.tanh(x[:, 26])
        return x * torch.exp(s), s.sum(dim=1)


class Companions(nn.Module):
    """Moves each sample by the mean of its batch."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + 1e-4 * x.mean(dim=0), x.new_zeros(len(x))


def test_a_part_that_leaks_is_worked_out_as_it_is() -> None:
    flow = Flow(couplings(1, 30))
    flow.parts.append(Leaking())
    assert_is_the_flows(flow, normal(0, 3, 30))


def test_parts_whose_samples_meet_prove_nothing() -> None:
    flow = Flow(couplings(1, 30))
    flow.parts.append(Companions())
    found = by_parts(flow, normal(0, 3, 30))
    assert found.method != "composition"


class Detached(nn.Module):
    """Autograd does not see that the scale hangs on what it scales."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s = torch.tanh(x[:, :1].detach())
        return x * torch.exp(s), 30 * s[:, 0]


def test_differences_contradict_what_autograd_does_not_see() -> None:
    flow = Flow(couplings(2, 30))
    flow.parts.append(Detached())
    found = by_parts(flow, normal(0, 3, 30))
    assert found.anchored is not None
    assert not found.anchored.any()


def test_a_part_that_is_run_twice_counts_at_both_points() -> None:
    flow = Flow(couplings(1, 30))
    flow.parts.append(flow.parts[0])
    assert_is_the_flows(flow, normal(0, 3, 30))


def test_a_part_that_is_also_asked_elsewhere_counts_where_it_is_run() -> None:
    flow = Flow(couplings(2, 30))

    def asking(x: Tensor) -> Tensor:
        flow.parts[0](x + 1.0)
        flow.parts[0](x.detach())
        return x

    flow.between = asking
    assert_is_the_flows(flow, normal(0, 3, 30))


def test_a_part_that_writes_into_its_argument_is_followed() -> None:
    def halved(x: Tensor) -> Tensor:
        x[:, :15] *= 0.5
        return x

    assert_is_the_flows(Flow([torch.sinh, halved, residual(30)]), normal(0, 3, 30))


def test_where_a_part_has_no_way_back_the_whole_is_differenced() -> None:
    flow = Flow([NoBackward.apply, torch.sinh])
    x = normal(0, 3, 30)
    found, (_, exact) = by_parts(flow, x), dense_ldj(flow, x)
    torch.testing.assert_close(found.exact, exact, atol=1e-6, rtol=1e-6)


# What it takes


@pytest.mark.thinned(2)
@pytest.mark.parametrize("count", [1, 4, 16, 64])
def test_calls_do_not_grow_with_the_number_of_parts(count: int) -> None:
    found = by_parts(Flow(couplings(count, 30)), normal(0, 3, 30))
    assert found.method == "composition"
    assert found.calls <= 5  # it is recorded once, and differenced once or twice
    assert found.products <= 14 + 18 * count


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(range(6)), min_size=2, max_size=5), st.integers(0, 99))
def test_any_order_of_parts(kinds: list[int], seed: int) -> None:
    dims = 24
    known: list[Map] = [
        chunk_coupling(dims, seed), lambda x: x.flip(1), torch.sinh,
        residual(dims, seed), planar(dims, seed), autoregressive(dims, None, seed),
    ]  # fmt: skip
    flow = Flow([known[kind] for kind in kinds])
    x = normal(seed, 2, dims) / 4
    found, (sign, exact) = by_parts(flow, x), dense_ldj(flow, x)
    torch.testing.assert_close(found.exact, exact, atol=1e-9, rtol=1e-10)
    assert torch.equal(found.sign, sign)


def test_maps_that_are_chained_without_a_call_are_one_map() -> None:
    flow = chained(chunk_coupling(30), torch.sinh)
    found = by_parts(flow, normal(0, 3, 30))
    assert found.method != "composition"
    assert found.is_known.all()


class Mixes(nn.Module):
    """A linear map of channels, for rows of whatever they are."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(channels) + 0.1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = torch.linalg.slogdet(self.weight).logabsdet
        return x @ self.weight.T, ldj.expand(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        ldj = torch.linalg.slogdet(self.weight).logabsdet
        return y @ torch.linalg.inv(self.weight).T, -ldj.expand(len(y))


class ByPixels(nn.Module):
    """Hands all pixels of all samples on as rows: the part has another batch."""

    def __init__(self, channels: int = 4, counted: float = 1.0) -> None:
        super().__init__()
        self.mixes, self.counted = Mixes(channels), counted

    def _by(
        self, way: Callable[[Tensor], tuple[Tensor, Tensor]], x: Tensor
    ) -> tuple[Tensor, Tensor]:
        batch, channels, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(-1, channels)
        y, ldj = way(rows)
        y = y.reshape(batch, height, width, channels).permute(0, 3, 1, 2)
        return y, self.counted * ldj.reshape(batch, -1).sum(1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._by(self.mixes, x)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self._by(self.mixes.inverse, y)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("counted", "status"), [(1.0, "pass"), (0.5, "fail")])
def test_a_part_may_take_pixels_for_samples(counted: float, status: str) -> None:
    report = ldjcheck.check(ByPixels(counted=counted), shape=(4, 8, 4))
    assert report.status == status, report

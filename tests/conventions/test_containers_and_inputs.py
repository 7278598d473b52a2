"""Layers in a row, inside others, and of several inputs; weights of odd precision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from small_layers import Affine, Coupling, Pair
from torch import Tensor, nn

import ldjcheck
from ldjcheck.conventions import recognise_conventions, untaken


class Shrinking(Affine):
    """Has its sign wrong."""

    def ldj(self, x: Tensor) -> Tensor:
        return -super().ldj(x)


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [
        nn.Sequential,
        lambda *parts: nn.ModuleList(parts),
        lambda *parts: list(parts),
    ],
    ids=["Sequential", "ModuleList", "list"],
)
def test_layers_in_a_row_are_added_up(row: Any) -> None:
    report = ldjcheck.check(row(Affine(), Coupling(), Affine()), shape=(4,))
    assert report.status == "pass", report
    assert report.result.convention == "sequence"
    assert ldjcheck.check(row(Affine(), Shrinking()), shape=(4,)).status == "fail"


def test_a_conditioner_network_is_no_row_of_flow_layers() -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4))
    assert ldjcheck.check(network, shape=(4,)).findings[0].code == "LDJ004"


class Model:
    """Holds a transform, and cannot be called like one."""

    def __init__(self, transform: Any) -> None:
        self.transform = transform


@pytest.mark.thinned(2)
@pytest.mark.parametrize("build", [Affine, Shrinking])
def test_what_holds_a_transform_is_opened_and_that_is_said(build: Any) -> None:
    report = ldjcheck.check(Model(build()), shape=(4,))
    assert report.status == ("pass" if build is Affine else "fail")
    assert report.result.inferred["unwrapped"] == f"{build.__name__}, inside Model"


class Dicts(nn.Module):
    """Moves b by what a says, both in one dict; or in a tuple; or one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 3)

    def both(self, a: Tensor, b: Tensor) -> Pair:
        log_s = torch.tanh(self.net(a))
        return b * log_s.exp(), log_s.sum(1)


class OfDict(Dicts):
    def forward(self, state: Any) -> Any:
        b, ldj = self.both(state["a"], state["b"])
        return {"a": state["a"], "b": b}, ldj


class OfTuple(Dicts):
    def forward(self, state: Any) -> Any:
        a, b = state
        b, ldj = self.both(a, b)
        return (a, b), ldj


class OfTwo(Dicts):
    def forward(self, a: Tensor, b: Tensor) -> Any:
        y, ldj = self.both(a, b)
        return a, y, ldj


@pytest.mark.parametrize("build", [OfDict, OfTuple, OfTwo])
def test_several_inputs_come_as_the_layer_takes_them(build: Any) -> None:
    report = ldjcheck.check(build(), shape={"a": (2,), "b": (3,)})
    assert report.status == "pass", report
    assert report.checks[0].dims == 5


@pytest.mark.thinned(3)
@pytest.mark.parametrize("build", [OfDict, OfTuple, OfTwo])
def test_and_a_mistake_in_one_of_them_shows(build: Any) -> None:
    class Wrong(build):
        def both(self, a: Tensor, b: Tensor) -> Pair:
            y, ldj = super().both(a, b)
            return y, -ldj

    report = ldjcheck.check(Wrong(), shape={"a": (2,), "b": (3,)})
    assert report.findings[0].code == "LDJ104"


class Conditional(nn.Module):
    def forward(self, x: Tensor, h: Tensor) -> Pair:
        return x * h.exp(), h.sum(1)


class HandsOn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Conditional()

    def forward(self, x: Tensor, context: Tensor) -> Pair:
        return self.inner(x, context)


class TakesAll(HandsOn):
    def forward(self, x: Tensor, **more: Tensor) -> Pair:
        return self.inner(x, more["context"])


class Spreads(nn.Module):
    """Takes any number of tensors, and hands them on to what names them."""

    sign = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 6)

    def forward(self, *xs: Tensor, inverse: bool = False) -> tuple[Tensor, ...]:
        return self._inverse(*xs) if inverse else self._forward(*xs)

    def _forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, ...]:
        s, t = self.net(x1).chunk(2, -1)
        return x1, x2 * s.exp() + t, self.sign * s.sum(-1, keepdim=True)

    def _inverse(self, y1: Tensor, y2: Tensor) -> tuple[Tensor, ...]:
        s, t = self.net(y1).chunk(2, -1)
        return y1, (y2 - t) * (-s).exp(), -self.sign * s.sum(-1, keepdim=True)


class SpreadsWrong(Spreads):
    sign = -1.0


@pytest.mark.slow
def test_inputs_of_different_sizes_are_found_where_a_method_names_them() -> None:
    right = ldjcheck.check(Spreads())
    assert right.status == "pass", right
    assert right.result.convention == "several-tensors"
    wrong = ldjcheck.check(SpreadsWrong())
    assert {f.code for f in wrong.findings if f.severity == "error"} == {"LDJ104"}


@pytest.mark.parametrize(
    ("layer", "strange"),
    [
        (HandsOn(), ("h",)),
        (Conditional(), ("context",)),
        (Conditional().forward, ("context",)),
        (nn.Sequential(HandsOn(), Conditional()), ()),  # which hands arguments on
        (TakesAll(), ()),
    ],
)
def test_an_argument_that_a_layer_does_not_take_is_known_beforehand(
    layer: Any, strange: tuple[str, ...]
) -> None:
    ways = recognise_conventions(layer)
    assert untaken(layer, ways, ("context", "h")) == strange


class OfOneKey(nn.Module):
    def forward(self, state: dict[str, Tensor]) -> Any:
        return {"data": state["data"].exp()}, state["data"].sum(1)


def test_the_name_of_no_argument_is_a_key_of_the_one_that_there_is() -> None:
    report = ldjcheck.check(OfOneKey(), shape={"data": (3,)})
    assert (report.status, report.checks[0].dims) == ("pass", 3)
    (finding,) = ldjcheck.check(Affine(), shape={"z": (4,)}).findings
    assert finding.evidence[-1] == "It was given a dict: it takes no argument z."
    assert ldjcheck.check(Affine(), shape={"x": (4,)}).status == "pass"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_half_precision_prove_no_less(dtype: torch.dtype) -> None:
    layer = Affine().to(dtype)
    assert ldjcheck.check(layer, shape=(4,)).status in ("pass", "unproven")
    assert ldjcheck.check(Shrinking().to(dtype), shape=(4,)).status == "fail"
    assert layer.shift.dtype == dtype


def test_complex_numbers_are_refused_in_so_many_words() -> None:
    class Fourier(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return torch.fft.fft(x), torch.zeros(len(x))

    report = ldjcheck.check(Fourier(), shape=(4,))
    assert report.status == "error"
    assert "complex" in report.findings[0].message


class Endless(nn.ModuleList):
    """A row whose parts are the row."""

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[nn.Module]:
        return iter((self, self))


def test_what_holds_itself_is_no_row() -> None:
    listed: list[object] = []
    listed.append(listed)
    for row in (Endless(), listed):
        assert [f.code for f in ldjcheck.check(row).findings] == ["LDJ004"]

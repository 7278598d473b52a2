"""Layers that return y and ldj: as tensors, scalars, numbers or arrays of NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
import torch
from small_layers import Affine, Coupling, Pair
from torch import Tensor, nn

import ldjcheck
from ldjcheck.conventions import recognise_conventions

if TYPE_CHECKING:
    from collections.abc import Callable

LN2 = float(np.log(2.0))

INVERSES = ("inverse", "inv", "invert", "reverse", "backward", "inverse_transform")
FLAGS = ("reverse", "rev", "inverse", "invert", "inv", "backward", "is_reverse")


def passes(layer: Any, **options: Any) -> ldjcheck.Report:
    report = ldjcheck.check(layer, shape=options.pop("shape", (4,)), **options)
    assert report.status == "pass", report
    return report


def with_method(name: str) -> nn.Module:
    """Return a pair whose way back is the method of this name."""
    kind = type("Named", (Affine,), {name: Affine.inverse})
    if name != "inverse":
        kind.inverse = None  # hides the inherited one
    return kind()


@pytest.mark.parametrize("name", INVERSES)
def test_the_way_back_may_be_a_method(name: str) -> None:
    report = passes(with_method(name))
    assert {c.status for c in report.checks} == {"pass"}
    assert f".{name}()" in recognise_conventions(with_method(name))[0].signature


@pytest.mark.thinned(3)
@pytest.mark.parametrize("flag", FLAGS)
def test_the_way_back_may_be_a_flag(flag: str) -> None:
    scope: dict[str, Any] = {"Affine": Affine}
    exec(
        "class Flagged(Affine):\n"
        f"    def forward(self, x, {flag}=False):\n"
        f"        back = super().inverse if {flag} else super().forward\n"
        "        return back(x)\n"
        "    inverse = None\n",
        scope,
    )
    report = passes(scope["Flagged"]())
    assert {c.status for c in report.checks} == {"pass"}


def test_without_a_way_back_only_forward_is_checked() -> None:
    report = passes(lambda x: (x.exp(), x.sum(1)))
    statuses = {(c.name, c.direction): c.status for c in report.checks}
    assert statuses["ldj", "forward"] == "pass"
    assert statuses["ldj", "inverse"] == statuses["round-trip", None] == "not-available"


# Forms of the ldj


def doubling(ldj: Callable[[Tensor], Any]) -> Callable[[Tensor], tuple[Tensor, Any]]:
    return lambda x: (2.0 * x, ldj(x))


@pytest.mark.parametrize(
    "ldj",
    [
        lambda x: torch.full((len(x),), x.shape[1] * LN2),
        lambda x: torch.tensor(x.shape[1] * LN2),
        lambda x: torch.tensor([x.shape[1] * LN2]),
        lambda x: x.shape[1] * LN2,
        lambda x: np.float64(x.shape[1] * LN2),
        lambda x: np.full(len(x), x.shape[1] * LN2),
        lambda x: x.shape[1] * torch.log(torch.tensor(2.0)),
    ],
    ids=["(B,)", "()", "(1,)", "float", "np.float64", "np (B,)", "float32 ()"],
)
def test_an_ldj_that_is_the_same_for_all_samples_may_be_one_number(
    ldj: Callable[[Tensor], Any],
) -> None:
    assert passes(doubling(ldj)).checks[0].worst < 1e-6


def test_one_number_is_wrong_where_samples_differ() -> None:
    report = ldjcheck.check(lambda x: (x.exp(), x.sum(1).mean()), shape=(4,))
    assert report.status == "fail"


@pytest.mark.parametrize("zero", [0, 0.0, np.float64(0.0), torch.zeros(())])
def test_zero_may_be_any_zero(zero: Any) -> None:
    assert passes(lambda x: (x.flip(1), zero)).checks[0].worst == 0.0


@pytest.mark.parametrize(
    ("ldj", "shape"),
    [
        (lambda x: x.sum(1, keepdim=True), r"\(3, 1\)"),
        (lambda x: x, r"\(3, 4\)"),
        (lambda x: x.sum(1)[:, None] + torch.zeros(3), r"\(3, 3\)"),
        (lambda x: x.sum(1)[:2], r"\(2,\)"),
    ],
    ids=["(B, 1)", "(B, D)", "(B, B)", "(2,)"],
)
def test_an_ldj_of_another_shape_is_a_mistake(
    ldj: Callable[[Tensor], Tensor], shape: str
) -> None:
    report = ldjcheck.check(lambda x: (x.exp(), ldj(x)), shape=(4,))
    said = "".join([f.message + "".join(f.evidence) for f in report.findings])
    assert report.status == "fail"
    assert shape.replace("\\", "") in said


@pytest.mark.parametrize(
    "nothing", [lambda x: (x.exp(), None), lambda x: x.exp()], ids=["None", "no pair"]
)
def test_no_ldj_at_all_cannot_be_checked(nothing: Callable[[Tensor], Any]) -> None:
    report = ldjcheck.check(nothing, shape=(4,))
    assert report.status == "error"
    assert report.findings[0].code == "LDJ004"


# What may be a layer


def flow(x: Tensor) -> Pair:
    return torch.sinh(x), torch.log(torch.cosh(x)).sum(1)


def scaled(by: float, x: Tensor) -> tuple[Tensor, float]:
    return by * x, x.shape[1] * float(np.log(by))


class Plain:
    """No module, and no parameters: it is called, and that is all."""

    def __call__(self, x: Tensor) -> Pair:
        return flow(x)

    def inverse(self, y: Tensor) -> Pair:
        return torch.asinh(y), -0.5 * torch.log1p(y * y).sum(1)


class Methods:
    """Its directions are methods of any name; a bound one is the layer."""

    def __init__(self) -> None:
        self.scale = nn.Parameter(torch.tensor(0.3))
        self.log_scale = 0.3

    def encode(self, x: Tensor) -> Pair:
        return x * self.scale.exp(), (x.shape[1] * self.scale).expand(len(x))

    def two_way(self, x: Tensor, reverse: bool = False) -> Pair:
        sign = -1 if reverse else 1
        y = x * torch.exp(sign * self.scale)
        return y, (sign * x.shape[1] * self.scale).expand(len(x))


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (flow, "flow"),
        (partial(scaled, 3.0), "partial"),
        (Methods().encode, "Methods.encode"),
        (Methods().two_way, "Methods.two_way"),
        (Affine().forward, "Affine.forward"),
    ],
    ids=["function", "partial", "bound method", "flagged method", "forward"],
)
def test_functions_and_bound_methods_are_layers(layer: Any, name: str) -> None:
    assert passes(layer).result.target.startswith(name)


def test_a_callable_object_is_a_layer() -> None:
    statuses = {
        c.name: c.status for c in passes(Plain()).checks if c.name != "gradient"
    }
    assert set(statuses.values()) == {"pass"}


def test_the_parameters_of_a_bound_method_are_moved_too() -> None:
    class Zero(Coupling):
        """Starts as the identity and has its sign wrong: only moving it shows that."""

        def __init__(self) -> None:
            super().__init__()
            nn.init.zeros_(self.net[2].weight)
            nn.init.zeros_(self.net[2].bias)

        def encode(self, x: Tensor) -> Pair:
            y, ldj = self.forward(x)
            return y, -ldj

    assert ldjcheck.check(Zero().encode, shape=(4,)).status == "fail"


# Further arguments


class Conditional(nn.Module):
    """y = x * exp(a(context)), with log|det J| = sum(a(context))."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(5, 4)

    def forward(self, x: Tensor, context: Tensor) -> Pair:
        a = self.net(context)
        return x * a.exp(), a.sum(1)

    def inverse(self, y: Tensor, context: Tensor) -> Pair:
        a = self.net(context)
        return y * torch.exp(-a), -a.sum(1)


def test_a_context_is_given_by_its_own_name() -> None:
    report = passes(Conditional(), context={"context": (5,)})
    assert {c.status for c in report.checks} == {"pass"}


def test_without_a_word_its_size_comes_from_the_layers_own_facts() -> None:
    report = passes(Conditional())
    assert {c.status for c in report.checks} == {"pass"}
    assert report.result.inferred["context"] == "(5,): a Linear takes 5 features"


def test_a_context_that_nothing_suggests_is_asked_for_by_its_name() -> None:
    def shifted(x: Tensor, helper: Tensor) -> Pair:
        return x * helper[:, 6:10].exp(), helper[:, 6:10].sum(1)

    report = ldjcheck.check(shifted, shape=(4,))
    assert report.status == "error"
    assert any("context={'helper': " in line for line in report.findings[0].evidence)


def test_keyword_arguments_reach_every_call() -> None:
    def power(x: Tensor, *, bend: float) -> Pair:
        return x + bend * torch.sin(x), torch.log(1 + bend * torch.cos(x)).sum(1)

    passes(power, kwarg={"bend": 0.5})


class InATuple(NamedTuple):
    log_det: Tensor
    z: Tensor


@dataclass
class InADataclass:
    log_det: Tensor
    z: Tensor


@pytest.mark.thinned(4)
@pytest.mark.parametrize("holder", [dict, InATuple, InADataclass, SimpleNamespace])
@pytest.mark.parametrize(("factor", "status"), [(1.0, "pass"), (2.0, "fail")])
def test_output_and_ldj_may_come_back_by_name(
    holder: Any, factor: float, status: str
) -> None:
    class Named(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return holder(log_det=factor * x.cosh().log().sum(1), z=x.sinh())

    report = ldjcheck.check(Named(), shape=(4,))
    assert report.status == status, report


@pytest.mark.parametrize(("factor", "status"), [(1.0, "pass"), (2.0, "fail")])
def test_an_ldj_may_stand_in_a_dictionary_beside_the_output(
    factor: float, status: str
) -> None:
    def layer(x: Tensor) -> Any:
        return x.sinh(), {"logdet": factor * x.cosh().log().sum(1), "x": x}

    assert ldjcheck.check(layer, shape=(4,)).status == status


def with_a_flag(x: Tensor, return_logdet: bool = False, *, factor: float = 1.0) -> Any:
    y, ldj = x.sinh(), factor * x.cosh().log().sum(1)
    return (y, ldj) if return_logdet else y


def with_another(x: Tensor, *, calc_ldj: bool = False, factor: float = 1.0) -> Any:
    return with_a_flag(x, calc_ldj, factor=factor)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("call", [with_a_flag, with_another])
@pytest.mark.parametrize(("factor", "status"), [(1.0, "pass"), (2.0, "fail")])
def test_an_ldj_may_have_to_be_asked_for(call: Any, factor: float, status: str) -> None:
    layer = partial(call, factor=factor)
    assert ldjcheck.check(layer, shape=(4,)).status == status


class ColumnFirst(nn.Module):
    """The ldj comes first, as a column, and no name of a result says so."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        each = self.log_scale.expand_as(x)
        return each.sum(1, keepdim=True), x * self.log_scale.exp()


def test_one_number_a_sample_is_no_output_wherever_it_stands() -> None:
    report = ldjcheck.check(ColumnFirst())
    assert [finding.code for finding in report.findings] == ["LDJ201"]
    assert "once reshaped its values are right" in report.findings[0].evidence[0]

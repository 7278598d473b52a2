"""Layers that take x and the running total as one argument, as nn.Sequential wants it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.full((4,), 0.3))

    def forward(self, inputs: Pair) -> Pair:
        x, ldj = inputs
        return x * torch.exp(self.log_scale), ldj + self.log_scale.sum()

    def inverse(self, inputs: Pair) -> Pair:
        y, ldj = inputs
        return y * torch.exp(-self.log_scale), ldj - self.log_scale.sum()


class Coupling(nn.Module):
    """Scales the second half; `sign` is that of its ldj."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.net = nn.Linear(2, 2)
        self.sign = sign

    def forward(self, inputs: Pair) -> Pair:
        x, log_det = inputs[0], inputs[1]
        a, b = x.chunk(2, dim=1)
        s = torch.tanh(self.net(a))
        return torch.cat([b * s.exp(), a], dim=1), log_det + self.sign * s.sum(dim=1)


class Overwriting(Coupling):
    """Forgets what came in: the next layer hands on its number alone."""

    def forward(self, inputs: Pair) -> Pair:
        x, ldj = inputs
        ldj = torch.zeros_like(ldj)
        return super().forward((x, ldj))


def found(layer: Any) -> tuple[str, list[str], str]:
    report = ldjcheck.check(layer, shape=(4,))
    codes = [f.code for f in report.findings if f.severity == "error"]
    convention = report.result.convention
    assert convention is not None
    return report.status, codes, convention


def test_a_chain_of_them_is_called_as_it_is() -> None:
    chain = nn.Sequential(Scale(), Coupling(), Coupling())
    assert found(chain) == ("pass", [], "in-one")


@pytest.mark.slow
def test_a_layer_of_a_chain_that_is_wrong_is_named() -> None:
    report = ldjcheck.check(nn.Sequential(Scale(), Coupling(-1.0), Coupling()))
    assert report.findings[0].code == "LDJ104"
    assert "`[1]` (Coupling)" in report.findings[0].message


@pytest.mark.slow
def test_a_layer_of_a_chain_that_loses_the_total_is_wrong() -> None:
    status, codes, _ = found(nn.Sequential(Scale(), Overwriting(), Coupling()))
    assert (status, codes) == ("fail", ["LDJ204"])


def test_a_chain_leads_back_where_each_of_its_layers_does() -> None:
    report = ldjcheck.check(nn.Sequential(Scale(), Scale()), shape=(4,))
    assert [check.status for check in report.checks[:3]] == ["pass"] * 3


@pytest.mark.slow
def test_one_of_them_is_checked_by_itself() -> None:
    assert found(Coupling())[0] == "pass"
    assert found(Coupling(2.0))[1] == ["LDJ114"]


def test_two_inputs_are_no_total() -> None:
    class Swap(nn.Module):
        def forward(self, inputs: Pair) -> tuple[Pair, Tensor]:
            a, b = inputs
            return (2.0 * b, a), torch.log(torch.tensor(2.0)) * b[0].numel()

    report = ldjcheck.check(Swap(), shape={"a": (2,), "b": (2,)})
    assert (report.status, report.result.convention) == ("pass", "pair")


@pytest.mark.slow
def test_each_of_several_conditions_of_freia_goes_by_its_place() -> None:
    framework = pytest.importorskip("FrEIA.framework")
    modules = pytest.importorskip("FrEIA.modules")

    def net(width: int, out: int) -> nn.Module:
        return nn.Linear(width, out)

    flow = framework.SequenceINN(4)
    for place, size in enumerate((3, 2)):
        flow.append(
            modules.GLOWCouplingBlock,
            cond=place,
            cond_shape=(size,),
            subnet_constructor=net,
        )
    report = ldjcheck.check(flow)
    assert report.status == "pass"
    assert report.result.inferred["c0"] == "(3,): declared by the layer"
    given = ldjcheck.check(flow, context={"c0": (3,), "c1": (2,)})
    assert given.status == "pass"


class Nameless(Scale):
    """What comes in second bears no name that says what it is."""

    def forward(self, both: Pair) -> Pair:
        x, second = both
        more = second + self.log_scale.sum()
        return x * torch.exp(self.log_scale), more

    def inverse(self, both: Pair) -> Pair:
        return both[0] * torch.exp(-self.log_scale), both[1] - self.log_scale.sum()


class NamelessMean(Nameless):
    def forward(self, both: Pair) -> Pair:
        x, second = both
        return x * torch.exp(self.log_scale), second + self.log_scale.mean()


class Masked(Scale):
    """What comes in second says which entries are real, and is no total."""

    def forward(self, both: Pair) -> Pair:
        x, second = both
        ones = torch.ones_like(x) * self.log_scale
        return x * torch.exp(self.log_scale), (ones * second).sum(dim=1)


def test_a_total_is_known_by_what_is_made_of_it_whatever_its_name_is() -> None:
    assert found(Nameless()) == ("pass", [], "in-one")
    assert found(NamelessMean()) == ("fail", ["LDJ105"], "in-one")


def test_what_scales_something_is_no_total() -> None:
    assert ldjcheck.check(Masked(), shape=(4,)).status == "error"


class Conditional(nn.Module):
    """A context goes along with x and total, and scales by what it makes of that."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.net = nn.Linear(3, 4)
        self.sign = sign

    def forward(self, inputs: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, ...]:
        x, ldj, context = inputs
        s = torch.tanh(self.net(context))
        return x * s.exp(), ldj + self.sign * s.sum(dim=1), context

    def inverse(self, inputs: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, ...]:
        y, ldj, context = inputs
        s = torch.tanh(self.net(context))
        return y * (-s).exp(), ldj - self.sign * s.sum(dim=1), context


class Sigmoid(nn.Module):
    """With a context or without, as the length of its input says."""

    def __init__(self, share: float = 1.0) -> None:
        super().__init__()
        self.share = share

    def forward(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if len(inputs) == 2:
            x, ldj = inputs
        elif len(inputs) == 3:
            x, ldj, context = inputs
        else:
            raise ValueError("two or three, please")
        slope = -F.softplus(x) - F.softplus(-x)
        ldj = ldj + self.share * slope.sum(dim=1)
        if len(inputs) == 2:
            return torch.sigmoid(x), ldj
        return torch.sigmoid(x), ldj, context


@pytest.mark.slow
@pytest.mark.parametrize("layer", [Conditional, Sigmoid])
def test_a_context_may_go_along_with_the_total(layer: Any) -> None:
    assert found(layer()) == ("pass", [], "in-one")
    status, (code, *_), _ = found(layer(0.5))
    assert (status, code) == ("fail", "LDJ114")


@pytest.mark.slow
def test_a_chain_of_layers_with_a_context_is_called_as_it_is_both_ways() -> None:
    report = ldjcheck.check(nn.Sequential(Conditional(), Conditional()), shape=(4,))
    assert report.status == "pass"
    assert {check.status for check in report.checks} == {"pass"}
    wrong = nn.Sequential(Conditional(), Conditional(-1.0))
    assert {*found(wrong)[1]} == {"LDJ104"}

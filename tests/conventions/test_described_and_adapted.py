"""Conventions that nobody knows: written down in one line, or adapted in Python."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from click.testing import CliRunner
from small_layers import Affine, Coupling
from torch import Tensor, nn

import ldjcheck
from ldjcheck.cli import main


class Odd(Coupling):
    """Returns its inverse ldj, something else, and the output in the last place."""

    def run(self, u: Tensor, up: bool) -> tuple[Any, ...]:
        y, ldj = super().inverse(u) if up else super().forward(u)
        return "said", -ldj, y

    forward = None
    inverse = None


def passes(layer: Any, convention: str, **options: Any) -> ldjcheck.Report:
    report = ldjcheck.check(layer, convention=convention, **options)
    assert report.status == "pass", report
    assert report.result.inferred["convention"] == "as you described it"
    return report


def test_two_calls_describe_both_ways() -> None:
    both = "run(u, False) -> _, -ldj, y; run(u, True) -> _, -ldj, x"
    report = passes(Odd(), both)
    assert {c.status for c in report.checks} == {"pass"}
    assert report.result.convention == "as described"


class Directed(Affine):
    """Runs forward unless it is told not to."""

    def forward(self, x: Tensor, forward: bool = True) -> Any:
        return super().forward(x) if forward else super().inverse(x)

    inverse = None


def test_a_flag_that_is_off_is_the_way_back() -> None:
    report = passes(Directed(), "f(x, forward=False) -> x, ldj")
    assert {c.status for c in report.checks} == {"pass"}


class TellsApart(Affine):
    """Returns y alone; a method whose name says nothing gives the ldj."""

    def forward(self, x: Tensor) -> Any:
        return super().forward(x)[0]

    def inverse(self, y: Tensor) -> Any:
        return super().inverse(y)[0]

    def volume(self, y: Tensor, x: Tensor) -> Tensor:
        assert torch.equal(y, self(x))
        return self.ldj(x)


def test_a_call_may_give_the_ldj_alone() -> None:
    text = "f(x) -> y; f.volume(y, x) -> ldj; f.inverse(y) -> x"
    report = passes(TellsApart(), text)
    assert [f.code for f in report.findings] == ["LDJ303"]


class TellsPrior(Affine):
    """Returns the density of its output beside the ldj."""

    def forward(self, x: Tensor) -> Any:
        y, ldj = super().forward(x)
        return y, -(y**2).sum(1), ldj

    inverse = None


def test_a_density_beside_the_ldj_is_dropped() -> None:
    passes(TellsPrior(), "f(x) -> z, logp, ldj")


def test_a_minus_that_is_not_there_is_a_flipped_sign() -> None:
    report = ldjcheck.check(Odd(), convention="run(u, False) -> _, ldj, y")
    assert report.findings[0].code == "LDJ104"


class Accumulates(Affine):
    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Any:
        y, own = super().inverse(z) if reverse else super().forward(z)
        return y, ldj + own

    inverse = None


def test_the_description_of_the_issue_runs_both_ways() -> None:
    report = passes(Accumulates(), "f(z, ldj, reverse) -> z, ldj")
    assert {c.status for c in report.checks} == {"pass"}


class Third(Affine):
    def forward(self, x: Tensor, inverse: bool = False) -> Any:
        if inverse:
            return super().inverse(x)[0]
        y, ldj = super().forward(x)
        return y, {"more": 1}, ldj

    inverse = None


@pytest.mark.parametrize(
    "text",
    [
        "f(x) -> y, _, ldj",
        "f(x) -> y, _, log_det; f(x, inverse=True) -> x",
        "f(x, inverse=True) -> x; f(x) -> y, _, logdet",
    ],
)
def test_what_is_not_wanted_is_dropped(text: str) -> None:
    report = passes(Third(), text)
    back = report.checks[2].status
    assert back == ("pass" if "True" in text else "not-available")


def test_a_context_is_fed_in_its_place() -> None:
    class Conditional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(5, 4)

        def forward(self, x: Tensor, ctx: Tensor) -> Any:
            a = self.net(ctx)
            return x * a.exp(), -a.sum(1)

    passes(Conditional(), "f(x, ctx) -> y, -ldj", context={"ctx": (5,)})
    assert "ctx" in passes(Conditional(), "f(x, ctx) -> y, -ldj").result.inferred


def test_a_density_that_is_passed_in_is_reduced() -> None:
    def layer(x: Tensor, logp: Tensor) -> Any:
        return x.exp(), logp - x.sum(1, keepdim=True)

    passes(layer, "f(x, logp) -> y, logp")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("f(x)", "'->' is missing"),
        ("f(x) -> y", "no result is called ldj"),
        ("f() -> y, ldj", "no call with an input"),
        ("f(x) -> _, ldj", "no result is the output"),
        ("f(x) -> y, ldj, log_det", "two results"),
        ("f(x) -> y, -z, ldj", "not called like an ldj"),
        ("f(x) -> y, logp", "none is passed in"),
        ("f(x -> y, ldj", "cannot be read"),
        ("f(x, g(1)) -> y, ldj", "neither name nor value"),
        ("f(x, **k) -> y, ldj", "'**'"),
        ("f(*xs) -> y, ldj", "'*'"),
        ("a(x) -> y, ldj; b(x) -> y, ldj; c(x) -> y, ldj", "one call, or two"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error_that_says_why(
    text: str, why: str
) -> None:
    run = CliRunner().invoke(main, ["check", "nowhere.py:Layer", "--convention", text])
    assert run.exit_code == 2
    assert why in " ".join(run.stderr.split())


# Adapters


class Strange(Coupling):
    """Takes and returns dicts, and keeps its ldj in bits."""

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        y, ldj = super().forward(batch["data"])
        return {"data": y, "bits": ldj / torch.log(torch.tensor(2.0))}

    inverse = None


def there(layer: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    result = layer({"data": x})
    return result["data"], result["bits"] * torch.log(torch.tensor(2.0))


class Adapter:
    def forward(self, layer: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        return there(layer, x)

    def inverse(self, layer: Any, y: Tensor) -> tuple[Tensor, None]:
        return Coupling.inverse(layer, y)[0], None


@pytest.mark.thinned(2)
@pytest.mark.parametrize("adapter", [Adapter(), (there, None), (there,), there])
def test_an_adapter_calls_what_no_convention_covers(adapter: Any) -> None:
    report = ldjcheck.check(Strange(), adapter=adapter)
    assert report.status == "pass", report
    assert report.result.convention == "adapter"


@pytest.mark.slow
def test_an_adapter_excuses_no_mistake() -> None:
    class Flipped(Adapter):
        def forward(self, layer: Any, x: Tensor) -> tuple[Tensor, Tensor]:
            y, ldj = there(layer, x)
            return y, -ldj

    report = ldjcheck.check(Strange(), adapter=Flipped())
    assert report.findings[0].code == "LDJ104"


def test_what_is_no_adapter_is_refused() -> None:
    with pytest.raises(ValueError, match="forward"):
        ldjcheck.check(Strange(), adapter=3)

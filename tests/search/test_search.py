"""`--search N`: a mistake that hides is found, and shown at its smallest."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import torch
from command import ldjcheck_in
from torch import Tensor, nn

import ldjcheck
from ldjcheck.records import Domain, Layer, Options, Result
from ldjcheck.search import Start, repeated, searched

if TYPE_CHECKING:
    from pathlib import Path


class ManyDims(nn.Module):
    """Doubles everything, and counts three dims at most."""

    def forward(self, x: Tensor) -> Any:
        count = min(x.shape[1], 3)
        return 2 * x, torch.full((len(x),), count * math.log(2), dtype=x.dtype)


class BeyondBound(nn.Module):
    """Halves, but doubles what lies beyond 60: further out than a check looks."""

    def forward(self, x: Tensor) -> Any:
        far = x.abs() > 60
        y = torch.where(far, 2 * x - 90 * x.sign(), x / 2)
        return y, torch.full((len(x),), -x.shape[1] * math.log(2), dtype=x.dtype)


class NegativeScale(nn.Module):
    """Scales by a parameter; counts twice where that is negative."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.5))

    def forward(self, x: Tensor) -> Any:
        log = self.scale.abs().log()
        log = torch.where(self.scale > 0, log, 2 * log)
        return x * self.scale, (log * x.shape[1]).expand(len(x))


class RampFarOut(nn.Module):
    """Adds to the ldj what lies beyond 20, though nothing happens to it there."""

    def forward(self, x: Tensor) -> Any:
        ldj = torch.log(torch.cosh(x / 10) / 10).sum(dim=1)
        far = nn.functional.relu(x.abs() - 20).sum(1)
        return torch.sinh(x / 10), ldj - far


class OneSizeOnly(nn.Module):
    """Counts one dim too few from seven dims on."""

    def forward(self, x: Tensor) -> Any:
        n = x.shape[1]
        ldj = math.log(3) * (n if n < 7 else n - 1)
        return 3 * x, torch.full((len(x),), ldj, dtype=x.dtype)


class Right(nn.Module):
    def forward(self, x: Tensor) -> Any:
        return torch.sinh(x / 10), (torch.cosh(x / 10) / 10).log().sum(dim=1)


def first(report: ldjcheck.Report) -> dict[str, Any]:
    result: dict[str, Any] = report.to_dict()["results"][0]
    return result


@pytest.mark.slow
def test_what_is_wrong_only_beyond_three_dims_is_shown_at_four() -> None:
    result = first(ldjcheck.check(ManyDims(), search=10))
    assert result["status"] == "fail"
    assert result["checks"][0]["shape"] == [4]
    assert result["findings"][0]["evidence"][-1] == (
        "repeat it: ldjcheck.check(layer, shape=(4,), batch=1)"
    )


@pytest.mark.slow
def test_what_is_wrong_only_beyond_a_bound_is_found_at_one_dim() -> None:
    assert ldjcheck.check(BeyondBound(), shape=(1,)).status == "pass"
    result = first(ldjcheck.check(BeyondBound(), search=30))
    assert result["status"] == "fail"
    assert result["checks"][0]["shape"] == [1]
    command = result["findings"][0]["evidence"][-1].removeprefix("repeat it: ")
    assert "domain='interval:" in command
    again = eval(
        command, {"ldjcheck": ldjcheck, "layer": BeyondBound()}
    )  # our own words
    assert again.status == "fail"


@pytest.mark.slow
def test_an_edit_that_fits_the_smallest_probe_alone_is_no_fix() -> None:
    """Where the probe is negative, `relu(x - 20)` would do as well as no ramp at all."""
    result = first(ldjcheck.check(RampFarOut(), search=60))
    finding = result["findings"][0]
    assert finding["code"] == "LDJ111"
    assert [e["after"].strip() for e in finding["fix"]["edits"]] == [
        "return torch.sinh(x / 10), ldj"
    ]


@pytest.mark.slow
def test_what_only_a_size_makes_wrong_is_no_region_of_the_inputs() -> None:
    result = first(ldjcheck.check(OneSizeOnly(), search=60))
    assert result["checks"][0]["shape"] == [7]
    assert [f["code"] for f in result["findings"]] == ["LDJ120"]


@pytest.mark.slow
def test_what_is_wrong_only_for_negative_scales_is_found() -> None:
    result = first(ldjcheck.check(NegativeScale(), search=20))
    assert result["status"] == "fail"
    assert result["checks"][0]["shape"] == [1]


@pytest.mark.slow
def test_a_right_layer_stays_right_however_long_one_searches() -> None:
    result = first(ldjcheck.check(Right(), search=15))
    assert result["status"] == "pass"
    assert result["inferred"]["search"] == "none of 15 probes failed"


@pytest.mark.slow
def test_the_command_line_says_what_to_type(tmp_path: Path) -> None:
    source = tmp_path / "layers.py"
    source.write_text(
        "import math, torch\n"
        "class ManyDims(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        ldj = min(x.shape[1], 3) * math.log(2)\n"
        "        return 2 * x, torch.full((len(x),), ldj, dtype=x.dtype)\n"
    )
    target = "layers.py:ManyDims"

    found = ldjcheck_in(tmp_path, target, "--search", "5", "-v")
    assert found.returncode == 1
    said = " ".join(found.stdout.split())
    repeat = f"ldjcheck {target} --shape 4 --batch 1"
    assert repeat in said
    assert ldjcheck_in(tmp_path, *shlex.split(repeat)[1:]).returncode == 1


# The search itself, on checks that are made up


def made_up(fails: Any) -> Any:
    from ldjcheck.mistakes import rule_for

    rule = rule_for("LDJ199")
    assert rule is not None

    def attempt(options: Options) -> Result | None:
        wrong = fails(options)
        findings = (rule.finding("Wrong."),) if wrong else ()
        status = "fail" if wrong else "pass"
        return Result(target="x", layer="x", status=status, findings=findings)  # type: ignore[arg-type]  # one of two literals

    return attempt


LAYER = Layer(target="flows.py:Layer", name="Layer()", obj=object(), rebuild=object)


def smallest(fails: Any, **asked: Any) -> str | None:
    start = Start(
        options=Options(search=200, **asked),
        shape=(2, 4, 6),
        domain=Domain(kind="real"),
        has_parameters=True,
    )
    result = searched(LAYER, start, made_up(fails))
    if result is None:
        return None
    return result.findings[0].evidence[-1].removeprefix("repeat it: ")


def shape_of(options: Options) -> tuple[int, ...]:
    return dict(options.shape).get(None, (2, 4, 6))


def test_a_search_that_finds_nothing_says_nothing() -> None:
    assert smallest(lambda options: False) is None


def test_every_axis_is_made_as_small_as_the_mistake_allows() -> None:
    found = smallest(lambda o: shape_of(o)[0] > 2 and shape_of(o)[2] > 1)
    assert found == "ldjcheck flows.py:Layer --shape 3,1,2 --batch 1"


def test_the_batch_and_the_scale_of_parameters_are_found_and_told() -> None:
    found = smallest(lambda o: o.batch >= 4 and o.params_scale > 0.9)
    assert found is not None
    assert "--shape 1,1,1" in found
    assert "--batch 4" in found
    assert "--params-scale" in found


def test_what_the_user_has_fixed_stays() -> None:
    shape = ((None, (2, 4, 6)),)
    found = smallest(lambda o: shape_of(o) == (2, 4, 6), shape=shape, seed=7)
    assert found == "ldjcheck flows.py:Layer --shape 2,4,6 --batch 1 --seed 7"


@pytest.mark.slow
def test_the_same_seed_finds_the_same() -> None:
    def odd(options: Options) -> bool:
        return options.seed % 7 == 3 and options.domain is not None

    assert smallest(odd) == smallest(odd) is not None


def test_a_layer_that_cannot_be_typed_is_repeated_by_a_call() -> None:
    layer = Layer(target="Layer()", name="Layer()", obj=object())
    options = Options(
        shape=((None, (3,)),), domain=Domain(kind="unit"), params_scale=1.5
    )
    assert repeated(layer, options) == (
        "ldjcheck.check(layer, shape=(3,), domain='unit', params_scale=1.5)"
    )

"""Whole flows, constants by name, both directions, ties, and the refusal to guess."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import ldjcheck
from mistakes.diagnosis.written import build

if TYPE_CHECKING:
    from pathlib import Path


def named(report: ldjcheck.Report) -> list[tuple[str, str | None]]:
    return [(f.code, f.direction) for f in report.findings if f.severity == "error"]


# Whole flows

FLOW = """
class Stretch(nn.Module):
    def __init__(self, dims=4):
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.6, 0.9, dims))

    def forward(self, z, ldj, reverse=False):
        return z * self.log_scale.exp(), ldj + self.log_scale.sum()  # stretch

class Bend(nn.Module):
    def forward(self, z, ldj, reverse=False):
        ldj = ldj + torch.log(torch.cosh(z)).sum(dim=1)  # bend
        return torch.sinh(z), ldj

class Couple(nn.Module):
    def __init__(self, dims=4):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(dims // 2, dims)

    def forward(self, z, ldj, reverse=False):
        a, b = z.chunk(2, dim=1)
        s, t = torch.tanh(self.net(a)).chunk(2, dim=1)
        ldj = ldj + s.sum(dim=1)  # couple
        return torch.cat([b * torch.exp(s) + t, a], dim=1), ldj

class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Stretch(), Bend(), Couple()])

    def forward(self, z, ldj, reverse=False):
        for layer in self.layers:
            z, ldj = layer(z, ldj)
        return z, ldj
"""
SLIPS = {
    "stretch": ("self.log_scale.sum()", "2 * self.log_scale.sum()", "LDJ114"),
    "bend": ("ldj + torch.log(torch", "ldj - torch.log(torch", "LDJ104"),
    "couple": ("s.sum(dim=1)", "s.mean(dim=1)", "LDJ105"),
}


def flow(slips: set[str], folder: Path) -> Any:
    text = FLOW
    for slip in slips:
        right, wrong, _ = SLIPS[slip]
        assert right in text
        text = text.replace(right, wrong)
    return build(text.splitlines(), folder)


def slipped(report: ldjcheck.Report) -> set[tuple[str, str]]:
    """Return code and marked line of every finding."""
    return {
        (f.code, (f.location.text or "").split("# ")[-1])
        for f in report.findings
        if f.location is not None
    }


@pytest.mark.slow
@pytest.mark.parametrize("slip", SLIPS)
def test_the_line_says_which_sublayer_of_a_flow_is_wrong(
    slip: str, tmp_path: Path
) -> None:
    report = ldjcheck.check(flow({slip}, tmp_path), shape=(4,), direction="forward")
    assert slipped(report) == {(SLIPS[slip][2], slip)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "slips", [("stretch", "bend"), ("stretch", "couple"), ("bend", "couple")]
)
def test_two_wrong_sublayers_are_two_findings(
    slips: tuple[str, str], tmp_path: Path
) -> None:
    report = ldjcheck.check(flow(set(slips), tmp_path), shape=(4,), direction="forward")
    assert slipped(report) == {(SLIPS[slip][2], slip) for slip in slips}


CONDITIONED = """
class Affine(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 4)

    def forward(self, x, context=None):
        s = 0.5 * torch.tanh(self.net(context))
        return x * s.exp(), s.sum(1)

class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Affine(), Affine(), Affine()])

    def forward(self, x, context):
        total = torch.zeros(len(x))
        for layer in self.layers:
            x, ldj = layer(x, context)
            total = total + ldj
        return x, total
"""


@pytest.mark.parametrize("seed", [0, 1])
def test_a_sublayer_is_seen_by_itself_with_the_context_that_it_may_do_without(
    seed: int, tmp_path: Path
) -> None:
    """A default of None says that others call it without, and not that this flow does."""
    wrong = CONDITIONED.replace("total + ldj", "ldj")
    report = ldjcheck.check(build(wrong.splitlines(), tmp_path), shape=(4,), seed=seed)
    (finding,) = report.findings
    assert [line.is_wrong for line in report.result.sublayers] == [True, True, False]
    assert finding.fix is not None
    assert [edit.after.strip() for edit in finding.fix.edits] == ["total = total + ldj"]


TOGETHER = {
    "LDJ104 LDJ105": """
        x = x * self.log_scale.exp()
        ldj = -self.log_scale.sum()
        y = torch.sinh(x)
        return y, ldj + torch.log(torch.cosh(x)).mean(dim=1)
    """,
    "LDJ101 LDJ107": """
        x = x * 3.0
        ldj = math.log(3.0) * torch.ones(len(x))
        y = torch.sinh(x)
        return y, ldj + torch.log2(torch.cosh(x)).sum(dim=1)
    """,
    "LDJ101 LDJ110": """
        x = (torch.sigmoid(x) / 7)
        ldj = F.logsigmoid(x0).sum(1) + F.logsigmoid(-x0).sum(1) - math.log(7.0)
        x = x * 0.9 + 0.05
        ldj = ldj - torch.log(x).sum(1) - torch.log(1 - x).sum(1)
        return torch.log(x) - torch.log(1 - x), ldj
    """,
}


@pytest.mark.slow
@pytest.mark.parametrize("codes", TOGETHER)
def test_two_mistakes_in_one_function_are_two_findings(
    codes: str, tmp_path: Path
) -> None:
    text = f"""
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5, 0.1]))

    def forward(self, x):
        x0 = x
        {TOGETHER[codes].strip()}
"""
    report = ldjcheck.check(build(text.splitlines(), tmp_path), shape=(4,))
    assert [code for code, _ in named(report)] == codes.split()
    assert report.findings[0].fix is not None
    assert report.findings[0].fix.applicability == "verified"


def test_the_flow_without_a_slip_passes(tmp_path: Path) -> None:
    report = ldjcheck.check(flow(set(), tmp_path), shape=(4,), direction="forward")
    assert report.status == "pass"


@pytest.mark.slow
def test_of_equal_sublayers_the_wrong_one_is_told_by_its_line(tmp_path: Path) -> None:
    text = FLOW.replace("Stretch(), Bend(), Couple()", "Bend(), Bend(), Flipped()")
    text += """
class Flipped(Bend):
    def forward(self, z, ldj, reverse=False):
        z = torch.tanh(z)
        ldj = ldj - torch.log1p(-(z**2)).sum(dim=1)  # flipped
        return z, ldj
"""
    layer = build(text.splitlines(), tmp_path)
    report = ldjcheck.check(layer, shape=(2,), direction="forward")
    assert slipped(report) == {("LDJ104", "flipped")}


# Constants


class Squeezed(nn.Module):
    """Quantised, then squeezed away from both ends; `which` terms lose their count."""

    def __init__(self, which: str) -> None:
        super().__init__()
        self.which, self.quants, self.fuzz = which, 8, 0.03
        self.unrelated = 8

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Any:
        dims = z[0].numel()
        z = z / self.quants
        if self.which == "quants":
            ldj = ldj - math.log(self.quants)
        else:
            ldj = ldj - math.log(self.quants) * dims
        z = z * (1 - 2 * self.fuzz) + self.fuzz
        if self.which == "fuzz":
            ldj = ldj + math.log(1 - 2 * self.fuzz)
        elif self.which != "no fuzz":
            ldj = ldj + math.log(1 - 2 * self.fuzz) * dims
        return z, ldj


@pytest.mark.slow
@pytest.mark.parametrize(
    ("which", "code", "operand"),
    [
        ("quants", "LDJ101", "log(self.quants)"),
        ("fuzz", "LDJ101", "log(1 - 2 * self.fuzz)"),
        ("no fuzz", "LDJ110", "1 - 2 * self.fuzz"),
    ],
)
def test_a_constant_is_named_by_its_source(which: str, code: str, operand: str) -> None:
    report = ldjcheck.check(Squeezed(which), shape=(1, 2, 3), direction="forward")
    first = report.findings[0]
    assert first.code == code
    assert operand in first.message
    assert "unrelated" not in first.message


def test_a_constant_is_named_and_not_what_it_is_spread_over() -> None:
    class Spread(nn.Module):
        quants = 8

        def forward(self, x: Tensor) -> Any:
            return x / self.quants, -math.log(self.quants) * torch.ones(len(x))

    report = ldjcheck.check(Spread(), shape=(4,))
    assert report.findings[0].code == "LDJ101"
    assert "log(self.quants)" in report.findings[0].message


def test_a_number_of_the_layer_confirms_its_name_and_one_in_the_source_cannot() -> None:
    class Held(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quants = 8.0

        def forward(self, x: Tensor) -> Any:
            return x / self.quants, torch.full((len(x),), -math.log(self.quants))

    class Written(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return x / 8.0, torch.full((len(x),), -math.log(8.0))

    told = "confirmed by moving the constants"
    for layer, is_moved in ((Held(), True), (Written(), False)):
        (finding,) = ldjcheck.check(layer).findings
        assert finding.code == "LDJ101"
        assert (told in str(finding.evidence)) == is_moved


def test_of_a_number_and_a_name_that_are_added_the_name_is_what_has_a_sign() -> None:
    """`2 + x` and `x + 2` are one call of torch, which has x first."""

    class Squashed(nn.Module):
        def forward(self, x: Tensor) -> Any:
            ldj = 2.0 * (math.log(2.0) + x - nn.functional.softplus(-2.0 * x))
            return torch.tanh(x), ldj.sum(1)

    report = ldjcheck.check(Squashed(), shape=(3,))
    assert report.findings[0].message == "`x` has the wrong sign."


# Directions


class Both(nn.Module):
    """Scaling by a parameter; `mistaken` directions count it once for all dims."""

    def __init__(self, *mistaken: str) -> None:
        super().__init__()
        self.mistaken = mistaken
        self.log_scale = nn.Parameter(torch.tensor(0.7))

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Any:
        wrong = ("inverse" if reverse else "forward") in self.mistaken
        count = 1 if wrong else z.shape[1]
        sign = -1 if reverse else 1
        return z * torch.exp(sign * self.log_scale), ldj + sign * count * self.log_scale


@pytest.mark.thinned(4)
@pytest.mark.parametrize(
    "mistaken", [(), ("forward",), ("inverse",), ("forward", "inverse")]
)
def test_findings_come_forward_first_and_for_wrong_directions_only(
    mistaken: tuple[str, ...],
) -> None:
    report = ldjcheck.check(Both(*mistaken), shape=(5,))
    assert named(report) == [("LDJ101", direction) for direction in mistaken]


# Ties


class Averaged(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(0.4))

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Any:
        scales = self.log_scale.expand(z.shape)
        return z * scales.exp(), ldj + scales.mean(dim=1)


@pytest.mark.slow
def test_a_mean_that_is_written_decides_and_the_dims_factor_is_kept_as_a_tie() -> None:
    report = ldjcheck.check(Averaged(), shape=(5,), direction="forward")
    assert report.findings[0].code == "LDJ105"
    assert "missing-dims-factor" in report.findings[0].also_fits


class OneShape(nn.Module):
    """Takes images of one shape only, whose counts cannot all be told apart."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, 2, 2))

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Any:
        z = 3.0 * z + self.bias.reshape(1, 1, 2, 2) + torch.zeros(1, 1, 2, 2)
        if z.shape[1:] != self.bias.shape:
            raise ValueError("one shape only")
        return z, ldj + math.log(3.0)


def test_a_layer_of_one_shape_admits_the_counts_that_coincide() -> None:
    report = ldjcheck.check(OneShape(), shape=(1, 2, 2), direction="forward")
    assert report.findings[0].code == "LDJ101"
    assert "missing-spatial-factor" in report.findings[0].also_fits


# Refusal


class Garbage(nn.Module):
    """sinh, with a term that belongs to no known mistake."""

    def __init__(self, weights: list[float], frequency: float) -> None:
        super().__init__()
        self.weights = torch.tensor(weights)
        self.frequency = frequency

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Any:
        own = torch.log(torch.cosh(z)).sum(dim=1)
        a, b, c = self.weights
        waves = a * torch.sin(self.frequency * z) + b * z**2 + c * torch.cos(z) * z
        off = torch.tanh(waves.sum(dim=1)) + torch.log(torch.cosh(z)).mean(dim=1)
        return torch.sinh(z), ldj + own * 1.37 + off


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.floats(0.2, 1.9), min_size=3, max_size=3),
    st.floats(1.1, 2.9),
    st.integers(2, 4),
)
def test_what_fits_no_mistake_gets_no_name(
    weights: list[float], frequency: float, dims: int
) -> None:
    layer = Garbage(weights, frequency)
    report = ldjcheck.check(layer, shape=(dims,), direction="forward")
    assert report.status == "fail"
    assert report.findings[0].code in ("LDJ120", "LDJ199")


class AveragedOverAll(nn.Module):
    def forward(self, x: Tensor) -> Any:
        return torch.sinh(x), torch.log(torch.cosh(x)).mean()


def test_a_mean_over_dims_and_batch_is_reduced_over_the_batch() -> None:
    report = ldjcheck.check(AveragedOverAll(), shape=(4,))
    assert named(report) == [("LDJ106", "forward")]
    fix = report.findings[0].fix
    assert fix is not None
    assert [e.after.strip() for e in fix.edits] == [
        "return torch.sinh(x), torch.log(torch.cosh(x)).flatten(1).sum(1)"
    ]

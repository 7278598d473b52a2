"""An edit is verified where it is right by no chance: of rank, of value, or of kind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from edits import students
from torch import Tensor, nn

import ldjcheck
from ldjcheck.mistakes.rewriting.reductions import over_all_axes
from ldjcheck.revision import Replacement, read_source

if TYPE_CHECKING:
    from pathlib import Path

    from ldjcheck.records import Finding, Fix

Pair = tuple[Tensor, Tensor]


def first(layer: nn.Module, code: str | None = None) -> Finding:
    torch.manual_seed(0)
    findings = ldjcheck.check(layer, pictures=False).findings
    return next(f for f in findings if code in (None, f.code))


def written(finding: Finding) -> str:
    assert finding.fix is not None
    return "\n".join(edit.after for edit in finding.fix.edits)


@pytest.mark.slow
@pytest.mark.parametrize("layer", [students.Limited, students.LimitedTwice])
def test_a_number_stands_for_no_attribute_that_equals_it(layer: type) -> None:
    finding = first(layer())
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
    assert "math.log(self.act_limit)" in written(finding)


@pytest.mark.slow
def test_what_a_number_of_1_hides_keeps_an_edit_from_being_verified() -> None:
    """The mean is mended, and at another factor the number is wrong all the same."""
    assert first(students.Neutral()).fix.applicability == "suggested"


def test_a_number_is_moved_with_what_its_class_keeps_of_it() -> None:
    assert first(students.Kept()).fix.applicability == "verified"


def test_what_is_averaged_over_one_axis_is_summed_over_all() -> None:
    text = written(first(students.Squeezed()))
    assert "torch.log(torch.cosh(x)).flatten(1).sum(-1)" in text


class Halved(nn.Module):
    """Half of it is split off, has its log-density, and is handed back."""

    def forward(self, x: Tensor) -> Pair:
        one, other = x.chunk(2, dim=1)
        ldj = one.sum(1)
        ldj = ldj + torch.distributions.Normal(0.0, 1.0).log_prob(other).sum(1)
        return torch.cat([one.exp(), other], 1), ldj


class HalvedWrongly(nn.Module):
    """The same, written by hand, with a scale that is none: no density, but meant as one."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.randn(2))

    def forward(self, x: Tensor) -> Pair:
        one, other = x.chunk(2, dim=1)
        squares = other**2 * torch.exp(-self.log_scale)
        normal = -0.5 * (math.log(2 * math.pi) + 2 * self.log_scale + squares)
        return torch.cat([one.exp(), other], 1), one.sum(1) + normal.sum(1)


class SquashedTwice(nn.Module):
    """The ldj of a sigmoid is the log-density of a logistic, and a step's all the same."""

    def forward(self, x: Tensor) -> Pair:
        softplus = nn.functional.softplus
        one = (-softplus(x) - softplus(-x)).flatten(1).sum(1)
        two = (-softplus(x) - softplus(-x)).flatten(1).sum(1)
        return torch.sigmoid(x), one + two


@pytest.mark.slow
@pytest.mark.parametrize("layer", [Halved, HalvedWrongly])
def test_an_edit_that_takes_a_log_density_away_is_suggested(layer: type) -> None:
    assert first(layer()).fix.applicability == "suggested"


def test_an_edit_that_takes_a_step_counted_twice_away_is_verified() -> None:
    assert first(SquashedTwice()).fix.applicability == "verified"


class AnotherMap(nn.Module):
    """The ldj, and the way back, are those of exp; the map multiplies by a sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.randn(4))

    def forward(self, x: Tensor) -> Pair:
        return x * torch.sigmoid(self.s), self.s.sum().expand(len(x))

    def inverse(self, y: Tensor) -> Pair:
        return y * torch.exp(-self.s), -self.s.sum().expand(len(y))


class AnotherNumber(AnotherMap):
    """The map is exp, and so is its way back: what is wrong is the number."""

    def forward(self, x: Tensor) -> Pair:
        return x * torch.exp(self.s), 2 * self.s.sum().expand(len(x))


@pytest.mark.slow
def test_a_broken_map_is_given_no_verified_ldj() -> None:
    fixes = [f.fix for f in ldjcheck.check(AnotherMap(), pictures=False).findings]
    assert not any(fix and fix.applicability == "verified" for fix in fixes)
    assert first(AnotherNumber()).fix.applicability == "verified"


SOURCE = """\
def forward(self, x):
    ldj = (x + 1).sum(dim=1) + torch.sum(x * x, dim=-1)
    return x, ldj * x.shape[1] + x.size(-1) - ldj.sum(1).flatten(1).sum(1)
"""


def test_sums_over_one_axis_are_written_as_sums_over_all(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text(SOURCE)
    source = read_source(str(path))
    assert source is not None
    change = Replacement(str(path), 2, 15, 2, 16, "2")
    (put,) = over_all_axes(source, (change,), ())
    assert put.text.splitlines()[1:] == [
        "    ldj = (x + 2).flatten(1).sum(dim=1)"
        " + torch.sum((x * x).flatten(1), dim=-1)",
        "    return x, ldj * x[0].numel() + x[0].numel() - ldj.flatten(1).sum(1)",
    ]


class Doubled(nn.Module):
    """A number that is none of the layer's may be written: it is moved by nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = 3.0

    def forward(self, x: Tensor) -> Pair:
        dims = math.prod(x.shape[1:])
        return self.scale * x**3, (
            torch.log(x**2).flatten(1).sum(1)
            + dims * (math.log(2) + math.log(self.scale))
        )


@pytest.mark.slow
def test_a_number_that_stands_for_none_is_written_all_the_same() -> None:
    finding = first(Doubled())
    assert finding.fix is not None
    assert finding.fix.applicability == "verified", finding
    assert "3" in written(finding)


class Causal(nn.Module):
    """Each step mixes channels by a kernel, as wide as the sequence is long that is tried."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(0.2 * torch.randn(2, 2, 3))
        self.log_diagonal = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor) -> Pair:
        kernel = self.kernel.clone()
        now = torch.tril(kernel[:, :, -1], -1) + torch.diag(self.log_diagonal.exp())
        kernel[:, :, -1] = now
        y = nn.functional.conv1d(nn.functional.pad(x, (2, 0)), kernel)
        return y, self.log_diagonal.sum().expand(x.shape[0])


def test_a_count_is_no_size_that_equals_it_where_others_are_taken() -> None:
    finding = first(Causal(), "LDJ102")
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
    assert "* x.shape[2]" in written(finding)


class Kernels(nn.Module):
    """Distances in units of a width, which is a buffer; its logarithm is forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("width", torch.full((3,), 0.5))
        self.shift = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Pair:
        u = (x - self.shift) / self.width
        return torch.sinh(u), torch.log(torch.cosh(u)).sum(1)


def test_a_number_stands_for_no_buffer_that_holds_it() -> None:
    finding = first(Kernels())
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
    assert "self.width" in written(finding)


class YetToBeFitted:
    """A power of either sign, then a division by what is 1 until it is fitted; not negated."""

    def __init__(self) -> None:
        self.power, self.scale = torch.tensor([0.4, 1.3, 1.7]), torch.ones(3)

    def transform(self, x: Tensor) -> Tensor:
        up = ((x.clamp(min=0) + 1) ** self.power - 1) / self.power
        other = 2 - self.power
        down = -((1 - x.clamp(max=0)) ** other - 1) / other
        return torch.where(x >= 0, up, down) / self.scale

    def log_jac(self, x: Tensor) -> Tensor:
        slope = (self.power - 1) * torch.log1p(x.abs()) - torch.log(self.scale)
        return slope.sum(1)


def test_a_sign_is_not_put_before_what_is_nothing_until_it_is_fitted() -> None:
    edit = first(YetToBeFitted()).fix  # type: ignore[arg-type]  # no module
    assert edit is None or edit.applicability != "verified" or is_right(edit)


def is_right(fix: Fix) -> bool:
    """Return whether the sign goes with the power alone."""
    x, scale = torch.tensor([[-0.5, 0.3, -2.0]]), torch.tensor([2.0, 0.5, 3.0])
    layer = YetToBeFitted()
    layer.scale = scale
    (after,) = (edit.after.strip() for edit in fix.edits)
    held = {"self": layer, "x": x, "torch": torch}
    exec(after, held)
    exact = torch.sign(x) * (layer.power - 1) * torch.log1p(x.abs()) - scale.log()
    return bool(torch.allclose(held["slope"], exact))  # type: ignore[arg-type]


class Heads(nn.Module):
    """Each head has a scale of its own for each of its entries, which are counted once."""

    def __init__(self, heads: int = 2, width: int = 3) -> None:
        super().__init__()
        self.heads, self.width = heads, width
        self.shift = nn.Parameter(torch.randn(heads, width))
        self.log_s = nn.Parameter(0.4 * torch.randn(width))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = x.view(len(x), self.heads, self.width)
        y = (h * self.log_s.exp() + self.shift).reshape(len(x), -1)
        return y, self.log_s.sum().expand(len(x))


def test_a_number_that_the_layer_holds_is_no_plain_factor() -> None:
    """Two heads are two: the layer is built for others, with as many parameters."""
    finding = ldjcheck.check(Heads(), shape=(6,)).findings[0]
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
    assert "self.heads" in str(finding.fix)


class Pairs(nn.Module):
    """Of two dims, the base's constant counts half of log 2 pi twice; and no more than once."""

    def __init__(self, dim: int = 2) -> None:
        super().__init__()
        self.log_s = nn.Parameter(0.4 * torch.randn(dim))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * self.log_s.exp(), self.log_s.sum().expand(len(x))

    def base(self, z: Tensor) -> Tensor:
        return -0.5 * torch.sum(z**2, dim=1) - 0.5 * math.log(2 * math.pi)

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        return self.base(z) + ldj


@pytest.mark.slow
def test_an_edit_of_a_density_holds_for_the_model_as_it_is_built_for_other_sizes() -> (
    None
):
    edit = first(Pairs()).fix
    assert edit is not None
    assert edit.applicability == "verified"
    (after,) = (each.after.strip() for each in edit.edits)
    z = torch.randn(4, 5)
    held = {"z": z, "math": math, "torch": torch}
    found = eval(after.removeprefix("return "), held)
    assert torch.allclose(found, torch.distributions.Normal(0, 1).log_prob(z).sum(1))

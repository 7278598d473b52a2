"""Of a wrong term the diagnosis says what the map has, and writes it in its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Transform, constraints
from torch.nn import functional as F

import ldjcheck


class TanhByItsSize(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(x)
        ldj = torch.log(1 - h.abs()).sum(dim=1)
        return h, ldj


class BendAtTheInput(nn.Module):
    """The slope of tanh is taken to be 1 - z**2, on a line of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = x * torch.exp(self.a)
        ldj = self.a.sum() * torch.ones(len(x))
        y = z + 0.5 * torch.tanh(z)
        d = 1 + 0.5 * (1 - z**2)
        ldj = ldj + torch.log(d.abs()).sum(1)
        return y, ldj


class CubeWithoutItsSlope(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = x**3 + x
        ldj = torch.log(3 * x**2).sum(1)
        return y, ldj


class PlanarByTheOutput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.4, -0.8, 0.5]))
        self.u = nn.Parameter(torch.tensor([0.3, 0.2, -0.1]))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(z @ self.w)
        psi = (1 - h).unsqueeze(1) * self.w
        return z + self.u * h.unsqueeze(1), torch.log(torch.abs(1 + psi @ self.u))


class ForgottenGate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        b = b * torch.sigmoid(s + 2) + t
        return torch.cat([a, b], 1), torch.zeros(len(x))


class SoftplusByTheOutput(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = F.softplus(x)
        return y, -y.sum(1)


MENDED = {
    TanhByItsSize: "all numbers agree with `h**2` for `h.abs()`",
    BendAtTheInput: "all numbers agree with the term taken at `torch.tanh(z)`",
    CubeWithoutItsSlope: "all numbers agree with `1 + (3 * x**2)` for `3 * x**2`",
    PlanarByTheOutput: "",
    ForgottenGate: "is F.logsigmoid(2 + s).sum(dim=1), not torch.zeros(len(x))",
    SoftplusByTheOutput: "is F.logsigmoid(x).flatten(1).sum(dim=1), not -y.sum(1)",
}


@pytest.mark.slow
@pytest.mark.parametrize("layer", MENDED)
def test_a_wrong_term_is_mended_by_that_of_the_map(layer: type[nn.Module]) -> None:
    torch.manual_seed(0)
    finding = ldjcheck.check(layer()).findings[0]
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
    assert len(finding.fix.edits) == 1
    assert MENDED[layer] in "\n".join(finding.evidence)


class TwoTermsOfASeries(nn.Module):
    """A residual map: what it reports is an approximation, and no term has a closed form."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3) / 2)
        self.inner = nn.Parameter(torch.eye(3) / 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(torch.tanh(x @ self.inner) @ self.weight) / 2
        return x + h, (h**2).sum(1)


@pytest.mark.slow
def test_where_no_closed_form_is_known_nothing_is_said() -> None:
    findings = ldjcheck.check(TwoTermsOfASeries()).findings
    assert findings[0].fix is None
    assert "derivative of line" not in "\n".join(findings[0].evidence)


class WrongCube(Transform):
    """Add the cube; its derivative has a slip, in a line above the return."""

    domain = codomain = constraints.real_vector
    bijective = True

    def _call(self, x: Tensor) -> Tensor:
        return x + x**3

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        slope = 1 + 2 * x**2
        return torch.log(slope).sum(-1)


@pytest.mark.slow
def test_a_slip_is_pointed_at_where_it_stands_and_mended_there_alone() -> None:
    found = ldjcheck.check(WrongCube(), shape=(3,)).findings[0]
    assert found.fix is not None
    (edit,) = found.fix.edits
    assert edit.before.strip() == "slope = 1 + 2 * x**2"
    name, written = edit.after.split("=")
    assert name.strip() == "slope"
    assert eval(written, {"x": 2.0}) == 1 + 3 * 2.0**2
    assert found.location is not None
    assert found.location.line == edit.line


class ScaledThenBent(nn.Module):
    """The bend at the end has no term; vectors and images are taken alike."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(0.3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = x * self.log_scale.exp()
        ldj = self.log_scale * x[0].numel()
        return torch.sinh(y), ldj.expand(len(x))


def test_a_layer_of_any_rank_is_mended_for_any_rank() -> None:
    fix = ldjcheck.check(ScaledThenBent()).findings[0].fix
    assert fix is not None
    text = "\n".join(edit.after for edit in fix.edits)
    assert text.strip() == (
        "ldj = self.log_scale * x[0].numel() + "
        "torch.log(torch.cosh(y)).flatten(1).sum(dim=1)"
    )


@pytest.mark.slow
def test_where_the_shape_is_given_the_mending_is_for_any_rank_as_well() -> None:
    fix = ldjcheck.check(ScaledThenBent(), shape=(4,)).findings[0].fix
    assert fix is not None
    assert fix.applicability == "verified"
    text = "\n".join(edit.after for edit in fix.edits)
    assert "torch.log(torch.cosh(y)).flatten(1).sum(dim=1)" in text


class SquashedHalf(nn.Module):
    """A coupling whose half is squashed in the end, which nothing counts."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        s = torch.tanh(s)
        b = b * s.exp() + t
        b = torch.tanh(b)
        return torch.cat([a, b], 1), s.sum(1)


@pytest.mark.slow
def test_a_step_of_a_half_that_is_all_that_is_missing_is_named() -> None:
    first = ldjcheck.check(SquashedHalf()).findings[0]
    assert first.code == "LDJ110"
    assert first.message == "The log-determinant leaves out `torch.tanh(b)`."
    assert first.location is not None
    assert first.location.text == "b = torch.tanh(b)"
    assert first.fix is not None


class ThroughTheTangent(nn.Module):
    """Every other angle moves through its tangent, whose own slope is not counted."""

    def __init__(self, angles: int = 6) -> None:
        super().__init__()
        self.register_buffer("still", torch.arange(angles) % 2 == 0)
        held = int(self.still.sum())
        self.net = nn.Linear(held, 2 * (angles - held))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        held = x[:, self.still]
        moved = x[:, ~self.still]
        a, b = self.net(held.cos()).chunk(2, dim=1)
        t = torch.tan(moved / 2)
        turned = 2 * torch.atan(a.exp() * t + b)
        each = a - torch.log1p((a.exp() * t + b) ** 2)
        y = x.clone()
        y[:, ~self.still] = turned
        return y, each.sum(dim=1)


@pytest.mark.slow
def test_of_two_halves_of_one_size_the_one_that_moves_is_counted() -> None:
    fix = ldjcheck.check(ThroughTheTangent(), shape=(6,)).findings[0].fix
    assert fix is not None
    text = "\n".join(edit.after for edit in fix.edits)
    assert text.strip() == (
        "return y, each.sum(dim=1) + torch.log1p(torch.tan(moved / 2) ** 2).sum(dim=1)"
    )


CONSTANTS_OF_A_FILE = """
import torch
import torch.nn.functional as F

power = torch.tensor([0.3, 0.5, 1.7, 2.0])
tails = dict(left=torch.tensor([0.15, 0.4, -0.1]), width=torch.tensor([1.0, 0.5, 2.0]))


def box_cox(x):
    p = F.softplus(x)
    y = (p**power - 1) / power
    ldj = (power - 1) * torch.log(p)
    return y, ldj.sum(dim=1)


def quantile(u, left, width):
    return ((u**left - 1) / left + u) / width, (u**left + 1) / width


def from_logits(z):
    u = torch.sigmoid(z)
    x, slope = quantile(u, **tails)
    return x, (torch.log(slope) + F.logsigmoid(z) + F.logsigmoid(-z)).sum(1)
"""


def test_what_a_file_holds_is_written_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "file.py"
    file.write_text(CONSTANTS_OF_A_FILE)
    (finding,) = ldjcheck.check(f"{file}:box_cox").findings
    assert finding.code == "LDJ110"
    assert "F.logsigmoid(x)" in str(finding.fix)


@pytest.mark.slow
def test_a_factor_of_a_slope_that_is_right_stays(tmp_path: Path) -> None:
    """Its logarithms add up to 0: the sum alone does not tell whether it is counted."""
    file = tmp_path / "file.py"
    file.write_text(CONSTANTS_OF_A_FILE)
    (finding,) = ldjcheck.check(f"{file}:from_logits").findings
    assert finding.fix is not None
    assert "width" in str([edit.after for edit in finding.fix.edits])


class SinhArcsinh(Transform):
    """One log_abs_det_jacobian for both directions, of a helper that both ask."""

    domain = codomain = constraints.independent(constraints.real, 1)
    bijective = True

    def __init__(self) -> None:
        super().__init__()
        self.loc, self.log_scale = 0.3 * torch.randn(4), 0.3 * torch.randn(4)
        self.tilt, self.log_delta = 0.3 * torch.randn(4), 0.3 * torch.randn(4)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        u = (x - self.loc) * torch.exp(-self.log_scale)
        return u, self.log_delta.exp() * torch.asinh(u) - self.tilt

    def _call(self, x: Tensor) -> Tensor:
        return torch.sinh(self.parts(x)[1])

    def _inverse(self, y: Tensor) -> Tensor:
        t = torch.asinh(y)
        u = torch.sinh((t + self.tilt) * torch.exp(-self.log_delta))
        return self.loc + self.log_scale.exp() * u

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        _, t = self.parts(x)
        ladj = self.log_delta + torch.cosh(t).log() - self.log_scale
        return ladj.sum(-1)


class LowRank(nn.Module):
    """Counts the first term of log det(I + VU) alone."""

    def __init__(self) -> None:
        super().__init__()
        self.u, self.v = (nn.Parameter(0.4 * torch.randn(4, 2)) for _ in range(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = torch.trace(self.v.mT @ self.u)
        return x + x @ self.v @ self.u.mT, ldj.expand(len(x))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("kind", "written"), [(SinhArcsinh, "log1p"), (LowRank, "slogdet")]
)
def test_what_a_helper_or_a_series_lacks_is_written(
    kind: type, written: str, seed: int
) -> None:
    torch.manual_seed(seed)
    finding = ldjcheck.check(kind(), shape=(4,), seed=seed).findings[0]
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
    assert written in str(finding.fix)

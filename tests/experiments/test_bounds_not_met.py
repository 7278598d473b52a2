"""What is wrong beyond a bound shows, though numbers of the usual size never meet it."""

from __future__ import annotations

import pytest
import torch
from small_layers import Coupling, Pair
from torch import Tensor, nn

import ldjcheck


class Clipped(Coupling):
    """Clips the logarithms of its scales at `bound`; `counted` says which are summed."""

    def __init__(self, bound: float, counted: str) -> None:
        super().__init__()
        self.bound, self.counted = bound, counted

    def conditioned(self, p: Tensor) -> Pair:
        a, t = super().conditioned(p)
        self.free = a
        return a.clamp(-self.bound, self.bound), t

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y, ldj if self.counted == "clipped" else self.free.sum(1)

    def inverse(self, y: Tensor) -> Pair:
        x, ldj = super().inverse(y)
        return x, ldj if self.counted == "clipped" else -self.free.sum(1)


@pytest.mark.slow
@pytest.mark.parametrize("bound", [2.0, 5.0, 8.0])
def test_a_clip_that_the_ldj_does_without_is_found(bound: float) -> None:
    assert ldjcheck.check(Clipped(bound, "clipped")).status == "pass"
    found = ldjcheck.check(Clipped(bound, "free")).findings
    assert [finding.name for finding in found] == ["wrong-branch"] * 2


class Capped(Clipped):
    """The same, held on one side alone."""

    def conditioned(self, p: Tensor) -> Pair:
        a, t = Coupling.conditioned(self, p)
        self.free = a
        return a.clamp(max=self.bound), t


@pytest.mark.slow
@pytest.mark.parametrize("bound", [2.0, 5.0, 12.0])
def test_a_cap_on_one_side_is_met_whichever_way_parameters_move(bound: float) -> None:
    """Moved one way, all that it is compared with may stay below."""
    torch.manual_seed(0)
    assert ldjcheck.check(Capped(bound, "clipped")).status == "pass"
    report = ldjcheck.check(Capped(bound, "free"))
    assert report.status == "fail", report


def test_a_bound_that_is_never_met_is_said_to_be_open() -> None:
    said = ldjcheck.check(Capped(90.0, "free")).result.inferred["bounds"]
    assert said.startswith("tests/experiments/test_bounds_not_met.py:")
    assert said.endswith(
        "nothing that was tried is beyond, and what holds there is open"
    )
    assert "bounds" not in ldjcheck.check(Clipped(1.0, "clipped")).result.inferred


class Tails(nn.Module):
    """Bends between -10 and 10, and is the identity outside, where `outside` is counted."""

    def __init__(self, outside: float) -> None:
        super().__init__()
        self.outside, self.bend = outside, nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Pair:
        a, u = 0.4 * torch.tanh(self.bend), 1 - (x / 10) ** 2
        inside = x.abs() < 10
        slope = 1 + a * (u**2 - 4 * (x / 10) ** 2 * u)
        y = torch.where(inside, x + a * x * u**2, x)
        log = torch.where(inside, slope, torch.ones_like(x)).log()
        return y, torch.where(inside, log, log + self.outside).sum(1)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("outside", "status"), [(0.0, "pass"), (0.1, "fail")])
def test_inputs_reach_as_far_as_the_tails_of_a_map(outside: float, status: str) -> None:
    assert ldjcheck.check(Tails(outside)).status == status


class TailOfOneSide(nn.Module):
    """Bends between -6 and 6; the ldj of its tail on one side is that of a bend."""

    def __init__(self, wrong: float) -> None:
        super().__init__()
        self.wrong, self.bound, self.a = wrong, 6.0, nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Pair:
        k, u = 0.5 * torch.tanh(self.a) + 0.1, x / self.bound
        bump = torch.where(u.abs() < 1, 1 - u**2, torch.zeros_like(u))
        slope = 1 - 2 * k * u * torch.where(u * self.wrong < 1, bump, 1 - u**2)
        return x + self.bound * k * bump**2 / 2, slope.abs().log().sum(1)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [1.0, -1.0])
def test_both_ends_of_a_size_are_met_and_not_its_edge_alone(wrong: float) -> None:
    report = ldjcheck.check(TailOfOneSide(wrong))
    assert report.status == "fail", report
    assert report.findings[0].name == "wrong-branch"


class Positive(nn.Module):
    """A scale a dim; its logarithm is `log`."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.scale = kind, nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Pair:
        s = self.scale.clamp(min=1e-6) if self.kind == "held" else self.scale
        counted = s.abs() if self.kind == "right" else s.clamp(min=1e-6)
        return x * s, counted.log().sum().expand(len(x))


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("kind", "status"), [("right", "pass"), ("held", "pass"), ("wrong", "fail")]
)
def test_a_scale_that_is_held_above_zero_in_the_ldj_alone(
    kind: str, status: str
) -> None:
    """Where the map is held there as well, both are right."""
    assert ldjcheck.check(Positive(kind)).status == status


def test_a_series_that_ends_too_soon_further_out_is_no_matter_of_a_bound() -> None:
    """What goes wrong on both sides of a bound is not of its making."""

    class Series(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Parameter(torch.zeros(4))

        def forward(self, x: Tensor) -> Pair:
            a = 0.01 * self.a
            log = sum((-1) ** (n + 1) * a**n / n for n in range(1, 9))
            y = torch.where(x < 90.0, x, x + 0.0) * (1 + a)
            return y, torch.as_tensor(log).sum().expand(len(x))

    assert ldjcheck.check(Series()).status == "pass"


class OneSided(nn.Module):
    """Scales; counts twice where one dim is beyond 2.5 on one side."""

    def __init__(self, dim: int, side: float, times: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(4))
        self.dim, self.side, self.times = dim, side, times

    def forward(self, x: Tensor) -> Pair:
        ldj = self.log_scale.sum().expand(len(x))
        beyond = self.side * x[:, self.dim] > 2.5
        return x * self.log_scale.exp(), torch.where(beyond, self.times * ldj, ldj)


@pytest.mark.slow
@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("dim", range(4))
def test_one_side_of_one_dim_is_met_too(dim: int, side: float) -> None:
    """Of few samples, none may happen to be there."""
    assert ldjcheck.check(OneSided(dim, side, times=1.0)).status == "pass"
    assert ldjcheck.check(OneSided(dim, side, times=2.0)).status == "fail"


class NormBounded(nn.Module):
    """As it is built, its norm is below the bound; moved, it is above."""

    def __init__(self, counted: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((4,), 0.3))
        self.counted = counted

    def forward(self, x: Tensor) -> Pair:
        norm = self.weight.norm()
        bounded = norm.clamp(min=0.7)
        log = (bounded if self.counted else norm).log()
        return x / bounded, (-4 * log).expand(len(x))


@pytest.mark.slow
def test_a_bound_that_only_the_layers_own_parameters_are_below_is_met() -> None:
    assert ldjcheck.check(NormBounded(counted=True)).status == "pass"
    assert ldjcheck.check(NormBounded(counted=False)).status == "fail"


class NormAtLeast(nn.Module):
    """A norm that is far above its bound, until weights are small."""

    def __init__(self, counted: bool, at: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((4,), 3.0))
        self.counted, self.at = counted, at

    def forward(self, x: Tensor) -> Pair:
        norm = self.weight.norm()
        if self.at == "clamp":
            bounded = norm.clamp(min=0.5)
        elif self.at == "maximum":
            bounded = torch.maximum(norm, torch.tensor(0.5).to(norm))
        else:
            bounded = torch.where(norm < 0.5, torch.full_like(norm, 0.5), norm)
        log = (bounded if self.counted else norm).log()
        return x / bounded, (-4 * log).expand(len(x))


@pytest.mark.slow
@pytest.mark.parametrize("at", ["clamp", "maximum", "where"])
def test_a_bound_that_only_smaller_parameters_are_below_is_met(at: str) -> None:
    assert ldjcheck.check(NormAtLeast(counted=True, at=at)).status == "pass"
    assert ldjcheck.check(NormAtLeast(counted=False, at=at)).status == "fail"


class TailFarOut(nn.Module):
    """Bent within 12 of the middle, straight beyond, where the slope of the bend is told."""

    def __init__(self, right: bool = False) -> None:
        super().__init__()
        self.right, self.bound = right, 12.0
        self.a = nn.Parameter(torch.tensor(0.3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, u = 0.9 * torch.tanh(self.a), x / self.bound
        inside = x.abs() < self.bound
        y = torch.where(inside, x * (1 + a * (u**2 - 1)), x)
        slope = 1 - a + 3 * a * u**2
        if self.right:
            slope = torch.where(inside, slope, torch.ones_like(slope))
        return y, slope.log().sum(-1)


@pytest.mark.slow
def test_a_tail_is_met_far_out_though_a_sample_lies_on_its_bound() -> None:
    assert ldjcheck.check(TailFarOut(right=True)).status == "pass"
    report = ldjcheck.check(TailFarOut())
    assert report.status == "fail", report
    worst = max(abs(s.difference or 0.0) for s in report.checks[0].samples)
    assert worst > 0.1


class ScaleOfOneSign(nn.Module):
    """Scales by what is larger than one as it is built, or smaller by its making."""

    def __init__(self, claimed: str) -> None:
        super().__init__()
        self.claimed = claimed
        self.scale = nn.Parameter(1.5 + torch.rand(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_scale = self.scale.abs().log()
        if self.claimed == "size":
            log_scale = torch.abs(log_scale)
        return x * self.scale, log_scale.sum().expand(len(x))


class CouplingOfOneSign(ScaleOfOneSign):
    """A coupling whose log-scale starts out positive for each sample."""

    def __init__(self, claimed: str) -> None:
        super().__init__(claimed)
        self.net = nn.Linear(2, 2)
        nn.init.constant_(self.net.bias, 2.0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, other = x.chunk(2, -1)
        log_scale = torch.tanh(self.net(kept))
        y = torch.cat([kept, other * log_scale.exp()], -1)
        claimed = log_scale.abs() if self.claimed == "size" else log_scale
        return y, claimed.sum(-1)


@pytest.mark.slow
@pytest.mark.parametrize("layer", [ScaleOfOneSign, CouplingOfOneSign])
@pytest.mark.parametrize("seed", range(5))
def test_the_other_sign_of_what_an_absolute_value_is_taken_of_is_looked_for(
    layer: type[ScaleOfOneSign], seed: int
) -> None:
    torch.manual_seed(seed)
    right, wrong = layer("log"), layer("size")
    report = ldjcheck.check(wrong, seed=seed)
    assert [f.code for f in report.findings] == ["LDJ115"], report
    report = ldjcheck.check(right, seed=seed)
    assert (report.status, report.findings) == ("pass", ()), report


class SpectrumOfOneSign(ScaleOfOneSign):
    """The same beside sizes of complex numbers, and of what is given by its name."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        sizes = torch.fft.fft(self.scale).abs() + torch.abs(input=self.scale)
        y, ldj = super().forward(x)  # after which nothing would be seen, had one raised
        return y + sizes.sum(), ldj


@pytest.mark.slow
def test_an_absolute_value_of_complex_numbers_has_no_other_sign() -> None:
    assert ldjcheck.check(SpectrumOfOneSign("log")).status == "pass"
    report = ldjcheck.check(SpectrumOfOneSign("size"))
    assert [f.code for f in report.findings] == ["LDJ115"], report

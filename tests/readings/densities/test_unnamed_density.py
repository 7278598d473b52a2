"""What stands beside z and is log p(x), by its numbers: a flow that is handed on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair

SLOW = pytest.mark.slow


class Flow(nn.Module):
    """Log p(x) beside z; before it is trained, z is x."""

    sign = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.zeros(4))
        self.b = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> Pair:
        z = x * self.s.exp() + self.b
        log_pz = (-0.5 * z**2 - 0.5 * math.log(2 * math.pi)).sum(1)
        log_prob = log_pz + self.sign * self.s.sum()
        return z, log_prob


class Turned(Flow):
    sign = -1.0


class HandedOn(nn.Module):
    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, x: Tensor) -> Pair:
        return self.flow(x)


class PutTogether(HandedOn):
    def forward(self, x: Tensor) -> Pair:
        out = self.flow(x)
        return out[0], out[1]


class Renamed(HandedOn):
    def forward(self, x: Tensor) -> Pair:
        latent, second = self.flow(x)
        return latent, second


class CalledLdj(nn.Module):
    """Counts the prior in what it calls its ldj."""

    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> Pair:
        z = x * self.s.exp()
        ldj = self.s.sum() + (-0.5 * z**2 - 0.5 * math.log(2 * math.pi)).sum(1)
        return z, ldj


class Asking(nn.Module):
    """Adds what a distribution says of z and an ldj, and gives the sum no name."""

    def __init__(self, sign: float) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.zeros(4))
        self.base = torch.distributions.Normal(0.0, 1.0)
        self.sign = sign

    def both(self, x: Tensor) -> Pair:
        z = x * self.s.exp()
        return z, self.base.log_prob(z).sum(1) + self.sign * self.s.sum()

    def forward(self, x: Tensor) -> Pair:
        return self.both(x)


def test_a_base_that_is_asked_about_z_makes_it_a_density_be_it_wrong() -> None:
    assert ldjcheck.check(Asking(1.0)).status == "pass"
    wrong = ldjcheck.check(Asking(-1.0))
    assert wrong.findings[0].code == "LDJ104"
    assert wrong.findings[0].fix is not None
    assert "log_prob" in wrong.findings[0].fix.edits[0].after


WRAPPERS = (HandedOn, PutTogether, Renamed)


@pytest.mark.slow
def test_a_density_that_starts_from_the_identity_is_one() -> None:
    assert ldjcheck.check(Flow()).status == "pass"
    assert ldjcheck.check(Turned()).findings[0].code == "LDJ104"


@pytest.mark.thinned(3)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_density_that_is_handed_on_without_its_name_is_one(
    wrapper: type[HandedOn],
) -> None:
    report = ldjcheck.check(wrapper(Flow()))
    assert (report.status, report.result.convention) == ("pass", "density")


@pytest.mark.slow
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_of_two_readings_that_are_wrong_the_name_where_it_is_made_tells(
    wrapper: type[HandedOn],
) -> None:
    assert ldjcheck.check(wrapper(Turned())).findings[0].code == "LDJ104"


@pytest.mark.slow
@pytest.mark.parametrize("layer", [CalledLdj(), HandedOn(CalledLdj())])
def test_a_prior_in_what_is_called_an_ldj_is_a_term_too_many(layer: nn.Module) -> None:
    assert ldjcheck.check(layer).findings[0].code == "LDJ111"


class Logistic(nn.Module):
    """Onto the unit interval, where the density of what is uniform is 1."""

    def __init__(self, sign: float) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.zeros(4))
        self.sign = sign

    def forward(self, x: Tensor) -> Pair:
        x = x * self.s.exp()
        slopes = self.s - nn.functional.softplus(x) - nn.functional.softplus(-x)
        return torch.sigmoid(x), self.sign * slopes.sum(1)


def test_where_no_density_of_z_is_seen_a_wrong_ldj_stays_one() -> None:
    assert ldjcheck.check(HandedOn(Logistic(1.0))).status == "pass"
    assert ldjcheck.check(HandedOn(Logistic(-1.0))).findings[0].code == "LDJ104"


class OnCircles(nn.Module):
    """Maps angles to angles; `counted` times log(2 pi) is taken off for each of them."""

    def __init__(self, counted: float = 1.0) -> None:
        super().__init__()
        self.shift, self.counted = nn.Parameter(torch.tensor([0.1, 0.5, 2.0])), counted

    def both(self, angle: Tensor) -> Pair:
        z = angle + 0.5 * torch.sin(angle) + self.shift
        ldj = torch.log(1 + 0.5 * torch.cos(angle)).sum(1)
        z = torch.remainder(z + math.pi, 2 * math.pi) - math.pi
        return z, ldj - self.counted * z.shape[1] * math.log(2 * math.pi)


class NamedOnCircles(OnCircles):
    def forward(self, angle: Tensor) -> Pair:
        z, log_p = self.both(angle)
        return z, log_p


class FirstOnCircles(OnCircles):
    def forward(self, angle: Tensor) -> Pair:
        z, log_p = self.both(angle)
        return log_p, z


class UnnamedOnCircles(OnCircles):
    def forward(self, angle: Tensor) -> Pair:
        return self.both(angle)


@pytest.mark.slow
@pytest.mark.parametrize("make", [NamedOnCircles, FirstOnCircles])
def test_what_is_called_a_density_may_have_a_uniform_base(
    make: type[OnCircles],
) -> None:
    assert ldjcheck.check(make()).status == "pass"
    assert ldjcheck.check(make(counted=0.5)).status == "fail"


def test_what_nothing_names_lacks_a_scale_as_an_ldj_would() -> None:
    assert ldjcheck.check(UnnamedOnCircles()).status == "fail"


class Squashed(nn.Module):
    """Draws, squashes and scales; what computes the density of that has no telling name."""

    def __init__(self, counted: float = 1.0) -> None:
        super().__init__()
        self.net, self.counted = nn.Linear(5, 6), counted

    def corrected(self, u: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        normal = (
            -0.5 * ((u - mean) / std) ** 2 - std.log() - 0.5 * math.log(2 * math.pi)
        )
        slope = 2 * (math.log(2) - u - nn.functional.softplus(-2 * u))
        return (normal - slope - self.counted * math.log(2)).sum(1)

    def sample(self, obs: Tensor) -> Pair:
        mean, raw = self.net(obs).chunk(2, dim=1)
        std = nn.functional.softplus(raw) + 0.1
        u = mean + std * torch.randn_like(mean)
        return 2 * torch.tanh(u), self.corrected(u, mean, std)


class SquashedByName(Squashed):
    def sample(self, obs: Tensor) -> Pair:
        mean, raw = self.net(obs).chunk(2, dim=1)
        std = nn.functional.softplus(raw) + 0.1
        u = mean + std * torch.randn_like(mean)
        return 2 * torch.tanh(u), self._logp(u, mean, std)

    def _logp(self, u: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        return self.corrected(u, mean, std)


@pytest.mark.slow
@pytest.mark.parametrize("make", [Squashed, SquashedByName])
def test_how_probable_a_draw_is_needs_no_name(make: type[Squashed]) -> None:
    assert ldjcheck.check(make().sample).status == "pass"
    assert ldjcheck.check(make(counted=0.0).sample).status == "fail"


@pytest.mark.slow
def test_what_is_computed_by_a_method_of_a_densitys_name_is_one() -> None:
    assert ldjcheck.check(SquashedByName()).status == "pass"
    assert ldjcheck.check(SquashedByName(0.0)).findings[0].code == "LDJ110"


class WithoutItsScale(nn.Module):
    """Called a density, and an ldj that lacks the logarithm of 2 for each dim."""

    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.tensor([0.1, -0.2, 0.3]))

    def forward(self, x: Tensor) -> Pair:
        u = x * self.s.exp()
        slope = nn.functional.logsigmoid(u) + nn.functional.logsigmoid(-u)
        log_p = (self.s + slope).sum(1)
        return 2 * torch.sigmoid(u) - 1, log_p


@pytest.mark.slow
def test_a_name_does_not_make_a_uniform_base_of_a_scale_that_lacks() -> None:
    assert ldjcheck.check(WithoutItsScale()).status == "fail"


class Posterior(nn.Module):
    """What a draw becomes, and log q of that: the scale stands in the draw's own density."""

    def __init__(
        self, turned: float = 1.0, constant: float = math.log(2 * math.pi)
    ) -> None:
        super().__init__()
        self.head, self.net = nn.Linear(3, 8), nn.Linear(5, 4)
        self.turned, self.constant = turned, constant

    def forward(self, eps: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        mean, scale = self.head(h).chunk(2, -1)
        drawn = (-(eps**2) / 2 - scale - self.constant / 2).sum(-1)
        kept, moved = (mean + scale.exp() * eps).chunk(2, -1)
        s, t = self.net(torch.cat([kept, h], -1)).chunk(2, -1)
        s = torch.tanh(s)
        z = torch.cat([kept, moved * s.exp() + t], -1)
        return z, drawn - self.turned * s.sum(-1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_log_q_of_what_a_draw_becomes_is_one_wherever_its_terms_stand(
    seed: int,
) -> None:
    context = {"h": (3,)}
    torch.manual_seed(seed)
    right = ldjcheck.check(Posterior(), context=context, seed=seed)
    assert (right.status, right.result.convention) == ("pass", "density"), right
    wrong = ldjcheck.check(Posterior(turned=-1.0), context=context, seed=seed)
    assert wrong.findings[0].code == "LDJ104", wrong
    assert ldjcheck.check(Posterior(constant=0.0), context=context).status == "fail"


class AroundALocation(nn.Module):
    """A base whose location is taken off after what is returned: it is of that all the same."""

    def __init__(self, scales: float = 2.0) -> None:
        super().__init__()
        self.log_s, self.loc, self.log_b = (
            nn.Parameter(torch.zeros(4)) for _ in range(3)
        )
        self.scales = scales

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, ldj = (x * self.log_s.exp()).flip(1), self.log_s.sum()
        b = self.log_b.exp()
        of_z = -torch.abs(z - self.loc) / b - torch.log(self.scales * b)
        return z, of_z.sum(-1) + ldj


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_base_is_of_what_is_returned_and_not_of_what_it_makes_of_that(
    seed: int,
) -> None:
    right = ldjcheck.check(AroundALocation(), seed=seed)
    assert (right.status, right.result.convention) == ("pass", "density"), right
    (finding, *_) = ldjcheck.check(AroundALocation(scales=1.0), seed=seed).findings
    assert finding.code == "LDJ501"
    assert "integrates to exp(2.773)" in str(finding.evidence)


class OfAWidth(nn.Module):
    """A Cauchy base of a learned width, whose logarithm counts once for each dim."""

    def __init__(self, dims: int, counted: float = 1.0) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.eye(dims) + 0.2 * torch.randn(dims, dims))
        self.log_width = nn.Parameter(torch.zeros(dims))
        self.counted = counted

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = x @ self.w
        ldj = torch.linalg.slogdet(self.w)[1] - 0.5 * torch.log1p(h**2).sum(-1)
        z = torch.asinh(h)
        of_z = -math.log(math.pi) - torch.log1p((z / self.log_width.exp()) ** 2)
        return z, (of_z - self.counted * self.log_width).sum(-1) + ldj


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(s, marks=SLOW) for s in range(1, 10))]
)
@pytest.mark.parametrize("dims", [3, 5])
def test_a_width_that_is_not_counted_leaves_a_mass_that_is_not_1(
    dims: int, seed: int
) -> None:
    torch.manual_seed(seed)
    right = ldjcheck.check(OfAWidth(dims), seed=seed)
    assert (right.status, right.result.convention) == ("pass", "density"), right
    (finding, *_) = ldjcheck.check(OfAWidth(dims, counted=0.0), seed=seed).findings
    assert finding.code == "LDJ501"


class NamedInItsSum(nn.Module):
    """Calls it `ldj` and hands back its sum: half of the terms are forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([[0.3, -0.2, 0.1], [0.5, 0.2, -0.4]]))
        self.b = nn.Parameter(torch.tensor([[1.0, -1.0, 0.5], [-0.5, 0.4, 1.0]]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        e = (x[:, None] - self.b) * self.a.exp()
        below, above = nn.functional.logsigmoid(e), nn.functional.logsigmoid(-e)
        half = math.log(0.5)
        lc, ls = (half + below).logsumexp(1), (half + above).logsumexp(1)
        ldj = (half + below + above + self.a).logsumexp(1)
        return lc - ls, ldj.sum(-1)


def test_what_is_called_an_ldj_before_it_is_summed_is_no_density() -> None:
    report = ldjcheck.check(NamedInItsSum(), shape=(3,))
    assert report.status == "fail", report
    assert report.findings[0].code != "LDJ119", report

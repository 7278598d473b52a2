"""Calls that draw what they return, and say how probable it is: log p(noise) - ldj."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, MultivariateNormal, Normal

import ldjcheck
from ldjcheck.recognition import why_no_flow
from ldjcheck.records import Layer, Options

Pair = tuple[Tensor, Tensor]


class Planar(nn.Module):
    """One step of a flow that makes a posterior of a normal."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.u, self.w = (
            nn.Parameter(torch.ones(dims) / 3),
            nn.Parameter(torch.ones(dims)),
        )

    def forward(self, z: Tensor) -> Pair:
        bent = torch.tanh(z @ self.w)
        slope = (1 - bent**2)[:, None] * self.w @ self.u
        return z + self.u * bent[:, None], torch.log(1 + slope)


class Posterior(nn.Module):
    """q(z): a learned normal, pushed through two steps; so many samples as are wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.log_std = (
            nn.Parameter(torch.ones(3)),
            nn.Parameter(torch.ones(3)),
        )
        self.flows = nn.ModuleList([Planar(3), Planar(3)])

    def sample(self, n: int) -> Pair:
        eps = torch.randn(n, 3)
        z = self.mean + self.log_std.exp() * eps
        log_q = -0.5 * (eps**2 + math.log(2 * math.pi)).sum(1) - self.log_std.sum()
        for flow in self.flows:
            z, ldj = flow(z)
            log_q = log_q - ldj
        return z, log_q


class Added(Posterior):
    """The steps' ldjs are added where the density falls by them."""

    def sample(self, n: int) -> Pair:
        eps = torch.randn(n, 3)
        z = self.mean + self.log_std.exp() * eps
        log_q = -0.5 * (eps**2 + math.log(2 * math.pi)).sum(1) - self.log_std.sum()
        for flow in self.flows:
            z, ldj = flow(z)
            log_q = log_q + ldj
        return z, log_q


class Unscaled(Posterior):
    """The scale of the normal is left out."""

    def sample(self, n: int) -> Pair:
        eps = torch.randn(n, 3)
        z = self.mean + self.log_std.exp() * eps
        log_q = -0.5 * (eps**2 + math.log(2 * math.pi)).sum(1)
        for flow in self.flows:
            z, ldj = flow(z)
            log_q = log_q - ldj
        return z, log_q


class Unnormalised(Posterior):
    """log(2 pi) / 2 for each dim is left out: no gradient knows of it, and log q does."""

    def sample(self, n: int) -> Pair:
        eps = torch.randn(n, 3)
        z = self.mean + self.log_std.exp() * eps
        log_q = -0.5 * (eps**2).sum(1) - self.log_std.sum()
        for flow in self.flows:
            z, ldj = flow(z)
            log_q = log_q - ldj
        return z, log_q


def test_a_sampler_is_held_against_the_density_of_its_noise() -> None:
    report = ldjcheck.check(Posterior())
    assert report.status == "pass", report
    assert (report.result.convention, report.result.kind) == ("sampler", "model")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "code", "mended"),
    [
        (Added, "LDJ104", "log_q = log_q - ldj"),
        (Unscaled, "LDJ110", "self.log_std.sum()"),
        (Unnormalised, "LDJ110", None),
    ],
)
def test_a_wrong_log_q_is_named(
    kind: type[Posterior], code: str, mended: str | None
) -> None:
    report = ldjcheck.check(kind())
    assert [finding.code for finding in report.findings] == [code], report
    if mended is not None:
        assert report.findings[0].fix is not None
        assert mended in report.findings[0].fix.edits[0].after
        assert report.findings[0].fix.applicability == "verified"


class Called(Posterior):
    """The same by a call, which hands on what a method returns."""

    def forward(self, num_samples: int = 4) -> Pair:
        return self.sample(num_samples)


class ByShape(Posterior):
    """The same, asked for a shape, of a base of torch that draws without gradients."""

    def sample(self, shape: torch.Size) -> Pair:  # type: ignore[override]
        base = Independent(Normal(self.mean, self.log_std.exp()), 1)
        z = base.sample(shape)
        total = base.log_prob(z)
        for flow in self.flows:
            z, ldj = flow(z)
            total = total - ldj
        return z, total


class Correlated(nn.Module):
    """A normal with a full covariance."""

    def __init__(self) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.linspace(-0.5, 0.5, 9).view(3, 3))

    def rsample_and_log_prob(self, n: int) -> Pair:
        scale = self.raw.tril(-1) + torch.diag(self.raw.diagonal().exp())
        q = MultivariateNormal(torch.zeros(3), scale_tril=scale)
        z = q.rsample((n,))
        return z, q.log_prob(z)


class Logistic(nn.Module):
    """Uniform noise through a logit."""

    def forward(self, batch_size: int) -> Pair:
        u = torch.rand(batch_size, 3)
        return torch.log(u) - torch.log1p(-u), (u.log() + torch.log1p(-u)).sum(1)


@pytest.mark.thinned(4)
@pytest.mark.parametrize("kind", [Called, ByShape, Correlated, Logistic])
def test_samples_are_asked_for_in_many_ways(kind: type[nn.Module]) -> None:
    report = ldjcheck.check(kind())
    assert report.status == "pass", report


class Encoder(nn.Module):
    """q(z | x) of fewer dims than x, beside what z is decoded to and its moments."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.decode = nn.Linear(5, 4), nn.Linear(2, 5)
        self.flow = Planar(2)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        mu, log_var = self.encode(x).chunk(2, 1)
        q0 = Normal(mu, (0.5 * log_var).exp())
        z0 = q0.rsample()
        z, ldj = self.flow(z0)
        log_q = q0.log_prob(z0).sum(1) - ldj
        return self.decode(z), z, mu, log_var, log_q


class AtTheEnd(Encoder):
    """The density of the draw is asked about what it was made into."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        mu, log_var = self.encode(x).chunk(2, 1)
        q0 = Normal(mu, (0.5 * log_var).exp())
        z0 = q0.rsample()
        z, ldj = self.flow(z0)
        log_q = q0.log_prob(z).sum(1) - ldj
        return self.decode(z), z, mu, log_var, log_q


class WithItsStart(Posterior):
    """Hands back where the flow started as well, behind all else."""

    def sample(self, n: int) -> tuple[Tensor, ...]:  # type: ignore[override]
        q0 = Normal(self.mean, self.log_std.exp())
        z0 = z = q0.rsample((n,))
        log_q = q0.log_prob(z0).sum(1)
        for flow in self.flows:
            z, ldj = flow(z)
            log_q = log_q - ldj
        return z, log_q, z0


def test_where_a_flow_starts_is_not_its_sample() -> None:
    report = ldjcheck.check(WithItsStart())
    assert report.status == "pass", report


@pytest.mark.slow
def test_an_encoder_is_a_sampler_of_what_it_encodes() -> None:
    report = ldjcheck.check(Encoder())
    assert report.status == "pass", report
    (finding,) = ldjcheck.check(AtTheEnd()).findings
    assert finding.code == "LDJ112"
    assert finding.fix is not None
    assert "q0.log_prob(z0)" in finding.fix.edits[0].after


class Policy(nn.Module):
    """Actions of a normal squashed by tanh, as in reinforcement learning."""

    def __init__(self, counts: bool = True) -> None:
        super().__init__()
        self.net, self.counts = nn.Linear(4, 4), counts

    def forward(self, obs: Tensor) -> Pair:
        mean, log_std = self.net(obs).chunk(2, 1)
        normal = Normal(mean, log_std.exp())
        u = normal.rsample()
        log_prob = normal.log_prob(u).sum(1)
        if self.counts:
            squeezed = math.log(2) - u - nn.functional.softplus(-2 * u)
            log_prob = log_prob - (2 * squeezed).sum(1)
        return torch.tanh(u), log_prob


@pytest.mark.thinned(2)
@pytest.mark.parametrize("counts", [True, False])
def test_a_squashed_policy_counts_what_tanh_does(counts: bool) -> None:
    report = ldjcheck.check(Policy(counts))
    assert report.status == ("pass" if counts else "fail"), report


class Unnamed(Policy):
    """The density has a name that says nothing: its value does."""

    def forward(self, obs: Tensor) -> Pair:
        mean, log_std = self.net(obs).chunk(2, 1)
        eps = torch.randn_like(mean)
        out = -0.5 * (eps**2 + math.log(2 * math.pi)).sum(1) - log_std.sum(1)
        return mean + log_std.exp() * eps, out


def test_what_has_the_value_of_a_log_q_is_one() -> None:
    report = ldjcheck.check(Unnamed())
    assert report.status == "pass", report


class Beside(Posterior):
    """A flow that is called with x, and draws by another method."""

    at_the_start = True

    def forward(self, x: Tensor) -> Pair:
        total = x.new_zeros(len(x))
        for flow in self.flows:
            x, ldj = flow(x)
            total = total + ldj
        return x, total

    def sample_and_log_prob(self, n: int) -> Pair:
        base = Normal(torch.zeros(3), torch.ones(3))
        z = base.sample(torch.Size([n]))
        x, ldj = self(z)
        return x, base.log_prob(z if self.at_the_start else x).sum(1) - ldj

    sample: Any = None


class BesideWrong(Beside):
    at_the_start = False


@pytest.mark.slow
def test_a_sampler_beside_a_right_call_is_checked_as_well() -> None:
    right = ldjcheck.check(Beside())
    assert right.status == "pass", right
    assert "right" in right.result.inferred["sample_and_log_prob"]
    wrong = ldjcheck.check(BesideWrong())
    assert wrong.status == "fail", wrong
    assert wrong.result.convention == "sampler"


class Autoencoder(nn.Module):
    """What it draws is decoded, and beside that stands no density."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.decode = nn.Linear(5, 4), nn.Linear(2, 5)

    def forward(self, x: Tensor) -> Pair:
        mu, log_var = self.encode(x).chunk(2, 1)
        z = mu + torch.randn_like(mu) * (0.5 * log_var).exp()
        return self.decode(z), -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(1)


def test_an_autoencoder_that_is_found_in_a_source_is_no_flow() -> None:
    layer = Layer(target="vae.py", name="Autoencoder", obj=Autoencoder())
    result = ldjcheck.check(layer.obj).result
    assert "no flow layer" in (why_no_flow(layer, result, Options()) or "")


class Column(Policy):
    """The density is kept as a column, as in actors and critics."""

    def forward(self, obs: Tensor) -> Pair:
        action, log_prob = super().forward(obs)
        return action, log_prob[:, None]


class ByKeys(Policy):
    """Things are returned by their names, with the moments."""

    def forward(self, obs: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        action, log_prob = super().forward(obs)
        return {"mean": self.net(obs), "action": action, "log_prob": log_prob}


class Negative(Policy):
    """An nll of what was drawn."""

    def forward(self, obs: Tensor) -> Pair:
        action, log_prob = super().forward(obs)
        nll = -log_prob
        return action, nll


class OnRequest(Policy):
    """The density is asked for by a flag, and has the prior's beside it."""

    def forward(self, obs: Tensor, with_logprob: bool = False) -> Any:
        action, log_q = super().forward(obs)
        log_p = Normal(0.0, 1.0).log_prob(action).sum(1)
        if with_logprob:
            return action, log_q, log_p
        return action


class WithoutGradients(Policy):
    """Drawn where nothing is trained."""

    @torch.no_grad()
    def forward(self, obs: Tensor) -> Pair:
        return super().forward(obs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [Column, ByKeys, Negative, OnRequest, WithoutGradients]
)
def test_a_density_comes_back_in_many_ways(kind: type[Policy]) -> None:
    right = ldjcheck.check(kind())
    assert right.status == "pass", right
    assert right.result.convention == "sampler"
    assert ldjcheck.check(kind(counts=False)).status == "fail"


class LdjAlone(Policy):
    """What is called log q is the ldj: nothing is said of the noise."""

    def forward(self, obs: Tensor) -> Pair:
        mean, log_std = self.net(obs).chunk(2, 1)
        log_prob = log_std.sum(1)
        return mean + log_std.exp() * torch.randn_like(mean), log_prob


@pytest.mark.slow
def test_an_ldj_is_no_log_q() -> None:
    """Less log p(noise) its value would be the ldj, and that is not what it is called."""
    assert ldjcheck.check(LdjAlone()).status == "fail"


class Mixture(nn.Module):
    """Which component is drawn is a draw of its own, and log q is that of all."""

    def __init__(self) -> None:
        super().__init__()
        self.means = nn.Parameter(torch.randn(4, 3))

    def forward(self, n: int) -> Pair:
        which = torch.randint(4, (n,))
        z = self.means[which] + torch.randn(n, 3)
        of_each = Normal(self.means, 1.0).log_prob(z[:, None]).sum(-1)
        log_q = torch.logsumexp(of_each, 1) - math.log(4)
        return z, log_q


def test_of_several_draws_nothing_is_proved() -> None:
    report = ldjcheck.check(Mixture())
    (finding,) = report.findings
    assert (report.status, finding.code) == ("error", "LDJ004")
    assert finding.message == "I cannot tell how probable what this call draws is."
    assert finding.evidence[0] == "It draws 2 times in one call."


@pytest.mark.slow
def test_of_a_call_that_draws_nothing_is_derived() -> None:
    report = ldjcheck.derive(Encoder())
    assert report.status == "error"
    assert "it has a log q, and no ldj" in report.findings[0].message


class Actor(nn.Module):
    """Its call returns two heads; what draws has a name of its own."""

    def __init__(self, *, counted: bool = True) -> None:
        super().__init__()
        self.head = nn.Linear(5, 4)
        self.counted = counted

    def forward(self, observed: Tensor) -> Pair:
        mean, log_std = self.head(observed).chunk(2, -1)
        return mean, torch.tanh(log_std)

    def act(self, observed: Tensor) -> Pair:
        mean, log_std = self(observed)
        noise = torch.randn_like(mean)
        action = torch.tanh(mean + log_std.exp() * noise)
        log_prob = -0.5 * noise**2 - log_std - 0.5 * math.log(2 * math.pi)
        if self.counted:
            log_prob = log_prob - torch.log(1 - action**2)
        return action, log_prob.sum(-1)


@pytest.mark.slow
def test_what_draws_is_found_by_what_it_does() -> None:
    assert ldjcheck.check(Actor()).status == "pass"
    assert ldjcheck.check(Actor(counted=False)).status == "fail"


class AsManyActions(nn.Module):
    """Its call draws actions, as many as it observes numbers: no map of these."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 8)

    def forward(self, observed: Tensor) -> Pair:
        mean, log_std = self.head(observed).chunk(2, -1)
        u = mean + torch.tanh(log_std).exp() * torch.randn_like(mean)
        off = (u - mean) / torch.tanh(log_std).exp()
        log_prob = -0.5 * off**2 - torch.tanh(log_std) - 0.5 * math.log(2 * math.pi)
        squash = 2 * (math.log(2) - u - nn.functional.softplus(-2 * u))
        return torch.tanh(u), (log_prob - squash).sum(-1)


@pytest.mark.slow
def test_a_draw_of_as_many_numbers_is_no_map_of_them() -> None:
    for seed in range(3):
        assert ldjcheck.check(AsManyActions(), seed=seed).status == "pass"


class Lattice(nn.Module):
    """Draws fields, and returns their log-density; its call gives the loss of so many."""

    def __init__(self, *, anew: bool = False) -> None:
        super().__init__()
        self.anew = anew
        self.log_scales = nn.Parameter(0.3 * torch.randn(3, 4))

    def prior(self, z: Tensor) -> Tensor:
        return (-0.5 * z**2 - 0.5 * math.log(2 * math.pi)).sum(1)

    def sample(self, batch_size: int = 8) -> tuple[Tensor, Tensor]:
        z = torch.randn(batch_size, 4)
        x, logq = z, self.prior(z)
        for s in self.log_scales:
            x, before = torch.sinh(x * s.exp()), x
            ldj = (s + torch.log(torch.cosh(before * s.exp()))).sum(1)
            logq = (self.prior(z) if self.anew else logq) - ldj
        return x, logq

    def forward(self, batch_size: int = 8) -> Tensor:
        x, logq = self.sample(batch_size)
        return (logq + (x**4).sum(1)).mean()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 2])
def test_a_call_that_takes_a_count_is_no_map_and_its_sampler_is(seed: int) -> None:
    torch.manual_seed(seed)
    assert ldjcheck.check(Lattice(), seed=seed).status == "pass"
    report = ldjcheck.check(Lattice(anew=True), seed=seed)
    assert report.status == "fail", report

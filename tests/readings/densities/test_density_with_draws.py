"""Bounds of log p(x) that draw, as an ELBO is: of x and what is drawn they are exact."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import ldjcheck

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Stretch(nn.Module):
    """z times a factor, by what the other numbers are."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(dims, dims))
        self.register_buffer("mask", torch.ones(dims, dims).tril(-1))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        log_s = torch.tanh(z @ (self.weight * self.mask).T)
        return z * log_s.exp(), log_s.sum(1)


class Vae(nn.Module):
    """An encoder, a flow of its posterior, and a decoder; `sign` is that of the ldj."""

    sign = -1.0

    def __init__(self, x_dim: int = 5, z_dim: int = 2) -> None:
        super().__init__()
        self.x_dim, self.z_dim = x_dim, z_dim
        self.encoder = nn.Linear(x_dim, 2 * z_dim)
        self.flow = Stretch(z_dim)
        self.decoder = nn.Linear(z_dim, x_dim)
        self.log_scale = nn.Parameter(torch.tensor(-0.3))

    def _drawn(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = self.encoder(x).chunk(2, dim=1)
        q = Normal(mean, log_std.exp())
        z0 = q.rsample()
        z, ldj = self.flow(z0)
        return z, q.log_prob(z0).sum(1) + self.sign * ldj


class ByDistributions(Vae):
    def elbo(self, x: Tensor) -> Tensor:
        z, log_q = self._drawn(x)
        log_p = Normal(torch.zeros_like(z), torch.ones_like(z)).log_prob(z).sum(1)
        seen = Normal(torch.tanh(self.decoder(z)), self.log_scale.exp())
        return seen.log_prob(x).sum(1) + log_p - log_q

    def forward(self, x: Tensor) -> Tensor:
        return self.elbo(x)


class Written(Vae):
    """All densities by hand, and the mean over the batch, to be minimised."""

    def loss(self, x: Tensor) -> Tensor:
        mean, log_var = self.encoder(x).chunk(2, dim=1)
        eps = torch.randn_like(mean)
        log_q = (-0.5 * eps**2 - HALF_LOG_2PI - 0.5 * log_var).sum(1)
        z, ldj = self.flow(mean + eps * (0.5 * log_var).exp())
        off = (x - torch.tanh(self.decoder(z))) / self.log_scale.exp()
        log_x = (-0.5 * off**2 - self.log_scale - HALF_LOG_2PI).sum(1)
        log_z = (-0.5 * z**2 - HALF_LOG_2PI).sum(1)
        return -(log_x + log_z - log_q - self.sign * ldj).mean()

    def forward(self, x: Tensor) -> Tensor:
        return self.loss(x)


class ByEntropy(Vae):
    """The entropy of what is drawn in closed form, and no term of the draw."""

    def elbo(self, x: Tensor) -> Tensor:
        mean, log_std = self.encoder(x).chunk(2, dim=1)
        z, ldj = self.flow(mean + torch.randn_like(mean) * log_std.exp())
        entropy = (0.5 + HALF_LOG_2PI + log_std).sum(1)
        log_z = (-0.5 * z**2 - HALF_LOG_2PI).sum(1)
        seen = Normal(torch.tanh(self.decoder(z)), self.log_scale.exp())
        return seen.log_prob(x).sum(1) + log_z + entropy - self.sign * ldj

    def forward(self, x: Tensor) -> Tensor:
        return self.elbo(x)


class Augmented(nn.Module):
    """Numbers that are drawn for x stand beside it, and a flow maps both."""

    scaled = True

    def __init__(self, dims: int = 4) -> None:
        super().__init__()
        self.dims = dims
        self.encoder = nn.Linear(dims, 2 * 3)
        self.flow = Stretch(dims + 3)

    def log_prob(self, x: Tensor) -> Tensor:
        mean, log_std = self.encoder(x).chunk(2, dim=1)
        eps = torch.randn_like(mean)
        log_q = Normal(0.0, 1.0).log_prob(eps).sum(1)
        if self.scaled:
            log_q = log_q - log_std.sum(1)
        z, ldj = self.flow(torch.cat([x, mean + eps * log_std.exp()], dim=1))
        return Normal(0.0, 1.0).log_prob(z).sum(1) + ldj - log_q


class AugmentedInAMethod(Augmented):
    """What maps both is a method of two tensors, and returns an ldj: that is checked first."""

    def joint(self, x: Tensor, e: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, ldj = self.flow(torch.cat([x, e], dim=1))
        return z[:, : self.dims], z[:, self.dims :], ldj


class OfBits(Vae):
    """A decoder of zeros and ones."""

    def elbo(self, x: Tensor) -> Tensor:
        z, log_q = self._drawn(x)
        log_z = (-0.5 * z**2 - HALF_LOG_2PI).sum(1)
        logits = self.decoder(z)
        off = nn.functional.binary_cross_entropy_with_logits(
            logits, x, reduction="none"
        )
        return -off.sum(1) + log_z - log_q

    def forward(self, x: Tensor) -> Tensor:
        return self.elbo(x)


class ByClosedForm(Vae):
    """The divergence from the prior in closed form: no density of z is seen."""

    def elbo(self, x: Tensor) -> Tensor:
        mean, log_var = self.encoder(x).chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * (0.5 * log_var).exp()
        divergence = -0.5 * (1 + log_var - mean**2 - log_var.exp()).sum(1)
        seen = Normal(torch.tanh(self.decoder(z)), self.log_scale.exp())
        return seen.log_prob(x).sum(1) - divergence

    def forward(self, x: Tensor) -> Tensor:
        return self.elbo(x)


class Weighted(Vae):
    """A beta-VAE: the divergence counts half, which makes a density of nothing."""

    def elbo(self, x: Tensor) -> Tensor:
        mean, log_std = self.encoder(x).chunk(2, dim=1)
        q = Normal(mean, log_std.exp())
        z = q.rsample()
        prior = Normal(torch.zeros_like(z), torch.ones_like(z))
        divergence = (q.log_prob(z) - prior.log_prob(z)).sum(1)
        seen = Normal(torch.tanh(self.decoder(z)), self.log_scale.exp())
        return seen.log_prob(x).sum(1) - 0.5 * divergence

    def forward(self, x: Tensor) -> Tensor:
        return self.elbo(x)


def twin(model: type[nn.Module], **changed: object) -> type[nn.Module]:
    return type(model.__name__, (model,), changed)


@pytest.mark.parametrize("size", [(3, 3), (7, 1)])
@pytest.mark.parametrize("model", [ByDistributions, Written, ByEntropy, OfBits])
@pytest.mark.slow
def test_one_that_is_right_passes_at_any_size(
    model: type[nn.Module], size: tuple[int, int]
) -> None:
    assert ldjcheck.check(model(*size)).status == "pass"


def _wrong(report: ldjcheck.Report) -> list[str]:
    return [found.code for found in report.findings if found.severity == "error"]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "model",
    [ByDistributions, Written, ByEntropy, Augmented, AugmentedInAMethod, OfBits],
)
@pytest.mark.slow
def test_a_bound_that_is_right_passes(model: type[nn.Module], seed: int) -> None:
    torch.manual_seed(seed)
    assert ldjcheck.check(model(), seed=seed).status == "pass"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("model", [ByDistributions, Written, OfBits])
def test_a_sign_of_the_flow_is_named(model: type[nn.Module], seed: int) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(twin(model, sign=1.0)(), seed=seed)
    assert _wrong(report) == ["LDJ104"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_flow_whose_ldj_is_forgotten_is_named(seed: int) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(twin(Written, sign=0.0)(), seed=seed)
    assert _wrong(report) == ["LDJ110"]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("model", [Augmented, AugmentedInAMethod])
@pytest.mark.slow
def test_a_scale_of_the_noise_that_is_not_counted_is_named(
    model: type[nn.Module], seed: int
) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(twin(model, scaled=False)(), seed=seed)
    assert _wrong(report) == ["LDJ110"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("z_dim", [2, 5])
def test_what_is_integrated_in_closed_form_is_not_called_wrong(
    seed: int, z_dim: int
) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(ByClosedForm(z_dim=z_dim), seed=seed)
    assert report.status == "error"
    told = "What ByClosedForm() returns is a bound, an ELBO, and I cannot check it."
    assert told in str(report)


class WithoutAFlow(Written):
    """What is drawn is doubled by a plain method, which counts nothing for it."""

    def __init__(self) -> None:
        super().__init__()
        del self.flow

    def flow(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return 2 * z, torch.zeros_like(z[:, 0])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_wrong_bound_is_told_where_no_flow_is_inside(seed: int) -> None:
    torch.manual_seed(seed)
    assert ldjcheck.check(WithoutAFlow(), seed=seed).status == "fail"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_weight_of_the_divergence_is_not_called_wrong(seed: int) -> None:
    torch.manual_seed(seed)
    assert ldjcheck.check(Weighted(), seed=seed).status == "unproven"


class Parts(Vae):
    """Returns z, the parts of its loss, and the loss: none of them is log q(z)."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        z, log_q = self._drawn(x)
        log_z = (-0.5 * z**2 - HALF_LOG_2PI).sum(1)
        seen = Normal(torch.tanh(self.decoder(z)), self.log_scale.exp())
        rec, kl = seen.log_prob(x).sum(1), log_q - log_z
        return {"z": z, "rec": rec, "kl": kl, "loss": (kl - rec).mean()}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.slow
def test_a_part_of_a_loss_is_no_density_of_what_is_drawn(seed: int) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(Parts(), seed=seed)
    assert report.status == "pass", report
    assert "the loss beside it is what trains" in report.result.inferred["ldj"]
    assert _wrong(ldjcheck.check(twin(Parts, sign=1.0)(), seed=seed)) == ["LDJ104"]

"""What a call's number is, the density that is made of it says, where that is right."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import ldjcheck

NORMAL = Normal(0.0, 1.0)


class Flow(nn.Module):
    """One masked step; `right` is whether its density counts what its call reports."""

    def __init__(self, dims: int = 4, *, right: bool = True) -> None:
        super().__init__()
        self.dims, self.right = dims, right
        self.weight = nn.Parameter(torch.randn(dims, dims))
        self.register_buffer("mask", torch.ones(dims, dims).tril(-1))

    def step(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_s = torch.tanh(x @ (self.weight * self.mask).T)
        return x * log_s.exp(), log_s.sum(1)


class OfTheWayBack(Flow):
    """Its call reports log|dx/dz|, which the density takes off."""

    def to_latent(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, ldj = self.step(x)
        return z, -ldj

    def log_prob(self, x: Tensor) -> Tensor:
        z, logdet = self.to_latent(x)
        return NORMAL.log_prob(z).sum(1) - (logdet if self.right else -logdet)


class OfOneDim(Flow):
    """Its call reports nats of a dim, on average, and the density multiplies."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, ldj = self.step(x)
        return z, ldj / self.dims

    def log_prob(self, x: Tensor) -> Tensor:
        z, per_dim = self(x)
        return NORMAL.log_prob(z).sum(1) + (self.dims if self.right else 1) * per_dim


class OfTheBatch(Flow):
    """Its call adds the samples up, and so does its loss, which is of one on average."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, ldj = self.step(x)
        return z, ldj.sum()

    def nll(self, x: Tensor) -> Tensor:
        z, total = self(x)
        said = NORMAL.log_prob(z).sum() + (total if self.right else -total)
        return -said / len(x)


class WithoutTheLevels(Flow):
    """Its call leaves the scale of 256 levels to its bits."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.step(x / 256)

    def bits_per_dim(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        levels = 256.0 if self.right else 128.0
        nats = NORMAL.log_prob(z).sum(1) + ldj - self.dims * math.log(levels)
        return -nats / self.dims / math.log(2)


class WithWhatLeaves(Flow):
    """Its call reports the ldj and the density of what a split drops."""

    def encode(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        y, logp = self.step(x)
        kept, dropped = y.chunk(2, 1)
        log_s = torch.tanh(kept)
        eps = (dropped - kept) * torch.exp(-log_s)
        logp = logp + (NORMAL.log_prob(eps) - log_s).sum(1)
        return [eps, kept], logp

    def log_prob(self, x: Tensor) -> Tensor:
        zs, logp = self.encode(x)
        return NORMAL.log_prob(zs[-1]).sum(1) + (logp if self.right else -logp)


FORMS = OfTheWayBack, OfOneDim, OfTheBatch, WithoutTheLevels, WithWhatLeaves


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_number_that_a_right_density_counts_is_no_mistake(form: type[Flow]) -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(form())
    assert report.status == "pass", report
    said = report.result.inferred["ldj"]
    assert said.startswith("no log|det J| by itself: ")
    assert said.endswith(" counts it as it is, and is right")


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_it_is_where_that_density_is_wrong(form: type[Flow]) -> None:
    torch.manual_seed(0)
    assert ldjcheck.check(form(right=False)).status == "fail"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 10))
@pytest.mark.parametrize("form", FORMS)
def test_so_it_is_whatever_the_weights(form: type[Flow], seed: int) -> None:
    torch.manual_seed(seed)
    assert ldjcheck.check(form()).status == "pass"
    assert ldjcheck.check(form(right=False)).status == "fail"


class MadeOfNoCall(OfTheWayBack):
    """Its density is right, and makes nothing of what the call reports."""

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self.step(x)
        self.to_latent(x)
        return NORMAL.log_prob(z).sum(1) + ldj


def test_a_right_density_that_is_made_of_other_numbers_speaks_for_none() -> None:
    torch.manual_seed(0)
    assert ldjcheck.check(MadeOfNoCall()).status == "fail"


class TokensPerDim(nn.Module):
    """Its call tells nats of a dim on average, and of one token alone it is 0."""

    def __init__(
        self, tokens: int = 3, channels: int = 4, *, right: bool = True
    ) -> None:
        super().__init__()
        self.tokens, self.channels, self.right = tokens, channels, right
        self.net = nn.Linear(channels // 2, 1)
        self.register_buffer("before", torch.ones(tokens, tokens).tril(-1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, moved = x.chunk(2, -1)
        log_s = self.before[: x.shape[1], : x.shape[1]] @ torch.tanh(self.net(kept))
        ldj = log_s.sum((1, 2)) * (moved.shape[-1] if self.right else 1)
        return torch.cat([kept, moved * log_s.exp()], -1), ldj / x[0].numel()

    def log_likelihood(self, x: Tensor) -> Tensor:
        z, per_dim = self(x)
        count = self.tokens * self.channels
        return NORMAL.log_prob(z).flatten(1).sum(1) + count * per_dim


@pytest.mark.slow
def test_a_size_at_which_a_number_is_right_for_nothing_is_not_the_one_meant() -> None:
    torch.manual_seed(0)
    assert ldjcheck.check(TokensPerDim()).status == "pass"
    assert ldjcheck.check(TokensPerDim(right=False)).status == "fail"

"""Flows over learned base distributions: a mixture of Gaussians, and one given a context."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class GaussianMixture(nn.Module):
    """Mixture of diagonal Gaussians with learned weights, means and scales."""

    def __init__(self, n_modes, dim):
        super().__init__()
        self.dim = dim
        self.loc = nn.Parameter(torch.randn(n_modes, dim))
        self.log_scale = nn.Parameter(0.3 * torch.randn(n_modes, dim))
        self.weight_scores = nn.Parameter(torch.randn(n_modes))

    def log_prob(self, z):
        weights = torch.softmax(self.weight_scores, 0)
        eps = (z[:, None, :] - self.loc) / torch.exp(self.log_scale)
        log_p = (
            -0.5 * self.dim * math.log(2 * math.pi)
            + torch.log(weights)
            - 0.5 * torch.sum(torch.pow(eps, 2), 2)
            - torch.sum(self.log_scale, 1)
        )
        return torch.logsumexp(log_p, 1)

    def forward(self, num_samples=1):
        mode = torch.multinomial(self.weight_scores.softmax(0), num_samples, True)
        eps = torch.randn(num_samples, self.dim, dtype=self.loc.dtype)
        z = eps * torch.exp(self.log_scale[mode]) + self.loc[mode]
        return z, self.log_prob(z)


class ConditionalDiagGaussian(nn.Module):
    def __init__(self, dim, context_dim, hidden=8):
        super().__init__()
        self.dim = dim
        self.encoder = nn.Sequential(
            nn.Linear(context_dim, hidden), nn.Tanh(), nn.Linear(hidden, 2 * dim)
        )

    def log_prob(self, z, context):
        mean, log_scale = self.encoder(context).chunk(2, dim=-1)
        log_p = -0.5 * self.dim * math.log(2 * math.pi) - torch.sum(
            log_scale + 0.5 * torch.pow((z - mean) / torch.exp(log_scale), 2), -1
        )
        return log_p


class AffineCoupling(nn.Module):
    def __init__(self, dim, hidden=12):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(dim // 2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2 * (dim - dim // 2)),
        )

    def inverse(self, x):
        """From data to latent."""
        x1, x2 = x.tensor_split([x.shape[1] // 2], dim=1)
        shift, scale_ = self.net(x1).chunk(2, 1)
        scale = torch.sigmoid(scale_ + 2)
        z2 = (x2 - shift) / scale
        log_det = -torch.sum(torch.log(scale), dim=1)
        return torch.cat([x1, z2], 1), log_det


class LULinear(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.lower = nn.Parameter(0.2 * torch.randn(dim, dim))
        self.upper = nn.Parameter(0.2 * torch.randn(dim, dim))
        self.diag = nn.Parameter(torch.randn(dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def inverse(self, x):
        eye = torch.eye(len(self.bias), dtype=x.dtype)
        diag = F.softplus(self.diag) + 1e-3
        weight = (self.lower.tril(-1) + eye) @ (self.upper.triu(1) + torch.diag(diag))
        log_det = diag.log().sum()
        return F.linear(x, weight, self.bias), log_det.expand(x.shape[0])


class MixtureFlow(nn.Module):
    def __init__(self, dim=3, n_modes=3):
        super().__init__()
        self.q0 = GaussianMixture(n_modes, dim)
        self.flows = nn.ModuleList(
            [AffineCoupling(dim), LULinear(dim), AffineCoupling(dim), LULinear(dim)]
        )

    def log_prob(self, x):
        log_q = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        z = x
        for i in range(len(self.flows) - 1, -1, -1):
            z, log_det = self.flows[i].inverse(z)
            log_q += log_det
        log_q += self.q0.log_prob(z)
        return log_q

    def forward_kld(self, x):
        return -torch.mean(self.log_prob(x))


class ConditionalBaseFlow(nn.Module):
    def __init__(self, dim=3, context_dim=2):
        super().__init__()
        self.base = ConditionalDiagGaussian(dim, context_dim)
        self.flows = nn.ModuleList([AffineCoupling(dim), LULinear(dim)])

    def log_prob(self, inputs, context):
        noise = inputs
        logabsdet = inputs.new_zeros(inputs.shape[0])
        for flow in reversed(self.flows):
            noise, ld = flow.inverse(noise)
            logabsdet = logabsdet + ld
        return self.base.log_prob(noise, context) + logabsdet

"""A VAE whose posterior is a Gaussian followed by planar flows."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def log_normal(z, mean, log_var):
    """Log-density of a diagonal normal, summed over its dims."""
    log_p = -0.5 * (math.log(2 * math.pi) + log_var + (z - mean) ** 2 / log_var.exp())
    return log_p.sum(dim=-1)


class PlanarFlow(nn.Module):
    """f(z) = z + u tanh(w'z + b), with u'w > -1."""

    def __init__(self, dim):
        super().__init__()
        self.w = nn.Parameter(0.5 * torch.randn(dim))
        self.u = nn.Parameter(0.5 * torch.randn(dim))
        self.b = nn.Parameter(torch.zeros(1))

    def u_hat(self):
        wu = torch.dot(self.w, self.u)
        return self.u + (F.softplus(wu) - 1 - wu) * self.w / self.w.square().sum()

    def forward(self, z):
        u = self.u_hat()
        lin = z @ self.w + self.b
        f_z = z + u * torch.tanh(lin).unsqueeze(-1)
        psi = (1 - torch.tanh(lin) ** 2).unsqueeze(-1) * self.w
        log_det = torch.log(torch.abs(1 + psi @ u))
        return f_z, log_det


class FlowVAE(nn.Module):
    def __init__(self, x_dim=5, z_dim=2, hidden=12, num_flows=2):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(x_dim, hidden), nn.Tanh())
        self.to_mu = nn.Linear(hidden, z_dim)
        self.to_log_var = nn.Linear(hidden, z_dim)
        self.flows = nn.ModuleList([PlanarFlow(z_dim) for _ in range(num_flows)])
        self.decoder = nn.Sequential(
            nn.Linear(z_dim, hidden), nn.Tanh(), nn.Linear(hidden, 2 * x_dim)
        )

    def encode(self, x):
        """Sample z from q(z | x), and say how probable it is."""
        h = self.encoder(x)
        mu, log_var = self.to_mu(h), self.to_log_var(h)
        z = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
        log_q = log_normal(z, mu, log_var)
        for flow in self.flows:
            z, log_det = flow(z)
            log_q = log_q - log_det
        return z, log_q

    def elbo(self, x):
        z, log_q = self.encode(x)
        mean, log_var = self.decoder(z).chunk(2, dim=-1)
        log_px = log_normal(x, mean, log_var)
        log_pz = log_normal(z, torch.zeros_like(z), torch.zeros_like(z))
        return log_px + log_pz - log_q

    def forward(self, x):
        return -self.elbo(x).mean()

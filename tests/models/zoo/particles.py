"""Equivariant flows for systems of particles, with or without their centre of mass."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def remove_mean(x):
    """Move the centre of mass of (B, N, D) to the origin."""
    return x - x.mean(dim=1, keepdim=True)


def assert_mean_zero(x):
    assert x.mean(dim=1).abs().max() < 1e-4


class RadialScaling(nn.Module):
    """x -> x f(r) / r with r = |x| over all coordinates: equivariant under E(n) and S(N)."""

    def __init__(self, dof):
        super().__init__()
        self.dof = dof
        self.a = nn.Parameter(0.2 * torch.randn(()))
        self.b = nn.Parameter(0.5 * torch.randn(()))
        self.c = nn.Parameter(1.0 + torch.rand(()))

    def forward(self, x):
        r = x.flatten(1).norm(dim=1)
        k = F.softplus(self.b)
        f = torch.exp(self.a) * (r + k * torch.tanh(r / self.c.exp()))
        df = torch.exp(self.a) * (
            1 + k * (1 - torch.tanh(r / self.c.exp()) ** 2) / self.c.exp()
        )
        scale = f / r
        log_det = torch.log(df) + (self.dof - 1) * torch.log(scale)
        return x * scale[:, None, None], log_det


class ParticleFlow(nn.Module):
    def __init__(self, n_particles=3, n_dims=3, n_layers=2):
        super().__init__()
        self.n_particles = n_particles
        self.n_dims = n_dims
        self.dof = n_particles * n_dims
        self.layers = nn.ModuleList(RadialScaling(self.dof) for _ in range(n_layers))

    def forward(self, x):
        delta_logp = torch.zeros(x.shape[0], dtype=x.dtype)
        for layer in self.layers:
            x, log_det = layer(x)
            delta_logp += log_det
        return x, delta_logp

    def log_prob(self, x):
        z, delta_logp = self(x)
        log_pz = -0.5 * z.square().sum(dim=(1, 2)) - 0.5 * self.dof * math.log(
            2 * math.pi
        )
        return log_pz + delta_logp


class CentredParticleFlow(ParticleFlow):
    """Lives on configurations whose centre of mass is 0: (N - 1) D degrees of freedom."""

    def __init__(self, n_particles=3, n_dims=3, n_layers=2):
        super().__init__(n_particles, n_dims, n_layers)
        self.dof = (n_particles - 1) * n_dims
        self.layers = nn.ModuleList(RadialScaling(self.dof) for _ in range(n_layers))

    def forward(self, x):
        return super().forward(remove_mean(x))


class PairwiseField(nn.Module):
    """dx_i/dt = sum_j (x_i - x_j) phi(|x_i - x_j|), and its divergence in closed form."""

    def __init__(self, n_rbf=4, r_max=3.0):
        super().__init__()
        self.register_buffer("centres", torch.linspace(0.0, r_max, n_rbf))
        self.weight = nn.Parameter(0.2 * torch.randn(n_rbf))

    def phi(self, d):
        rbf = torch.exp(-((d[..., None] - self.centres) ** 2))
        phi = (rbf * self.weight).sum(-1)
        dphi = (-2 * (d[..., None] - self.centres) * rbf * self.weight).sum(-1)
        return phi, dphi

    def forward(self, x):
        n, dims = x.shape[1:]
        off_diagonal = 1 - torch.eye(n, dtype=x.dtype)
        r = x[:, :, None] - x[:, None, :]
        d = (r.square().sum(-1) + torch.eye(n, dtype=x.dtype)).sqrt()
        phi, dphi = self.phi(d)
        force = (r * (phi * off_diagonal)[..., None]).sum(dim=2)
        divergence = ((dims * phi + d * dphi) * off_diagonal).sum(dim=(1, 2))
        return force, divergence


class EquivariantCNF(nn.Module):
    def __init__(self, n_steps=10):
        super().__init__()
        self.field = PairwiseField()
        self.n_steps = n_steps

    def forward(self, x):
        dt = 1.0 / self.n_steps
        log_det = torch.zeros(x.shape[0], dtype=x.dtype)
        for _ in range(self.n_steps):
            k1, d1 = self.field(x)
            k2, d2 = self.field(x + 0.5 * dt * k1)
            k3, d3 = self.field(x + 0.5 * dt * k2)
            k4, d4 = self.field(x + dt * k3)
            x = x + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            log_det = log_det + dt / 6 * (d1 + 2 * d2 + 2 * d3 + d4)
        return x, log_det

"""A variational distribution on mixed supports, sampled with its log-density."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class InverseAutoregressive(nn.Module):
    """y_i = sigma_i x_i + (1 - sigma_i) m_i, of gates that see x_1 .. x_(i-1) alone."""

    def __init__(self, dim, hidden=10):
        super().__init__()
        self.hidden_w = nn.Parameter(torch.randn(hidden, dim) / dim**0.5)
        self.hidden_b = nn.Parameter(torch.zeros(hidden))
        self.out_w = nn.Parameter(torch.randn(2 * dim, hidden) / hidden**0.5)
        self.out_b = nn.Parameter(torch.zeros(2 * dim))
        d_in = torch.arange(dim) + 1
        d_h = torch.arange(hidden) % max(dim - 1, 1) + 1
        self.register_buffer("mask_h", (d_h[:, None] >= d_in[None]).float())
        self.register_buffer("mask_o", (d_in[:, None] > d_h[None]).float().repeat(2, 1))

    def forward(self, x):
        h = F.elu(F.linear(x, self.hidden_w * self.mask_h, self.hidden_b))
        m, s = F.linear(h, self.out_w * self.mask_o, self.out_b).chunk(2, dim=-1)
        gate = torch.sigmoid(s + 1.5)
        y = gate * x + (1 - gate) * m
        return y, gate.log().sum(-1)


class Guide(nn.Module):
    """q(theta): the first `n_positive` of them positive, the next ones in (0, 1)."""

    def __init__(self, dim=4, n_positive=1, n_unit=1, n_flows=2):
        super().__init__()
        self.dim = dim
        self.n_positive = n_positive
        self.n_unit = n_unit
        self.loc = nn.Parameter(torch.zeros(dim))
        self.log_scale = nn.Parameter(-0.5 * torch.ones(dim))
        self.flows = nn.ModuleList(InverseAutoregressive(dim) for _ in range(n_flows))

    def constrain(self, u):
        """Return theta and log|d theta / du|."""
        a, b = self.n_positive, self.n_positive + self.n_unit
        positive, unit, real = u[:, :a], u[:, a:b], u[:, b:]
        theta = torch.cat([positive.exp(), unit.sigmoid(), real], dim=1)
        log_jac = positive.sum(1)
        log_jac = log_jac + (F.logsigmoid(unit) + F.logsigmoid(-unit)).sum(1)
        return theta, log_jac

    def rsample_and_log_prob(self, n):
        eps = torch.randn(n, self.dim, dtype=self.loc.dtype)
        x = self.loc + self.log_scale.exp() * eps
        log_q = -0.5 * (eps**2 + math.log(2 * math.pi)).sum(1) - self.log_scale.sum()
        for flow in self.flows:
            x, ldj = flow(x)
            x = x.flip(1)
            log_q = log_q - ldj
        theta, log_jac = self.constrain(x)
        return theta, log_q - log_jac

    def forward(self, n=3):
        return self.rsample_and_log_prob(n)

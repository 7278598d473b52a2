"""Density models that include their preprocessing: standardised tables, logits of pixels."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def mlp(n_in, n_out, hidden=16):
    return nn.Sequential(nn.Linear(n_in, hidden), nn.SiLU(), nn.Linear(hidden, n_out))


class Coupling(nn.Module):
    def __init__(self, dim, swap):
        super().__init__()
        self.d = dim // 2
        self.net = mlp(self.d, 2 * (dim - self.d))
        self.swap = swap

    def forward(self, x):
        if self.swap:
            x = torch.flip(x, dims=(1,))
        x1, x2 = x[:, : self.d], x[:, self.d :]
        log_s, t = self.net(x1).chunk(2, dim=1)
        log_s = 2.0 * torch.tanh(log_s / 2.0)
        return torch.cat((x1, x2 * log_s.exp() + t), dim=1), log_s.sum(1)


class Flow(nn.Module):
    def __init__(self, dim, depth=2):
        super().__init__()
        self.blocks = nn.ModuleList(Coupling(dim, i % 2 == 1) for i in range(depth))

    def forward(self, x):
        ldjs = []
        for block in self.blocks:
            x, ldj = block(x)
            ldjs.append(ldj)
        return x, torch.stack(ldjs).sum(0)


def std_normal_logprob(z):
    return -0.5 * math.log(2 * math.pi) - z.pow(2) / 2


class TabularFlow(nn.Module):
    """Density of raw data: the first columns by the log of a softplus, all standardised."""

    def __init__(self, dim=4, n_positive=1):
        super().__init__()
        self.n_positive = n_positive
        self.register_buffer("mean", torch.linspace(-1.0, 1.0, dim))
        self.register_buffer("std", torch.linspace(0.5, 2.0, dim))
        self.flow = Flow(dim)

    def preprocess(self, x):
        k = self.n_positive
        ldj = -F.softplus(x[:, :k]).log().sum(1) + F.logsigmoid(x[:, :k]).sum(1)
        x = torch.cat([F.softplus(x[:, :k]).log(), x[:, k:]], dim=1)
        x = (x - self.mean) / self.std
        ldj = ldj - self.std.log().sum()
        return x, ldj

    def log_prob(self, x):
        x, ldj_pre = self.preprocess(x)
        z, ldj = self.flow(x)
        return std_normal_logprob(z).sum(1) + ldj + ldj_pre


class LogitImageFlow(nn.Module):
    """Dequantized pixels in [0, 256), scaled, squeezed and sent through a logit."""

    def __init__(self, size=(1, 2, 3), alpha=0.05):
        super().__init__()
        self.dim = math.prod(size)
        self.alpha = alpha
        self.flow = Flow(self.dim)

    def logit_transform(self, x):
        x = x / 256.0
        s = self.alpha + (1 - 2 * self.alpha) * x
        y = torch.log(s) - torch.log1p(-s)
        logdet = -torch.log(s - s * s) + math.log(1 - 2 * self.alpha) - math.log(256)
        return y, logdet.flatten(1).sum(1)

    def log_prob(self, x):
        y, logdet_pre = self.logit_transform(x)
        z, logdet = self.flow(y.flatten(1))
        return std_normal_logprob(z).sum(1) + logdet + logdet_pre

    def bits_per_dim(self, x):
        return -self.log_prob(x) / (self.dim * math.log(2))

    def forward(self, x):
        return self.bits_per_dim(x).mean()

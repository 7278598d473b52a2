"""A flow on 8-bit images with variational dequantization, in bits per dimension."""

import numpy as np
import torch
import torch.nn as nn
from torch.distributions import Normal


class ConditionalCoupling(nn.Module):
    def __init__(self, channels, flip, context_channels=0, hidden=8):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels + context_channels, hidden, 3, padding=1),
            nn.ELU(),
            nn.Conv2d(hidden, 2 * channels, 3, padding=1),
        )
        self.flip = flip

    def mask(self, x):
        i, j = torch.meshgrid(
            torch.arange(x.size(2)), torch.arange(x.size(3)), indexing="ij"
        )
        m = ((i + j) % 2).to(x)
        return 1 - m if self.flip else m

    def forward(self, x, ldj, context=None):
        m = self.mask(x)
        inp = x * m if context is None else torch.cat([x * m, context], dim=1)
        s, t = self.net(inp).chunk(2, dim=1)
        s, t = torch.tanh(s) * (1 - m), t * (1 - m)
        x = (x + t) * torch.exp(s)
        ldj = ldj + s.sum(dim=[1, 2, 3])
        return x, ldj


class VariationalDequantization(nn.Module):
    """Draws u in (0, 1) given the image, and adds -log q(u | x) to the ldj."""

    def __init__(self, channels, quants=256):
        super().__init__()
        self.quants = quants
        self.flows = nn.ModuleList(
            [ConditionalCoupling(channels, f, channels) for f in (False, True)]
        )

    def noise(self, img):
        """Return u and log q(u | x)."""
        eps = torch.randn_like(img)
        log_q = Normal(0.0, 1.0).log_prob(eps).sum(dim=[1, 2, 3])
        ldj = torch.zeros_like(log_q)
        u = eps
        for flow in self.flows:
            u, ldj = flow(u, ldj, img)
        ldj = ldj + (nn.functional.logsigmoid(u) + nn.functional.logsigmoid(-u)).sum(
            dim=[1, 2, 3]
        )
        return torch.sigmoid(u), log_q - ldj

    def forward(self, z, ldj):
        img = z / (self.quants - 1) * 2 - 1
        u, log_q = self.noise(img)
        z = (z + u) / self.quants
        ldj = ldj - np.log(self.quants) * np.prod(z.shape[1:])
        ldj = ldj - log_q
        return z, ldj


class Logit(nn.Module):
    def __init__(self, alpha=1e-2):
        super().__init__()
        self.alpha = alpha

    def forward(self, z, ldj):
        z = z * (1 - self.alpha) + 0.5 * self.alpha
        ldj = ldj + np.log(1 - self.alpha) * np.prod(z.shape[1:])
        ldj = ldj + (-torch.log(z) - torch.log(1 - z)).sum(dim=[1, 2, 3])
        return torch.log(z) - torch.log(1 - z), ldj


class ImageFlow(nn.Module):
    def __init__(self, channels=1):
        super().__init__()
        self.layers = nn.ModuleList(
            [
                VariationalDequantization(channels),
                Logit(),
                ConditionalCoupling(channels, False),
                ConditionalCoupling(channels, True),
            ]
        )
        self.prior = Normal(loc=0.0, scale=1.0)

    def encode(self, imgs):
        z, ldj = imgs, torch.zeros(imgs.shape[0])
        for layer in self.layers:
            z, ldj = layer(z, ldj)
        return z, ldj

    def bits_per_dim(self, imgs):
        z, ldj = self.encode(imgs)
        log_pz = self.prior.log_prob(z).sum(dim=[1, 2, 3])
        nll = -(log_pz + ldj)
        return nll * np.log2(np.exp(1)) / np.prod(imgs.shape[1:])

    def forward(self, imgs):
        return self.bits_per_dim(imgs).mean()

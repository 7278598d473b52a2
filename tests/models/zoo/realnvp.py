"""RealNVP for small images: checkerboard couplings, squeeze, channel-wise couplings."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class ConvNet(nn.Module):
    def __init__(self, in_channels, out_channels, hidden=8):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, out_channels, 3, padding=1),
        )

    def forward(self, x):
        return self.net(x)


class CheckerboardCoupling(nn.Module):
    """Changes the pixels of one colour, given those of the other."""

    def __init__(self, channels, flip=False):
        super().__init__()
        self.net = ConvNet(channels, 2 * channels)
        self.scale = nn.Parameter(torch.full((channels, 1, 1), 0.7))
        self.flip = flip

    def get_mask(self, x):
        rows = torch.arange(x.shape[2], device=x.device).view(-1, 1)
        cols = torch.arange(x.shape[3], device=x.device).view(1, -1)
        mask = ((rows + cols) % 2).to(x.dtype)
        return 1 - mask if self.flip else mask

    def forward(self, x):
        mask = self.get_mask(x)
        s, t = self.net(x * mask).chunk(2, dim=1)
        s = self.scale * torch.tanh(s)
        z = x * mask + (1 - mask) * (x * torch.exp(s) + t)
        log_det = ((1 - mask) * s).sum(dim=[1, 2, 3])
        return z, log_det

    def inverse(self, z):
        mask = self.get_mask(z)
        s, t = self.net(z * mask).chunk(2, dim=1)
        s = self.scale * torch.tanh(s)
        x = z * mask + (1 - mask) * (z - t) * torch.exp(-s)
        log_det = -((1 - mask) * s).sum(dim=[1, 2, 3])
        return x, log_det


class ChannelCoupling(nn.Module):
    """Changes one half of the channels, given the other half."""

    def __init__(self, channels, flip=False):
        super().__init__()
        self.net = ConvNet(channels // 2, channels)
        self.scale = nn.Parameter(torch.full((channels // 2, 1, 1), 0.7))
        self.flip = flip

    def split(self, x):
        a, b = x.chunk(2, dim=1)
        return (b, a) if self.flip else (a, b)

    def join(self, a, b):
        return torch.cat([b, a] if self.flip else [a, b], dim=1)

    def forward(self, x):
        a, b = self.split(x)
        raw, shift = self.net(a).chunk(2, dim=1)
        log_scale = self.scale * torch.tanh(raw)
        b = b * torch.exp(log_scale) + shift
        return self.join(a, b), log_scale.flatten(1).sum(dim=1)

    def inverse(self, z):
        a, b = self.split(z)
        raw, shift = self.net(a).chunk(2, dim=1)
        log_scale = self.scale * torch.tanh(raw)
        b = (b - shift) * torch.exp(-log_scale)
        return self.join(a, b), log_scale.flatten(1).sum(dim=1).neg()


class Squeeze(nn.Module):
    def forward(self, x):
        return F.pixel_unshuffle(x, 2), x.new_zeros(x.shape[0])

    def inverse(self, z):
        return F.pixel_shuffle(z, 2), z.new_zeros(z.shape[0])


class RealNVP(nn.Module):
    def __init__(self, channels=1):
        super().__init__()
        self.layers = nn.ModuleList(
            [
                CheckerboardCoupling(channels),
                CheckerboardCoupling(channels, flip=True),
                Squeeze(),
                ChannelCoupling(4 * channels),
                ChannelCoupling(4 * channels, flip=True),
            ]
        )

    def forward(self, x):
        log_det = x.new_zeros(x.shape[0])
        for layer in self.layers:
            x, ld = layer(x)
            log_det = log_det + ld
        return x, log_det

    def inverse(self, z):
        log_det = z.new_zeros(z.shape[0])
        for layer in reversed(self.layers):
            z, ld = layer.inverse(z)
            log_det = log_det + ld
        return z, log_det

    def log_prob(self, x):
        z, log_det = self(x)
        log_pz = -0.5 * (z**2 + math.log(2 * math.pi)).flatten(1).sum(dim=1)
        return log_pz + log_det

    @torch.no_grad()
    def sample(self, n, size=(4, 2, 2)):
        z = torch.randn(n, *size)
        return self.inverse(z)[0]

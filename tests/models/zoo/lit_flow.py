"""A flow that is trained by a Trainer: `training_step`, `nll`, `configure_optimizers`."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class ActNorm2d(nn.Module):
    def __init__(self, num_features):
        super().__init__()
        self.register_parameter(
            "bias", nn.Parameter(torch.zeros(1, num_features, 1, 1))
        )
        self.register_parameter(
            "logs", nn.Parameter(0.1 * torch.randn(1, num_features, 1, 1))
        )

    def forward(self, x, logdet):
        _, _, h, w = x.shape
        x = (x + self.bias) * torch.exp(self.logs)
        return x, logdet + self.logs.sum() * h * w


class InvertibleConv1x1(nn.Module):
    def __init__(self, num_channels):
        super().__init__()
        w_init = torch.linalg.qr(torch.randn(num_channels, num_channels))[0]
        self.weight = nn.Parameter(w_init)

    def forward(self, x, logdet):
        pixels = x.size(2) * x.size(3)
        z = F.conv2d(x, self.weight.view(*self.weight.shape, 1, 1))
        return z, logdet + torch.slogdet(self.weight)[1] * pixels


class AffineCoupling(nn.Module):
    def __init__(self, num_channels, hidden=8):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(num_channels // 2, hidden, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(hidden, num_channels, 3, padding=1),
        )

    def forward(self, x, logdet):
        z1, z2 = x.chunk(2, dim=1)
        shift, scale = self.block(z1).chunk(2, dim=1)
        scale = torch.sigmoid(scale + 2.0)
        z2 = (z2 + shift) * scale
        logdet = logdet + torch.log(scale).sum(dim=(1, 2, 3))
        return torch.cat((z1, z2), dim=1), logdet


class LitFlow(nn.Module):
    """The hooks that a Trainer calls, on a plain module."""

    def __init__(self, channels=1, lr=1e-3):
        super().__init__()
        self.lr = lr
        self.flow = nn.ModuleList()
        for _ in range(2):
            self.flow.append(ActNorm2d(4 * channels))
            self.flow.append(InvertibleConv1x1(4 * channels))
            self.flow.append(AffineCoupling(4 * channels))
        self.logged = {}

    def log(self, name, value):
        self.logged[name] = float(value)

    def forward(self, x):
        z = F.pixel_unshuffle(x, 2)
        logdet = x.new_zeros(x.size(0))
        for layer in self.flow:
            z, logdet = layer(z, logdet)
        return z, logdet

    def nll(self, x):
        z, logdet = self(x)
        prior = 0.5 * (z**2 + math.log(2 * math.pi)).sum(dim=(1, 2, 3))
        return prior - logdet

    def training_step(self, batch, batch_idx):
        x, _ = batch
        loss = self.nll(x).mean()
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, _ = batch
        bpd = self.nll(x).mean() / (math.log(2) * x[0].numel())
        self.log("val_bpd", bpd)
        return bpd

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.lr)

"""Class-conditional Glow with two levels; what a split drops has a learned prior."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

LOG_2PI = float(np.log(2 * np.pi))


def sum_except_batch(x):
    return x.reshape(x.shape[0], -1).sum(-1)


def gaussian_logp(x, mean, logs):
    return sum_except_batch(
        -0.5 * (LOG_2PI + 2 * logs + (x - mean) ** 2 * torch.exp(-2 * logs))
    )


class ActNorm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.loc = nn.Parameter(torch.zeros(1, c, 1, 1))
        self.log_scale = nn.Parameter(0.1 * torch.randn(1, c, 1, 1))

    def forward(self, x):
        height, width = x.shape[-2:]
        log_abs = self.log_scale
        logdet = height * width * torch.sum(log_abs)
        return torch.exp(self.log_scale) * (x + self.loc), logdet


class InvConv2dLU(nn.Module):
    def __init__(self, c):
        super().__init__()
        w_p, w_l, w_u = torch.linalg.lu(torch.linalg.qr(torch.randn(c, c))[0])
        w_s = torch.diag(w_u)
        self.register_buffer("w_p", w_p)
        self.register_buffer("s_sign", torch.sign(w_s))
        self.w_l = nn.Parameter(w_l)
        self.w_s = nn.Parameter(torch.log(torch.abs(w_s)))
        self.w_u = nn.Parameter(torch.triu(w_u, 1))

    def calc_weight(self):
        eye = torch.eye(len(self.w_s), dtype=self.w_s.dtype)
        lower = self.w_l.tril(-1) + eye
        upper = self.w_u.triu(1) + torch.diag(self.s_sign * torch.exp(self.w_s))
        return (self.w_p @ lower @ upper)[:, :, None, None]

    def forward(self, x):
        _, _, height, width = x.shape
        out = F.conv2d(x, self.calc_weight())
        logdet = height * width * torch.sum(self.w_s)
        return out, logdet


class ClassCoupling(nn.Module):
    def __init__(self, c, n_classes, width=8):
        super().__init__()
        self.embed = nn.Embedding(n_classes, width)
        self.conv_in = nn.Conv2d(c // 2, width, 3, padding=1)
        self.conv_out = nn.Conv2d(width, c, 3, padding=1)

    def forward(self, x, label):
        in_a, in_b = x.chunk(2, 1)
        h = self.conv_in(in_a) + self.embed(label)[:, :, None, None]
        log_s, t = self.conv_out(torch.relu(h)).chunk(2, 1)
        s = torch.sigmoid(log_s + 2)
        out_b = (in_b + t) * s
        logdet = torch.sum(torch.log(s).reshape(x.shape[0], -1), 1)
        return torch.cat([in_a, out_b], 1), logdet


class FlowStep(nn.Module):
    def __init__(self, c, n_classes):
        super().__init__()
        self.actnorm = ActNorm(c)
        self.invconv = InvConv2dLU(c)
        self.coupling = ClassCoupling(c, n_classes)

    def forward(self, x, label):
        out, logdet = self.actnorm(x)
        out, det1 = self.invconv(out)
        out, det2 = self.coupling(out, label)
        logdet = logdet + det1
        if det2 is not None:
            logdet = logdet + det2
        return out, logdet


class SplitPrior(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.prior = nn.Conv2d(c // 2, c, 3, padding=1)

    def forward(self, x):
        """Return what is kept, what is dropped, and the log-density of that."""
        kept, dropped = x.chunk(2, 1)
        mean, logs = self.prior(kept).chunk(2, 1)
        return kept, dropped, gaussian_logp(dropped, mean, logs)


class ClassGlow(nn.Module):
    """Its call returns log p(x | label), and the latents of all levels."""

    def __init__(self, in_channel=1, n_classes=3):
        super().__init__()
        c = 4 * in_channel
        self.block1 = FlowStep(c, n_classes)
        self.split = SplitPrior(c)
        self.block2 = FlowStep(2 * c, n_classes)
        self.top_mean = nn.Embedding(n_classes, 2 * c)
        self.top_logs = nn.Embedding(n_classes, 2 * c)

    def forward(self, x, label):
        z_outs = []
        out, logdet = self.block1(F.pixel_unshuffle(x, 2), label)
        out, z_new, log_p = self.split(out)
        z_outs.append(z_new)
        out, det = self.block2(F.pixel_unshuffle(out, 2), label)
        logdet = logdet + det
        mean = self.top_mean(label)[:, :, None, None]
        logs = self.top_logs(label)[:, :, None, None]
        log_p = log_p + gaussian_logp(out, mean, logs)
        z_outs.append(out)
        return log_p + logdet, z_outs

    def nll(self, x, label):
        log_p, _ = self(x, label)
        return -log_p

    def bits_per_dim(self, x, label):
        return self.nll(x, label) / (math.log(2) * x[0].numel())


class ClassPrior(nn.Module):
    def __init__(self, c, n_classes):
        super().__init__()
        self.mean = nn.Embedding(n_classes, c)
        self.logs = nn.Embedding(n_classes, c)

    def log_prob(self, z, label):
        mean, logs = self.mean(label), self.logs(label)
        return gaussian_logp(z, mean[:, :, None, None], logs[:, :, None, None])


class CollectingGlow(nn.Module):
    """Collects the latents of all levels, and asks the prior of each in `log_prob`."""

    def __init__(self, in_channel=1, n_classes=3):
        super().__init__()
        c = 4 * in_channel
        self.blocks = nn.ModuleList(
            [FlowStep(c, n_classes), FlowStep(2 * c, n_classes)]
        )
        self.priors = nn.ModuleList(
            [ClassPrior(c // 2, n_classes), ClassPrior(2 * c, n_classes)]
        )

    def forward(self, x, label):
        zs, logdet = [], 0
        for i, block in enumerate(self.blocks):
            x, det = block(F.pixel_unshuffle(x, 2), label)
            logdet = logdet + det
            if i < len(self.blocks) - 1:
                x, z = x.chunk(2, 1)
                zs.append(z)
        zs.append(x)
        return zs, logdet

    def log_prob(self, x, label):
        zs, logdet = self.forward(x, label)
        log_p = 0
        for z, prior in zip(zs, self.priors):
            log_p = log_p + prior.log_prob(z, label)
        return log_p + logdet

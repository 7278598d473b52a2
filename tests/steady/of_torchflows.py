"""Whole flows of torchflows."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn
from torchflows.bijections.base import Bijection
from torchflows.bijections.finite.autoregressive import architectures as ta
from torchflows.bijections.finite.autoregressive import layers as tl
from torchflows.bijections.finite.residual import architectures as tr
from torchflows.utils import sum_except_batch

from .subject import Whole


class TwiceCoupling(tl.AffineCoupling):
    def forward(self, x, context=None):
        z, log_det = super().forward(x, context=context)
        return z, 2 * log_det  # wrong


class _Gain(Bijection):
    def __init__(self, event_shape):
        super().__init__(event_shape)
        self.log_scale = nn.Parameter(0.5 + 0.3 * torch.randn(event_shape))

    def inverse(self, z, context=None):
        log_det = -sum_except_batch(self.log_scale.expand(z.shape), self.event_shape)
        return z * (-self.log_scale).exp(), log_det


class NegativeGain(_Gain):
    def forward(self, x, context=None):
        log_det = -sum_except_batch(  # wrong
            self.log_scale.expand(x.shape), self.event_shape
        )
        return x * self.log_scale.exp(), log_det


class BitsGain(_Gain):
    """Wrong on the way back: planar layers have no other."""

    def forward(self, x, context=None):
        log_det = sum_except_batch(self.log_scale.expand(x.shape), self.event_shape)
        return x * self.log_scale.exp(), log_det

    def inverse(self, z, context=None):
        scale = (-self.log_scale).exp()
        log_det = torch.log2(scale).expand(z.shape)  # wrong
        return z * scale, sum_except_batch(log_det, self.event_shape)


class Squash(Bijection):
    """The derivative is taken at the output."""

    def forward(self, x, context=None):
        z = torch.asinh(x)
        return z, -0.5 * torch.log1p(z**2).sum(dim=-1)  # wrong

    def inverse(self, z, context=None):
        x = torch.sinh(z)
        return x, 0.5 * torch.log1p(x**2).sum(dim=-1)


class MeanGain(_Gain):
    def forward(self, x, context=None):
        log_det = self.log_scale.expand(x.shape).mean(dim=-1)  # wrong
        return x * self.log_scale.exp(), log_det


def flow(kind, dims, *between, **options):
    made = kind((dims,), **options)
    for layer in between:
        made.layers.insert(2, layer)
    return made


def whole(kind, dims, mistake, code, **options):
    return Whole(
        partial(flow, kind, dims, **options), lambda: mistake((dims,)), mistake, code
    )


FLOWS = {
    "realnvp": whole(ta.RealNVP, 6, TwiceCoupling, "LDJ114", n_layers=3),
    "realnvp_context": whole(
        ta.RealNVP, 5, NegativeGain, "LDJ104", n_layers=2, context_shape=(3,)
    ),
    "nice": whole(ta.NICE, 8, MeanGain, "LDJ105", n_layers=4),
    "rqnsf": whole(ta.CouplingRQNSF, 5, Squash, "LDJ112", n_layers=2),
    "planar": whole(tr.PlanarBijection, 4, BitsGain, "LDJ107", n_layers=3),
}

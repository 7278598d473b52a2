"""Whole flows of normflows."""

from __future__ import annotations

import normflows as nf
import torch
from torch import nn

from .subject import Whole

F = nf.flows


class NegativeAffine(F.MaskedAffineFlow):
    def forward(self, z):
        masked = self.b * z
        scale, trans = self.s(masked), self.t(masked)
        outputs = masked + (1 - self.b) * (z * torch.exp(scale) + trans)
        return outputs, -torch.sum((1 - self.b) * scale, dim=1)  # wrong


class MaskForgotten(F.MaskedAffineFlow):
    def forward(self, z):
        masked = self.b * z
        scale, trans = self.s(masked), self.t(masked)
        outputs = masked + (1 - self.b) * (z * torch.exp(scale) + trans)
        return outputs, torch.sum(scale, dim=1)  # wrong


class MeanGain(F.AffineConstFlow):
    def forward(self, z):
        log_det = self.s.mean()  # wrong
        return z * torch.exp(self.s) + self.t, log_det


class Squash(F.Flow):
    """The derivative is taken at the output."""

    def forward(self, z):
        squashed = torch.asinh(z)
        return squashed, -0.5 * torch.log1p(squashed**2).sum(dim=1)  # wrong

    def inverse(self, z):
        return torch.sinh(z), 0.5 * torch.log1p(torch.sinh(z) ** 2).sum(dim=1)


class ForgetfulStep(F.Flow):
    """A linear map and an actnorm: the first is not counted."""

    def __init__(self, dims):
        super().__init__()
        self.linear = F.InvertibleAffine(dims)
        self.scale = F.AffineConstFlow((dims,))

    def forward(self, z):
        mixed, _ = self.linear(z)  # wrong
        return self.scale(mixed)

    def inverse(self, z):
        mixed, second = self.scale.inverse(z)
        outputs, first = self.linear.inverse(mixed)
        return outputs, first + second


class ContextualGain(F.Flow):
    """Scales by what a net makes of the context."""

    def __init__(self, dims, context):
        super().__init__()
        self.net = nn.Linear(context, dims)

    def forward(self, z, context=None):
        scale = self.net(context)
        return z * torch.exp(scale), scale.sum(dim=1)

    def inverse(self, z, context=None):
        scale = self.net(context)
        return z * torch.exp(-scale), -scale.sum(dim=1)


class TwiceContextual(ContextualGain):
    def forward(self, z, context=None):
        scale = self.net(context)
        return z * torch.exp(scale), 2 * scale.sum(dim=1)  # wrong


def mlp(*sizes):
    return nf.nets.MLP(list(sizes))


def flow(dims, layers, between):
    layers[1:1] = between
    return nf.NormalizingFlow(nf.distributions.DiagGaussian(dims, False), layers)


def masked(kind, dims, n):
    mask = torch.tensor([float((i + n) % 2) for i in range(dims)])
    return kind(mask, mlp(dims, 32, 32, dims), mlp(dims, 32, 32, dims))


def realnvp(*between):
    layers = []
    for n in range(4):
        layers += [masked(F.MaskedAffineFlow, 6, n), F.ActNorm((6,))]
    return flow(6, layers, between)


def glow_couplings(*between):
    layers = []
    for _ in range(4):
        layers += [F.AffineCouplingBlock(mlp(2, 32, 32, 4)), F.Permute(4, mode="swap")]
    return flow(4, layers, between)


def spline_coupling(*between):
    layers = []
    for _ in range(3):
        layers += [F.CoupledRationalQuadraticSpline(6, 2, 32), F.LULinearPermute(6)]
    return flow(6, layers, between)


def spline_autoregressive(*between):
    layers = []
    for _ in range(3):
        layers += [
            F.AutoregressiveRationalQuadraticSpline(4, 2, 32),
            F.LULinearPermute(4),
        ]
    return flow(4, layers, between)


def maf(*between):
    layers = []
    for _ in range(3):
        layers += [F.MaskedAffineAutoregressive(6, 32), F.Permute(6)]
    return flow(6, layers, between)


def conditional(*between):
    layers = []
    for _ in range(2):
        layers += [
            F.AutoregressiveRationalQuadraticSpline(
                4, 1, 32, num_context_channels=3, permute_mask=True
            ),
            ContextualGain(4, 3),
        ]
    layers[1:1] = between
    base = nf.distributions.DiagGaussian(4, trainable=False)
    return nf.ConditionalNormalizingFlow(base, layers)


FLOWS = {
    "realnvp": Whole(
        realnvp, lambda: masked(NegativeAffine, 6, 0), NegativeAffine, "LDJ104"
    ),
    "affine_couplings": Whole(
        glow_couplings, lambda: ForgetfulStep(4), ForgetfulStep, "LDJ110"
    ),
    "spline_coupling": Whole(
        spline_coupling, lambda: masked(MaskForgotten, 6, 1), MaskForgotten, "LDJ113"
    ),
    "spline_autoregressive": Whole(spline_autoregressive, Squash, Squash, "LDJ112"),
    "maf": Whole(maf, lambda: MeanGain((6,)), MeanGain, "LDJ105"),
    "conditional_spline": Whole(
        conditional, lambda: TwiceContextual(4, 3), TwiceContextual, "LDJ114"
    ),
}

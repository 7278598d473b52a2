"""Whole flows of nflows."""

from __future__ import annotations

import nflows.transforms as nt
import torch
from nflows.distributions import StandardNormal
from nflows.flows import Flow, MaskedAutoregressiveFlow, SimpleRealNVP
from nflows.nn.nets import ConvResidualNet, ResidualNet
from torch import nn

from .subject import Whole


class SignedCoupling(nt.AffineCouplingTransform):
    def _coupling_transform_forward(self, inputs, transform_params):
        scale, shift = self._scale_and_shift(transform_params)
        outputs = inputs * scale + shift
        return outputs, -torch.log(scale).sum(dim=1)  # wrong


class TwiceCoupling(nt.AffineCouplingTransform):
    def _coupling_transform_forward(self, inputs, transform_params):
        scale, shift = self._scale_and_shift(transform_params)
        outputs = inputs * scale + shift
        return outputs, 2 * torch.log(scale).sum(dim=1)  # wrong


class MeanCoupling(nt.AffineCouplingTransform):
    def _coupling_transform_forward(self, inputs, transform_params):
        scale, shift = self._scale_and_shift(transform_params)
        outputs = inputs * scale + shift
        return outputs, torch.log(scale).mean(dim=1)  # wrong


class BitsCoupling(nt.AffineCouplingTransform):
    def _coupling_transform_forward(self, inputs, transform_params):
        scale, shift = self._scale_and_shift(transform_params)
        outputs = inputs * scale + shift
        return outputs, torch.log2(scale).sum(dim=1)  # wrong


class Temperature(nt.Transform):
    """One scale for all dims."""

    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(0.5 + 0.3 * torch.randn(()))

    def forward(self, inputs, context=None):
        logabsdet = self.log_scale.expand(len(inputs))  # wrong
        return inputs * self.log_scale.exp(), logabsdet

    def inverse(self, inputs, context=None):
        dims = inputs[0].numel()
        outputs = inputs * (-self.log_scale).exp()
        return outputs, -dims * self.log_scale.expand(len(inputs))


class ImageTemperature(nt.Transform):
    """One scale a channel."""

    def __init__(self, channels):
        super().__init__()
        self.log_scale = nn.Parameter(0.5 + 0.3 * torch.randn(channels, 1, 1))

    def forward(self, inputs, context=None):
        logabsdet = self.log_scale.sum()  # wrong
        return inputs * self.log_scale.exp(), logabsdet.expand(len(inputs))

    def inverse(self, inputs, context=None):
        pixels = inputs.shape[2] * inputs.shape[3]
        logabsdet = -pixels * self.log_scale.sum()
        return inputs * (-self.log_scale).exp(), logabsdet.expand(len(inputs))


class ForgetfulStep(nt.Transform):
    """A linear map and a coupling: the first is not counted."""

    def __init__(self, dims, coupling):
        super().__init__()
        self.linear = nt.LULinear(dims)
        self.coupling = coupling

    def forward(self, inputs, context=None):
        mixed, _ = self.linear(inputs)  # wrong
        return self.coupling(mixed)

    def inverse(self, inputs, context=None):
        mixed, second = self.coupling.inverse(inputs)
        outputs, first = self.linear.inverse(mixed)
        return outputs, first + second


def net(inputs, outputs):
    return ResidualNet(inputs, outputs, hidden_features=32, num_blocks=2)


def context_net(inputs, outputs):
    return ResidualNet(
        inputs, outputs, hidden_features=32, context_features=4, num_blocks=2
    )


def conv(inputs, outputs):
    return ConvResidualNet(inputs, outputs, hidden_channels=16, num_blocks=1)


def mask(dims, n=0):
    return [(i + n) % 2 for i in range(dims)]


def flow(dims, layers, between, **options):
    layers[1:1] = between
    return Flow(nt.CompositeTransform(layers), StandardNormal([dims]), **options)


def spline_coupling(*between):
    layers = []
    for n in range(3):
        layers += [
            nt.PiecewiseRationalQuadraticCouplingTransform(
                mask(6, n), net, num_bins=8, tails="linear", tail_bound=3.0
            ),
            nt.LULinear(6),
        ]
    return flow(6, layers, between)


def quadratic_coupling(*between):
    layers = []
    for n in range(2):
        layers += [
            nt.PiecewiseQuadraticCouplingTransform(
                mask(5, n), net, num_bins=6, tails="linear", tail_bound=4.0
            ),
            nt.RandomPermutation(5),
        ]
    return flow(5, layers, between)


def spline_autoregressive(*between):
    layers = []
    for _ in range(2):
        layers += [
            nt.ReversePermutation(5),
            nt.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
                5, 32, num_bins=8, tails="linear", tail_bound=3.0
            ),
        ]
    return flow(5, layers, between)


def conditional_maf(*between):
    layers = []
    for _ in range(3):
        layers += [
            nt.ReversePermutation(4),
            nt.MaskedAffineAutoregressiveTransform(4, 32, context_features=8),
        ]
    return flow(4, layers, between, embedding_net=nn.Linear(3, 8))


def glow(*between):
    layers = [nt.SqueezeTransform()]
    for n in range(2):
        layers += [
            nt.ActNorm(4),
            nt.OneByOneConvolution(4),
            nt.AffineCouplingTransform(mask(4, n), conv),
        ]
    layers[1:1] = between
    return Flow(nt.CompositeTransform(layers), StandardNormal([4, 4, 4]))


def maf(*between):
    made = MaskedAutoregressiveFlow(6, 32, 3, 2, batch_norm_between_layers=True)
    for layer in between:
        made._transform._transforms.insert(1, layer)
    return made


def realnvp(*between):
    made = SimpleRealNVP(8, 32, num_layers=4, num_blocks_per_layer=2)
    for layer in between:
        made._transform._transforms.insert(1, layer)
    return made


FLOWS = {
    "spline_coupling": Whole(
        spline_coupling,
        lambda: SignedCoupling(mask(6), net),
        SignedCoupling,
        "LDJ104",
    ),
    "quadratic_coupling": Whole(
        quadratic_coupling,
        lambda: MeanCoupling(mask(5), net),
        MeanCoupling,
        "LDJ105",
    ),
    "spline_autoregressive": Whole(
        spline_autoregressive, Temperature, Temperature, "LDJ101"
    ),
    "conditional_maf": Whole(
        conditional_maf,
        lambda: BitsCoupling(
            mask(4),
            lambda i, o: ResidualNet(i, o, hidden_features=32, context_features=8),
        ),
        BitsCoupling,
        "LDJ107",
    ),
    "glow_image": Whole(
        glow,
        lambda: ImageTemperature(4),
        ImageTemperature,
        "LDJ102",
        {"shape": (1, 8, 8)},
    ),
    "maf_batchnorm": Whole(
        maf,
        lambda: ForgetfulStep(6, nt.AffineCouplingTransform(mask(6), net)),
        ForgetfulStep,
        "LDJ110",
    ),
    "simple_realnvp": Whole(
        realnvp, lambda: TwiceCoupling(mask(8), net), TwiceCoupling, "LDJ114"
    ),
}

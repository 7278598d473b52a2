"""Transforms and flows of nflows."""

from __future__ import annotations

import nflows.transforms as nt
import torch
from nflows.distributions import StandardNormal
from nflows.flows import Flow, MaskedAutoregressiveFlow, SimpleRealNVP
from nflows.nn.nets import ConvResidualNet, ResidualNet
from torch import nn

from field.entry import Entry, entries

MASK = [1, 0, 1, 0]


def net(inputs: int, outputs: int) -> nn.Module:
    return ResidualNet(inputs, outputs, hidden_features=8, num_blocks=1)


def context_net(inputs: int, outputs: int) -> nn.Module:
    return ResidualNet(
        inputs, outputs, hidden_features=8, context_features=3, num_blocks=1
    )


def conv(inputs: int, outputs: int) -> nn.Module:
    return ConvResidualNet(inputs, outputs, hidden_channels=4, num_blocks=1)


def context_conv(inputs: int, outputs: int) -> nn.Module:
    return ConvResidualNet(
        inputs, outputs, hidden_channels=4, context_channels=2, num_blocks=1
    )


def batchnorm_net(inputs: int, outputs: int) -> nn.Module:
    return ResidualNet(
        inputs, outputs, hidden_features=8, num_blocks=1, use_batch_norm=True
    )


def glow_step(channels: int) -> nn.Module:
    return nt.CompositeTransform(
        [
            nt.ActNorm(channels),
            nt.OneByOneConvolution(channels),
            nt.AffineCouplingTransform([i % 2 for i in range(channels)], conv),
        ]
    )


def multiscale() -> nn.Module:
    flow = nt.MultiscaleCompositeTransform(2)
    shape = flow.add_transform(
        nt.CompositeTransform([nt.SqueezeTransform(), glow_step(8)]), (8, 2, 3)
    )
    flow.add_transform(glow_step(shape[0]), shape)
    return flow


LAYERS = entries(
    affine_coupling=lambda: nt.AffineCouplingTransform(MASK, net),
    affine_coupling_context=lambda: nt.AffineCouplingTransform(MASK, context_net),
    affine_coupling_image=lambda: nt.AffineCouplingTransform(MASK, conv),
    additive_coupling=lambda: nt.AdditiveCouplingTransform(MASK, net),
    linear_coupling=Entry(
        lambda: nt.PiecewiseLinearCouplingTransform(
            MASK, net, num_bins=5, tails="linear", tail_bound=3.0
        ),
        known="unproven",
        why="its way back moves the last knot by 1e-6, in place",
    ),
    quadratic_coupling=lambda: nt.PiecewiseQuadraticCouplingTransform(
        MASK, net, num_bins=5, tails="linear", tail_bound=3.0
    ),
    cubic_coupling=lambda: nt.PiecewiseCubicCouplingTransform(
        MASK, net, num_bins=5, tails="linear", tail_bound=3.0
    ),
    rq_coupling=lambda: nt.PiecewiseRationalQuadraticCouplingTransform(
        MASK, net, num_bins=5, tails="linear", tail_bound=3.0
    ),
    rq_coupling_unconditional=lambda: nt.PiecewiseRationalQuadraticCouplingTransform(
        MASK, net, num_bins=5, tails="linear", apply_unconditional_transform=True
    ),
    rq_coupling_bounded=lambda: nt.PiecewiseRationalQuadraticCouplingTransform(
        MASK, net, num_bins=5
    ),
    maf=lambda: nt.MaskedAffineAutoregressiveTransform(4, 8),
    maf_context=lambda: nt.MaskedAffineAutoregressiveTransform(
        4, 8, context_features=3
    ),
    maf_linear=Entry(
        lambda: nt.MaskedPiecewiseLinearAutoregressiveTransform(5, 4, 8),
        known="unproven",
        why="its way back moves the last knot by 1e-6, in place",
    ),
    maf_quadratic=lambda: nt.MaskedPiecewiseQuadraticAutoregressiveTransform(
        4, 8, num_bins=5, tails="linear", tail_bound=3.0
    ),
    maf_cubic=lambda: nt.MaskedPiecewiseCubicAutoregressiveTransform(5, 4, 8),
    maf_rq=lambda: nt.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
        4, 8, num_bins=5, tails="linear", tail_bound=3.0
    ),
    lu=lambda: nt.LULinear(4, identity_init=True),
    lu_cached=lambda: nt.LULinear(4, using_cache=True),
    qr=lambda: nt.QRLinear(4, num_householder=2),
    svd=lambda: nt.SVDLinear(4, num_householder=2),
    householder=lambda: nt.HouseholderSequence(4, 2),
    conv_1x1=lambda: nt.OneByOneConvolution(3),
    permutation=lambda: nt.Permutation(torch.tensor([2, 0, 3, 1])),
    random_permutation=lambda: nt.RandomPermutation(5),
    reverse_permutation=lambda: nt.ReversePermutation(4),
    squeeze=lambda: nt.SqueezeTransform(),
    actnorm=lambda: nt.ActNorm(4),
    batchnorm=lambda: nt.BatchNorm(4),
    leaky_relu=lambda: nt.LeakyReLU(),
    log_tanh=lambda: nt.LogTanh(),
    tanh=lambda: nt.Tanh(),
    sigmoid=lambda: nt.Sigmoid(),
    logit=lambda: nt.Logit(),
    linear_cdf=Entry(
        lambda: nt.PiecewiseLinearCDF((4,), num_bins=5),
        known="unproven",
        why="its way back moves the last knot by 1e-6, in place",
    ),
    quadratic_cdf=lambda: nt.PiecewiseQuadraticCDF((4,), num_bins=5),
    cubic_cdf=lambda: nt.PiecewiseCubicCDF((4,), num_bins=5),
    rq_cdf=lambda: nt.PiecewiseRationalQuadraticCDF((4,), num_bins=5, tails="linear"),
    composite_cdf=lambda: nt.CompositeCDFTransform(
        nt.Sigmoid(), nt.PiecewiseQuadraticCDF((4,), num_bins=5)
    ),
    pointwise_affine=lambda: nt.PointwiseAffineTransform(1.0, 2.0),
    affine=lambda: nt.AffineTransform(torch.randn(4), torch.rand(4) + 0.5),
    inverse=lambda: nt.InverseTransform(nt.LULinear(4)),
    composite=lambda: nt.CompositeTransform(
        [
            nt.ReversePermutation(4),
            nt.MaskedAffineAutoregressiveTransform(4, 8),
            nt.BatchNorm(4),
        ]
    ),
    flow=lambda: Flow(
        nt.CompositeTransform(
            [nt.AffineCouplingTransform(MASK, net), nt.RandomPermutation(4)]
        ),
        StandardNormal([4]),
    ),
    affine_coupling_batchnorm=lambda: nt.AffineCouplingTransform(MASK, batchnorm_net),
    rq_coupling_image_context=lambda: nt.PiecewiseRationalQuadraticCouplingTransform(
        [1, 0, 1], context_conv, num_bins=4, tails="linear", tail_bound=2.0
    ),
    rq_coupling_many_bins=lambda: nt.PiecewiseRationalQuadraticCouplingTransform(
        MASK, net, num_bins=20, tails="linear", tail_bound=5.0, min_derivative=1e-4
    ),
    maf_one=lambda: nt.MaskedAffineAutoregressiveTransform(1, 8),
    maf_batchnorm=lambda: nt.MaskedAffineAutoregressiveTransform(
        3, 10, use_batch_norm=True
    ),
    maf_rq_context=lambda: nt.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
        3, 8, context_features=2, num_bins=4, tails="linear", tail_bound=2.0
    ),
    permutation_of_rows=lambda: nt.Permutation(torch.tensor([1, 0, 2]), dim=2),
    squeeze_by_three=lambda: nt.SqueezeTransform(factor=3),
    cdf_image=lambda: nt.PiecewiseRationalQuadraticCDF((2, 4, 6), num_bins=3),
    gated_linear_unit=Entry(
        lambda: nt.GatedLinearUnit(),
        known="LDJ105",
        why="counts one log for a gate that scales all dims",
    ),
    glow_step=lambda: glow_step(4),
    multiscale=multiscale,
    flow_embedded=lambda: Flow(
        nt.MaskedAffineAutoregressiveTransform(4, 8, context_features=5),
        StandardNormal([4]),
        embedding_net=nn.Linear(2, 5),
    ),
    simple_realnvp=lambda: SimpleRealNVP(4, 8, num_layers=2, num_blocks_per_layer=1),
    maf_flow=lambda: MaskedAutoregressiveFlow(4, 8, 2, 1),
)

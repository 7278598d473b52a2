"""Flows of normflows."""

from __future__ import annotations

import normflows as nf
import torch
from torch import nn

from field.entry import Entry, entries

F = nf.flows


def mlp(*sizes: int) -> nn.Module:
    return nf.nets.MLP(list(sizes))


def conv(channels: int, outputs: int) -> nn.Module:
    return nf.nets.ConvNet2d([channels, 6, 6, outputs], [3, 1, 3])


LAYERS = entries(
    planar=lambda: F.Planar((4,)),
    planar_leaky=lambda: F.Planar((4,), act="leaky_relu"),
    radial=lambda: F.Radial((4,)),
    affine_const=lambda: F.AffineConstFlow((4,)),
    affine_const_image=lambda: F.AffineConstFlow((3, 1, 1)),
    cc_affine_const=Entry(
        lambda: F.CCAffineConst((4,), 5), flags={"context": {"y": (5,)}}
    ),
    actnorm=lambda: F.ActNorm((4,)),
    actnorm_image=lambda: F.ActNorm((3, 1, 1)),
    batchnorm=Entry(
        lambda: F.BatchNorm(),
        known="LDJ207",
        why="takes the moments of the batch, in eval mode too",
    ),
    affine_coupling=lambda: F.AffineCouplingBlock(mlp(2, 8, 4)),
    affine_coupling_sigmoid=lambda: F.AffineCouplingBlock(
        mlp(2, 8, 4), scale_map="sigmoid"
    ),
    affine_coupling_sigmoid_inv=lambda: F.AffineCouplingBlock(
        mlp(2, 8, 4), scale_map="sigmoid_inv"
    ),
    affine_coupling_image=lambda: F.AffineCouplingBlock(conv(2, 4)),
    affine_coupling_checkerboard=lambda: F.AffineCouplingBlock(
        conv(3, 6), split_mode="checkerboard"
    ),
    additive_coupling=lambda: F.AffineCouplingBlock(mlp(2, 8, 2), scale=False),
    masked_affine=lambda: F.MaskedAffineFlow(
        torch.tensor([1.0, 0.0, 1.0, 0.0]), mlp(4, 8, 4), mlp(4, 8, 4)
    ),
    conv_1x1=lambda: F.Invertible1x1Conv(3),
    conv_1x1_lu=lambda: F.Invertible1x1Conv(3, use_lu=True),
    invertible_affine=lambda: F.InvertibleAffine(4, use_lu=False),
    invertible_affine_lu=lambda: F.InvertibleAffine(4),
    lu_permute=lambda: F.LULinearPermute(4),
    permute=lambda: F.Permute(4),
    permute_swap=lambda: F.Permute(4, mode="swap"),
    squeeze=lambda: F.Squeeze(),
    periodic_shift=lambda: F.PeriodicShift([0, 2], bound=2.0, shift=0.5),
    maf=lambda: F.MaskedAffineAutoregressive(4, 16),
    maf_context=lambda: F.MaskedAffineAutoregressive(4, 16, context_features=3),
    rq_coupling=lambda: F.CoupledRationalQuadraticSpline(4, 1, 12, num_bins=4),
    rq_maf=lambda: F.AutoregressiveRationalQuadraticSpline(4, 1, 12, num_bins=4),
    rq_circular=lambda: F.CircularCoupledRationalQuadraticSpline(
        4, 1, 12, ind_circ=[0, 2], num_bins=4
    ),
    rq_circular_maf=lambda: F.CircularAutoregressiveRationalQuadraticSpline(
        4, 1, 12, ind_circ=[0, 2], num_bins=4
    ),
    glow_block=lambda: F.GlowBlock(4, 6, split_mode="channel"),
    reverse=lambda: F.Reverse(F.AffineConstFlow((4,))),
    composite=lambda: F.Composite([F.AffineConstFlow((4,)), F.Permute(4)]),
    residual=Entry(
        lambda: F.Residual(
            nf.nets.LipschitzMLP([2, 8, 2], init_zeros=False, lipschitz_const=0.8),
            brute_force=True,
        ),
        known="unproven",
        why="forward is a solver that stops early: there and back misses by 2e-4, and a "
        "tenth of what would be clearly too much is allowed",
    ),
    affine_coupling_checkerboard_inv=lambda: F.AffineCouplingBlock(
        conv(3, 6), split_mode="checkerboard_inv", scale_map="sigmoid"
    ),
    masked_affine_image=lambda: F.MaskedAffineFlow(
        (torch.arange(24).reshape(1, 4, 6) % 2).float(), conv(2, 2), conv(2, 2)
    ),
    glow_block_exp=lambda: F.GlowBlock(
        6, 4, split_mode="channel", scale_map="exp", use_lu=False
    ),
    glow_block_leaky=lambda: F.GlowBlock(
        4, 6, split_mode="channel_inv", leaky=0.2, init_zeros=False
    ),
    rq_coupling_context=lambda: F.CoupledRationalQuadraticSpline(
        4, 1, 8, num_context_channels=3
    ),
    rq_maf_one=lambda: F.AutoregressiveRationalQuadraticSpline(1, 1, 8),
    rq_circular_bounds=lambda: F.CircularCoupledRationalQuadraticSpline(
        3, 1, 8, ind_circ=[1], tail_bound=torch.tensor([5.0, 3.14, 5.0])
    ),
    periodic_wrap=Entry(
        lambda: F.PeriodicWrap([0, 1], bound=1.5),
        known="LDJ401",
        why="the identity, inside of its stretch",
    ),
    split_checkerboard=lambda: F.Split("checkerboard"),
    spline_flow=lambda: nf.NormalizingFlow(
        nf.distributions.DiagGaussian(4),
        [F.AutoregressiveRationalQuadraticSpline(4, 1, 8), F.LULinearPermute(4)],
    ),
    normalizing_flow=lambda: nf.NormalizingFlow(
        nf.distributions.DiagGaussian(4),
        [F.AffineCouplingBlock(mlp(2, 8, 4)), F.Permute(4, mode="swap")],
    ),
)

"""Transforms of pyro-ppl."""

from __future__ import annotations

import pyro.distributions as pd
import pyro.distributions.transforms as pt
import torch
from pyro.nn import AutoRegressiveNN

from field.entry import Entry, entries

LAYERS = entries(
    affine_autoregressive=lambda: pt.affine_autoregressive(4, hidden_dims=[8]),
    affine_autoregressive_stable=lambda: pt.affine_autoregressive(
        4, hidden_dims=[8], stable=True
    ),
    affine_coupling=lambda: pt.affine_coupling(4, hidden_dims=[8]),
    batchnorm=lambda: pt.batchnorm(4),
    block_autoregressive=lambda: pt.block_autoregressive(3),
    block_autoregressive_elu=lambda: pt.block_autoregressive(
        3, activation="ELU", hidden_factors=[4, 4]
    ),
    block_autoregressive_gated=lambda: pt.block_autoregressive(
        3, residual="gated", hidden_factors=[4]
    ),
    block_autoregressive_normal=lambda: pt.block_autoregressive(
        3, residual="normal", activation="LeakyReLU"
    ),
    compose_module=lambda: pt.ComposeTransformModule(
        [pt.spline(4, count_bins=4), pt.affine_coupling(4, hidden_dims=[8])]
    ),
    corr_l_cholesky=lambda: pt.CorrLCholeskyTransform(),
    discrete_cosine=lambda: pt.DiscreteCosineTransform(),
    discrete_cosine_smooth=Entry(
        lambda: pt.DiscreteCosineTransform(smooth=1.0),
        known="LDJ401",
        why="linear, and of volume one by construction",
    ),
    elu=Entry(
        lambda: pt.elu(),
        known="unproven",
        why="its way back is off by some 1e-8",
    ),
    channel_permute=lambda: pt.generalized_channel_permute(channels=3),
    haar=lambda: pt.HaarTransform(),
    householder=lambda: pt.householder(4, count_transforms=2),
    leaky_relu=lambda: pt.leaky_relu(),
    lower_cholesky_affine=lambda: pt.LowerCholeskyAffine(
        torch.randn(4), torch.randn(4, 4).tril(-1) + 1.5 * torch.eye(4)
    ),
    matrix_exponential=lambda: pt.matrix_exponential(4),
    neural_autoregressive=Entry(
        lambda: pt.neural_autoregressive(3, hidden_dims=[8]),
        known="LDJ211",
        why="its log-det is that of the latest call, whatever x it is asked for",
    ),
    ordered=lambda: pt.OrderedTransform(),
    autoregressive_clipped=lambda: pt.AffineAutoregressive(
        AutoRegressiveNN(4, [64, 64]), log_scale_min_clip=-2.0, log_scale_max_clip=1.0
    ),
    affine_coupling_uneven=lambda: pt.affine_coupling(6, split_dim=2, hidden_dims=[16]),
    spline_one=lambda: pt.spline(1),
    spline_many_bins=lambda: pt.spline(5, count_bins=16, bound=5.0, order="quadratic"),
    conditional_given=lambda: pt.conditional_planar(
        4, context_dim=3, hidden_dims=[8]
    ).condition(torch.randn(3)),
    conditional_neural_autoregressive=lambda: pt.conditional_neural_autoregressive(
        3, context_dim=2, hidden_dims=[8]
    ),
    transformed=lambda: pd.TransformedDistribution(
        pd.Normal(torch.zeros(4), torch.ones(4)),
        [pt.permute(4), pt.affine_coupling(4, hidden_dims=[8])],
    ),
    permute=lambda: pt.permute(4, torch.tensor([2, 0, 3, 1])),
    planar=lambda: pt.planar(4),
    polynomial=lambda: pt.polynomial(3, hidden_dims=[8]),
    positive_power=lambda: pt.PositivePowerTransform(torch.tensor(1.7)),
    radial=lambda: pt.radial(4),
    spline=lambda: pt.spline(4, count_bins=4),
    spline_quadratic=lambda: pt.spline(4, count_bins=4, order="quadratic"),
    spline_autoregressive=lambda: pt.spline_autoregressive(
        3, hidden_dims=[8], count_bins=4
    ),
    spline_coupling=lambda: pt.spline_coupling(4, hidden_dims=[8], count_bins=4),
    simplex_to_ordered=Entry(
        lambda: pt.SimplexToOrderedTransform(),
        known="unproven",
        why="more entries than degrees of freedom: there is no determinant",
    ),
    sylvester=Entry(
        lambda: pt.sylvester(4, count_transforms=2),
        known="LDJ120",
        why="rows times Q R: the product behind the formula is not triangular",
    ),
    conditional_affine_autoregressive=lambda: pt.conditional_affine_autoregressive(
        4, context_dim=3, hidden_dims=[8]
    ),
    conditional_affine_coupling=lambda: pt.conditional_affine_coupling(
        4, context_dim=3, hidden_dims=[8]
    ),
    conditional_householder=lambda: pt.conditional_householder(
        4, context_dim=3, hidden_dims=[8]
    ),
    conditional_matrix_exponential=lambda: pt.conditional_matrix_exponential(
        3, context_dim=5, hidden_dims=[8]
    ),
    conditional_planar=lambda: pt.conditional_planar(4, context_dim=3, hidden_dims=[8]),
    conditional_radial=lambda: pt.conditional_radial(4, context_dim=3, hidden_dims=[8]),
    conditional_spline=lambda: pt.conditional_spline(
        4, context_dim=3, hidden_dims=[8], count_bins=4
    ),
    conditional_spline_autoregressive=lambda: pt.conditional_spline_autoregressive(
        3, context_dim=5, hidden_dims=[8], count_bins=4
    ),
)

"""Bijectors of flowtorch."""

from __future__ import annotations

import flowtorch.bijectors as fb
import flowtorch.parameters as fp
import torch

from field.entry import Entry, entries

V = torch.Size([4])

LAYERS = entries(
    affine=lambda: fb.Affine()(shape=V),
    affine_dense=lambda: fb.AffineAutoregressive(
        fp.DenseAutoregressive(hidden_dims=(8,))
    )(shape=V),
    affine_autoregressive=lambda: fb.AffineAutoregressive()(shape=V),
    affine_context=lambda: fb.AffineAutoregressive()(
        shape=V, context_shape=torch.Size([3])
    ),
    affine_fixed=lambda: fb.AffineFixed(loc=1.0, scale=2.0)(shape=V),
    elu=Entry(
        lambda: fb.ELU()(shape=V),
        known="unproven",
        why="its way back is off by some 1e-8",
    ),
    exp=lambda: fb.Exp()(shape=V),
    leaky_relu=lambda: fb.LeakyReLU()(shape=V),
    permute=lambda: fb.Permute(permutation=torch.tensor([2, 0, 3, 1]))(shape=V),
    power=lambda: fb.Power(exponent=2.5)(shape=V),
    sigmoid=lambda: fb.Sigmoid()(shape=V),
    softplus=lambda: fb.Softplus()(shape=V),
    tanh=lambda: fb.Tanh()(shape=V),
    spline=lambda: fb.Spline(count_bins=4)(shape=V),
    spline_quadratic=lambda: fb.Spline(count_bins=4, order="quadratic")(shape=V),
    spline_autoregressive=lambda: fb.SplineAutoregressive(
        fp.DenseAutoregressive(hidden_dims=(8,))
    )(shape=V),
    compose=lambda: fb.Compose([fb.AffineFixed(scale=2.0), fb.Sigmoid()])(shape=V),
    compose_learned=lambda: fb.Compose(
        [fb.AffineAutoregressive(), fb.AffineAutoregressive()]
    )(shape=V),
    invert=Entry(
        lambda: fb.Invert(fb.Exp())(shape=V),
        known="LDJ104",
        why="hands on the log-det of the bijector, its sign not turned",
    ),
)

"""Transforms of torch.distributions."""

from __future__ import annotations

import torch
from torch.distributions import transforms as tt

from field.entry import Entry, entries

LAYERS = entries(
    abs=Entry(
        lambda: tt.AbsTransform(),
        known="LDJ004",
        why="not one to one: the library declares no log-det",
    ),
    affine=lambda: tt.AffineTransform(torch.randn(4), torch.rand(4) + 0.5),
    affine_negative=lambda: tt.AffineTransform(0.5, -2.0),
    affine_event=lambda: tt.AffineTransform(torch.randn(4), 2.0, event_dim=1),
    exp=lambda: tt.ExpTransform(),
    exp_cached=lambda: tt.ExpTransform(cache_size=1),
    power=lambda: tt.PowerTransform(torch.tensor(2.5)),
    sigmoid=lambda: tt.SigmoidTransform(),
    tanh=lambda: tt.TanhTransform(cache_size=1),
    softplus=lambda: tt.SoftplusTransform(),
    log=lambda: tt.ExpTransform().inv,
    logit=lambda: tt.SigmoidTransform().inv,
    stick_breaking=Entry(
        lambda: tt.StickBreakingTransform(),
        known="unproven",
        why="one more number comes out than goes in",
    ),
    corr_cholesky=Entry(
        lambda: tt.CorrCholeskyTransform(),
        known="unproven",
        why="more entries than degrees of freedom: there is no determinant",
    ),
    lower_cholesky=Entry(
        lambda: tt.LowerCholeskyTransform(),
        known="LDJ004",
        why="the library declares no log-det",
    ),
    compose=lambda: tt.ComposeTransform(
        [tt.AffineTransform(1.0, 2.0), tt.TanhTransform(), tt.AffineTransform(0, 3.0)]
    ),
    independent=lambda: tt.IndependentTransform(tt.ExpTransform(), 1),
    reshape=lambda: tt.ReshapeTransform((4, 3), (12,)),
    stack=lambda: tt.StackTransform(
        [tt.ExpTransform(), tt.AffineTransform(0.0, 2.0)], dim=1
    ),
    cat=lambda: tt.CatTransform(
        [tt.ExpTransform(), tt.TanhTransform()], dim=1, lengths=[2, 3]
    ),
    cumulative=lambda: tt.CumulativeDistributionTransform(
        torch.distributions.Normal(torch.zeros(4), torch.ones(4))
    ),
    transformed=lambda: torch.distributions.TransformedDistribution(
        torch.distributions.Normal(torch.zeros(4), torch.ones(4)),
        [tt.AffineTransform(1.0, 2.0), tt.SigmoidTransform()],
    ),
)

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
    stick_breaking=lambda: tt.StickBreakingTransform(),
    corr_cholesky=lambda: tt.CorrCholeskyTransform(),
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
    compose_three=lambda: tt.ComposeTransform(
        [tt.ExpTransform(), tt.AffineTransform(1.0, 2.0), tt.PowerTransform(0.5)]
    ),
    compose_inverse=lambda: (
        tt.ComposeTransform([tt.AffineTransform(1.0, 2.0), tt.SigmoidTransform()]).inv
    ),
    compose_reshape=lambda: tt.ComposeTransform(
        [
            tt.ReshapeTransform((12,), (3, 4)),
            tt.IndependentTransform(tt.ExpTransform(), 2),
        ]
    ),
    independent_two=lambda: tt.IndependentTransform(tt.TanhTransform(), 2),
    affine_matrix=lambda: tt.AffineTransform(
        torch.randn(2, 3), torch.rand(2, 3) + 0.5, event_dim=2
    ),
    stack_last=lambda: tt.StackTransform(
        [tt.ExpTransform(), tt.TanhTransform(), tt.AffineTransform(0.0, 2.0)], dim=-1
    ),
    cumulative_laplace=lambda: tt.CumulativeDistributionTransform(
        torch.distributions.Laplace(0.0, 1.0)
    ),
    interval=lambda: torch.distributions.biject_to(
        torch.distributions.constraints.interval(-1.0, 3.0)
    ),
    gumbel=lambda: torch.distributions.Gumbel(0.0, 1.0),
    kumaraswamy=lambda: torch.distributions.Kumaraswamy(
        torch.tensor(2.0), torch.tensor(1.5)
    ),
    independent_distribution=lambda: torch.distributions.Independent(
        torch.distributions.TransformedDistribution(
            torch.distributions.Normal(torch.zeros(3), 1.0), [tt.TanhTransform()]
        ),
        1,
    ),
    transformed=lambda: torch.distributions.TransformedDistribution(
        torch.distributions.Normal(torch.zeros(4), torch.ones(4)),
        [tt.AffineTransform(1.0, 2.0), tt.SigmoidTransform()],
    ),
)

"""Whole flows of torch.distributions."""

from __future__ import annotations

import torch
from torch import distributions as td
from torch.distributions import transforms as tt

from . import of_torch_api as wrong
from .subject import Whole


def scales(*shape):
    return 0.5 + 0.3 * torch.randn(shape)


def squashed_policy(*between):
    """A Gaussian policy of bounded actions."""
    base = td.Independent(td.Normal(torch.randn(6), scales(6).abs()), 1)
    return td.TransformedDistribution(base, [*between, tt.TanhTransform()])


def simplex(*between):
    """A logistic normal by stick breaking."""
    affine = tt.AffineTransform(torch.randn(4), scales(4), event_dim=1)
    return tt.ComposeTransform([affine, *between, tt.StickBreakingTransform()])


FLOWS = {
    "squashed_policy": Whole(
        squashed_policy,
        lambda: wrong.UnloggedGain(scales(6)),
        wrong.UnloggedGain,
        "LDJ108",
    ),
    "stick_breaking": Whole(simplex, lambda: wrong.Squash(), wrong.Squash, "LDJ112"),
}

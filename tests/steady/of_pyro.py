"""Whole flows of pyro."""

from __future__ import annotations

from functools import partial

import pyro.distributions as pd
import pyro.distributions.transforms as pt
import torch

from . import of_torch_api as wrong
from .subject import Whole


def normal(dims):
    return pd.Normal(torch.zeros(dims), torch.ones(dims)).to_event(1)


def flow(dims, kinds, *between):
    layers = [kind() for kind in kinds]
    layers[1:1] = between
    return pd.TransformedDistribution(normal(dims), layers)


def module(kinds, *between):
    layers = [kind() for kind in kinds]
    layers[1:1] = between
    return pt.ComposeTransformModule(layers)


def scales(*shape):
    return 0.5 + 0.3 * torch.randn(shape)


HIDDEN = {"hidden_dims": [32, 32]}
FLOWS = {
    "spline_coupling": Whole(
        partial(
            flow,
            6,
            [
                partial(pt.spline_coupling, 6, count_bins=8, **HIDDEN),
                partial(pt.permute, 6),
            ]
            * 2,
        ),
        lambda: wrong.NegativeGain(scales(6)),
        wrong.NegativeGain,
        "LDJ104",
    ),
    "affine_coupling": Whole(
        partial(
            module,
            [partial(pt.affine_coupling, 6, **HIDDEN), partial(pt.permute, 6)] * 3,
        ),
        lambda: wrong.ForgottenStep(scales(6)),
        wrong.ForgottenStep,
        "LDJ110",
    ),
    "spline_autoregressive": Whole(
        partial(
            flow, 4, [partial(pt.spline_autoregressive, 4, count_bins=8, **HIDDEN)] * 2
        ),
        lambda: wrong.Temperature(scales()),
        wrong.Temperature,
        "LDJ101",
    ),
    "affine_autoregressive": Whole(
        partial(
            module,
            [partial(pt.affine_autoregressive, 6, **HIDDEN), partial(pt.permute, 6)]
            * 2,
        ),
        lambda: wrong.MeanGain(scales(6)),
        wrong.MeanGain,
        "LDJ105",
    ),
}

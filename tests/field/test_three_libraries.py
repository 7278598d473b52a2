"""Layers of three libraries, as their users build them, pass with a shape at most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import ldjcheck

nf = pytest.importorskip("nflows.transforms")
nets = pytest.importorskip("nflows.nn.nets")
zuko = pytest.importorskip("zuko")
tt = torch.distributions.transforms

Built = tuple[Callable[[], Any], tuple[int, ...]]


def residual_net(inputs: int, outputs: int) -> nn.Module:
    return nets.ResidualNet(inputs, outputs, hidden_features=8, num_blocks=1)


NFLOWS: dict[str, Built] = {
    "affine coupling": (
        lambda: nf.AffineCouplingTransform(
            mask=[1, 0, 1, 0], transform_net_create_fn=residual_net
        ),
        (4,),
    ),
    "rational-quadratic spline coupling": (
        lambda: nf.PiecewiseRationalQuadraticCouplingTransform(
            mask=[0, 1, 0, 1],
            transform_net_create_fn=residual_net,
            num_bins=5,
            tails="linear",
            tail_bound=3.0,
        ),
        (4,),
    ),
    "masked autoregressive": (
        lambda: nf.MaskedAffineAutoregressiveTransform(features=4, hidden_features=8),
        (4,),
    ),
    "LU linear": (lambda: nf.LULinear(4, identity_init=True), (4,)),
    "actnorm": (lambda: nf.ActNorm(4), (4,)),
    "invertible 1x1 convolution": (lambda: nf.OneByOneConvolution(3), (3, 4, 5)),
    "whole flow": (
        lambda: nf.CompositeTransform(
            [
                nf.ReversePermutation(features=4),
                nf.MaskedAffineAutoregressiveTransform(features=4, hidden_features=8),
                nf.BatchNorm(features=4),
            ]
        ),
        (4,),
    ),
}

ZUKO: dict[str, Built] = {
    "masked autoregressive": (
        lambda: zuko.flows.MaskedAutoregressiveTransform(4, hidden_features=(8,)),
        (4,),
    ),
    "coupling": (
        lambda: zuko.flows.GeneralCouplingTransform(4, hidden_features=(8,)),
        (4,),
    ),
    "spline": (
        lambda: zuko.transforms.MonotonicRQSTransform(
            torch.randn(4, 5), torch.randn(4, 5), torch.randn(4, 4)
        ),
        (4,),
    ),
    "softclip": (lambda: zuko.transforms.SoftclipTransform(bound=5.0), (4,)),
    "rotation": (lambda: zuko.transforms.RotationTransform(torch.randn(4, 4)), (4,)),
    "LU linear": (
        lambda: zuko.transforms.LULinearTransform(torch.randn(4, 4) + torch.eye(4)),
        (4,),
    ),
}

TORCH: dict[str, Built] = {
    "affine": (lambda: tt.AffineTransform(torch.randn(4), torch.rand(4) + 0.5), (4,)),
    "sigmoid": (lambda: tt.SigmoidTransform(), (4,)),
    "tanh, cached": (lambda: tt.TanhTransform(cache_size=1), (4,)),
    "softplus": (lambda: tt.SoftplusTransform(), (4,)),
    "compose": (
        lambda: tt.ComposeTransform(
            [
                tt.AffineTransform(1.0, 2.0),
                tt.TanhTransform(),
                tt.AffineTransform(0, 3.0),
            ]
        ),
        (4,),
    ),
    "inverse": (lambda: tt.ExpTransform().inv, (4,)),
    "independent": (lambda: tt.IndependentTransform(tt.ExpTransform(), 1), (4,)),
}

LAYERS = {
    f"{library}: {name}": built
    for library, layers in (("nflows", NFLOWS), ("zuko", ZUKO), ("torch", TORCH))
    for name, built in layers.items()
}


@pytest.mark.thinned(7)
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_of_a_library_passes_with_its_shape(name: str) -> None:
    torch.manual_seed(0)
    build, shape = LAYERS[name]
    report = ldjcheck.check(build(), shape=shape)
    assert report.status == "pass", report
    forward = report.checks[0]
    assert forward.status == "pass"
    assert forward.worst is not None
    assert forward.worst < 1e-5  # constants that were made in float32 included


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_and_without_it(name: str) -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(LAYERS[name][0]())
    assert report.status == "pass", report

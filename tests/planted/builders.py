"""The namespace in which a case's expression is evaluated: what a user would import.

Everything here builds layers the way their own documentation does. Nothing in this
file is ever edited by a mutation.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import FrEIA.framework as Ff
import FrEIA.modules as Fm
import nflows.nn.nets as nf_nets
import nflows.transforms as nf
import nflows.transforms.nonlinearities as nf_nonlinear
import nflows.transforms.standard as nf_standard
import normflows as nfl
import torch
import torch.distributions as td
import torch.distributions.transforms as tt
import zuko
import zuko.flows.autoregressive as zfa
import zuko.flows.coupling as zfc
import zuko.flows.gaussianization as zfg
import zuko.transforms as zt
from normflows.flows.neural_spline.coupling import (
    PiecewiseRationalQuadraticCDF as NflCDF,
)
from torch import nn

if TYPE_CHECKING:
    from types import ModuleType

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def _example(name: str) -> ModuleType:
    """Return one of the project's example files, loaded as a module of its own."""
    full = f"planted_example_{name}"
    spec = importlib.util.spec_from_file_location(full, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    spec.loader.exec_module(module)
    return module


ex_actnorm = _example("actnorm")
ex_convolution = _example("convolution")
ex_coupling = _example("coupling")
ex_dequantization = _example("dequantization")
ex_transforms = _example("transforms")

__all__ = [
    "Ff",
    "Fm",
    "NflCDF",
    "conv",
    "ex_actnorm",
    "ex_convolution",
    "ex_coupling",
    "ex_dequantization",
    "ex_transforms",
    "freia_sequence",
    "math",
    "mlp",
    "nf",
    "nf_conv_net",
    "nf_net",
    "nf_nonlinear",
    "nf_standard",
    "nfl",
    "partial",
    "randn",
    "spread",
    "td",
    "torch",
    "tt",
    "zfa",
    "zfc",
    "zfg",
    "zt",
    "zuko",
]

randn = torch.randn


def spread(*shape: int) -> torch.Tensor:
    """Return fixed numbers of both signs, none near 0: of `shape`."""
    count = math.prod(shape)
    steps = torch.linspace(0.4, 1.7, count) if count > 1 else torch.tensor([0.7])
    signs = torch.tensor([1.0 if i % 3 else -1.0 for i in range(count)])
    return (steps * signs).reshape(shape)


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    """Return the small network that coupling layers are usually given."""
    return nn.Sequential(nn.Linear(inputs, 12), nn.Tanh(), nn.Linear(12, outputs))


def conv(inputs: int, outputs: int) -> nn.Sequential:
    """Return the small network that coupling layers on images are usually given."""
    return nn.Sequential(
        nn.Conv2d(inputs, 6, kernel_size=3, padding=1),
        nn.Tanh(),
        nn.Conv2d(6, outputs, kernel_size=1),
    )


def nf_net(inputs: int, outputs: int) -> nn.Module:
    """Return the conditioner of nflows for vectors."""
    return nf_nets.ResidualNet(inputs, outputs, hidden_features=12, num_blocks=1)


def nf_conv_net(inputs: int, outputs: int) -> nn.Module:
    """Return the conditioner of nflows for images."""
    return nf_nets.ConvResidualNet(inputs, outputs, hidden_channels=6, num_blocks=1)


def freia_sequence(*dims: int, blocks: tuple[tuple[type, dict], ...]) -> nn.Module:
    """Return a FrEIA sequence, filled block by block as its documentation does."""
    sequence = Ff.SequenceINN(*dims)
    for block, options in blocks:
        sequence.append(block, **options)
    return sequence

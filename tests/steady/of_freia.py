"""Whole flows of FrEIA."""

from __future__ import annotations

from functools import partial

import FrEIA.framework as ff  # the library's own abbreviation
import FrEIA.modules as fm
import torch
from torch import nn

from .subject import Whole


class _Elementwise(fm.InvertibleModule):
    def __init__(self, dims_in, dims_c=None):
        super().__init__(dims_in, dims_c)
        self.log_scale = nn.Parameter(0.5 + 0.3 * torch.randn(1, *dims_in[0]))

    def output_dims(self, input_dims):
        return input_dims


class MeanGain(_Elementwise):
    def forward(self, x, rev=False, jac=True):
        log_scale = -self.log_scale if rev else self.log_scale
        return (x[0] * log_scale.exp(),), log_scale.mean().expand(len(x[0]))  # wrong


class BackwardGain(_Elementwise):
    """Both ways report the ldj of forward, its sign turned."""

    def forward(self, x, rev=False, jac=True):
        log_scale = -self.log_scale if rev else self.log_scale
        return (x[0] * log_scale.exp(),), -log_scale.sum().expand(len(x[0]))  # wrong


class UnloggedGain(_Elementwise):
    def forward(self, x, rev=False, jac=True):
        scale = (-self.log_scale if rev else self.log_scale).exp()
        return (x[0] * scale,), scale.sum().expand(len(x[0]))  # wrong


class Temperature(fm.InvertibleModule):
    """One scale for all entries."""

    def __init__(self, dims_in, dims_c=None):
        super().__init__(dims_in, dims_c)
        self.log_scale = nn.Parameter(0.5 + 0.3 * torch.randn(()))

    def forward(self, x, rev=False, jac=True):
        log_scale = -self.log_scale if rev else self.log_scale
        return (x[0] * log_scale.exp(),), log_scale.expand(len(x[0]))  # wrong

    def output_dims(self, input_dims):
        return input_dims


class TwiceCoupling(fm.GLOWCouplingBlock):
    def forward(self, x, c=(), rev=False, jac=True):
        outputs, log_jac_det = super().forward(x, c, rev, jac)
        return outputs, 2 * log_jac_det  # wrong


class ForgetfulStep(fm.InvertibleModule):
    """An actnorm and a coupling: the first is not counted."""

    def __init__(self, dims_in, dims_c=None, subnet_constructor=None):
        super().__init__(dims_in, dims_c)
        self.gain = Gain(dims_in)
        self.coupling = fm.RNVPCouplingBlock(
            dims_in, subnet_constructor=subnet_constructor
        )

    def forward(self, x, rev=False, jac=True):
        if rev:
            x, second = self.coupling(x, rev=True)
            outputs, first = self.gain(x, rev=True)
            return outputs, first + second
        x, _ = self.gain(x)  # wrong
        return self.coupling(x)

    def output_dims(self, input_dims):
        return input_dims


class Gain(_Elementwise):
    def forward(self, x, rev=False, jac=True):
        log_scale = -self.log_scale if rev else self.log_scale
        return (x[0] * log_scale.exp(),), log_scale.sum().expand(len(x[0]))


def mlp(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, outputs))


def conv(inputs, outputs):
    return nn.Sequential(
        nn.Conv2d(inputs, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, outputs, 3, padding=1),
    )


MLP = {"subnet_constructor": mlp}


def sequence(shape, kinds, *between):
    """Return a flow of these kinds of blocks, `between` after the first."""
    inn = ff.SequenceINN(*shape)
    first, *rest = kinds
    for kind, options in [first, *between, *rest]:
        inn.append(kind, **options)
    return inn


def graph(*between):
    nodes = [ff.InputNode(6, name="input")]
    blocks = [(fm.GLOWCouplingBlock, MLP), (fm.PermuteRandom, {"seed": 1})]
    blocks = [*blocks, *between, *blocks]
    for n, (kind, options) in enumerate(blocks):
        nodes.append(ff.Node(nodes[-1], kind, options, name=f"block_{n}"))
    nodes.append(ff.OutputNode(nodes[-1], name="output"))
    return ff.GraphINN(nodes)


def whole(build, marked, code, **options):
    return Whole(build, lambda: (marked, options), marked, code)


def of_vectors(dims, *kinds):
    return partial(sequence, (dims,), list(kinds))


CONDITION = {"cond": 0, "cond_shape": (3,), **MLP}
FLOWS = {
    "all_in_one": whole(
        of_vectors(8, *[(fm.AllInOneBlock, {"permute_soft": True, **MLP})] * 4),
        MeanGain,
        "LDJ105",
    ),
    "glow_permute": whole(
        of_vectors(6, *[(fm.GLOWCouplingBlock, MLP), (fm.PermuteRandom, {})] * 3),
        TwiceCoupling,
        "LDJ114",
        **MLP,
    ),
    "rnvp_actnorm": whole(
        of_vectors(6, *[(fm.RNVPCouplingBlock, MLP), (fm.ActNorm, {})] * 3),
        ForgetfulStep,
        "LDJ110",
        **MLP,
    ),
    "conditional": whole(
        of_vectors(4, *[(fm.AllInOneBlock, CONDITION)] * 3), BackwardGain, "LDJ104"
    ),
    "image": whole(
        partial(
            sequence,
            (1, 6, 6),
            [
                (fm.IRevNetDownsampling, {}),
                (fm.AllInOneBlock, {"subnet_constructor": conv}),
                (fm.AllInOneBlock, {"subnet_constructor": conv}),
                (fm.Flatten, {}),
            ],
        ),
        Temperature,
        "LDJ101",
    ),
    "graph": whole(graph, UnloggedGain, "LDJ108"),
}

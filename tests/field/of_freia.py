"""Modules and networks of FrEIA."""

from __future__ import annotations

from typing import Any

import FrEIA.framework as ff  # the library's own abbreviation
import FrEIA.modules as fm
import torch
from torch import nn

from field.entry import Entry, entries

V, I = [(4,)], [(4, 4, 6)]  # noqa: E741  # vectors, images
C = [(3,)]


def mlp(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, outputs))


def conv(inputs: int, outputs: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def sequence(**options: Any) -> nn.Module:
    inn = ff.SequenceINN(4, **options)
    for _ in range(2):
        inn.append(fm.AllInOneBlock, subnet_constructor=mlp)
    return inn


def conditional_sequence() -> nn.Module:
    inn = ff.SequenceINN(4)
    inn.append(fm.GLOWCouplingBlock, cond=0, cond_shape=(3,), subnet_constructor=mlp)
    return inn


def graph() -> nn.Module:
    nodes = [ff.InputNode(4, name="input")]
    nodes.append(ff.Node(nodes[-1], fm.RNVPCouplingBlock, {"subnet_constructor": mlp}))
    nodes.append(ff.Node(nodes[-1], fm.PermuteRandom, {"seed": 1}))
    nodes.append(ff.OutputNode(nodes[-1], name="output"))
    return ff.GraphINN(nodes)


def graph_condition() -> nn.Module:
    nodes = [ff.InputNode(4, name="input")]
    condition = ff.ConditionNode(3, name="condition")
    coupling = {"subnet_constructor": mlp}
    nodes.append(
        ff.Node(nodes[-1], fm.GLOWCouplingBlock, coupling, conditions=condition)
    )
    nodes.append(ff.OutputNode(nodes[-1], name="output"))
    return ff.GraphINN([*nodes, condition])


def graph_image() -> nn.Module:
    nodes = [ff.InputNode(2, 4, 6, name="input")]
    nodes.append(ff.Node(nodes[-1], fm.IRevNetDownsampling, {}))
    nodes.append(ff.Node(nodes[-1], fm.RNVPCouplingBlock, {"subnet_constructor": conv}))
    nodes.append(ff.Node(nodes[-1], fm.Flatten, {}))
    nodes.append(ff.OutputNode(nodes[-1], name="output"))
    return ff.GraphINN(nodes)


LAYERS = entries(
    nice=lambda: fm.NICECouplingBlock(V, subnet_constructor=mlp),
    rnvp=lambda: fm.RNVPCouplingBlock(V, subnet_constructor=mlp),
    rnvp_condition=lambda: fm.RNVPCouplingBlock(V, C, subnet_constructor=mlp),
    rnvp_image=lambda: fm.RNVPCouplingBlock(I, subnet_constructor=conv),
    glow=lambda: fm.GLOWCouplingBlock(V, subnet_constructor=mlp),
    glow_tanh=lambda: fm.GLOWCouplingBlock(
        V, subnet_constructor=mlp, clamp_activation="TANH"
    ),
    glow_image=lambda: fm.GLOWCouplingBlock(I, subnet_constructor=conv),
    gin=lambda: fm.GINCouplingBlock(V, subnet_constructor=mlp),
    one_sided=lambda: fm.AffineCouplingOneSided(V, subnet_constructor=mlp),
    conditional_affine=lambda: fm.ConditionalAffineTransform(
        V, C, subnet_constructor=mlp
    ),
    all_in_one=lambda: fm.AllInOneBlock(V, subnet_constructor=mlp),
    all_in_one_condition=lambda: fm.AllInOneBlock(V, C, subnet_constructor=mlp),
    all_in_one_soft=lambda: fm.AllInOneBlock(
        V, subnet_constructor=mlp, permute_soft=True
    ),
    all_in_one_image=lambda: fm.AllInOneBlock(I, subnet_constructor=conv),
    all_in_one_gin=lambda: fm.AllInOneBlock(V, subnet_constructor=mlp, gin_block=True),
    all_in_one_householder=lambda: fm.AllInOneBlock(
        V, subnet_constructor=mlp, learned_householder_permutation=2
    ),
    actnorm=lambda: fm.ActNorm(V),
    actnorm_image=lambda: fm.ActNorm(I),
    orthogonal=lambda: fm.OrthogonalTransform(V),
    householder=lambda: fm.HouseholderPerm(V, n_reflections=3),
    fixed_linear=lambda: fm.FixedLinearTransform(
        V, M=torch.randn(4, 4), b=torch.randn(4)
    ),
    fixed_conv=lambda: fm.Fixed1x1Conv(I, M=torch.randn(4, 4)),
    permute=lambda: fm.PermuteRandom(V, seed=1),
    sigmoid=lambda: fm.InvertibleSigmoid(V),
    auto_act=lambda: fm.InvAutoAct(V),
    auto_act_two_sided=lambda: fm.InvAutoActTwoSided(V),
    scaling=Entry(
        lambda: fm.LearnedElementwiseScaling(V),
        known="LDJ302",
        why="the way back reports the log-det of forward",
    ),
    haar=Entry(
        lambda: fm.HaarDownsampling(I),
        known="LDJ206",
        why="the way back changes its input in place",
    ),
    haar_up=Entry(
        lambda: fm.HaarUpsampling(I),
        known="LDJ206",
        why="forward changes its input in place",
    ),
    irevnet=lambda: fm.IRevNetDownsampling(I),
    flatten=lambda: fm.Flatten(I),
    reshape=lambda: fm.Reshape(I, output_dims=(8, 2, 6)),
    sequence=sequence,
    sequence_tuples=lambda: sequence(force_tuple_output=True),
    sequence_condition=conditional_sequence,
    graph=graph,
    graph_condition=graph_condition,
    graph_image=graph_image,
    nice_split=lambda: fm.NICECouplingBlock(V, subnet_constructor=mlp, split_len=0.25),
    glow_sigmoid=lambda: fm.GLOWCouplingBlock(
        V, subnet_constructor=mlp, clamp_activation="SIGMOID", split_len=3
    ),
    rnvp_image_condition=lambda: fm.RNVPCouplingBlock(
        I, [(2, 4, 6)], subnet_constructor=conv
    ),
    all_in_one_image_condition=lambda: fm.AllInOneBlock(
        I, [(1, 4, 6)], subnet_constructor=conv
    ),
    all_in_one_reverse=lambda: fm.AllInOneBlock(
        V, subnet_constructor=mlp, reverse_permutation=True
    ),
    haar_rebalanced=lambda: fm.HaarDownsampling(
        [(2, 4, 6)], rebalance=0.5, order_by_wavelet=True
    ),
    split_channels=lambda: fm.Split(I, n_sections=2, dim=0),
    auto_linear=Entry(
        lambda: fm.InvAutoFC(V),
        known="LDJ119",
        why="has no log-det, and reports 0 with a warning",
    ),
)

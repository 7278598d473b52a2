"""Whole flows of zuko."""

from __future__ import annotations

from functools import partial

import torch
from zuko import flows as zf
from zuko.lazy import UnconditionalTransform

from . import of_torch_api as wrong
from .subject import Whole

SMALL = {"hidden_features": [32, 32]}
USUAL = {"hidden_features": [64, 64]}


def flow(kind, dims, *between, **options):
    made = kind(dims, **options)
    for layer in between:
        made.transform.transforms.insert(1, layer)
    return made


def whole(kind, dims, mistake, code, scales=None, **options):
    """Return a flow; its twin has a layer of `scales` scales, one a dim if not said."""

    def layer():
        drawn = [0.5 + 0.3 * torch.randn(dims)] if scales is None else scales()
        return UnconditionalTransform(mistake, *drawn)

    return Whole(partial(flow, kind, dims, **options), layer, mistake, code)


def one():
    return [0.5 + 0.3 * torch.randn(())]


FLOWS = {
    "nsf": whole(zf.NSF, 6, wrong.MeanGain, "LDJ105", transforms=3, **USUAL),
    "nsf_context": whole(
        zf.NSF, 5, wrong.NegativeGain, "LDJ104", context=4, transforms=2, **USUAL
    ),
    "maf": whole(zf.MAF, 6, wrong.Squash, "LDJ112", list, transforms=3, **USUAL),
    "realnvp": whole(zf.RealNVP, 8, wrong.TwiceGain, "LDJ114", transforms=4, **SMALL),
    "nice": whole(zf.NICE, 8, wrong.Temperature, "LDJ101", one, transforms=4, **SMALL),
    "gf": whole(zf.GF, 5, wrong.ForgottenStep, "LDJ110", transforms=3, components=8),
    "sospf": whole(
        zf.SOSPF, 4, wrong.UnloggedGain, "LDJ108", transforms=2, degree=3, **SMALL
    ),
    "bpf": whole(zf.BPF, 4, wrong.BitsGain, "LDJ107", transforms=2, degree=8, **SMALL),
}

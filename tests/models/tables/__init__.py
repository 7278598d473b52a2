"""The register of whole models: each file has its twins, and its independent check."""

from __future__ import annotations

from importlib import import_module

from ..whole import Whole

KINDS = (
    "realnvp",
    "spline_coupling",
    "maf",
    "residual",
    "cnf",
    "tarflow",
    "vae_flow",
    "variational_dequantization",
    "policy",
    "particles",
    "learned_bases",
    "preprocessing",
    "lit_flow",
    "sampler",
    "class_glow",
)
WHOLES: tuple[Whole, ...] = tuple(
    whole for kind in KINDS for whole in import_module(f".{kind}", __name__).WHOLES
)

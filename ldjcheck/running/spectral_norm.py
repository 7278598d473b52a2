"""Weights that are normalised by what earlier calls in training found out about them.

Spectral normalisation divides a weight by its largest singular value, which a few steps of
a power iteration keep up with, one step a call in training. A weight that was moved in one
leap has left them behind: divided by an old estimate it may stretch what it was built to
shrink, and a way back that iterates a contraction leads nowhere. No training ends there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.spectral_norm import SpectralNorm

from ldjcheck.errors import LAYERS_OWN
from ldjcheck.holdings import reachable

_STEPS = 50  # of a power iteration that has never seen the weight


def keep_up(layer: Any) -> None:
    """Bring what a layer remembers of its weights up to where they are now.

    A parametrization that holds buffers is asked for its weight as in training, and the
    older form, a hook before each call, is run as it runs there. What raises here raises
    in a call too, and is told of that.
    """
    modules = [item for item in reachable(layer) if isinstance(item, nn.Module)]
    normalised = list(_normalised(modules))
    with torch.no_grad(), contextlib.suppress(*LAYERS_OWN):
        for owner, name, kept in normalised:
            with _training(kept):
                for _ in range(_STEPS):
                    getattr(owner, name)
        for module in modules:
            for hook in module._forward_pre_hooks.values():
                if isinstance(hook, SpectralNorm):
                    for _ in range(_STEPS):
                        hook.compute_weight(module, do_power_iteration=True)


@contextlib.contextmanager
def _training(parts: list[nn.Module]) -> Iterator[None]:
    """Have modules in training, and as they were thereafter."""
    modes = [(part, part.training) for part in parts]
    try:
        for part in parts:
            part.training = True
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def _normalised(
    modules: list[nn.Module],
) -> Iterator[tuple[nn.Module, str, list[nn.Module]]]:
    """Yield modules, names of their weights, and the parts of what these are made by."""
    for module in modules:
        if parametrize.is_parametrized(module):
            # its type says so, and a check for None would need the attribute's own type
            for name, chain in module.parametrizations.items():  # type: ignore[union-attr, operator]
                if any(True for _ in chain.buffers()):
                    yield module, name, list(chain.modules())

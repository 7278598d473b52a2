"""What a layer holds that follows its calls: sizes of its events, norms of its weights.

Spectral normalisation divides a weight by its largest singular value, which a few steps of
a power iteration keep up with, one step a call in training. A weight that was moved in one
leap has left them behind: divided by an old estimate it may stretch what it was built to
shrink, and a way back that iterates a contraction leads nowhere. No training ends there.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.spectral_norm import SpectralNorm

from ldjcheck.errors import LAYERS_OWN
from ldjcheck.object_graph import reachable
from ldjcheck.records import Shape


@dataclass(frozen=True, slots=True)
class Counted:
    """A whole number that the layer holds: in which object, and under which name."""

    owner: int  # among all that the layer holds, nearest first
    name: str  # of an attribute, its own or its class's, or the key of a dict
    index: int | None  # of an entry, where it is a tuple that has the name
    value: int


class Axes(NamedTuple):
    """Which axes of an event a number counts the entries of, from `start` to before `stop`.

    Of particles whose centre of mass stays, one `fewer` along the first.
    """

    start: int
    stop: int
    fewer: int = 0

    def count(self, shape: Shape) -> int:
        """Return how many entries these are."""
        sizes = shape[self.start : self.stop]
        return prod(sizes) - self.fewer * prod(sizes[1:])


def hold(layer: Any, values: Mapping[Counted, int]) -> None:
    """Set numbers of a copy; whatever its own setting of attributes raises is raised."""
    held = list(reachable(layer))
    for number, value in values.items():
        owner = held[number.owner]
        name = number.name
        old = owner[name] if issubclass(type(owner), dict) else getattr(owner, name)
        at = number.index
        new = _like(old, value) if at is None else _with_entry(old, at, value)
        if issubclass(type(owner), dict):
            owner[name] = new
            continue
        try:
            setattr(owner, name, new)
        except AttributeError:  # it is frozen, as what is configured often is
            object.__setattr__(owner, name, new)


def _with_entry(old: Any, index: int, value: int) -> Any:
    """Return a tuple or list of the same kind with another entry."""
    parts = list(old)
    parts[index] = _like(parts[index], value)
    made = getattr(type(old), "_make", type(old))  # of a named tuple
    return made(parts)


def _like(old: Any, value: int) -> Any:
    """Return a number as the old one was: a whole one, one with a point, or a tensor."""
    if isinstance(old, Tensor):
        return torch.full_like(old, value)
    return type(old)(value)


def sizes_at(sized: Mapping[Counted, Axes], shape: Shape) -> dict[Counted, int]:
    """Return what numbers are at events of a shape."""
    return {number: axes.count(shape) for number, axes in sized.items()}


# --- norms of weights -----------------------------------------------------------------

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

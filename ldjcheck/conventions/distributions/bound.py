"""A bound of log p(x) that draws, an ELBO: with what it draws it is a density of both.

An encoder's noise u is drawn in the call, and one call returns log p(x, z) - log q(z | x).
That plus log p(u) is the log-density of x and u together, under their map to what the base
and the decoder are asked about (Kingma and Welling, 2014; Huang et al., 2020).
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ldjcheck.calling.parameter_names import Unit
from ldjcheck.calling.signature import signature_of
from ldjcheck.conventions.distributions.model import (
    CONVENTION,
    asks,
    densities,
    densities_of_call,
    in_nats,
    is_routine,
    less_base,
    of_each,
    said_by,
)
from ldjcheck.densities.written import Memory
from ldjcheck.errors import NoBaseError
from ldjcheck.object_graph import owner_of
from ldjcheck.records import CallFunction, Calls, Context, Kwargs, Returned, Shape, Way
from ldjcheck.torch_ops import RANDOM
from ldjcheck.tracing import Args, Named, Operation, Operations

_HALF_LOG_2PI = math.log(2 * math.pi) / 2
_ANOTHER_LAW = "what it draws is not normal, or not of each sample"


def as_density_with_draws(
    layer: Any, asked: Calls, shape: Shape, noise: Context | None = None
) -> Iterator[Calls]:
    """Yield the calls of the density that was asked with what it draws as an input too.

    Or with `noise` as one that it is given, and draws nothing.

    That is `(batch, dims + drawn)`: events of `shape`, flat, and standard normal numbers.
    Their log-density is counted, or its mean: minus the entropy, where that is written.
    """
    drawn = None if noise is None else noise.name
    for name, unit, method in [*densities(layer)] or densities_of_call(layer):
        signature = signature_of(method)
        is_asked = asked.signature == asks(name, unit)
        if signature is None or not signature.names or not is_asked:
            continue
        for counted in ("density", "entropy"):
            made = partial(_call, name, unit, shape, noise, counted == "entropy")
            said = f"{name}(x), with the {counted} of what it draws"
            yield Calls(
                convention=CONVENTION.name,
                signature=f"m.{said}",
                forward=Way(call=made(), afresh=made),
                inverse=None,
                context_names=tuple(n for n in signature.contexts(None) if n != drawn),
                inferred=CONVENTION.says(said),
            )


def _call(
    name: str, unit: Unit, shape: Shape, noise: Context | None, on_average: bool
) -> CallFunction:
    memory, dims = Memory(), math.prod(shape)

    def call(layer: Any, u: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        method = layer if is_routine(layer) else getattr(layer, name)
        events: list[Tensor] = []

        def ask() -> Tensor:
            x, drawn = u[:, :dims].reshape(len(u), *shape), u[:, dims:]
            events.append(x)
            fed = dict(kwargs)
            if noise is not None:
                fed[noise.name] = drawn.reshape(len(u), *noise.shape)
            with _Given(drawn):
                said = of_each(lambda: said_by(method, x, fed, unit), len(x))
            bound: Tensor = in_nats(said.reshape(len(x)), x, unit)
            return bound

        returned = less_base(owner_of(layer), ask, u, "nats", memory, events=events)
        drawn = u[:, dims:]
        square = torch.ones_like(drawn) if on_average else drawn**2
        of_draw = -(square / 2 + _HALF_LOG_2PI).sum(1)
        return replace(returned, ldj=returned.ldj + of_draw)

    return call


class _Given(Operations):
    """Hands out numbers that are given, `(batch, drawn)`, where normal ones are drawn."""

    def __init__(self, numbers: Tensor) -> None:
        super().__init__()
        self._numbers, self._taken = numbers, 0

    def operate(self, name: str, func: Operation, args: Args, named: Named) -> Any:
        """Return what is drawn, made of the numbers that are next."""
        if name not in RANDOM:
            return func(*args, **named)
        with torch._C.DisableTorchFunction():  # for its shape alone
            drawn = func(*args, **named)
        if name not in ("randn", "randn_like", "normal", "normal_"):
            raise NoBaseError(_ANOTHER_LAW)
        first = self._taken
        self._taken += drawn[0].numel()
        if len(drawn) != len(self._numbers) or self._taken > self._numbers.shape[1]:
            raise NoBaseError(_ANOTHER_LAW)
        value = self._numbers[:, first : self._taken].reshape(drawn.shape)
        if name.startswith("randn"):
            return value
        in_place = name.endswith("_")
        given = dict(zip(("mean", "std"), args[in_place:], strict=False)) | named
        mean, std = given.get("mean", 0.0), given.get("std", 1.0)
        scaled = mean + std * value
        return args[0].copy_(scaled) if in_place else scaled

"""Samplers that return what they draw and how probable it is: `f(n) -> z, log q(z)`.

An encoder that goes on from a draw of its own is one as well: `f(x) -> z, log q(z | x)`.

The map is that of the noise to the sample, and log q(z) is the log-density of the noise less
the ldj. How probable the noise is follows from how it is drawn, whatever the layer says.
"""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from ldjcheck.calling.convention import Convention
from ldjcheck.calling.parameter_names import (
    SAMPLERS,
    is_count,
    is_density,
    is_size,
    unit_of,
)
from ldjcheck.calling.results import (
    asks_base,
    made_of_densities,
    returned_alone,
    returned_expressions,
    returned_names,
)
from ldjcheck.calling.signature import call_signature, caller, signature_of, total_name
from ldjcheck.calling.ways import run
from ldjcheck.densities.drawn import Draw, Draws
from ldjcheck.holdings import looked_up
from ldjcheck.records import Calls, Returned, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor

    from ldjcheck.calling.signature import Signature


@dataclass(frozen=True, slots=True)
class _Asked:
    """How a sampler is asked: by a method or the call itself, for a count or a shape."""

    method: str | None
    counts: bool
    in_shape: bool
    place: int  # of the density in what comes back
    places: tuple[int, ...]  # of what may be the sample, the most likely first


def _recognise(layer: Any) -> Iterator[Calls]:
    for method, signature in _calls(layer):
        if not signature.names or total_name(signature) is not None:
            continue
        found = _places(signature.function, layer)
        if found is None:
            continue
        first = signature.input or ""
        counts = is_count(first, signature.defaults.get(first))
        asked = _Asked(method, counts, counts and is_size(first), *found)
        shown = "m" if method is None else f"m.{method}"
        given = first if counts else "x"
        yield Calls(
            convention=CONVENTION.name,
            signature=f"{shown}({given}) -> z, log q(z)",
            forward=Way(call=partial(_call, asked)),
            inverse=None,
            of_noise=True,
            context_names=signature.contexts(),
            extra_names=signature.extras(),
            inferred=(
                (
                    "convention",
                    f"{CONVENTION.name}: it returns a draw z and log q(z); log p of the "
                    "noise less that is the ldj of noise to z",
                ),
            ),
        )


def samplers(layer: Any) -> Iterator[str]:
    """Yield the methods of a layer, or of a class, that return samples with their density."""
    for name in SAMPLERS:
        method = looked_up(layer, name)
        if inspect.isroutine(method) and _places(method, layer) is not None:
            yield name


def _calls(layer: Any) -> Iterator[tuple[str | None, Signature]]:
    """Yield what may be called to draw: the call itself, or methods where there is none."""
    own = call_signature(layer)
    if own is not None and getattr(own.function, "__name__", "") not in _NO_CALL:
        yield None, own
        return
    for name in SAMPLERS:
        method = looked_up(layer, name)
        signature = signature_of(method) if callable(method) else None
        if signature is not None:
            yield name, signature


_NO_CALL = ("_forward_unimplemented",)
_OF_Q = re.compile(r"^(sum_|total_)?log_?q", re.IGNORECASE)
_SAMPLE = re.compile(r"^(z|x|y|sample|latent|theta)(s?$|_?[0-9kts]+$)", re.IGNORECASE)


def _places(function: Any, layer: Any) -> tuple[int, tuple[int, ...]] | None:
    """Return which of the things that come back is a density, and which the sample.

    By their names: beside the sample may stand what it was decoded to, or moments. None
    where it is not one density that is returned.
    """
    function = _called_through(function, layer)
    names, parts = returned_names(function), returned_expressions(function)
    made = made_of_densities(function)
    named = enumerate(zip(names, parts, strict=True))
    found = [i for i, (name, part) in named if _is_density(name, part, made)]
    if len(found) != 1:
        return None
    rest = [i for i in range(len(parts)) if i not in found]
    samples = [i for i in rest if _SAMPLE.match(names[i])]
    return found[0], (*reversed(samples), *(i for i in rest if i not in samples))


def _is_density(name: str, part: ast.expr, made: set[str]) -> bool:
    if isinstance(part, ast.UnaryOp):
        return False  # -log q is an ldj of learned noise
    if is_density(name) or bool(_OF_Q.match(name)) or unit_of(name) == "nats":
        return True
    while isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add | ast.Sub):
        part = part.left  # a sum that starts from a density: log_q0 - ldj
    if isinstance(part, ast.Name):
        return part.id in made or is_density(part.id) or bool(_OF_Q.match(part.id))
    return any(map(asks_base, ast.walk(part)))


def _called_through(function: Callable[..., Any], layer: Any) -> Callable[..., Any]:
    """Return the method whose answer a call hands on, as in `return self.sample(n)`."""
    returned = returned_alone(function)
    if len(returned) == 1 and isinstance(returned[0], ast.Call):
        inner = returned[0].func
        owner = getattr(layer, "__self__", layer)
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
            method = looked_up(owner, inner.attr)
            return method if callable(method) else function
    return function


def _call(
    asked: _Asked,
    layer: Any,
    x: Tensor,
    start: Tensor | None,
    kwargs: Mapping[str, Any],
) -> Returned:
    function = caller(layer) if asked.method is None else getattr(layer, asked.method)
    with Draws() as draws:
        if asked.counts:
            count: Any = (len(x),) if asked.in_shape else len(x)
            results = function(count, **kwargs)
        else:
            results = run(function, x, kwargs)
    drawn = [d for d in draws.heard if d.value.shape[:1] == x.shape[:1]]
    for place in asked.places:
        z = results[place]
        noise = [d for d in drawn if _are_as_many(d.value, z)]
        if noise:
            return _less(noise[0], z, results[asked.place], x if asked.counts else None)
    raise TypeError("nothing is drawn that could be the noise of what is returned")


def _are_as_many(noise: Tensor, z: Any) -> bool:
    return isinstance(z, torch.Tensor) and (
        (len(noise), noise.numel()) == (len(z) if z.dim() else 0, z.numel())
    )


def _less(noise: Draw, z: Tensor, density: Tensor, wanted: Tensor | None) -> Returned:
    """Return a sample with the ldj of the noise to it; of the shape that was `wanted`."""
    if wanted is not None and z.shape != wanted.shape:
        raise TypeError(f"what is drawn has shape {tuple(z.shape)}")
    with torch._C.DisableTorchFunction():  # how probable the noise is says no layer
        base = noise.log_density.flatten(1).sum(1)
    return Returned(y=z, ldj=base - density, taken=base)


CONVENTION = Convention(
    name="sampler",
    summary="f(n) -> z, log q(z), and f(x) -> z, log q(z | x): against log p(noise) - ldj",
    recognise=_recognise,
)

"""Samplers that return what they draw and how probable it is: `f(n) -> z, log q(z)`.

An encoder that goes on from a draw of its own is one as well: `f(x) -> z, log q(z | x)`.

The map is that of the noise to the sample, and log q(z) is the log-density of the noise less
the ldj. How probable the noise is follows from how it is drawn, whatever the layer says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from ldjcheck.calling.convention import Convention
from ldjcheck.calling.parameter_names import SAMPLERS, is_count, is_size
from ldjcheck.calling.samples import Places, places_of_sample
from ldjcheck.calling.signature import call_signature, caller, signature_of, total_name
from ldjcheck.calling.ways import run
from ldjcheck.densities.drawn import Draw, Draws
from ldjcheck.holdings import looked_up
from ldjcheck.records import Calls, Returned, Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from ldjcheck.calling.signature import Signature

_NO_CALL = "_forward_unimplemented"


@dataclass(frozen=True, slots=True)
class _Asked:
    """How a sampler is asked: by a method or the call itself, for a count or a shape."""

    method: str | None
    counts: bool
    in_shape: bool
    places: Places


def _recognise(layer: Any) -> Iterator[Calls]:
    for method, signature in _calls(layer):
        if not signature.names or total_name(signature) is not None:
            continue
        first = signature.input or ""
        counts = is_count(first, signature.defaults.get(first))
        places = places_of_sample(signature.function, layer, counts=counts)
        if places is None:
            continue
        asked = _Asked(method, counts, counts and is_size(first), places)
        shown = "m" if method is None else f"m.{method}"
        returned = "log q(z)" if places.is_density else "ldj"
        yield Calls(
            convention=CONVENTION.name,
            signature=f"{shown}({first if counts else 'x'}) -> z, {returned}",
            forward=Way(call=partial(_call, asked)),
            inverse=None,
            of_noise=True,
            context_names=signature.contexts(),
            extra_names=signature.extras(),
            inferred=(
                (
                    "convention",
                    f"{CONVENTION.name}: it returns a draw z and log q(z); log p of the "
                    "noise less that is the ldj of noise to z"
                    if places.is_density
                    else f"{CONVENTION.name}: it returns a draw and the ldj of noise to it",
                ),
            ),
        )


def _calls(layer: Any) -> Iterator[tuple[str | None, Signature]]:
    """Yield what may be called to draw: the call itself, or methods where there is none."""
    own = call_signature(layer)
    if own is not None and getattr(own.function, "__name__", "") != _NO_CALL:
        yield None, own
        return
    for name in SAMPLERS:
        method = looked_up(layer, name)
        signature = signature_of(method) if callable(method) else None
        if signature is not None:
            yield name, signature


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
    number, samples, is_density = asked.places
    drawn = [d for d in draws.heard if d.value.shape[:1] == x.shape[:1]]
    for place in samples:
        z = results[place]
        noise = [d for d in drawn if _are_as_many(d.value, z)]
        if noise and asked.counts and z.shape != x.shape:
            raise TypeError(f"what is drawn has shape {tuple(z.shape)}")
        if noise and not is_density:
            return Returned(y=z, ldj=results[number])
        if noise:
            return _less(noise[0], z, results[number])
    raise TypeError("nothing is drawn that could be the noise of what is returned")


def _are_as_many(noise: Tensor, z: Any) -> bool:
    return isinstance(z, torch.Tensor) and (
        (len(noise), noise.numel()) == (len(z) if z.dim() else 0, z.numel())
    )


def _less(noise: Draw, z: Tensor, density: Tensor) -> Returned:
    """Return a sample with the ldj of the noise to it."""
    with torch._C.DisableTorchFunction():  # how probable the noise is says no layer
        base = noise.log_density.flatten(1).sum(1)
    return Returned(y=z, ldj=base - density, taken=base)


CONVENTION = Convention(
    name="sampler",
    summary="f(n) -> z, log q(z) or f(x) -> z, log q(z): against log p(noise) - ldj",
    recognise=_recognise,
)

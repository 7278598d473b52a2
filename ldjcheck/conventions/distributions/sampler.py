"""Samplers that return what they draw and how probable it is: `f(n) -> z, log q(z)`.

An encoder that goes on from a draw of its own is one as well: `f(x) -> z, log q(z | x)`.

The map is that of the noise to the sample, and log q(z) is the log-density of the noise less
the ldj. How probable the noise is follows from how it is drawn, whatever the layer says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ldjcheck.calling.convention import Convention, run
from ldjcheck.calling.parameter_names import (
    NO_CALL,
    SAMPLERS,
    asks_for_density,
    is_count,
    is_size,
)
from ldjcheck.calling.signature import (
    Signature,
    call_signature,
    caller,
    parameters_of,
    signature_of,
    total_name,
)
from ldjcheck.calling.stated_returns import Key, Places, item_of, places_of_sample
from ldjcheck.densities.drawn_and_dropped import Draw, Draws
from ldjcheck.errors import NoBaseError, NoOneNoiseError
from ldjcheck.object_graph import looked_up
from ldjcheck.records import Calls, Domain, Returned, Way

_ANY = Domain(kind="real")  # it is not looked at
_PAIR = 2


@dataclass(frozen=True, slots=True)
class _Asked:
    """How a sampler is asked: by a method or the call itself, for a count or a shape."""

    method: str | None
    counts: bool
    in_shape: bool
    as_tried: bool  # the sample has the shape that is tried
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
        # What is drawn tells a shape of its own, whatever shape is tried.
        for as_tried in (True, False) if counts else (False,):
            asked = _Asked(method, counts, is_size(first), as_tried, places)
            yield _drawing(asked, signature)


def as_sampler(layer: Any, place: int) -> Iterator[Calls]:
    """Yield the call whose result at this place is log q of its draw, whatever the name."""
    signature = call_signature(layer)
    if signature is not None and signature.names:
        places = Places(place, tuple(i for i in range(_PAIR) if i != place), 1)
        yield _drawing(_Asked(None, False, False, False, places), signature)


def _drawing(asked: _Asked, signature: Signature) -> Calls:
    shown = "m" if asked.method is None else f"m.{asked.method}"
    returned = {1: "log q(z)", -1: "-log q(z)", 0: "ldj"}[asked.places.times]
    taken = signature.input or "" if asked.counts else "x"
    return Calls(
        convention=CONVENTION.name,
        signature=f"{shown}({taken}) -> z, {returned}",
        forward=Way(call=partial(_call, asked), domain=_ANY if asked.counts else None),
        inverse=None,
        of_noise=True,
        column=True,
        context_names=signature.contexts(),
        extra_names=signature.extras(),
        inferred=_conclusions(asked.places.times),
    )


def _conclusions(times: int) -> tuple[tuple[str, str], ...]:
    """Return what is concluded, and what the numbers are that a report shows."""
    if not times:
        return CONVENTION.says("it returns a draw z and the ldj of noise to z")
    numbers = "reported is log p(noise) - log q(z), exact the ldj of noise to z"
    concluded = CONVENTION.says("it returns a draw z and log q(z)")
    return (*concluded, ("numbers", numbers))


def _calls(layer: Any) -> Iterator[tuple[str | None, Signature]]:
    """Yield what may be called to draw: the call itself, or methods where there is none."""
    own = call_signature(layer)
    if own is not None and getattr(own.function, "__name__", "") != NO_CALL:
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
    function = caller(layer, asked.method)
    with Draws() as draws:
        if asked.counts:
            count: Any = (len(x),) if asked.in_shape else len(x)
            results = function(count, **{**_asks(function), **kwargs})
        else:
            results = run(function, x, {**_asks(function), **kwargs})
    number, samples, times = asked.places
    z, noise = _sample_of(results, samples, draws.heard)
    if asked.as_tried and z.shape != x.shape:
        raise TypeError(f"what is drawn has shape {tuple(z.shape)}")
    said = item_of(results, number)
    if not isinstance(said, torch.Tensor) or not said.is_floating_point():
        raise NoBaseError("what comes back beside the sample is no density: a label")
    if not times:
        return Returned(y=z, ldj=said)
    density = times * said
    with torch._C.DisableTorchFunction():  # how probable the noise is says no layer
        base = noise.flatten(1).sum(1)
        of_form = base.reshape(density.shape) if density.numel() == len(base) else base
    return Returned(y=z, ldj=of_form - density, taken=base)


def _asks(function: Any) -> dict[str, bool]:
    """Return the flags, off unless they are given, that ask for the density, all on."""
    signature = parameters_of(getattr(function, "forward", function))
    if signature is None:
        return {}
    off = (n for n in signature.besides if signature.defaults.get(n) is False)
    return {name: True for name in off if asks_for_density(name)}


def _sample_of(
    results: Any, places: tuple[Key, ...], heard: list[Draw]
) -> tuple[Tensor, Tensor]:
    """Return the sample, and the log-density of the noise that it is made of, by entry.

    Raises:
        NoBaseError: nothing is drawn that may be it.
        NoOneNoiseError: more is drawn, or it is not known from which density.
    """
    try:
        found = [item_of(results, place) for place in places]
    except (TypeError, KeyError, AttributeError, IndexError):
        raise NoBaseError("what is returned is not what the source says") from None
    for z in found:
        for noise in heard:
            if _are_as_many(noise.value, z):
                if noise.log_density is None:
                    raise NoOneNoiseError("It draws from a density that I do not know.")
                if len(heard) > 1:
                    raise NoOneNoiseError(f"It draws {len(heard)} times in one call.")
                return z, noise.log_density
    raise NoBaseError("nothing is drawn that could be the noise of what is returned")


def _are_as_many(noise: Tensor, z: Any) -> bool:
    return (
        isinstance(z, torch.Tensor)
        and bool(noise.dim() and z.dim())
        and ((len(noise), noise.numel()) == (len(z), z.numel()))
    )


CONVENTION = Convention(
    name="sampler",
    summary="f(n) -> z, log q(z) or f(x) -> z, log q(z): against log p(noise) - ldj",
    recognise=_recognise,
)

"""Samplers that return what they draw and how probable it is: `f(n) -> z, log q(z)`.

An encoder that goes on from a draw of its own is one as well: `f(x) -> z, log q(z | x)`.

The map is that of the noise to the sample, and log q(z) is the log-density of the noise less
the ldj. How probable the noise is follows from how it is drawn, whatever the layer says.
"""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ldjcheck.calling.convention import Convention, run
from ldjcheck.calling.parameter_names import (
    NO_CALL,
    SAMPLERS,
    Unit,
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
from ldjcheck.conventions.distributions.model import in_nats
from ldjcheck.densities.answers import before_the_mean
from ldjcheck.densities.drawn_and_dropped import Draw, Draws
from ldjcheck.densities.terms import Heard
from ldjcheck.errors import NoBaseError, NoOneNoiseError
from ldjcheck.object_graph import looked_up
from ldjcheck.records import CallFunction, Calls, Domain, Returned, Way
from ldjcheck.tape import ancestors, dependents, in_order
from ldjcheck.torch_ops import RANDOM

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


def told_afterwards(
    calls: Calls,
    name: str,
    unit: Unit,
    given: Mapping[str, str],
    *,
    back: int = 0,
    of_itself: bool = False,
) -> Calls:
    """Return the call of a sampler with what a density says of its draw as the number.

    The density is a method of this name. `given` says what its parameters are: the "draw",
    or the "input" of the sampler. The draw may be what it was so many steps `back`, such as
    before a last tanh; then it may be asked how probable that is `of_itself`.
    """
    assert calls.forward is not None
    call = partial(
        _told_afterwards, calls.forward.call, name, unit, given, (back, of_itself)
    )
    return replace(
        calls,
        signature=f"m.{name}({', '.join(given)}) -> log q(z)",
        forward=replace(calls.forward, call=call),
    )


def _told_afterwards(
    draw: CallFunction,
    name: str,
    unit: Unit,
    given: Mapping[str, str],
    earlier: tuple[int, bool],
    layer: Any,
    x: Tensor,
    start: Tensor | None,
    kwargs: Mapping[str, Any],
) -> Returned:
    method = getattr(layer, name)
    signature = signature_of(method)
    known = {n: v for n, v in kwargs.items() if signature and n in signature.names}
    tape, (back, of_itself) = Heard(), earlier
    with tape if back or unit != "nats" else nullcontext():
        returned = draw(layer, x, start, kwargs)
        z = returned.y
        if back:
            z = _before(tape, z, back)
        known |= {n: z if what == "draw" else x for n, what in given.items()}
        said = method(**known)
        if said.numel() == 1 < len(z) and unit != "nats":  # a loss is a mean
            apart = before_the_mean(tape, said, len(z))
            said = said if apart is None else apart
    y = z if of_itself else returned.y
    return replace(returned, y=y, ldj=_less(in_nats(said, z, unit), returned.taken))


def _before(tape: Heard, z: Tensor, back: int) -> Tensor:
    """Return what a draw was so many operations earlier, of the same shape."""
    end, live = tape.find(z), tape.living()
    made = [] if end is None else in_order(ancestors(end))
    drawn = {n for each in made if each.name in RANDOM for n in dependents(made, each)}
    path = [
        n
        for n in made
        if n in drawn and n in live and n.value.shape == z.shape
        if n.name not in RANDOM  # how probable the noise is says nothing of the map
    ]
    if len(path) <= back:
        raise NoBaseError("nothing was drawn so long before")
    return live[path[-1 - back]]


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
    """Yield what may be called to draw: the call itself, or methods where there is none.

    A call that takes a count is no map of anything: what draws beside it may be one.
    """
    own = call_signature(layer)
    if own is not None and getattr(own.function, "__name__", "") != NO_CALL:
        yield None, own
        first = own.input or ""
        if not is_count(first, own.defaults.get(first)):
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
    return Returned(y=z, ldj=_less(density, base), taken=base)


def _less(density: Tensor, base: Any) -> Tensor:
    """Return what is known of the noise less what is said of the sample, in that form."""
    with torch._C.DisableTorchFunction():
        of_form = base.reshape(density.shape) if density.numel() == len(base) else base
    less: Tensor = of_form - density
    return less


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
    raise NoBaseError(
        "nothing is drawn that could be the noise of what is returned",
        is_foreign=not heard,
    )


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

"""Calling conventions: how a layer is called and hands back its ldj.

Adding one is one file with a `CONVENTION`, and its line in `CONVENTIONS`. The order is the
order of trying: the most particular first.
"""

from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from torch.distributions import constraints

from ldjcheck.calling.convention import Convention
from ldjcheck.calling.described import adapted_calls, describe_calls, parse_description
from ldjcheck.calling.signature import not_taken, untaken
from ldjcheck.conventions import (
    accumulator,
    and_log_det,
    by_key,
    freia,
    in_one,
    log_det_method,
    mode,
    pair,
    rearrangement,
    sequence,
    several_tensors,
    stored_log_det,
    two_methods,
    volume_preserving,
)
from ldjcheck.conventions.distributions import density, model, sampler
from ldjcheck.conventions.distributions.model import densities, densities_of_call
from ldjcheck.conventions.transforms import (
    conditional_transform,
    lazy_transform,
    transform,
)
from ldjcheck.conventions.transforms.transform import declared_domain
from ldjcheck.object_graph import looked_up
from ldjcheck.records import Calls, Way

CONVENTIONS: tuple[Convention, ...] = (
    transform.CONVENTION,
    lazy_transform.CONVENTION,
    conditional_transform.CONVENTION,
    freia.CONVENTION,
    in_one.CONVENTION,
    by_key.CONVENTION,
    sequence.CONVENTION,
    several_tensors.CONVENTION,
    and_log_det.CONVENTION,
    mode.CONVENTION,
    accumulator.CONVENTION,
    density.CONVENTION,
    sampler.CONVENTION,
    pair.CONVENTION,
    two_methods.CONVENTION,
    log_det_method.CONVENTION,
    stored_log_det.CONVENTION,
    rearrangement.CONVENTION,
    volume_preserving.CONVENTION,
    model.CONVENTION,
)

__all__ = [
    "CONVENTIONS", "Convention", "adapted_calls", "convention_called",
    "declared_domain", "densities", "densities_of_call", "not_taken", "parse_description",
    "recognise_conventions", "untaken",
]  # fmt: skip


def convention_called(text: str) -> str:
    """Return the name or description of a convention as it was typed.

    Raises:
        ValueError: there is none of this name, or the description cannot be read.
    """
    if "->" in text:
        parse_description(text)
        return text
    if "(" in text:
        raise ValueError("'->' is missing, as in 'f(x) -> y, ldj'")
    names = ["auto", *(convention.name for convention in CONVENTIONS)]
    if text not in names:
        near = get_close_matches(text, names, n=1)
        known = f"known are {', '.join(names)}"
        raise ValueError(f"did you mean {near[0]}?" if near else known)
    return text


def recognise_conventions(layer: Any, wanted: str = "auto") -> tuple[Calls, ...]:
    """Return how the layer may be called, the most likely way first.

    `wanted` is `auto`, the name of one convention, or a description with `->` in it; only
    a trial run decides.

    Raises:
        KeyError: `wanted` names no convention.
        ValueError: `wanted` is a description that cannot be read.
    """
    if "->" in wanted:
        return describe_calls(wanted)
    names = {convention.name for convention in CONVENTIONS}
    if wanted != "auto" and wanted not in names:
        raise KeyError(wanted)
    if wanted == "auto":  # a density is asked for where it is named, or nothing else is
        is_named = model.is_routine(layer) and any(densities(layer))
        asked = [c for c in CONVENTIONS if (c is model.CONVENTION) == is_named]
    else:
        asked = [c for c in CONVENTIONS if c.name == wanted]
    found = (calls for convention in asked for calls in convention.recognise(layer))
    return tuple(_where_declared(layer, calls) for calls in found)


def _where_declared(layer: Any, calls: Calls) -> Calls:
    """Return the way of calling with the domains that a layer of any kind may declare.

    They are constraints of torch, under the names that its own transforms have for them.
    One that bounds nothing is what a base class says of all that come from it.
    """
    return replace(
        calls,
        forward=_of_domain(calls.forward, _constraint(layer, "domain")),
        inverse=_of_domain(calls.inverse, _constraint(layer, "codomain")),
    )


def _of_domain(way: Way | None, declared: constraints.Constraint | None) -> Way | None:
    if way is None or way.domain is not None:
        return way
    return replace(way, domain=declared_domain(declared))


def _constraint(layer: Any, side: str) -> constraints.Constraint | None:
    stated = looked_up(layer, side)
    says_something = isinstance(stated, constraints.Constraint)
    return stated if says_something and stated is not constraints.real else None

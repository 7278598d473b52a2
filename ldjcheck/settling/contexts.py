"""Further tensors beside the input: asked for where they are needed, or may be given."""

import contextlib
import itertools
import math
from dataclasses import replace

import torch

from ldjcheck.calling.domains import GUESSES, TAMEST, describe
from ldjcheck.calling.parameter_names import is_about_context
from ldjcheck.calling.signature import call_signature
from ldjcheck.errors import CannotCheckError
from ldjcheck.records import Calls, Context, Layer, Options
from ldjcheck.running.bench import Bench
from ldjcheck.settling.attempts import Lessons
from ldjcheck.settling.domains import listens_to_context, parts_contexts
from ldjcheck.settling.guesses.contexts import guess_contexts
from ldjcheck.settling.guesses.shapes import Guesses
from ldjcheck.settling.settle import Settled, is_finite, settle

_CONTEXTS = 6  # sizes that are tried for a context that may be left out
_OTHERS = 3  # arguments that may be one, and are not named like it


def settled_with_context(
    layer: Layer,
    options: Options,
    candidates: tuple[Calls, ...],
    guesses: Guesses,
    lessons: Lessons,
) -> tuple[Settled, dict[str, str]]:
    """Return a way of calling that works, and what to say of a context that it needs.

    Only where none works without one is a context tried, of the sizes that the layer's
    own facts suggest. What fails goes into the `lessons`.
    """
    shapes = tuple((guess.shape, guess.why) for guess in guesses)
    stated = {e.name: e.domain for e in options.context if e.domain is not None}
    start = Bench(
        layer=layer, options=options, promote=options.dtype == "float64",
        calls=candidates[0], shape=shapes[0][0], batch=options.batch,
        domain=options.domain or TAMEST,
        labels=frozenset(name for name, domain in stated.items() if domain.kind == "int"),
    )  # fmt: skip
    try:
        settled = settle(start, candidates, shapes, lessons)
        return _within_domains(settled, options.context)
    except CannotCheckError as error:
        known = {e.name for e in options.context} | dict(options.kwarg).keys()
        tries = guess_contexts(layer.obj, candidates, shapes, known)
        alone: tuple[Settled, dict[str, str]] | None = None
        odd: tuple[Settled, dict[str, str]] | None = None
        for guess in tries:
            times = ((name, torch.tensor(at).double()) for name, at in guess.times)
            fed = replace(
                options,
                context=(*options.context, *guess.fed),
                kwarg=(*options.kwarg, *times),
            )
            beside = replace(start, options=fed, labels=start.labels | guess.labels)
            given = (*guess.contexts, *guess.times)
            takers = _taking({name for name, _ in given}, candidates)
            try:
                settled = settle(beside, takers, (guess.event,), lessons)
            except CannotCheckError:
                continue
            said = {name: f"{what}: {guess.why}" for name, what in given}
            settled, why = _within_domains(settled, beside.options.context)
            told = {n: filter(None, (t, why.get(n))) for n, t in said.items()}
            shown = " and ".join(f"{n} {what}".removesuffix(" ()") for n, what in given)
            made_up = {"made up": f"{shown} made up: {guess.why}"}
            found = settled, {n: "; ".join(each) for n, each in told.items()} | made_up
            if not parts_contexts(settled.bench):
                continue
            if settled.odd:
                odd = odd or found
            elif math.prod(guess.event[0]) == 1:
                # what is counted once fits there as well
                alone = alone or found
            else:
                return found
        best = alone or odd
        if best is None:
            raise error from None
        return best


def _within_domains(
    settled: Settled, fed: tuple[Context, ...]
) -> tuple[Settled, dict[str, str]]:
    """Return the layer fed with contexts at which its numbers are finite, and what to say.

    Where they are not at contexts of both signs, which we made up, the domains of inputs
    are tried. What the user says of a context is left as it is.
    """
    bench = settled.bench
    loose = {
        each.name
        for each in fed
        if each.domain is None
        and "mask" not in each.name
        and each.name not in bench.labels
    }
    if not loose or is_finite(bench):
        return settled, {}
    for domain in GUESSES[1:]:
        narrowed = tuple(
            each._replace(domain=domain) if each.name in loose else each
            for each in bench.options.context
        )
        options = replace(bench.options, context=narrowed)
        there = replace(bench, options=options)
        if is_finite(there):
            at = ((bench.shape, settled.why_shape),)
            told = f"{describe(domain)}: at others its numbers are not finite"
            with contextlib.suppress(CannotCheckError):
                again = settle(there, (bench.calls,), at)
                return again, dict.fromkeys(sorted(loose), told)
    told = "its numbers are not finite at the contexts that were made up"
    return settled, dict.fromkeys(sorted(loose), f"{told}: say where they live")


def with_optional_context(
    bench: Bench, options: Options, why_shape: str
) -> Settled | None:
    """Return the layer fed with a context that it may take, or None.

    Of sizes that the layer's own facts say; what no part of it is built for stays None.
    What is not named like a context is one
    where the output depends on it, and is no noise that the layer draws otherwise.
    """
    calls = bench.calls
    known = {e.name for e in options.context} | dict(options.kwarg).keys()
    if known or bench.options.context:
        return None
    named = {n for n in calls.extra_names if is_about_context(n)}
    others = [{n} for n in calls.extra_names if n not in named and "mask" not in n]
    at = ((bench.shape, why_shape),)
    for wanted in (*([named] if named else ()), *others[:_OTHERS]):
        tries = guess_contexts(bench.layer.obj, (calls,), at, known)
        fitting = (
            guess.fed
            for guess in tries
            if guess.contexts
            and guess.founded
            and not guess.labels
            and {name for name, _ in guess.contexts} <= wanted
        )
        for contexts in itertools.islice(fitting, _CONTEXTS):
            fed = replace(bench, options=replace(options, context=contexts))
            with contextlib.suppress(CannotCheckError):
                found = settle(fed, (calls,), at)
                found, _ = _within_domains(found, contexts)
                if wanted is named or listens_to_context(found.bench):
                    return found
    return None


def first_as_input(layer: Layer, candidates: tuple[Calls, ...]) -> tuple[Calls, ...]:
    """Return the ways of calling whose first argument, taken for a context, is the input.

    Names order what is tried: `f(h, u)` may map h beside u as well.
    """
    signature = call_signature(layer.obj)
    if signature is None or signature.input is None:
        return ()
    first, named = next(iter(signature.required), None), signature.input
    return tuple(
        replace(calls, context_names=(named, *(n for n in names if n != first)))
        for calls in candidates
        if first in (names := calls.context_names) and named not in names
    )


def _taking(names: set[str], candidates: tuple[Calls, ...]) -> tuple[Calls, ...]:
    """Return the ways of calling that have a place for these arguments."""
    return tuple(calls for calls in candidates if names.issubset(calls.tensor_names))

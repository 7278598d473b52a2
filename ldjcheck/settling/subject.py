"""How a layer is called, and on what: a convention, a shape, a domain, and a context.

Wrappers that change nothing are taken off first. A distribution or model that holds a
transform, and is none itself, is opened where it cannot be called like one.
"""

from __future__ import annotations

import contextlib
import inspect
from dataclasses import dataclass, replace
from itertools import islice
from math import prod
from operator import attrgetter
from typing import Any

from ldjcheck.calling.domains import describe
from ldjcheck.calling.parameter_names import is_bound
from ldjcheck.calling.results import densities_beside
from ldjcheck.calling.signature import call_signature, caller, method_names
from ldjcheck.calling.stated_returns import samplers
from ldjcheck.conventions import (
    adapted_calls,
    densities,
    densities_of_call,
    recognise_conventions,
    untaken,
)
from ldjcheck.errors import CannotCheckError
from ldjcheck.object_graph import held_transform, is_lazy, module_of, unwrapped
from ldjcheck.records import Calls, Layer, Options, Probe, Shape
from ldjcheck.running.bench import Bench
from ldjcheck.running.placement import said_of_device
from ldjcheck.running.snapshot.isolation import learnable
from ldjcheck.settling.attempts import Lessons
from ldjcheck.settling.contexts import first_as_input, settled_with_context
from ldjcheck.settling.design import MEASURED, plan_investigation, plan_probes
from ldjcheck.settling.domains import drawn_into_output
from ldjcheck.settling.flows.multiscale import with_departures
from ldjcheck.settling.guesses.shapes import (
    SMALL,
    Guesses,
    ShapeGuess,
    as_image,
    guess_shapes,
    sizes_held,
)
from ldjcheck.settling.initialisation import started, with_started_way_back
from ldjcheck.settling.inputs import (
    as_whole_numbers,
    guessed_parts,
    of_several,
    with_sizes_of,
)
from ldjcheck.settling.inverse_call import with_way_back
from ldjcheck.settling.other_sizes import resized
from ldjcheck.settling.settle import (
    Settled,
    asks_elsewhere,
    looks_for_axes,
    runs,
    with_telling_masks,
)
from ldjcheck.settling.unrecognised import (
    has_no_output,
    made_by_users,
    methods_with_ldj,
    uncallable,
    with_parts,
)

_BEYOND = 2  # shapes beyond the limit that are tried, to say that they are
_METHODS = 6  # of an object without a call, that are tried as one
_LARGEST = 2**22  # dims of these
_CORRECTIONS = 3  # one after another: each is of one axis
_CORRECTED = 24  # shapes that are tried at once
_STARTS = 4  # shapes of data that a layer may be started with


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is checked: a layer, how it is called, and at which sizes."""

    bench: Bench
    asked: Options  # what is to be checked, and how: the bench's are those of a stage
    others: tuple[Shape, ...]  # further shapes that it takes
    has_parameters: bool
    why_shape: str
    float32_only: str | None  # why float64 could not be had
    inferred: dict[str, str]  # what was concluded, and why
    whole: Layer  # what has the densities: the layer, or what it was taken out of
    unasked: tuple[str, ...] = ()  # of these densities, those that are not checked

    @property
    def layer(self) -> Layer:
        """What is checked; it may have been inside of what was given."""
        return self.bench.layer

    def fed(self, options: Options) -> Subject:
        """Return the same with other samples of the same sizes, and as it has become.

        Copies that were made of it are not used any more.
        """
        given, old = options.inputs, self.bench.options.inputs
        assert given is not None
        assert old is not None
        inputs = replace(old, samples={n: given.samples[n] for n in old.samples})
        fed = replace(self.bench.options, inputs=inputs, timeout=options.timeout)
        bench = replace(self.bench, options=fed, masters={}, idle={})
        return replace(self, bench=bench)

    def probes(self) -> tuple[Probe, ...]:
        """Return where it is measured, the probe that the report shows first."""
        at, moved = self.bench, self.has_parameters
        return plan_probes(
            at.shape, self.others, at.domain, self.asked, has_parameters=moved
        )

    def further_probes(self) -> tuple[Probe, ...]:
        """Return where one mistake can be told from another."""
        at, moved = self.bench, self.has_parameters
        return plan_investigation(
            at.shape, self.others, at.domain, self.asked, has_parameters=moved
        )


def settle_layer(typed: Layer, options: Options) -> Subject:
    """Return how the layer is called, or what it holds, and at which sizes.

    Raises:
        CannotCheckError: no way of calling it works.
    """
    if isinstance(typed.obj, type):
        raise CannotCheckError(
            "LDJ003",
            f"{typed.name} is a class, and a layer is wanted.",
            (f"Give one that is built, as in {typed.name}(...).",),
        )
    if is_lazy(typed.obj):
        raise CannotCheckError(
            "LDJ006",
            f"The first call of {typed.name} makes its parameters, and there was none.",
            (
                "Call it once before, with a batch: then it has sizes and numbers.",
                "In a file, name a function that makes it, calls it and returns it.",
            ),
        )
    layer, given = _unwrapped(typed), options
    asked = options = _sized(layer, given)
    try:
        subject = _at(layer, options)
    except CannotCheckError as error:
        found = _inside(layer, options, given, error) or _after_a_start(
            layer, options, error
        )
        whole = as_whole_numbers(options) if found is None else None
        if whole is not None:
            return settle_layer(typed, replace(options, inputs=whole))
        if found is None:
            raise with_parts(error, layer, options) from None
        subject = found
    if subject.layer is not typed and "start" not in subject.inferred:
        held = subject.layer.obj
        inside = held.__name__ if inspect.ismethod(held) else type(held).__name__
        said = f"{inside}, inside {type(typed.obj).__name__}"
        subject.inferred["unwrapped"] = said
    if subject.asked.shape != asked.shape:  # of samples that what it holds takes
        return subject
    return replace(subject, asked=asked)


def _sized(layer: Layer, options: Options) -> Options:
    """Return the options with the sizes of the user's samples, as the layer takes them."""
    given = options.inputs
    return options if given is None else with_sizes_of(layer, given, options)


def called_otherwise(subject: Subject, settled: Settled) -> Subject:
    """Return the same layer, called at the same shape with more beside it."""
    others = tuple(shape for shape in subject.others if runs(settled.bench, shape))
    return replace(subject, bench=settled.bench, others=others)


def called_as(subject: Subject, calls: Calls) -> Subject:
    """Return the same layer of which another form is promised, at the sizes it takes so."""
    bench = replace(subject.bench, calls=calls)
    layer = subject.layer
    free = frozenset[int]()
    if not bench.options.shape:
        guesses = _guessed(layer, (calls,))
        free = {guess.shape: guess.free for guess in guesses}.get(bench.shape, free)
    return replace(subject, bench=bench, others=_others(bench, free))


def _inside(
    layer: Layer, options: Options, given: Options, error: CannotCheckError
) -> Subject | None:
    """Return how what the layer holds is called, or how its density is; or None.

    What a call returns may be a density that nothing names, where one number is all. What
    that takes of the user's samples may be more than the layer's own call does.

    Raises:
        CannotCheckError: the one method that returns an ldj cannot be called.
    """
    inner = _opened(layer)
    if inner is not None:
        with contextlib.suppress(CannotCheckError):
            return _at(inner, _sized(inner, given), around=layer)
    asked = options.kind == "auto" and options.convention == "auto"
    if asked and not recognise_conventions(layer.obj):
        names = [*islice(methods_with_ldj(layer.obj), _METHODS)]
        for name in names:
            method = layer.becomes(getattr(layer.obj, name), attrgetter(name))
            try:
                return _at(method, options, around=layer)
            except CannotCheckError as failed:
                if len(names) == 1:
                    failed.evidence = (
                        f"I called {layer.name}.{name}.",
                        *failed.evidence,
                    )
                    raise
    may_be = has_no_output(error) and any(densities_of_call(layer.obj))
    if asked and options.adapter is None and (may_be or any(densities(layer.obj))):
        as_model = replace(options, kind="model")
        try:
            subject = _at(layer, as_model)
        except CannotCheckError as failed:
            if recognise_conventions(layer.obj) or failed.code != error.code:
                return None
            raise with_parts(failed, layer, as_model) from None  # it is nothing else
        with contextlib.suppress(CannotCheckError):
            bench, at = subject.bench, subject.probes()[-1]
            is_more = asks_elsewhere(bench, at) or bool(
                drawn_into_output(bench, alone=False)
            )
            return subject if holds_flow(layer) or is_more else None
    return None


def _after_a_start(
    layer: Layer, options: Options, error: CannotCheckError
) -> Subject | None:
    """Return how the layer is called once a method of it had data, as it may want; or None."""
    calls = recognise_conventions(layer.obj, options.convention)
    if (
        error.code not in ("LDJ005", "LDJ006")
        or options.adapter is not None
        or not calls
    ):
        return None
    asked = tuple(shape for _, shape in options.shape)
    shapes = asked or tuple(g.shape for g in _guessed(layer, calls)[:_STARTS])
    for begun, said in started(layer, shapes, options.seed):
        with contextlib.suppress(CannotCheckError):
            subject = _at(begun, options)
            subject.inferred["start"] = f"{said} came first: no call works before"
            return subject
    return None


def holds_flow(layer: Layer) -> bool:
    """Return whether something that the layer holds has a way back, or keeps a total.

    Such a model is one of a flow, whatever is wrong with it.
    """
    return any(
        calls.accumulates or calls.inverse is not None
        for item in made_by_users(layer)
        for calls in recognise_conventions(item)
    )


def _opened(layer: Layer) -> Layer | None:
    """Return the transform that a distribution or model holds, or None."""
    found = held_transform(layer.obj)
    return None if found is None else layer.becomes(found, held_transform)


def _unwrapped(layer: Layer) -> Layer:
    inner = unwrapped(layer.obj)
    return layer if inner is layer.obj else layer.becomes(inner, unwrapped)


def _at(layer: Layer, options: Options, around: Layer | None = None) -> Subject:
    """Return a way of calling the layer that works, and the other sizes that it takes.

    `around` is what the layer was taken out of, if it was.
    """
    if options.adapter is not None:
        candidates = adapted_calls(options.adapter)
    else:
        wanted = "model" if options.kind == "model" else options.convention
        candidates = recognise_conventions(layer.obj, wanted)
    if not candidates:
        raise uncallable(layer, options)
    held_by = None if around is None else around.obj
    settled, context, guesses = _settle_first(layer, options, candidates, held_by)
    bench = settled.bench
    _within_limit(bench.shape, options.dims_limit)
    bench = with_started_way_back(with_way_back(bench))
    if settled.resized and options.kind != "split":
        bench = with_departures(bench)
    bench = with_telling_masks(bench)
    free = {guess.shape: guess.free for guess in guesses}.get(bench.shape, frozenset())
    others = _others(bench, free)
    copy = bench.copy()
    inferred = {**dict(bench.calls.inferred), **context}
    whole = around or layer
    unasked = _unasked(whole, bench.calls, options)
    inferred |= unasked
    inferred["shape"] = f"{bench.shape}: {settled.why_shape}"
    inferred["domain"] = f"{describe(bench.domain)}: {settled.why_domain}"
    if bench.masks == "mixed":
        inferred |= {
            each.name: f"{each.shape}: zeros and ones by turns; ones alone change nothing"
            for each in bench.options.context
            if "mask" in each.name
        }
    if options.inputs is not None:
        count = options.inputs.count
        inferred["inputs"] = f"{count} sample{'s' * (count != 1)}, as you gave them"
        for name in options.inputs.left_out:
            inferred[f"input {name}"] = "not taken, so left out"
    if copy.said is not None:
        inferred["copy"] = copy.said
    if (device := said_of_device(layer.obj, options.device)) is not None:
        inferred["device"] = device
    if settled.refused is not None:
        inferred["warm-up"] = (
            f"one call in training: before, it raises {settled.refused}"
        )
    if bench.there_and_back:
        inferred["warm-up"] = (
            "one call there and one back: the first way back sets what is learned"
        )
    if settled.float32_only is not None:
        inferred["dtype"] = f"float32: in float64 it raises {settled.float32_only}"
    return Subject(
        bench=bench,
        asked=options,
        others=others,
        has_parameters=bool(learnable(copy.layer)),
        why_shape=settled.why_shape,
        float32_only=settled.float32_only,
        inferred=inferred,
        unasked=tuple(unasked),
        whole=whole,
    )


def _others(bench: Bench, free: frozenset[int]) -> tuple[Shape, ...]:
    """Return further shapes that the layer takes; axes of its own size stay.

    As many as are measured, and the smallest of the rest.
    """
    layer, options = bench.layer, bench.options
    own = options.inputs is not None
    if own or bench.calls.parts or (options.search and options.shape):
        return ()
    alike = [other for other in layer.sizes if len(other) == len(bench.shape)]
    free |= {i for i, n in enumerate(bench.shape) if any(o[i] != n for o in alike)}
    reached = [shape for shape in layer.sizes if shape != bench.shape]
    varied = resized(bench.shape, sizes_held(layer.obj), free)
    untried = list(dict.fromkeys((*reached, *varied)))
    found: list[Shape] = []
    while untried and len(found) <= MEASURED:
        shape = untried.pop(0)
        if runs(bench, shape):
            found.append(shape)
        if len(found) == MEASURED:  # the last is for what is wrong: any will do there
            untried.sort(key=prod)
    return tuple(found)


def _unasked(layer: Layer, calls: Calls, options: Options) -> dict[str, str]:
    """Return which densities of the layer were not asked for, and how to ask for them.

    Those of torch's own distributions are trusted.
    """
    if inspect.ismethod(layer.obj) or options.convention != "auto":
        return {}
    asked = [
        name
        for name, _, method in densities(layer.obj)
        if not (name == "forward" and calls.of_noise)
        and not module_of(method).startswith("torch.")
    ]
    owner = layer.written if layer.written.isidentifier() else layer.name
    own = {
        name: f"not checked here: name {owner}.{name} to check it"
        for name in (*asked, *samplers(layer.obj))
        if not calls.signature.startswith(f"m.{name}(")
    }
    named = {name for name, *_ in densities(layer.obj)}
    bounds = (n for n in method_names(layer.obj) if is_bound(n) and n not in named)
    own |= dict.fromkeys(bounds, "not looked at: it holds more than a density")
    if calls.convention != "pair" or call_signature(layer.obj) is None:
        return own
    beside = densities_beside(caller(layer.obj))
    return dict.fromkeys(beside, "not checked: it is returned beside the ldj") | own


def _settle_first(
    layer: Layer, options: Options, candidates: tuple[Calls, ...], around: object
) -> tuple[Settled, dict[str, str], Guesses]:
    """Return a way of calling that works, what to say of a context, and the shapes tried.

    Those are the shapes that were asked for, or the small ones that the layer's own facts
    suggest; then the large ones, and several inputs of one size.
    """
    asked = dict(options.shape)
    # What is the name of no argument is a key of the one that the layer takes.
    keys = untaken(layer.obj, candidates, [name for name in asked if name is not None])
    guesses: Guesses
    if len(asked) > 1 or keys:
        candidates, whole = of_several(candidates, options.shape)
        guesses = (whole,)
    elif asked:
        guesses = (_given(next(iter(asked.values())), "as you said"),)
        if options.inputs is not None and not guesses[0].shape:
            guesses += (_given((1,), "one number per sample, in a column: it asks so"),)
    else:
        guesses = _guessed(layer, candidates, around)
    if not asked and candidates[0].inputs:
        # One of several inputs, the others taken for contexts, is only a part of the map.
        found = _of_parts(layer, options, candidates[:1], guesses)
        if found is not None:
            return found
    # It may be made for one size only, and a large one.
    limits = SMALL, options.dims_limit
    large = () if asked else _guessed(layer, candidates, around, *limits)
    lessons = Lessons()
    every = layer, options, candidates
    try:
        settled, context = settled_with_context(*every, guesses, lessons)
    except CannotCheckError as error:
        if large:
            with contextlib.suppress(CannotCheckError):
                return *settled_with_context(*every, large, Lessons()), large
        for turned in filter(None, (first_as_input(layer, candidates),)):
            with contextlib.suppress(CannotCheckError):
                one, beside = settled_with_context(
                    layer, options, turned, guesses, Lessons()
                )
                if not (one.odd or one.resized):
                    return one, beside, guesses
        if not asked:
            others = candidates[1:] if candidates[0].inputs else candidates
            found = _of_parts(layer, options, others, guesses)
            if found is None and error.code == "LDJ006":
                found = _at_shapes_asked_for(*every, guesses, lessons)
            if found is not None:
                return found
            _not_beyond_limit(error, layer, options, candidates, around)
        told = (f"It was given a dict: it takes no argument {' or '.join(keys)}.",)
        raise CannotCheckError(
            error.code, error.message, (*error.evidence, *(told if keys else ()))
        ) from None
    better = () if asked else _better(settled, guesses, large)
    if better:
        with contextlib.suppress(CannotCheckError):
            again, beside = settled_with_context(*every, better, Lessons())
            if not (again.odd or again.resized):
                return again, beside, better
    return settled, context, guesses


def _of_parts(
    layer: Layer, options: Options, candidates: tuple[Calls, ...], guesses: Guesses
) -> tuple[Settled, dict[str, str], Guesses] | None:
    """Return a way of calling a layer of several inputs that works, or None."""
    for calls, whole in guessed_parts(layer.obj, candidates, guesses):
        with contextlib.suppress(CannotCheckError):
            settled, context = settled_with_context(
                layer, options, calls, (whole,), Lessons()
            )
            if not settled.resized:
                return settled, context, (whole,)
    return None


def _at_shapes_asked_for(
    layer: Layer,
    options: Options,
    candidates: tuple[Calls, ...],
    failed: Guesses,
    lessons: Lessons,
) -> tuple[Settled, dict[str, str], Guesses] | None:
    """Return a way of calling at a shape that failures ask for, one axis after another."""
    for _ in range(_CORRECTIONS):
        asked = lessons.shapes_asked_for(_CORRECTED).items()
        shapes = [
            _given(at, f"asked for by what is raised at {by}") for at, by in asked
        ]
        if not shapes:
            break
        guesses = (*shapes, failed[0])  # of several, each is looked at more closely
        with contextlib.suppress(CannotCheckError):
            found = settled_with_context(layer, options, candidates, guesses, lessons)
            return *found, guesses
    return None


def _better(settled: Settled, guesses: Guesses, large: Guesses) -> Guesses:
    """Return shapes that the layer may rather be made for than the one that was found.

    A large one, where a small one was spread over it; or an image, whose one pixel it was.
    Whole numbers that take noise are pixels, unless only vectors run: on these, whose
    entries are channels, no count of places is ever missing.
    """
    if settled.odd or settled.resized:
        return large
    shape = settled.bench.shape
    if len(shape) == 1 and looks_for_axes(settled.bench):
        return (as_image(shape),)
    if len(shape) == 1 and settled.bench.domain.kind == "int":
        return tuple(guess for guess in guesses if len(guess.shape) == 3)[:1]
    return ()


def _guessed(
    layer: Layer,
    candidates: tuple[Calls, ...],
    around: Any = None,
    over: int = 0,
    limit: int = SMALL,
) -> Guesses:
    """Return the shapes to try and why: the small ones, or those of `over` to `limit` dims."""
    there = candidates[0].forward
    event_dim = None if there is None else there.event_dim
    found = guess_shapes(layer.obj, event_dim, around, over=over, limit=limit)
    known = {guess.shape for guess in found}
    typed = (shape for shape, _ in layer.typed if over < prod(shape) <= limit)
    more = dict.fromkeys(shape for shape in typed if shape not in known)
    return *found, *(_given(shape, "it was typed with this size") for shape in more)


def _given(shape: Shape, why: str) -> ShapeGuess:
    return ShapeGuess(shape=shape, why=why, free=frozenset())


def _not_beyond_limit(
    error: CannotCheckError,
    layer: Layer,
    options: Options,
    candidates: tuple[Calls, ...],
    around: object,
) -> None:
    """Raise LDJ007 where the one size that the layer takes has too many dims to check."""
    if error.code not in ("LDJ005", "LDJ006"):
        return
    limits = max(options.dims_limit, SMALL), _LARGEST
    beyond = _guessed(layer, candidates, around, *limits)[:_BEYOND]
    if not beyond:
        return
    try:
        found, _ = settled_with_context(layer, options, candidates, beyond, Lessons())
    except CannotCheckError:
        return
    _within_limit(found.bench.shape, options.dims_limit)


def _within_limit(shape: Shape, limit: int) -> None:
    dims = prod(shape)
    if dims > limit:
        gigabytes = 8 * dims * dims / 1e9
        raise CannotCheckError(
            "LDJ007",
            f"{dims} dims are above the limit of {limit}.",
            (
                f"The Jacobian of one sample alone takes {gigabytes:.2g} GB in float64.",
                "A mistake shows at small sizes too: try --shape 1,4,4",
                f"Or allow it: --dims-limit {dims}",
            ),
        )

"""Looking for a probe at which a layer fails, and making it as small as it gets.

A probe is a set of options, so that whatever is found can be repeated by typing it.
"""

from __future__ import annotations

import math
import random
import shlex
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

from ldjcheck import checking
from ldjcheck.calling.domains import parse_domain
from ldjcheck.holdings import tensors
from ldjcheck.records import LARGEST_SEED, Domain, Options, Result
from ldjcheck.settling.design import plan_probes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ldjcheck.checking import Tell
    from ldjcheck.records import Layer, Probe, Shape

    Attempt = Callable[[Options], Result | None]
    """What the check says at these options; None where the layer cannot be run so."""

_BOUNDS = (0.01, 1.0, 3.0, 10.0, 30.0, 100.0)
_SCALES = (0.03, 0.3, 1.0, 3.0)
_LARGEST = 7  # of one axis
_MOST_DIMS = 64
_SHRINKS = 80  # attempts to make what was found smaller
_SEEDS = 1000


def check_layer(
    layer: Layer,
    options: Options,
    started: float | None = None,
    tell: Tell | None = None,
) -> Result:
    """Return the result of one layer, at the smallest failing probe if one is asked for.

    Where none fails it is the result of the check as it was asked for. `tell` hears of
    that one. Time limits the search as well.
    """
    begun = perf_counter() if started is None else started
    if options.timeout is not None:
        options = replace(options, timeout=options.timeout.started(begun))
    plain = replace(options, search=0)
    result = checking.check_layer(layer, plain, started, tell=tell)
    shape = next((c.shape for c in result.checks if c.shape is not None), None)
    if not options.search or shape is None:
        return result

    start = Start(
        options=options,
        shape=shape,
        domain=parse_domain(result.inferred["domain"].partition(": ")[0]),
        has_parameters=any(t.requires_grad for t in tensors(layer.obj)),
    )
    # The check as it was asked for, there and far out, and the first probe that failed.
    wide = [plain, *_far_out(start)]
    most = len(wide) + 1

    def attempt(probed: Options) -> Result | None:
        if options.is_overdue:
            return None
        also = tuple(c for each in wide for c in _configs(start, each, probed))
        same = probed == options
        probe = result if same else checking.check_layer(layer, probed, also=also)
        if probe.status == "fail" and len(wide) < most:
            wide.append(probed)
        return None if probe.status == "error" else probe

    found = searched(layer, start, attempt)
    if found is None:
        said = {"search": f"none of {options.search} probes failed"}
        found = replace(result, inferred={**said, **result.inferred})
    if options.is_overdue:
        undone = (*found.not_done, "some of the search")
        found = replace(found, not_done=tuple(dict.fromkeys(undone)))
    return replace(found, seconds=perf_counter() - begun)


_TOLD = (
    "batch", "convention", "device", "direction", "dtype", "kind", "mode", "params",
    "params_scale", "seed", "wrt",
)  # fmt: skip
"""Options that a probe is told by, besides its shapes and domain."""


def _configs(start: Start, options: Options, probed: Options) -> tuple[Probe, ...]:
    """Return the configurations of another probe, at which a narrow one must hold as well.

    What is made small shows a mistake, and hides what else there is: an edit, or a law,
    that fits there alone says nothing of the layer.
    """
    if options.mode != probed.mode:
        return ()
    return plan_probes(
        _shape_of(options) or start.shape,
        (),
        options.domain or start.domain,
        options,
        has_parameters=start.has_parameters,
    )


def _far_out(start: Start) -> tuple[Options, ...]:
    """Return the check in as wide an interval as the search goes to, on both sides."""
    if start.options.domain is not None or start.domain.kind != "real":
        return ()
    far = Domain(kind="interval", low=-_BOUNDS[-1], high=_BOUNDS[-1])
    return (replace(start.options, domain=far, search=0),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where the search begins: what the check found out about the layer by itself."""

    options: Options
    shape: Shape
    domain: Domain
    has_parameters: bool


def searched(layer: Layer, start: Start, attempt: Attempt) -> Result | None:
    """Return the result at the smallest failing probe, or None where none failed.

    The first probe is the check as it was asked for. What the user has fixed by an option
    of his own stays as it is.
    """
    total = start.options.search
    for number, options in enumerate(_probes(start)):
        result = attempt(options)
        if result is None or not _fails(result, options):
            continue
        if not options.shape:  # said out loud, it can be made smaller, and repeated
            sized = replace(options, shape=((None, start.shape),))
            again = attempt(sized)
            if again is not None and _fails(again, sized):
                options, result = sized, again
        small, result = _smallest(start, options, result, attempt)
        whole = attempt(replace(small, search=0))  # other sizes tell mistakes apart
        if whole is not None and _fails(whole, small):
            result = whole
        said = f"found by search: probe {number + 1} of {total}, then made smaller"
        return _told(result, said, repeated(layer, small))
    return None


def _probes(start: Start) -> Iterator[Options]:
    """Yield as many probes as were asked for: the same for the same seed."""
    yield start.options
    generator = random.Random(start.options.seed)  # no secret
    for _ in range(start.options.search - 1):
        yield _generated(start, generator)


def _generated(start: Start, generator: random.Random) -> Options:
    given, standard = start.options, Options()
    seed = (given.seed + generator.randrange(_SEEDS)) % (LARGEST_SEED + 1)
    options = replace(given, seed=seed)
    if not given.shape and generator.random() < 0.7:
        options = replace(options, shape=((None, _some_shape(start, generator)),))
    if given.batch == standard.batch:
        options = replace(options, batch=generator.choice((1, 2, 3, 4, 5, 7)))
    if given.domain is None and generator.random() < 0.7:
        options = replace(options, domain=generator.choice(_domains(start.domain)))
    if start.has_parameters and given.params == "random":
        if given.params_scale == standard.params_scale:
            options = replace(options, params_scale=generator.choice(_SCALES))
        if given.mode == standard.mode:
            options = replace(options, mode=generator.choice(("eval", "eval", "train")))
    return options


def _some_shape(start: Start, generator: random.Random) -> Shape:
    """Return a shape with as many axes; some sizes stay, since layers often hold them."""
    while True:
        shape = tuple(
            size if generator.random() < 0.4 else generator.randint(1, _LARGEST)
            for size in start.shape
        )
        if math.prod(shape) <= _MOST_DIMS:
            return shape
        if all(size > _LARGEST for size in shape):
            return start.shape


def _domains(domain: Domain) -> tuple[Domain | None, ...]:
    """Return parts of the domain: close to its ends, tight, and far out."""

    def part(low: float, high: float) -> Domain:
        return Domain(kind="interval", low=low, high=high)

    if domain.kind == "real":
        return (
            None,
            *(part(-b, b) for b in _BOUNDS),
            part(0.0, 30.0),
            part(-30.0, 0.0),
        )
    if domain.kind == "positive":
        return (None, part(0.0, 0.001), part(0.0, 30.0), part(10.0, 100.0))
    low, high = domain.low, domain.high
    if domain.kind == "unit":
        low, high = 0.0, 1.0
    if domain.kind != "int" and low is not None and high is not None:
        hair = (high - low) / 1000
        return (None, part(low, low + hair), part(high - hair, high))
    return (None,)


def _fails(result: Result, options: Options) -> bool:
    """Return whether a mistake was found.

    In training a layer may couple samples or draw noise by design: there only a wrong
    value counts.
    """
    grave = [f for f in result.findings if f.severity == "error"]
    if options.mode == "train":
        grave = [f for f in grave if f.code.startswith("LDJ1")]
    return result.status == "fail" and bool(grave)


def _smallest(
    start: Start, options: Options, result: Result, attempt: Attempt
) -> tuple[Options, Result]:
    """Return a failing probe that no simpler one of the next size replaces."""
    tries, seen = 0, {_key(options)}
    while tries < _SHRINKS:
        for simpler in _simpler(start, options):
            if _key(simpler) in seen:
                continue
            seen.add(_key(simpler))
            tries += 1
            found = attempt(simpler)
            if found is not None and _fails(found, simpler):
                options, result = simpler, found
                break
            if tries >= _SHRINKS:
                break
        else:
            break
    return options, result


def _key(options: Options) -> tuple[object, ...]:
    """Return what the search varies; keyword arguments may be no keys."""
    varied = ("shape", "batch", "domain", "params_scale", "seed", "mode")
    return tuple(getattr(options, name) for name in varied)


def _simpler(start: Start, options: Options) -> Iterator[Options]:
    """Yield simpler probes: what is usual first, then smaller sizes and numbers."""
    given = start.options
    for name in ("mode", "domain", "params_scale", "seed"):
        if getattr(options, name) != getattr(given, name):
            yield replace(options, **{name: getattr(given, name)})
    shape = _shape_of(options) or start.shape
    if not given.shape:
        for smaller in _smaller_shapes(shape):
            yield replace(options, shape=((None, smaller),))
    if given.batch == Options().batch:
        for batch in _below(options.batch):
            yield replace(options, batch=batch)
    if options.domain is not None and options.domain != given.domain:
        for domain in _tighter(options.domain):
            yield replace(options, domain=domain)
    if options.params_scale > given.params_scale:
        yield replace(options, params_scale=options.params_scale / 2)
    if options.seed > given.seed:
        for seed in range(given.seed, min(options.seed, given.seed + 4)):
            yield replace(options, seed=seed)


def _smaller_shapes(shape: Shape) -> Iterator[Shape]:
    ones = (1,) * len(shape)
    if shape != ones:
        yield ones
    for axis, size in enumerate(shape):
        for less in _below(size):
            yield (*shape[:axis], less, *shape[axis + 1 :])


def _below(size: int) -> Iterator[int]:
    """Yield smaller sizes: one, half, and one less."""
    yield from dict.fromkeys(n for n in (1, size // 2, size - 1) if 1 <= n < size)


def _tighter(domain: Domain) -> Iterator[Domain]:
    """Yield intervals that hold less, with round ends."""
    low, high = domain.low, domain.high
    if domain.kind != "interval" or low is None or high is None:
        return
    for share in (0.5, 0.75, 0.9):
        a, b = _round(low * share), _round(high * share)
        if a < b and (a, b) != (low, high):
            yield Domain(kind="interval", low=a, high=b)


def _round(value: float) -> float:
    return float(f"{value:.2g}")


def _shape_of(options: Options) -> Shape | None:
    return dict(options.shape).get(None)


# --- how to repeat it ----------------------------------------------------------------


def repeated(layer: Layer, options: Options) -> str:
    """Return what to type to see the probe again: a command, or a call in Python."""
    if layer.rebuild is None:
        named = ", ".join(f"{key}={value}" for key, value in _keywords(options))
        return f"ldjcheck.check(layer, {named})" if named else "ldjcheck.check(layer)"
    flags = [part for key, value in _flags(options) for part in (f"--{key}", value)]
    return shlex.join(["ldjcheck", layer.target, *flags])


def _flags(options: Options) -> Iterator[tuple[str, str]]:
    """Yield the options that are not as usual, as the command line takes them."""
    for name, shape in options.shape:
        yield "shape", _sizes(shape) if name is None else f"{name}={_sizes(shape)}"
    for name, shape in options.context:
        yield "context", f"{name}={_sizes(shape)}"
    if options.domain is not None:
        yield "domain", _domain_text(options.domain)
    for key, value in _unusual(options):
        told = f"{value:g}" if isinstance(value, float) else str(value)
        yield key.replace("_", "-"), told


def _keywords(options: Options) -> Iterator[tuple[str, str]]:
    """Yield the same as `ldjcheck.check` takes them."""
    shapes = dict(options.shape)
    if shapes:
        yield "shape", repr(shapes.get(None, shapes))
    if options.context:
        yield "context", repr(dict(options.context))
    if options.domain is not None:
        yield "domain", repr(_domain_text(options.domain))
    for key, value in _unusual(options):
        yield key, f"{value:g}" if isinstance(value, float) else repr(value)


def _unusual(options: Options) -> Iterator[tuple[str, object]]:
    usual = Options()
    for key in _TOLD:
        if (value := getattr(options, key)) != getattr(usual, key):
            yield key, value


def _sizes(shape: Shape) -> str:
    return ",".join(map(str, shape)) or "()"


def _domain_text(domain: Domain) -> str:
    if domain.kind not in ("int", "interval"):
        return domain.kind
    return f"{domain.kind}:{domain.low:g}:{domain.high:g}"


def _told(result: Result, said: str, command: str) -> Result:
    """Return the result with what was searched, and how to repeat what was found."""
    first, *others = result.findings
    first = replace(first, evidence=(*first.evidence, said, f"repeat it: {command}"))
    return replace(
        result,
        inferred={
            "search": f"the smallest failing probe: {command}",
            **result.inferred,
        },
        findings=(first, *others),
    )

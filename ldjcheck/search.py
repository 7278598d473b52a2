"""Looking for a probe at which a layer fails, and making it as small as it gets.

A probe is a set of options, so that whatever is found can be repeated by typing it.
"""

from __future__ import annotations

import ast
import math
import random
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ldjcheck import checking
from ldjcheck.calling.domain_text import parse_domain
from ldjcheck.checking import Tell
from ldjcheck.object_graph import tensors
from ldjcheck.records import Context, Domain, Layer, Options, Probe, Result, Shape
from ldjcheck.records.asked import LARGEST_SEED
from ldjcheck.settling.design import plan_probes

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


Attempt = Callable[[Options], Result | None]
"""What the check says at these options; None where the layer cannot be run so."""

_FARTHEST = 100  # from the origin
_SCALES = (1.0, 0.3, 0.03, 3.0)
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
    options = options.started()
    plain = replace(options, search=0)
    result = checking.check_layer(layer, plain, started, tell=tell)
    result = replace(result, again=_call(layer, options))
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
    "batch", "convention", "device", "dims_limit", "direction", "dtype", "kind", "mode",
    "params", "params_scale", "seed", "wrt",
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
        dict(options.shape).get(None) or start.shape,
        (),
        options.domain or start.domain,
        options,
        has_parameters=start.has_parameters,
    )


def _far_out(start: Start) -> tuple[Options, ...]:
    """Return the check in as wide an interval as the search goes to, on both sides."""
    if start.options.domain is not None or start.domain.kind != "real":
        return ()
    far = Domain(kind="interval", low=-_FARTHEST, high=_FARTHEST)
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
    import hypothesis

    tried: dict[tuple[object, ...], Result | None] = {}
    found: int | None = None  # the number of the first probe that failed

    def fails(options: Options) -> bool:
        nonlocal found
        key = _key(options)
        if key not in tried:
            if found is not None and len(tried) > found + _SHRINKS:
                return False
            tried[key] = attempt(options)
        result = tried[key]
        failed = result is not None and _fails(result, options)
        if failed and found is None:
            found = len(tried)
        return failed

    first = start.options
    wrong = fails(first)
    settings = hypothesis.settings(
        database=None,
        deadline=None,
        max_examples=max(start.options.search - 1, 1),
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
    )
    try:
        small = hypothesis.find(
            _probes(start), fails, settings=settings, random=random.Random(first.seed)
        )
    except hypothesis.errors.NoSuchExample:
        if not wrong:
            return None
        small = first
    result = tried[_key(small)]
    whole = attempt(replace(small, search=0))  # other sizes tell mistakes apart
    if whole is not None and _fails(whole, small):
        result = whole
    assert result is not None
    said = f"found by search: probe {found} of {first.search}, then made smaller"
    result = replace(result, again=_call(layer, small))
    return _with_search(result, said, repeated(layer, small))


def _probes(start: Start) -> SearchStrategy[Options]:
    """Return what is varied, each from what is simplest to what is most unusual.

    In this order it is made simple again: what comes first weighs most.
    """
    import hypothesis.strategies as st

    given, usual = start.options, Options()
    varied: dict[str, SearchStrategy[Any]] = {}
    if start.has_parameters and given.params == "random":
        if given.mode == usual.mode:
            varied["mode"] = st.sampled_from((given.mode, given.mode, "train"))
        if given.params_scale == usual.params_scale:
            varied["params_scale"] = st.sampled_from((given.params_scale, *_SCALES))
    if given.domain is None:
        varied["domain"] = _domains(start.domain)
    if not given.shape:
        varied["shape"] = _shapes(start.shape)
    if given.batch == usual.batch:
        varied["batch"] = st.integers(1, 7)
    seeds = st.integers(0, _SEEDS).map(lambda n: (given.seed + n) % (LARGEST_SEED + 1))
    varied["seed"] = seeds
    options = st.fixed_dictionaries(varied)
    return options.map(lambda drawn: replace(given, **drawn))


def _shapes(shape: Shape) -> SearchStrategy[tuple[tuple[None, Shape]]]:
    """Return shapes with as many axes; some sizes stay, since layers often hold them."""
    import hypothesis.strategies as st

    small = range(1, _LARGEST + 1)
    sizes = (st.sampled_from((*small, *[size] * len(small))) for size in shape)
    most = max(_MOST_DIMS, math.prod(shape))
    shapes = st.tuples(*sizes).filter(lambda drawn: math.prod(drawn) <= most)
    return shapes.map(lambda drawn: ((None, drawn),))


def _domains(domain: Domain) -> SearchStrategy[Domain | None]:
    """Return parts of the domain: close to its ends, tight, and far out."""
    import hypothesis.strategies as st

    def part(low: float, high: float) -> Domain:
        return Domain(kind="interval", low=low, high=high)

    far = st.integers(1, _FARTHEST).map(float)
    low, high = domain.low, domain.high
    if domain.kind == "unit":
        low, high = 0.0, 1.0
    parts: list[SearchStrategy[Domain]] = []
    if domain.kind == "real":
        parts = [
            far.map(lambda end: part(-end, end)),
            far.map(lambda end: part(0.0, end)),
            far.map(lambda end: part(-end, 0.0)),
            st.just(part(-0.01, 0.01)),
        ]
    elif domain.kind == "positive":
        parts = [far.map(lambda end: part(0.0, end)), st.just(part(0.0, 0.001))]
        parts.append(far.map(lambda end: part(end, 10 * end)))
    elif domain.kind != "int" and low is not None and high is not None:
        hair = (high - low) / 1000
        parts = [st.just(part(low, low + hair)), st.just(part(high - hair, high))]
    return st.one_of(st.none(), *parts)


def _fails(result: Result, options: Options) -> bool:
    """Return whether a mistake was found.

    In training a layer may couple samples or draw noise by design: there only a wrong
    value counts.
    """
    grave = [f for f in result.findings if f.severity == "error"]
    if options.mode == "train":
        grave = [f for f in grave if f.code.startswith("LDJ1")]
    return result.status == "fail" and bool(grave)


def _key(options: Options) -> tuple[object, ...]:
    """Return what the search varies; keyword arguments may be no keys."""
    varied = ("shape", "batch", "domain", "params_scale", "seed", "mode")
    return tuple(getattr(options, name) for name in varied)


# --- how to repeat it ----------------------------------------------------------------


def repeated(layer: Layer, options: Options) -> str:
    """Return what to type to see the probe again: a command, or a call in Python."""
    if layer.rebuild is None:
        return f"ldjcheck.{_call(layer, options)}"
    flags = [part for key, value in _flags(options) for part in (f"--{key}", value)]
    return shlex.join(["ldjcheck", layer.target, *flags])


def _call(layer: Layer, options: Options) -> str:
    """Return the call of Python that checks the layer so."""
    named = (f"{key}={value}" for key, value in _keywords(options))
    return f"check({', '.join([layer.written, *named])})"


def _flags(options: Options) -> Iterator[tuple[str, str]]:
    """Yield the options that are not as usual, as the command line takes them."""
    for name, shape in options.shape:
        yield "shape", _sizes(shape) if name is None else f"{name}={_sizes(shape)}"
    for each in options.context:
        yield "context", f"{each.name}={_context_text(each)}"
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
        given = {
            each.name: each.shape if each.domain is None else _context_text(each)
            for each in options.context
        }
        yield "context", repr(given)
    if options.domain is not None:
        yield "domain", repr(_domain_text(options.domain))
    if options.kwarg:
        plain = (f"{name!r}: {_plain(value, name)}" for name, value in options.kwarg)
        yield "kwarg", f"{{{', '.join(plain)}}}"
    if options.inputs is not None:
        yield "inputs", options.inputs.written
    for key in ("jacobian", "adapter"):
        if getattr(options, key) is not None:
            yield key, key
    for key, value in _unusual(options):
        yield key, repr(value)


def _plain(value: Any, name: str) -> str:
    """Return a value as Python writes it; by its name where it has no such text."""
    try:
        is_plain = ast.literal_eval(repr(value)) == value
    except (ValueError, SyntaxError):
        is_plain = False
    return repr(value) if is_plain else name


def _context_text(context: Context) -> str:
    """Return what is fed beside the input, as `--context` takes it."""
    sizes = _sizes(context.shape)
    domain = context.domain
    return sizes if domain is None else f"{sizes}:{_domain_text(domain)}"


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
    return f"{domain.kind}:{domain.low:.15g}:{domain.high:.15g}"


def _with_search(result: Result, said: str, command: str) -> Result:
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

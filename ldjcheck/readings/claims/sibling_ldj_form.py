"""What a source makes of an ldj of another form than `(batch,)`: a slip, or its custom.

Layers that all return a column, `(batch, 1)`, or one entry per dim, and containers and
densities that add these up to the right total, have agreed on a form of their own. One that
differs from its neighbours has not.
"""

import ast
import contextlib
import inspect
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, Literal

from torch import Tensor

from ldjcheck.calling.results import source_of
from ldjcheck.conventions.distributions.model import densities
from ldjcheck.judging.measurement import compared
from ldjcheck.numerics.closeness import same
from ldjcheck.object_graph import module_of, reachable
from ldjcheck.readings.reading import Measured, Reading, read_anew
from ldjcheck.readings.what_runs import counted_in
from ldjcheck.records import (
    Comparison,
    Layer,
    Options,
    Shape,
    Side,
    Verdict,
)
from ldjcheck.settling.subject import Subject, called_as
from ldjcheck.tape.frames import is_users
from ldjcheck.targets.discovery import is_run_like_layer
from ldjcheck.tracebacks import split_cell
from ldjcheck.tracing import trace_calls

Form = Literal["column", "entries"]

_MOST_SIZES = 4  # that a class is built of
_FEW = 2  # of what there may be any number of
_MOST = 12  # of a source's layers that are asked; each is a check of values


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading with the form that its source has agreed on, if it has.

    A caller in the source that gets another total of them, and a neighbour that returns
    another form, speak against it. Of values that are wrong only a caller says what they
    are: one whose total is off by as much.
    """
    subject, off = seen.subject, _off(seen.comparison.forward)
    form, asked = _common_form(seen.comparison, off), subject.asked
    if form is None or asked.adapter is not None or asked.convention != "auto":
        return
    # as anybody would check them, within the time that this check has
    plain = Options(seed=asked.seed, timeout=subject.bench.options.timeout)
    layer, shape = subject.layer.obj, subject.bench.shape
    found = list(_neighbours(layer, shape, plain, off))
    why = _agreed(found, form, off)
    if why is None and not any(each.calls for each in found):
        # be it of what cannot be checked itself, for its base say
        name = counted_in(subject.bench, subject.probes()[0], 1)
        why = None if name is None else f"its {name} adds them up, each once"
    if why is not None:
        yield seen.reading.of(_as_agreed(subject, form, why))


def _off(verdict: Verdict) -> Tensor | None:
    """Return by how much the values are off at the first probe; None where they are right."""
    told = verdict.usable if verdict.mismatched else ()
    return told[0][1].difference if told else None


def _common_form(comparison: Comparison, off: Tensor | None) -> Form | None:
    """Return the form that values have; None where they are no such.

    Values of the way back that are wrong, by a sign say, speak neither for it nor against.
    """
    if comparison.measurement.calls.accumulates:
        return None  # a total comes back as it went in
    forms: set[Form | None] = set()
    for verdict in comparison.verdicts:
        if verdict.form is None:
            continue
        if verdict.direction == "inverse" and verdict.mismatched:
            continue
        way = comparison.measurement.calls.way(verdict.direction)
        wrong = verdict.mismatched and off is None
        if wrong or not verdict.usable or way is None or way.spread:
            return None
        forms.add(_form_of(verdict.usable[0][1]))
    return forms.pop() if len(forms) == 1 else None


def _form_of(side: Side) -> Form | None:
    shape, over = side.said.ldj_shape, tuple(side.x.shape)
    if shape is None or shape == over[:1]:
        return None
    if shape == (over[0], 1):
        return "column"
    is_unsummed = len(shape) > 1 and shape[0] == over[0] and shape != (over[0],) * 2
    return "entries" if is_unsummed else None


@dataclass(frozen=True, slots=True)
class _Neighbour:
    """What a layer or density of the source came to."""

    name: str
    calls: bool  # it holds a layer of the class in question, and is no such itself
    part: bool  # of the layer in question
    right: bool
    form: Form | None  # of its own ldj; None: one number per sample, or for all
    plain: bool  # one number for all samples goes with every form


def _agreed(found: Iterable[_Neighbour], form: Form, off: Tensor | None) -> str | None:
    """Return why the form is the custom of the layer's source; None if it is not."""
    callers = [each for each in found if each.calls and each.form != form]
    if any(not each.right for each in callers):
        return None
    if callers or off is not None:
        total = "the right total" if off is None else "its total"
        return f"{callers[0].name} gets {total} from it" if callers else None
    others = [each for each in found if not each.plain and not each.calls]
    alike = [each for each in others if each.right and each.form == form]
    if not alike or any(each.form != form for each in others):
        return None
    if len(alike) == 1 and alike[0].part:
        return None  # its slip is one of what it is part of
    names = ", ".join(each.name for each in alike[:3])
    return f"so do the other layers of its source: {names}"


def _neighbours(
    layer: Any, shape: Shape, options: Options, off: Tensor | None
) -> Iterator[_Neighbour]:
    """Yield what the other layers of a source, and the densities in it, come to."""
    asked, family = itertools.count(), _family(type(layer))
    for name, method in _own_methods(layer):
        alike = replace(options, shape=((None, tuple(shape)),))
        if next(asked) < _MOST and (own := _came_to(name, method, alike, None, off)):
            yield replace(own, calls=True)
    parts = _parts(layer)
    for name, candidates in {**dict(_built(layer, shape)), **parts}.items():
        for other in candidates:
            held = any(type(item) is type(layer) for item in reachable(other))
            wanted = type(layer) if held else None
            is_alike = type(other) in family
            shapes = ((None, tuple(shape)),) if is_alike else ()
            ways = [(name, replace(options, shape=shapes))]
            if held and any(densities(other)):
                ways.append((f"{name}'s density", replace(options, kind="model")))
            # a candidate is asked only where the one before did not run
            seen = [
                _came_to(called, other, way, wanted, off)
                for called, way in ways
                if next(asked) < _MOST
            ]
            if any(seen):
                yield from (replace(s, part=name in parts) for s in seen if s)
                break


def _came_to(
    name: str, layer: Any, options: Options, held: type | None, off: Tensor | None
) -> _Neighbour | None:
    """Return what a neighbour came to; None where it is no flow layer, or does not run.

    It is right where it is `off` by as much as the layer in question.

    Of one that was `held` a layer of the class in question, none either where that layer
    was not run: its total is then none of that layer's.
    """
    was_run = False

    def hears(frame: FrameType, event: str, result: Any) -> None:
        nonlocal was_run
        if not was_run and event == "return":
            was_run = _is_run_by(held, type(layer), frame, result)

    typed = Layer(target=name, name=name, obj=layer)
    subject = next((there.subject for there in read_anew(typed, options)), None)
    if subject is None or subject.layer.obj is not layer:
        return None
    with contextlib.nullcontext() if held is None else trace_calls(hears):
        comparison = compared(subject, values_alone=True)
    verdict, calls = comparison.forward, was_run
    if not verdict.usable or (held is not None and not calls):
        return None
    shape = verdict.usable[0][1].said.ldj_shape
    right = not verdict.mismatched and verdict.check.status in ("pass", "fail")
    if off is not None:
        right = verdict.mismatched and same(_off(verdict), off)
    if not calls and not right and shape == tuple(verdict.usable[0][1].x.shape):
        return None  # a network's two heads are no output and ldj
    return _Neighbour(
        name=name,
        calls=calls,
        part=False,
        right=right,
        form=_form_of(verdict.usable[0][1]),
        plain=shape in ((), (1,)),
    )


def _is_run_by(kind: type | None, caller: type, frame: FrameType, result: Any) -> bool:
    """Return whether a method of such a layer, run by its caller, returns a tensor."""
    parts = result if isinstance(result, tuple | list) else (result,)
    return (
        any(isinstance(part, Tensor) for part in parts)
        and is_users(frame.f_code.co_filename)
        and type(_first_argument(frame)) is kind
        and any(type(_first_argument(each)) is caller for each in _around(frame))
    )


def _first_argument(frame: FrameType) -> Any:
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def _around(frame: FrameType) -> Iterator[FrameType]:
    outer = frame.f_back
    while outer is not None:
        yield outer
        outer = outer.f_back


def _own_methods(layer: Any) -> Iterator[tuple[str, Any]]:
    """Yield the methods that make a density of x of what the layer's own others return."""
    for name, function in vars(type(layer)).items():
        tree = source_of(function) if inspect.isfunction(function) else None
        calls = (n for n in ast.walk(tree or ast.Pass()) if isinstance(n, ast.Call))
        asks = [n.func.attr for n in calls if isinstance(n.func, ast.Attribute)]
        if not name.startswith("_") and len({*asks} & {*vars(type(layer))}) > 1:
            yield name, getattr(layer, name)


def _built(layer: Any, shape: Shape) -> Iterator[tuple[str, Iterable[Any]]]:
    """Yield the other layers of the layer's source: instances, and classes built anew.

    Classes that have a base of the user's in common with it are of one source, wherever
    they stand.
    """
    home = type(layer).__module__
    if home.startswith(("torch.", "builtins")):
        return  # a function, whose own source says nothing of its class
    homes = _modules_beside(home)
    held = set(map(id, reachable(layer)))
    for name, value in list(_namespace(layer).items()):
        if name.startswith("_"):
            continue
        if not inspect.isclass(value):
            kind = type(value)
            own = kind.__module__ in homes and id(value) not in held
            if own and is_run_like_layer(kind):
                yield name, [value]
        elif value.__module__ in homes and value is not type(layer):
            yield name, _made(value, layer, shape)
    for kind in _family(type(layer)):
        if kind.__module__ not in homes:
            yield kind.__name__, _made(kind, layer, shape)


def _parts(layer: Any) -> dict[str, list[Any]]:
    """Return the layer's parts of other classes of its source, one of each, by the class."""
    homes, found = _modules_beside(type(layer).__module__), dict[str, list[Any]]()
    for item in reachable(layer):
        kind = type(item)
        if kind is not type(layer) and module_of(kind) in homes:
            found.setdefault(kind.__name__, [item])
    return found


def _family(kind: type) -> list[type]:
    """Return the other classes that are derived from one of its own package, as it is."""
    package = module_of(kind).partition(".")[0]
    bases = [b for b in kind.__mro__[1:] if module_of(b).partition(".")[0] == package]
    found: dict[type, None] = {}
    while bases:
        derived: list[type] = type.__subclasses__(bases.pop(0))
        bases += [each for each in derived if each not in found]
        found.update(dict.fromkeys(derived))
    return [each for each in found if each not in kind.__mro__]


def _modules_beside(name: str) -> set[str]:
    """Return the modules of one source: of a notebook, each cell is one."""
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    notebook, cell = split_cell(file)
    if cell is None:
        return {name}
    files = {n: getattr(m, "__file__", None) or "" for n, m in [*sys.modules.items()]}
    return {n for n, each in files.items() if split_cell(each)[0] == notebook}


def _namespace(layer: Any) -> Mapping[str, Any]:
    """Return the names of the source in which the layer's class is written."""
    for name in ("forward", "_call", "__call__"):
        function = inspect.unwrap(getattr(type(layer), name, None) or _namespace)
        if function.__module__ == type(layer).__module__:
            names: Mapping[str, Any] = getattr(function, "__globals__", {})
            return names
    return vars(sys.modules.get(type(layer).__module__, inspect))


def _made(kind: type, layer: Any, shape: Shape) -> Iterator[Any]:
    """Yield objects of a class; none where it is not known what it needs.

    What needs arguments may be a caller: built of sizes, or of layers, it holds such a layer.
    Or it has a base in common with it, and may be built alike.
    """
    if not is_run_like_layer(kind) and not hasattr(kind, "log_prob"):
        return
    with contextlib.suppress(Exception):  # a user's own constructor may raise anything
        needed = [
            parameter
            for parameter in inspect.signature(kind).parameters.values()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
        if not needed:
            made = kind()
            yield made
            return
        is_alike = kind in _family(type(layer))
        for given in _arguments([each.name for each in needed], layer, shape):
            with contextlib.suppress(Exception):
                made = kind(*given)
                if is_alike or any(type(i) is type(layer) for i in reachable(made)):
                    yield made


def _arguments(names: list[str], layer: Any, shape: Shape) -> Iterator[tuple[Any, ...]]:
    """Yield what a class may be built of that calls such a layer, or is another.

    What the layer holds under the name of an argument is what that argument takes.
    """
    if len(names) == 1:
        yield ([layer],)
    if len(names) <= _MOST_SIZES:
        sizes = tuple(shape), _FEW, next(iter(shape), 1)
        yield from itertools.product(
            *(
                [getattr(layer, name)] if hasattr(layer, name) else sizes
                for name in names
            )
        )


def _as_agreed(subject: Subject, form: Form, why: str) -> Subject:
    """Return the subject whose convention promises the form, at all sizes that it takes."""
    calls = subject.bench.calls
    agreed = replace(calls, column=form == "column", custom=why)
    return called_as(subject, agreed)

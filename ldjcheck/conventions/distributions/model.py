"""Whole models: `log_prob(x)` against log p(z) + log|det dz/dx|.

What a model reports is a density; less the base density of the z that it computes on the
way, it is the ldj of its map from x to z. The z is what the base distribution is asked
about while the model runs, whatever either is called. A model that writes its base out
asks nobody: then z is found on the tape, by the terms that are a density of it; or else
it is what the flow returns, if a standard normal or a uniform base fits.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import CodeType, FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from ldjcheck.calling.convention import Convention
from ldjcheck.calling.parameter_names import (
    DENSITIES,
    METHODS_OF_WAYS,
    Unit,
    is_bound,
    is_step,
    unit_of,
    unit_of_method,
)
from ldjcheck.calling.results import (
    density_in,
    returned_alone,
    returned_by_key,
    returned_expressions,
    returns_one_thing,
    taken_out_of_batch,
    written_in,
)
from ldjcheck.calling.signature import method_names, signature_of
from ldjcheck.conventions.transforms.transform import declared_domain
from ldjcheck.densities.answers import Mass, before_the_mean
from ldjcheck.densities.drawn_and_dropped import Draws, LeftBehind, left_behind
from ldjcheck.densities.mass import log_mass_at_any
from ldjcheck.densities.terms import DensityTerms, Heard
from ldjcheck.densities.written import Memory, written_out
from ldjcheck.errors import NoBaseError
from ldjcheck.object_graph import looked_up, owner_of
from ldjcheck.records import CallFunction, Calls, Domain, Kwargs, Returned, Way
from ldjcheck.records.called import BaseMass
from ldjcheck.tape import Place, ancestors, dependents, location_of
from ldjcheck.tracebacks import package_of
from ldjcheck.tracing import trace_calls

_COUNTED = (1.0, -1.0, 0.0, 2.0, 0.5)  # how often a model may count a layer's ldj
_FROM_NATS: tuple[Unit, ...] = ("nats", "-nats", "nats/dim", "-nats/dim", "bits/dim")
OF_A_DIM: tuple[Unit, ...] = ("-nats/dim", "bits/dim")
_NESTED = 12  # operations around a density, names among them
_LAYERS = 4  # the last of them: earlier ones are counted together
_FITS = 1e-4
_SAME, _SAME_SINGLE = 1e-9, 1e-5  # relative
_WEIGHTED = "a log-density that is asked is counted with a weight"
_UNSEEN = (
    "I saw no base distribution: no log_prob(z) is called on the way, and no terms of "
    "what is returned are a log-density of one value"
)


def densities(layer: Any) -> Iterator[tuple[str, Unit, Any]]:
    """Yield the densities of a layer: name, unit and method; itself, if it is a routine."""
    if isinstance(layer, type):
        return
    own = layer.__name__ if is_routine(layer) else None
    usual = itertools.chain(*DENSITIES.values())
    named = [*usual, *method_names(layer)] if own is None else [own]
    units = {name: unit for name in named if (unit := unit_of_method(name)) is not None}
    # others are made of those in nats
    for name, unit in sorted(units.items(), key=lambda each: _FROM_NATS.index(each[1])):
        method = looked_up(layer, name) if own is None else layer
        if callable(method):
            yield name, unit, method
    model: Any = owner_of(layer)
    said = _unit_of_call(model) if own in (None, "forward") else None
    if said is not None:
        yield "forward", said, model.forward
    elif own == "forward" and says_one_thing(model):
        for unit in _FROM_NATS:  # a base fits one of them, or none
            yield "forward", unit, layer


def says_one_thing(model: Any) -> bool:
    """Return whether a model has a density, or a map, and a call that returns one thing."""
    call = looked_up(model, "forward")
    if not inspect.ismethod(call) or not returns_one_thing(call):
        return False
    others = *DENSITIES["nats"], *METHODS_OF_WAYS
    return any(callable(looked_up(model, name)) for name in others)


def _unit_of_call(layer: Any) -> Unit | None:
    """Return the unit of what a module's call returns, where that is named like a density.

    Or where a base is asked in it. It may be what another method returns, as in
    `return self.likelihood(x)`.
    """
    call = looked_up(layer, "forward")
    if not inspect.ismethod(call) or not returns_one_thing(call):
        return None
    returned = returned_alone(call)
    inner = returned[0].func if returned and isinstance(returned[0], ast.Call) else None
    own = call.__func__.__code__.co_varnames[:1]
    if isinstance(inner, ast.Attribute) and ast.unparse(inner.value) in own:
        method = looked_up(layer, inner.attr)
        if (unit := unit_of_method(inner.attr)) is not None:
            return unit
        returned = returned_alone(method) if inspect.ismethod(method) else ()
    if not returned or returned_by_key(call):
        return None  # of several things, the numbers tell
    held = _assigned(call)
    nodes = [node for each in returned for node in ast.walk(each)]
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    if any(map(is_bound, names)):
        return _spelled_unit(returned[0], held)
    for each in returned:
        if (unit := unit_said(each, held)) is not None:
            return unit
    made = (held[n.id] for n in nodes if isinstance(n, ast.Name) and n.id in held)
    nodes += [node for each in made for node in ast.walk(each)]
    asked = (node.func for node in nodes if isinstance(node, ast.Call))
    if any(isinstance(f, ast.Attribute) and f.attr in DENSITIES["nats"] for f in asked):
        return _spelled_unit(returned[0], held)
    return None


def unit_said(said: ast.expr, held: Mapping[str, ast.expr]) -> Unit | None:
    """Return the unit of what is made of a density: that of its name, and what becomes of it.

    None where nothing in it is named like one.
    """
    names = (node.id for node in ast.walk(said) if isinstance(node, ast.Name))
    unit = next(filter(None, map(unit_of, names)), None)
    if unit is None:
        return None
    unnamed = {name: value for name, value in held.items() if unit_of(name) is None}
    spelled, scale = _spelled_unit(said, unnamed), _spelled_unit(said, held)
    if "bits/dim" in (unit, scale):
        return "bits/dim"
    is_negated = (unit[0] == "-") != (spelled[0] == "-")
    if unit.endswith("dim") or scale.endswith("dim"):
        return "-nats/dim" if is_negated else "nats/dim"
    return "-nats" if is_negated else "nats"


def _assigned(call: Any) -> dict[str, ast.expr]:
    """Return what a function gives a name to, by the name: what it is given last."""
    return {
        node.targets[0].id: node.value
        for node in written_in(call)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def _spelled_unit(said: ast.expr, held: Mapping[str, ast.expr]) -> Unit:
    """Return the unit of a density that has no name, by what it is negated and divided by."""
    negated, per = False, list[ast.expr]()
    for _ in range(_NESTED):
        if isinstance(said, ast.Name) and said.id in held:
            said = held[said.id]
        elif isinstance(said, ast.UnaryOp) and isinstance(said.op, ast.USub):
            said, negated = said.operand, not negated
        elif isinstance(said, ast.BinOp) and isinstance(said.op, ast.Div):
            per.append(said.right)
            said = said.left
        elif isinstance(said, ast.Call) and isinstance(said.func, ast.Attribute):
            if said.func.attr not in ("mean", "sum"):
                break
            said = said.func.value
    inner = [n for each in per for n in ast.walk(each)]
    inner += [
        n
        for name in inner
        if isinstance(name, ast.Name) and name.id in held
        for n in ast.walk(held[name.id])
    ]
    words = {n.attr if isinstance(n, ast.Attribute) else "" for n in inner}
    if any(isinstance(n, ast.Call) and _is_log_of_two(n) for n in inner):
        return "bits/dim"
    if words & {"numel", "prod", "shape", "size"}:
        return "-nats/dim" if negated else "nats/dim"
    return "-nats" if negated else "nats"


def _is_log_of_two(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return name == "log" and [ast.unparse(a) for a in call.args] in (["2"], ["2.0"])


def is_routine(layer: Any) -> bool:
    """Return whether it is a method or a function, whose name says what it returns."""
    return inspect.ismethod(layer) or inspect.isfunction(layer)


def asks(name: str, unit: Unit) -> str:
    """Return how it is written that a density is asked: what it is called with, and returns."""
    sign, of_what = "-" * (unit[0] == "-" or unit == "bits/dim"), unit.lstrip("-")
    return f"m.{name}(x) -> {sign}log p(x), in {of_what}"


def _recognise(layer: Any) -> Iterator[Calls]:
    for name, unit, method in [*densities(layer)] or densities_of_call(layer):
        yield from _said_in(layer, name, unit, method)


def _said_in(layer: Any, name: str, unit: Unit, method: Any) -> Iterator[Calls]:
    signature = signature_of(method)
    if signature is None or not signature.names:
        return
    for leaving in (None, False, True):
        made = partial(_call, name, unit, leaving)
        yield Calls(
            convention=CONVENTION.name,
            signature=asks(name, unit),
            forward=Way(
                call=made(), afresh=made, domain=_support(layer), asks=(name, "x")
            ),
            inverse=None,
            lacks_density=leaving is True,
            context_names=signature.contexts(None),
            inferred=CONVENTION.says(
                f"{name}(x), in {unit.lstrip('-')}, less log p(z) is the ldj of x to z"
            ),
        )


def as_loss_per_dim(layer: Any, asked: Calls) -> Iterator[tuple[Unit, Calls]]:
    """Yield the calls of a loss that was asked, as one of each dim: in nats, or in bits."""
    for name, unit, method in [*densities(layer)] or densities_of_call(layer):
        if unit == "-nats" and asked.signature == asks(name, unit):
            for other in OF_A_DIM:
                for calls in _said_in(layer, name, other, method):
                    yield other, calls


def densities_of_call(layer: Any) -> Iterator[tuple[str, Unit, Any]]:
    """Yield the call of a layer that is said to be a model and names no density of its own.

    A base fits one of the units, or none.
    """
    call = looked_up(layer, "forward")
    if inspect.ismethod(call):
        for unit in _FROM_NATS:
            yield "forward", unit, call


def _support(layer: Any) -> Domain | None:
    """Return where a distribution of torch says that its density is not zero."""
    if not isinstance(layer, Distribution):
        return None
    try:
        return declared_domain(layer.support)
    except NotImplementedError:
        return None


class _Asked(NamedTuple):
    """What a base distribution was asked, and what it answered.

    An installed library's is taken at its word; of one of the model's own, or of a
    library's that asks such a one, it must be seen that its answer is a density of z.
    """

    z: Any
    answer: Any
    name: str
    at: Place  # where it returned
    asked_at: Place  # where it was asked
    is_own: bool
    inner: list[_Asked]  # what it asked others itself


class _Listener:
    """Hears what other objects' densities are asked, and what flows return."""

    def __init__(self, model: Any, x: Tensor) -> None:
        self._model, self._x = model, x
        self._codes = {getattr(model, "__code__", None), *_codes_of(type(model))}
        self._within: list[tuple[FrameType, Any, Any, list[_Asked]]] = []
        self._since: dict[FrameType, int] = {}  # how many pairs were returned before it
        self.asked: list[_Asked] = []
        self.returned: list[tuple[Any, Any]] = []  # by the outermost calls that do
        self.own: list[tuple[Any, Any]] = []  # the same, of the model's own calls
        self.end: Place | None = None  # where the model returned last

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        try:
            with trace_calls(self._event):
                yield
        finally:
            self._within.clear()
            self._since.clear()

    def _event(self, frame: FrameType, event: str, result: Any) -> None:
        code = frame.f_code
        if event == "call":
            self._since[frame] = len(self.returned)
        since = self._since.pop(frame, 0) if event == "return" else 0
        if event == "return" and self._is_models_own(frame):
            self.end = _place(frame)
        if (
            event == "call"
            and code.co_name in DENSITIES["nats"]
            and code.co_argcount > 1
        ):
            owner, z = (frame.f_locals.get(name) for name in code.co_varnames[:2])
            # what asks no object is a function of numbers: that is written out
            is_base = not isinstance(owner, Tensor) and owner is not self._model
            if is_base and not (isinstance(z, Tensor) and z.numel() == 0):
                self._within.append((frame, owner, z, []))
        elif event == "return" and self._within and self._within[-1][0] is frame:
            _, owner, z, inner = self._within.pop()
            heard = self._within[-1][3] if self._within else self.asked
            own = not package_of(code.co_filename) or any(a.is_own for a in inner)
            name = f"{type(owner).__name__}.{code.co_name}"
            by = _place(frame.f_back or frame)
            asked = _Asked(z, result, name, _place(frame), by, own, inner)
            heard += self._bases_behind(owner, asked)
        elif event == "return" and type(result) is tuple and len(result) == 2:
            if self._is_models_own(frame):
                self.own.append(result)
                return
            del self.returned[since:]
            self.returned.append(result)

    def _bases_behind(self, owner: Any, asked: _Asked) -> list[_Asked]:
        """Return what is a base of all that an object was asked, and asked others itself.

        One that is asked about x itself is a model inside of another, and hands on: its
        base is what it asks in turn. A distribution of torch's is a base all the same.
        """
        is_base = isinstance(owner, Distribution) and not asked.inner
        return [asked] if asked.z is not self._x or is_base else asked.inner

    def _is_models_own(self, frame: FrameType) -> bool:
        """Return whether it is the model's call: what that returns is no layer's pair."""
        code = frame.f_code
        if code not in self._codes:  # locals of a frame cost more than most calls
            return False
        own = getattr(self._model, "__code__", None)
        return code is own or frame.f_locals.get(code.co_varnames[0]) is self._model


def _codes_of(kind: type) -> Iterator[CodeType]:
    """Yield the code of the methods of a class, its bases' among them."""
    for base in kind.__mro__:
        methods = (inspect.unwrap(m) for m in vars(base).values() if callable(m))
        yield from (m.__code__ for m in methods if inspect.isfunction(m))


def _place(frame: FrameType) -> Place:
    """Return the line that a function has come to."""
    code, line = frame.f_code, frame.f_lineno
    return Place(code.co_filename, line, line, 0, 0, code.co_name, 0)


def _call(name: str, unit: Unit, leaving: bool | None) -> CallFunction:
    """Return a call; what leaves is not asked for where no base is written out: None."""
    memory = None if leaving is None else Memory(leaving=leaving)

    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        method = layer if is_routine(layer) else getattr(layer, name)
        model = owner_of(layer)
        said: list[Any] = []

        def ask() -> Any:
            said.append(said_by(method, x, kwargs, unit))
            return said[-1]

        def may_be_mean() -> bool:
            return bool(said) and unit != "nats" and said[0].numel() == 1 < len(x)

        returned = None
        try:
            returned = less_base(model, ask, x, unit, memory)
        except NoBaseError as error:
            if not may_be_mean():
                if unit == "nats":  # a loss may leave a constant out
                    error.log_mass = partial(_log_mass, method, x, kwargs)
                raise
        if returned is not None and not may_be_mean():
            return returned
        total = in_nats(said[0].detach(), x, unit)
        if returned is not None and not _says_one_number(returned, total):
            return returned  # the mean was read as that of so many numbers
        found = _one_by_one(call, layer, x, kwargs, total) or returned
        return found or less_base(model, ask, x, unit, memory, mixed=True)

    return call


def _log_mass(
    method: Callable[..., Any], x: Tensor, kwargs: Kwargs
) -> tuple[float, float] | None:
    """Return log of what a density adds up to over all x, and how far it may be off."""
    given = {
        name: value[:1] if isinstance(value, Tensor) and len(value) == len(x) else value
        for name, value in kwargs.items()
    }

    def density(rows: Tensor) -> Tensor:
        beside = {
            name: value.expand(len(rows), *value.shape[1:])
            if isinstance(value, Tensor) and len(value) == 1
            else value
            for name, value in given.items()
        }
        said: Tensor = said_by(method, rows, beside, "nats")
        return said.reshape(len(rows))

    return log_mass_at_any(density, x)


def _says_one_number(returned: Returned, total: Tensor) -> bool:
    """Return whether all samples are told the one number that the model says."""
    each = (returned.ldj + returned.taken).detach()
    return bool(((each - total).abs() <= _SAME * (1 + each.abs())).all())


def _one_by_one(
    call: CallFunction, layer: Any, x: Tensor, kwargs: Kwargs, total: Tensor
) -> Returned | None:
    """Return what a model says of each sample where it says the mean over the batch.

    That is what is minimised, and no mistake. None where the one number for all samples,
    `total`, is neither their mean nor their sum.
    """

    def of(value: Any, index: int) -> Any:
        is_batch = isinstance(value, Tensor) and value.shape[:1] == x.shape[:1]
        return value[index : index + 1] if is_batch else value

    alone = [
        call(layer, of(x, i), None, {name: of(v, i) for name, v in kwargs.items()})
        for i in range(len(x))
    ]
    y, ldj, base = (
        torch.cat([getattr(each, name) for each in alone])
        for name in ("y", "ldj", "taken")
    )
    mean = (ldj + base).detach().mean()
    fits = torch.isclose(total, mean) | torch.isclose(total, len(x) * mean)
    held = alone[0].bases
    return Returned(y=y, ldj=ldj, taken=base, bases=held) if bool(fits.all()) else None


def told_beside(calls: Calls, name: str, unit: Unit) -> Calls:
    """Return the call of a density with what another one says of the same x as the number.

    It is of the same z, and less the same log p(z).
    """
    assert calls.forward is not None
    call = partial(_told_beside, calls.forward.call, name, unit)
    way = replace(calls.forward, call=call, afresh=None)
    return replace(calls, signature=f"m.{name}(x)", forward=way)


def _told_beside(
    right: CallFunction,
    name: str,
    unit: Unit,
    layer: Any,
    x: Tensor,
    start: Tensor | None,
    kwargs: Kwargs,
) -> Returned:
    with Draws() as draws:
        returned = right(layer, x, start, kwargs)
    if draws.heard:
        raise NoBaseError("what is drawn is another noise in the next call")
    method = getattr(owner_of(layer), name)
    signature = signature_of(method)
    known = {n: v for n, v in kwargs.items() if signature and n in signature.names}
    said = of_each(lambda: said_by(method, x, known, unit), len(x))
    return replace(returned, ldj=in_nats(said, x, unit) - returned.taken)


def said_by(
    method: Callable[..., Any], x: Tensor, kwargs: Mapping[str, Any], unit: Unit
) -> Any:
    """Return the density that a method says of x, which what a loader gives may hold.

    Raises:
        NoBaseError: of several things it is one that is said in another unit.
    """
    is_of_batch = is_step(getattr(method, "__name__", ""))  # a module has none
    held = taken_out_of_batch(method) if is_of_batch else 0
    labels = torch.zeros(len(x), dtype=torch.int64)
    key, said = density_in(method((x, *[labels] * (held - 1)) if held else x, **kwargs))
    if key is None:
        return said
    own = unit_of_method(key) if isinstance(key, str) else None
    returned = dict(enumerate(returned_expressions(method)))
    if key in returned:
        own = unit_said(returned[key], _assigned(method))
    if own == "-nats" and unit in OF_A_DIM:
        own = unit  # what is minimised may be of one dim
    if own not in (None, unit):
        raise NoBaseError(_UNSEEN)
    return said


def of_each(ask: Callable[[], Any], batch: int) -> Any:
    """Return what is said of each sample, `(batch,)`, where a mean of it is said."""
    with Heard() as tape:
        said = ask()
        apart = (
            before_the_mean(tape, said, batch) if said.numel() == 1 < batch else None
        )
    return said if apart is None else apart


def in_nats(density: Any, x: Tensor, unit: Unit) -> Any:
    """Return a density, in its own unit, as log p(x) in nats."""
    return density * _factor(x, unit)


def _factor(x: Tensor, unit: Unit) -> float:
    dims = float(x[0].numel())
    return {
        "nats": 1.0, "-nats": -1.0, "bits/dim": -math.log(2) * dims,
        "nats/dim": dims, "-nats/dim": -dims,
    }[unit]  # fmt: skip


def less_base(
    layer: Any,
    ask: Callable[[], Any],
    x: Tensor,
    unit: Unit,
    memory: Memory | None,
    results: Sequence[Any] = (),
    events: Sequence[Tensor] = (),
    *,
    mixed: bool = False,
) -> Returned:
    """Return z, and what `ask()` says the density of x is, less that of z.

    A base that is written out is looked for where there is a `memory` of what was found.
    Into `results` goes what is returned beside the density; into `events` what of x is no
    noise, where a part of it is. Of a mean over samples each is told apart, where it may be
    `mixed` even if something else adds them up.

    Raises:
        NoBaseError: no base distribution was asked on the way, and none was written out.
    """
    if not isinstance(x, Tensor):
        raise NoBaseError(
            "it is a density of several inputs, and is checked of one tensor"
        )
    written = memory is not None
    heard = _Listener(layer, x)
    is_placed = memory is not None and (memory.placed or results != ())
    tape = Heard(placed=is_placed)
    recorded = written or unit != "nats"  # a loss may be a mean
    if recorded:
        tape.source(x, "input")
    with heard.listening(), tape if recorded else contextlib.nullcontext():
        said = ask()
        if said.shape == (len(x), 1):  # a column is one number for each sample too
            said = said[:, 0]
        if recorded and said.numel() == 1 < len(x):
            apart = before_the_mean(tape, said, len(x), mixed=mixed)
            said = said if apart is None else apart
    is_of_all = said.numel() == 1 < len(x)  # then each sample is asked for alone
    density = in_nats(said, x, unit)
    is_loss = unit[0] == "-"
    if is_loss and not is_of_all:
        density = density - _penalty(tape, x, said, _factor(x, unit))
    asked, held = _resolved(heard.asked, x, tape, memory)
    if recorded and (events or sum(_entries(a.z) for a in asked) > _entries(x)):
        times = [_times(each, said, x, tape) for each in asked]
        if events and any(abs(abs(each) - 1) > _SAME_SINGLE for each in times):
            raise NoBaseError(_WEIGHTED)  # as in a beta-VAE: no density of anything
        # What is said of a draw is taken off: log q, of which a loss is made with a plus.
        factor = _factor(x, unit)
        asked = [a for a, t in zip(asked, times, strict=True) if factor * t >= 0]
    asked = _about_x(asked, x, tape, memory, *events)
    asked, lost = _heeded(asked, said, x, tape)
    parts = [a.z for a in asked]
    base = sum(a.answer.reshape(len(x), -1).sum(1) for a in asked)
    lacking = x[0].numel() - sum(map(_entries, parts))
    is_pair = bool(results)  # that the density is one of, as an ldj would be
    alone = None if is_of_all or is_pair else _of_ldj_alone(heard, density, x)
    if alone is not None:
        if memory is None or not memory.leaving:
            raise NoBaseError(_UNSEEN)
        return alone
    answers, made_up = [a.answer for a in asked], False
    if memory is not None and lacking > 0 and not is_of_all:
        beside = answers, lacking, _factor(x, unit), memory
        returned = [(z, d) for z, d in heard.returned + heard.own if _is_pair(z, d, x)]
        found = written_out(
            tape, x, said, *beside, is_loss=is_loss, results=results,
            pairs=returned, parts=parts,
        )  # fmt: skip
        if found is not None:
            held, made_up = held + found[2], found[3]
            memory.placed = memory.placed or bool(held)
        usual = found or _of_what_is_returned(heard, density, base, x, parts)
        if usual is not None:
            parts, base = [*parts, *usual[0]], base + usual[1]
    if not parts:
        raise NoBaseError(_UNSEEN)
    left, place = 0, None
    if memory is not None and memory.leaving and not is_of_all:
        left = x[0].numel() - sum(map(_entries, parts))
        rest = left_behind(tape, x, parts, left, memory) if left > 0 else None
        if left > 0 and sum(_entries(a.z) for a in lost) == left:
            rest = LeftBehind([a.z for a in lost], location_of(lost[0].asked_at))
        elif rest is None:
            rest = _unsaid(results, parts, left, said, x, tape)
        if rest is None:
            raise NoBaseError(_UNSEEN)
        parts, place = [*parts, *rest.parts], rest.place
    y = _joined(parts, x)
    if recorded and not is_of_all:
        density, base = _where_there_is_any(
            density, base, tape, x, said, _factor(x, unit), answers
        )
    if unit == "-nats":  # to be minimised: it may be that of a dim, on average
        density = _of_all_dims(heard, density, base, y)
    return Returned(
        y=y, ldj=density - base, taken=base, left=left, left_at=place, bases=held,
        made_up=made_up,
    )  # fmt: skip


def _penalty(tape: Heard, x: Tensor, said: Tensor, factor: float) -> Tensor | float:
    """Return what norms of parameters add to a loss, in nats of the density, `(batch,)`."""
    node, source = tape.find(said), tape.find(x)
    if node is None or source is None:
        return 0.0
    live = tape.living()
    with torch._C.DisableTorchFunction():
        sum_ = DensityTerms(node, source, (), factor, len(x))
        ends = sum_.penalties
        return sum_.of(ends, lambda n: live.get(n, n.value)) if ends else 0.0


def _where_there_is_any(
    density: Tensor,
    base: Any,
    tape: Heard,
    x: Tensor,
    said: Tensor,
    factor: float,
    answers: Sequence[Tensor],
) -> tuple[Tensor, Any]:
    """Return a density, and that of z, with both less what the bases answer where it is 0.

    Where both are minus infinity, all else that the density adds up is its ldj.
    """
    if not isinstance(base, Tensor) or density.shape != base.shape:
        return density, base
    outside = (density == -torch.inf) & (base == -torch.inf)
    end, source = tape.find(said), tape.find(x)
    atoms = {node for each in answers if (node := tape.find(each)) is not None}
    if not bool(outside.any()) or end is None or source is None or not atoms:
        return density, base
    live = tape.living()
    sum_ = DensityTerms(end, source, atoms, factor, len(x))
    rest = sum_.of({*sum_.ends} - atoms, lambda node: live.get(node, node.value))
    return torch.where(outside, rest, density), torch.where(outside, 0.0, base)


def _resolved(
    heard: Sequence[_Asked], x: Tensor, tape: Heard, memory: Memory | None
) -> tuple[list[_Asked], tuple[BaseMass, ...]]:
    """Return the bases that were asked, and what mass those have that are no density.

    One of the model's own must have mass 1. Where that is not known, and what it asks in
    turn makes up all of z, it is a part of the map, and these are the bases; else it stays
    one whose mass is unknown.

    Raises:
        NoBaseError: one is of the model's own, and no tape tells what it is made of.
    """
    asked: list[_Asked] = []
    held: list[BaseMass] = []
    for each in (a for a in heard if _is_answer(a, x)):
        if not each.is_own:
            asked.append(each)
            continue
        if memory is None:
            raise NoBaseError(_UNSEEN)
        masses = memory.masses
        is_part = masses.within_map.get(each.at)
        mass = Mass(None) if is_part else masses.of(tape, each.z, each.answer)
        if mass.log is None and is_part is not False:
            inner, of_inner = _resolved(each.inner, x, tape, memory)
            is_part = sum(_entries(a.z) for a in inner) == _entries(each.z)
            if is_part:
                asked += inner
                held += of_inner
        if not is_part:
            asked.append(each)
        if not (is_part or mass.is_one):
            at, dims = location_of(each.at), _entries(each.z)
            held.append(BaseMass(each.name, at, dims, mass.log, mass.error))
        masses.within_map.setdefault(each.at, bool(is_part))
    return asked, tuple(held)


def _about_x(
    asked: list[_Asked],
    x: Tensor,
    tape: Heard,
    memory: Memory | None,
    events: Tensor | None = None,
) -> list[_Asked]:
    """Return those that were asked about what is made of x, where all are more than x.

    Noise that is drawn has a density as well, and is no part of z.

    Raises:
        NoBaseError: no tape tells what they were asked about.
    """
    if sum(_entries(a.z) for a in asked) <= _entries(x):
        return asked
    if memory is None:
        raise NoBaseError(_UNSEEN)
    source = tape.find(x if events is None else events)
    moved = dependents(tape.nodes, source) if source is not None else set()
    return [a for a in asked if (z := tape.find(a.z)) is None or z in moved]


def _times(asked: _Asked, said: Tensor, x: Tensor, tape: Heard) -> float:
    """Return how often a density counts an answer: -1 is log q of a draw; 1 if unknown."""
    answer, end, source = (tape.find(each) for each in (asked.answer, said, x))
    if answer is None or end is None or source is None:
        return 1.0
    sum_ = DensityTerms(end, source, {answer}, 1.0, len(x))
    if answer not in sum_.ends:
        return 1.0
    with torch.no_grad(), torch._C.DisableTorchFunction():
        counted = sum_.of([answer], lambda node: torch.ones_like(node.value))
    return float(counted[0]) / answer.value[0].numel()


def _heeded(
    asked: list[_Asked], said: Tensor, x: Tensor, tape: Heard
) -> tuple[list[_Asked], list[_Asked]]:
    """Return those whose answers a density is made of, and those whose answers are lost."""
    end, source = tape.find(said), tape.find(x)
    made_of = set() if end is None else ancestors(end)
    if source not in made_of:  # what it is made of is not on the tape
        return asked, []
    counts = [(n := tape.find(a.answer)) is None or n in made_of for a in asked]
    heeded = [a for a, c in zip(asked, counts, strict=True) if c]
    return heeded, [a for a, c in zip(asked, counts, strict=True) if not c]


def _unsaid(
    results: Sequence[Any],
    parts: Sequence[Tensor],
    left: int,
    said: Tensor,
    x: Tensor,
    tape: Heard,
) -> LeftBehind | None:
    """Return the parts of z beside a density that nothing in it is made of, if all it lacks.

    What is made of the other parts, as an action is of its draw, is none.
    """
    end, source = tape.find(said), tape.find(x)
    known = {tape.find(part) for part in parts}
    nodes = {n: z for z in results if (n := tape.find(z)) is not None}
    if end is None or source is None:
        return None
    kept, moved = ancestors(end), dependents(tape.nodes, source)
    unsaid = {
        n: z
        for n, z in nodes.items()
        if n in moved and n not in kept and not known & ancestors(n)
    }
    if not unsaid or left != sum(map(_entries, unsaid.values())):
        return None
    return LeftBehind([*unsaid.values()], location_of(next(iter(unsaid)).place))


def _of_all_dims(
    heard: _Listener, density: Tensor, base: Tensor | int, z: Tensor
) -> Tensor:
    """Return a density of all dims, where one of a dim on average, or in bits, was told.

    It was where that, and no other, is log p(z) and the ldj that a flow returned beside z.
    """
    dims = float(_entries(z))
    for each, ldj in (*heard.own, *heard.returned):
        if not _is_pair(each, ldj, z) or each.numel() != z.numel():
            continue
        if not bool((each.detach().reshape(z.shape) == z.detach()).all()):
            continue
        number = ldj.detach().reshape(-1).expand(len(z))
        for times in (1.0, dims, dims * math.log(2)):
            off = (times * density - base).detach() - number
            size = 1 + times * density.detach().abs() + number.abs()
            same = _SAME if density.dtype == torch.float64 else _SAME_SINGLE
            if bool((off.abs() <= same * size).all()):
                return times * density
    return density


def _is_answer(asked: _Asked, x: Tensor) -> bool:
    """Return whether an answer is the density of z, some of its last axes summed or not.

    One that has further entries is of several distributions, of which the model makes
    one: those are components of a mixture. So is one of more entries than x has.
    """
    values = isinstance(asked.z, Tensor) and isinstance(asked.answer, Tensor)
    return bool(
        values
        and asked.z.dim()
        and asked.answer.dim()
        and len(asked.z) == len(asked.answer) == len(x)
        and asked.answer.shape == asked.z.shape[: asked.answer.dim()]
        and _entries(asked.z) <= _entries(x)
    )


def _joined(parts: list[Tensor], x: Tensor) -> Tensor:
    """Return all of z in the shape of x, where it has as many entries."""
    flat = [part.reshape(len(x), -1) for part in parts]
    z = flat[0] if len(flat) == 1 else torch.cat(flat, dim=1)
    return z.reshape(x.shape) if z.numel() == x.numel() else z


def _entries(z: Tensor) -> int:
    return z[0].numel()


def _log_normal(z: Tensor, x: Tensor) -> Tensor:
    flat = z.reshape(len(x), -1)
    return -(flat**2 / 2 + math.log(2 * math.pi) / 2).sum(1)


def _of_what_is_returned(
    heard: _Listener,
    density: Tensor,
    base: Tensor | int,
    x: Tensor,
    asked: list[Tensor],
) -> tuple[list[Tensor], Tensor] | None:
    """Return the z that a flow returns, and its density, if it is a usual one; or None.

    It has the entries that no distribution was `asked` about. What the model says is then
    log p(z) and plain multiples of its layers' ldjs, to which the densities that were
    asked, `base`, are added or not. The usual ones are the standard normal, and the
    uniform density, where all entries lie between 0 and 1.
    """
    lacking = x[0].numel() - sum(map(_entries, asked))
    pairs = [
        (z, ldj.detach().reshape(-1).expand(len(x)))
        for z, ldj in heard.returned
        if _is_pair(z, ldj, x)
    ]
    sums = _plain_sums([ldj for _, ldj in pairs])
    for z, _ in reversed(pairs):
        was_asked = any(z.shape == a.shape and torch.equal(z, a) for a in asked)
        if _entries(z) != lacking or was_asked:
            continue
        inside = bool(((z >= 0) & (z <= 1)).all())
        for own in (_log_normal(z, x), *([z.new_zeros(len(x))] if inside else [])):
            rest = (density - own).detach()
            for said in (rest, rest - base):
                fits = (said - sums).abs() <= _FITS * (1 + said.abs())
                if bool((fits & said.isfinite()).all(1).any()):
                    return [z], own
    return None


def _of_ldj_alone(heard: _Listener, density: Tensor, x: Tensor) -> Returned | None:
    """Return z where what a model says is the ldj alone, and nothing of p(z); else None.

    A uniform density is 1 where z lies between 0 and 1, and its log adds nothing.
    """
    for z, ldj in (*reversed(heard.own), *reversed(heard.returned)):
        if not _is_pair(z, ldj, x) or z.shape != x.shape:
            continue
        number = ldj.reshape(-1).expand(len(x))
        same = bool(((density - number).abs() <= _SAME * (1 + number.abs())).all())
        if same and bool(((z < 0) | (z > 1)).any()):
            return Returned(
                y=z,
                ldj=density,
                taken=density.new_zeros(len(x)),
                left=x[0].numel(),
                left_at=location_of(heard.end),
            )
    return None


def _is_pair(z: Any, ldj: Any, x: Tensor) -> bool:
    """Return whether a flow returned z, and a number for each sample or for all."""
    both = isinstance(z, Tensor) and isinstance(ldj, Tensor)
    return both and ldj.numel() in (1, len(x)) and z.shape[:1] == x.shape[:1]


def _plain_sums(ldjs: list[Tensor]) -> Tensor:
    """Return what the layers' ldjs may add up to, `(ways, batch)`: each counted plainly."""
    if not ldjs:
        return torch.zeros(1, 1)
    earlier, last = ldjs[:-_LAYERS], ldjs[-_LAYERS:]
    known = [*([torch.stack(earlier).sum(0)] if earlier else []), *last]
    ways = torch.tensor(list(itertools.product(_COUNTED, repeat=len(known))))
    return ways.to(known[0]) @ torch.stack(known)


CONVENTION = Convention(
    name="model",
    summary="m.log_prob(x) -> log p(x), checked against log p(z) + ldj; also nll, bpd",
    recognise=_recognise,
)

"""Models whose call returns z and the density of x: `f(x) -> z, log p(x)`.

Or what they make of a draw and the density of that: `f(z0) -> z, log q(z)`, where log q(z)
is log q(z0) - ldj. Then it is z0, the input itself, that the base is asked about.

What stands beside z is no ldj then, and is judged as the `log_prob` of a model is. It is
told by its name in the return statement, or by the density of a base that it is made of;
that the base was asked about z itself, and not about what a split drops or a draw of noise,
is seen when the model runs.
"""

import ast
import contextlib
import inspect
import itertools
import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ldjcheck.calling.convention import Convention, only_call, run
from ldjcheck.calling.parameter_names import (
    OBJECTIVES,
    Unit,
    is_density,
    is_total,
    unit_of,
)
from ldjcheck.calling.results import (
    asks_base,
    held_in,
    is_made_of_densities,
    made_of_densities,
    returned_expressions,
    returned_names,
    written_in,
)
from ldjcheck.calling.signature import Signature, call_signature, caller, total_name
from ldjcheck.conventions.distributions.model import OF_A_DIM, less_base, unit_said
from ldjcheck.conventions.pair import CONVENTION as PAIR
from ldjcheck.densities.drawn_and_dropped import Draws
from ldjcheck.densities.written import Memory
from ldjcheck.errors import NoBaseError
from ldjcheck.numerics.closeness import same
from ldjcheck.object_graph import is_of_the_user
from ldjcheck.records import (
    CallFunction,
    Calls,
    FactorOut,
    Kwargs,
    Returned,
    Shape,
    Way,
)
from ldjcheck.revision import call_name

_BOXES = (0.0, 1.0), (-1.0, 1.0), (-math.pi, math.pi), (0.0, 2 * math.pi)
"""Where what is uniform lies: in a unit, between signs, on circles."""

_DISTRIBUTES = {"cdf", "erf", "erfc", "ndtr"}
_UNDOES = {"icdf", "erfinv", "ndtri"}


def _recognise(layer: Any) -> Iterator[Calls]:
    signature = call_signature(layer)
    if signature is None or not signature.names or total_name(signature) is not None:
        return
    found = _place_of_density(caller(layer))
    if found is None:
        return
    place, said, is_named = found
    for unit, memory in _asked_in(_units(said)):
        yield _beside(
            signature, partial(_call, place, unit, memory, is_named, True), unit
        )
    if not is_named:
        yield from as_ldj_of_all(layer, place)
    for unit in _units(said):
        call = partial(_call, place, unit, Memory(leaving=True), is_named, True)
        yield replace(_beside(signature, call, unit), lacks_density=True)


def as_loss_per_dim(layer: Any) -> Iterator[tuple[Unit, Calls]]:
    """Yield the calls of a loss beside z as one of each dim: in nats, or in bits."""
    signature, found = call_signature(layer), _place_of_density(caller(layer))
    if signature is None or found is None or found[1] != "-nats":
        return
    place, _, is_named = found
    for unit, memory in _asked_in(OF_A_DIM):
        call = partial(_call, place, unit, memory, is_named, True)
        yield unit, _beside(signature, call, unit)


def _asked_in(units: Iterable[Unit]) -> Iterator[tuple[Unit, Memory | None]]:
    """Yield each unit for a base that is asked, and for one that is written in it."""
    for unit in units:
        yield unit, None
        yield unit, Memory()


def as_density(layer: Any, place: int) -> Iterator[Calls]:
    """Yield the calls of a layer whose result at this place is log p(x), whatever its name.

    First with a base that is asked about z, then with one that is asked about x, or is
    written out; last with a uniform one, which an ldj without a scale would show as well.
    Nothing says that it is one but that density in it: where it is 0, as of what is
    uniform on a unit, an ldj of either sign looks the same.
    """
    signature = call_signature(layer)
    if signature is not None and signature.names:
        memories = None, Memory(of_any_mass=True)
        for memory, of_x in itertools.product(memories, (False, True)):
            call = partial(
                _less_some_base, partial(_call, place, "nats", memory, False, of_x)
            )
            yield _beside(signature, call, "nats")
        yield _beside(signature, partial(_less_uniform, place), "nats")


def as_ldj_of_all(layer: Any, place: int) -> Iterator[Calls]:
    """Yield the call whose result at this place is an ldj, with the density of what leaves.

    So a flow of several scales says it: the density of z is added by its caller. Its way
    back makes up what was dropped.
    """
    signature = call_signature(layer)
    backs = (calls.inverse for calls in PAIR.recognise(layer))
    back = next((way for way in backs if way is not None), None)
    if signature is not None and signature.names:
        told = (
            "beside z, its call returns the ldj and the density of what it drops; "
            "less that it is the ldj of x to all of it"
        )
        memory, kept = Memory(leaving=True), dict[int, Shape]()
        call = partial(_call, place, "nats", memory, False, True, kept=kept)
        if back is not None:
            back = replace(back, call=partial(_made_up, back.call, call, kept))
        kind = type(layer).__name__
        yield replace(
            _beside(signature, call, "nats"),
            signature=signature.show("z, ldj"),
            inverse=back,
            departures=(FactorOut(path="", kind=kind, calls=None, shape=()),),
            inferred=CONVENTION.says(told),
        )


def _made_up(
    back: CallFunction,
    there: CallFunction,
    kept: Mapping[int, Shape],
    layer: Any,
    y: Tensor,
    start: Tensor | None,
    kwargs: Kwargs,
) -> Returned:
    """Return the point that a way back makes up, and its ldj less what it says of that.

    It says minus what the way there does, or minus the ldj alone.
    """
    shape = kept.get(y[0].numel(), ())
    z = y.reshape(len(y), -1)[:, : math.prod(shape)].reshape(len(y), *shape)
    returned = back(layer, z, start, kwargs)
    again, said = there(layer, returned.y, start, kwargs), returned.ldj
    if isinstance(said, Tensor) and said.any() and not same(said, -again.ldj):
        said = said + torch.as_tensor(again.taken)
    return replace(returned, ldj=said, taken=again.taken)


def _less_uniform(
    place: int, layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs
) -> Returned:
    """Return z, and what is said less the density of what is uniform where z lies.

    Its volume must be written: an ldj that lacks its scale is off by as much.
    """
    said = list(held_in(run(caller(layer), x, kwargs)))
    density = said.pop(place)
    z = next((each for each in said if _is_output(each, x)), None)
    if z is None or z.numel() != x.numel():
        raise NoBaseError("no z is returned beside the density")
    low, high = next((box for box in _BOXES if _is_inside(z, box)), (0.0, 1.0))
    if not _writes_log_of(high - low, type(layer)):
        raise NoBaseError("no volume is taken off: what lacks one may be an ldj")
    volume = z[0].numel() * math.log(high - low)
    taken = torch.full((len(x),), -volume)
    returned = Returned(y=z, ldj=density + volume, taken=taken)
    _demand_base(returned)
    return returned


def _writes_log_of(width: float, kind: type) -> bool:
    """Return whether a class takes the logarithm of a number: as `math.log(2 * math.pi)`."""
    for each in filter(is_of_the_user, kind.__mro__):
        with contextlib.suppress(OSError, TypeError, SyntaxError):
            tree = ast.parse(textwrap.dedent(inspect.getsource(each)))
            calls = (n for n in ast.walk(tree) if isinstance(n, ast.Call) and n.args)
            logs = [_number(n.args[0]) for n in calls if call_name(n) == "log"]
            numbers = (getattr(n, "value", None) for n in ast.walk(tree))
            fractions = (n for n in numbers if isinstance(n, float))
            logs += [math.exp(n) for n in fractions if n < width]
            if any(math.isclose(number, width) for number in logs):
                return True
    return False


def _number(node: ast.expr) -> float:
    """Return a product of numbers and pi; NaN of anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _number(node.left) * _number(node.right)
    return math.pi if getattr(node, "attr", "") == "pi" else math.nan


def _is_inside(z: Tensor, box: tuple[float, float]) -> bool:
    return bool(((z >= box[0]) & (z <= box[1])).all())


def _less_some_base(
    call: CallFunction, layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs
) -> Returned:
    returned = call(layer, x, start, kwargs)
    _demand_base(returned)
    return returned


def _demand_base(returned: Returned) -> None:
    if not bool(torch.as_tensor(returned.taken).any()):
        raise NoBaseError("no density of z is in what is returned")


def _beside(signature: Signature, call: CallFunction, unit: Unit) -> Calls:
    return Calls(
        convention=CONVENTION.name,
        signature=signature.show("z, log p(x)"),
        forward=Way(call=call, asks=only_call({})),
        inverse=None,
        context_names=signature.contexts(),
        extra_names=signature.extras(),
        inferred=CONVENTION.says(
            "beside z, its call returns the density of x, in "
            f"{unit.lstrip('-')}; less log p(z) that is the ldj of x to z"
        ),
    )


def _units(said: Unit) -> tuple[Unit, ...]:
    """Return the units to try: what is called an nll may be one of each dim as well."""
    if said == "nats":
        return ("nats",)
    return (said, *(OF_A_DIM if said == "-nats" else ("-nats",)))


def _call(
    place: int,
    unit: Unit,
    memory: Memory | None,
    is_named: bool,
    of_x: bool,
    layer: Any,
    x: Tensor,
    start: Tensor | None,
    kwargs: Mapping[str, Any],
    *,
    kept: dict[int, Shape] | None = None,
) -> Returned:
    """Return z and what is said less its density.

    Or less that of all that leaves, and z has none: then it comes before the rest, and its
    shape is noted as what is `kept`.
    """
    results: list[Any] = []
    draws = Draws()

    def density() -> Any:
        said = list(held_in(run(caller(layer), x, kwargs)))
        told = said.pop(place)
        results.extend(each for part in said for each in _held_inside(part))
        if not any(_is_output(each, x) for each in results):
            raise NoBaseError(
                "no z is returned beside the density",
                is_foreign=all(map(_is_plain_number, results)),
            )
        return told

    with draws:
        returned = less_base(layer, density, x, unit, memory, results)
    drawn = any(each.value.numel() == returned.y.numel() for each in draws.heard)
    if drawn and not bool(torch.as_tensor(returned.ldj).any()):
        raise NoBaseError("the density is that of what is drawn, and of no x")
    parts = [each for each in results if _is_part(returned.y, each)]
    if _is_same(returned.y, x) and any(_is_same(each, x) for each in results):
        _demand_base(returned)  # as before training, where any number may be all ldj
    elif of_x and _is_same(returned.y, x):
        returned = _pushed(returned, results, x)
    elif is_named and returned.y.shape == x.shape:
        # scaled, for the base
        parts = [each for each in results if _is_output(each, x)]
    elif not parts:
        raise NoBaseError(
            "the density that is asked for is not that of what is returned"
        )
    others = [each for each in results if not any(each is part for part in parts)]
    if any(_is_less_than(x, each) for each in others):
        raise NoBaseError("what is returned beside the density may be an ldj")
    whole = returned.y.reshape(len(x), -1)
    gone, z = whole[:, : -returned.left], whole[:, -returned.left :]
    outputs = [each for each in results if _is_output(each, x)]
    is_less = returned.left and len(outputs) == 1 and _is_same(z, outputs[0])
    if is_less and _is_cut_from(x, z):
        raise NoBaseError("a split by itself: what it adds is asked, and its way back")
    if kept is None:
        return returned
    if not is_less:
        raise NoBaseError("what has no density is not what is returned")
    kept[whole.shape[1]] = tuple(outputs[0].shape[1:])
    whole = torch.cat([z, gone], 1)
    return replace(returned, y=whole, left=gone.shape[1], left_at=None)


def _held_inside(result: Any) -> Sequence[Any]:
    """Return what a result holds, where it is a list of parts, or a log; else itself."""
    if isinstance(result, Mapping):
        return [*result.values()]
    return result if type(result) in (list, tuple) else (result,)


def _pushed(returned: Returned, results: list[Any], x: Tensor) -> Returned:
    """Return what the input is made into, and the ldj by which its density is reduced."""
    made = [r for r in results if isinstance(r, torch.Tensor) and r.shape == x.shape]
    if len(made) != 1:
        raise NoBaseError(
            "the density that is asked for is not that of what is returned"
        )
    return replace(returned, y=made[0], ldj=-returned.ldj)


def _is_plain_number(result: Any) -> bool:
    return not isinstance(result, torch.Tensor) or result.dim() == 0


def _is_output(result: Any, x: Tensor) -> bool:
    """Return whether a result holds several numbers for a sample, as no ldj does."""
    return isinstance(result, torch.Tensor) and result.numel() > len(x)


def _is_less_than(x: Tensor, result: Any) -> bool:
    """Return whether a result holds fewer numbers than the input, as an ldj does."""
    return isinstance(result, torch.Tensor) and result.numel() < x.numel()


def _is_part(z: Tensor, result: Any) -> bool:
    """Return whether a result is z, or what is left of it where parts have left before."""
    if not isinstance(result, torch.Tensor) or result.shape[:1] != z.shape[:1]:
        return False
    whole, own = (each.detach().reshape(len(z), -1) for each in (z, result))
    size = own.shape[1]
    if not 0 < size <= whole.shape[1]:
        return False
    return bool((whole.unfold(1, size, 1) == own[:, None]).all(dim=2).any(dim=1).all())


def _is_cut_from(x: Tensor, z: Tensor) -> bool:
    """Return whether each entry of z is one of x as it came."""
    whole, own = (each.detach().reshape(len(x), -1) for each in (x, z))
    return bool((own[:, :, None] == whole[:, None]).all(0).any(1).all())


def _is_same(z: Tensor, result: Any) -> bool:
    if not isinstance(result, torch.Tensor) or result.numel() != z.numel():
        return False
    return torch.equal(result.detach().reshape(z.shape), z.detach())


def _place_of_density(function: Any) -> tuple[int, Unit, bool] | None:
    """Return which of the things that a call returns is a density, if one is.

    And its unit, and whether its name is that of a density.
    """
    parts = returned_expressions(function)
    totals = {name for name in returned_names(function) if is_total(name)}
    if len(parts) < 2 or totals - OBJECTIVES:
        return None
    if _distributes(function):
        return None
    made = made_of_densities(function)
    found = [
        (i, *u) for i, part in enumerate(parts) if (u := _unit(part, made, function))
    ]
    return found[0] if len(found) == 1 else None


def _unit(part: ast.expr, made: set[str], function: Any) -> tuple[Unit, bool] | None:
    """Return the unit of what is returned, if it is a density or made of one."""
    names = [node.id for node in ast.walk(part) if isinstance(node, ast.Name)]
    unit = unit_of(part.id) if isinstance(part, ast.Name) else None
    if unit is not None:
        return unit, True
    told = any(name in OBJECTIVES or is_density(name) for name in names)
    if told or is_made_of_densities(part, made, function):
        return unit_said(part, {}) or "nats", False
    return None


def _distributes(function: Any) -> bool:
    """Return whether z is made by a distribution function, at the point of the density.

    Its slope is the density there, which is the ldj then, and none of z.
    """
    nodes = list(written_in(function))
    asked = {n for node in nodes if asks_base(node) for n in _names_given(node)}
    points = {
        n for node in nodes if _calls(node, _DISTRIBUTES) for n in _names_given(node)
    }
    for node in nodes:
        if isinstance(node, ast.Assign) and any(
            _calls(each, _UNDOES) for each in ast.walk(node.value)
        ):
            points |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    known = getattr(function, "__globals__", {})
    return any(name not in known and name != "self" for name in asked & points)


def _calls(node: ast.AST, names: set[str]) -> bool:
    return isinstance(node, ast.Call) and call_name(node) in names


def _names_given(node: ast.AST) -> set[str]:
    """Return the names in what is handed to a call: of a tensor's own method, the tensor."""
    assert isinstance(node, ast.Call)
    given: list[ast.expr] = list(node.args)
    if not given and isinstance(node.func, ast.Attribute):
        given = [node.func.value]
    return {n.id for each in given for n in ast.walk(each) if isinstance(n, ast.Name)}


CONVENTION = Convention(
    name="density",
    summary="m(x) -> z, log p(x), checked against log p(z) + ldj",
    recognise=_recognise,
)

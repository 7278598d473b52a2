"""Layers that return y alone, and have a method of their own for the ldj.

`log_det(x)`, `forward_log_det_jacobian(x)`, `log_abs_det_jacobian(x, y[, context])`: how
many arguments it takes says what they are. The way back has an ldj only where there is a
method for that as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from ldjcheck.calling.convention import Convention, answer_of, taken
from ldjcheck.calling.parameter_names import (
    METHODS_OF_WAYS,
    NO_CALL,
    is_about_context,
    is_total,
)
from ldjcheck.calling.signature import (
    Signature,
    call_signature,
    inverse_method,
    method_names,
    signature_of,
)
from ldjcheck.object_graph import looked_up
from ldjcheck.records import CallFunction, Calls, Kwargs, Returned, Way

_BACK = ("inverse", "inv", "backward", "reverse")
_OF_ENTRIES = ("log_abs_det_jacobian", "forward_log_det_jacobian")
"""Methods that are of each event by torch's and TensorFlow's protocols: of an entry, too."""
_OUTPUTS = ("y", "z", "out", "output", "outputs", "yi")


def _recognise(layer: Any) -> Iterator[Calls]:
    signature, own = call_signature(layer), method_names(layer)
    way = None
    called = None if signature is None else signature.function
    if getattr(called, "__name__", "" if called else NO_CALL) == NO_CALL:
        # Then a method is the way there, as `transform` is.
        way = next((there for there in METHODS_OF_WAYS if there in own), None)
        signature = signature_of(getattr(layer, way)) if way else None
    if signature is None or not signature.names:
        return
    names = [name for name in own if is_total(name)]
    back_names = [name for name in names if name.startswith(_BACK)]
    hidden = (*_BACK, *(() if way else ("_",)), *(f"_{back}" for back in _BACK))
    there = [name for name in names if not name.startswith(hidden)]
    if not there:
        return
    # The fullest name is the one that is meant for others: `log_abs_det_jacobian`.
    name = max(there, key=len)
    method = signature_of(getattr(layer, name))
    if method is None:
        return
    flag = signature.way_flag()
    partners = METHODS_OF_WAYS.get(way or "", ())
    way_back = next((n for n in partners if n in own), inverse_method(layer))
    inverse = None
    if flag is not None:
        inverse = _way(None, flag.inverse, back_names[:1])
    elif way_back is not None:
        inverse = _way(way_back, {}, back_names[:1])
    event_dim = _event_dim(layer)
    there_way = _way(way, flag.forward if flag else {}, [name])
    if not method.names:  # it answers for the last call, as it must
        there_way = replace(there_way, late=None)
    caller_shown = f"f.{way}" if way else "f"
    ldj_shown = method.show("ldj").replace("f(", f"f.{name}(", 1)
    calls = Calls(
        convention=CONVENTION.name,
        signature=f"{caller_shown}(x) -> y; {ldj_shown}",
        forward=replace(there_way, event_dim=event_dim),
        inverse=None
        if inverse is None
        else replace(inverse, event_dim=event_dim, tracked=bool(back_names)),
        context_names=signature.contexts(),
        extra_names=signature.extras(),
        inferred=CONVENTION.says(f"{name}() gives the ldj"),
    )
    yield calls
    if event_dim is None and name in _OF_ENTRIES:
        elementwise = ("ldj", f"one entry per element, as {name} has it")
        inferred = (*calls.inferred, elementwise)
        yield replace(calls.elementwise(), inferred=inferred)


def _event_dim(layer: Any) -> int | None:
    for holder in (looked_up(layer, "domain"), layer):
        declared = looked_up(holder, "event_dim")
        if isinstance(declared, int):
            return declared
    return None


def _way(way: str | None, fixed: Mapping[str, Any], ldj_names: list[str]) -> Way:
    late = _call(way, fixed, ldj_names, late=True) if ldj_names else None
    return Way(call=_call(way, fixed, ldj_names), late=late)


def _call(
    way: str | None,
    fixed: Mapping[str, Any],
    ldj_names: list[str],
    *,
    late: bool = False,
) -> CallFunction:
    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        y = answer_of(layer, way, x, fixed, kwargs)
        if isinstance(y, (tuple, list)) and len(y) != 1:
            return Returned(y=None, ldj=None)  # it has more to say than y
        if not ldj_names:
            return Returned(y=y, ldj=None, bare=True)
        method = getattr(layer, ldj_names[0])
        signature = signature_of(method)
        assert signature is not None, "it was read when the layer was recognised"
        own = call_signature(layer)
        takes = None if own is None else own.input
        beside = () if own is None else own.contexts()
        is_back = ldj_names[0].startswith(_BACK)
        given = _arguments(signature, x, y, takes, beside, is_back=is_back)
        if late and given:
            answer_of(layer, way, x.flip(0), fixed, kwargs)
        rest = {
            name: value
            for name, value in taken(method, kwargs).items()
            if name not in signature.names[: len(given)]
        }
        return Returned(y=y, ldj=method(*given, **rest))

    return call


def _arguments(
    signature: Signature,
    x: Any,
    y: Any,
    takes: str | None,
    beside: tuple[str, ...],
    *,
    is_back: bool,
) -> tuple[Any, ...]:
    """Return input and output as the method wants them: both, one of them, or none.

    `takes` is what the layer's own call names its input, and `beside` what it takes beside
    it: a context under the same name here. The y of a method of the way back
    is what that is given, as everything it takes alone.
    """
    names = signature.names
    both = [
        n for n in signature.required if not is_about_context(n) and n not in beside
    ]
    if not is_back and names[1:2] == (takes,) and len(both) == 2:
        return (y, x)
    if len(both) == 2 or (len(names) > 1 and names[1].lower().startswith(_OUTPUTS)):
        return (x, y)
    if not signature.required:
        return ()
    is_output = names[0] in _OUTPUTS and names[0] != "z"
    return (y,) if is_output and not is_back else (x,)


CONVENTION = Convention(
    name="log-det-method",
    summary="f(x) -> y with f.log_det(x), or f.log_abs_det_jacobian(x, y), for the ldj",
    recognise=_recognise,
)

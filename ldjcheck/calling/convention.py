"""What a convention is, and the functions that run a layer one way, which most share."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ldjcheck.calling.results import unpacked
from ldjcheck.calling.signature import caller, parameters_of, signature_of
from ldjcheck.records import CallFunction, Calls, Kwargs, Returned, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """One way in which layers are called and hand back their ldj.

    `recognise(layer)` yields the ways of calling this layer, the likeliest first; none
    when the layer's type and signature say that it does not follow the convention. It
    never runs the layer.
    """

    name: str
    summary: str  # one line for `--convention` and the docs
    recognise: Callable[[Any], Iterable[Calls]]

    def says(self, why: str) -> tuple[tuple[str, str], ...]:
        """Return what is concluded of a layer that is called so, and from what."""
        return (("convention", f"{self.name}: {why}"),)


Wrap = Callable[[Tensor], Any]


def layer_call(fixed: Mapping[str, Any], *, wrap: Wrap | None = None) -> CallFunction:
    """Return what calls the layer itself, with these arguments besides the input.

    `wrap` makes the input of a tensor: a list of one, or a dict.
    """

    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        function = caller(layer)
        # what only the way back takes may be among them
        named = {**fixed, **taken(getattr(function, "forward", function), kwargs)}
        if wrap is None:
            return unpacked(run(function, x, named), x, function)
        return _unwrapped(function(wrap(x), **named), x, function)

    return call


def only_call(fixed: Mapping[str, Any]) -> Hashable:
    """Return what stands for a call of the layer itself with these arguments."""
    return tuple(sorted(fixed.items()))


def _unwrapped(result: Any, x: Tensor, function: Callable[..., Any]) -> Returned:
    returned = unpacked(result, x, function)
    alone = isinstance(returned.y, (list, tuple)) and len(returned.y) == 1
    return replace(returned, y=returned.y[0]) if alone else returned


def method_call(
    name: str,
    fixed: Mapping[str, Any] | None = None,
    *,
    spread: bool = False,
    wrap: Wrap | None = None,
) -> CallFunction:
    """Return what calls a method of the layer with the input, and these arguments.

    With `spread`, several tensors are arguments of their own even where all but the first
    may be left out. `wrap` is as for a call of the layer itself.
    """

    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        method = getattr(layer, name)
        named = taken(method, {**(fixed or {}), **kwargs})
        if wrap is not None:
            return _unwrapped(method(wrap(x), **named), x, method)
        several = spread and isinstance(x, (list, tuple))
        result = method(*x, **named) if several else run(method, x, named)
        return unpacked(result, x, method)

    return call


def by_methods(
    convention: str, layer: Any, there: str, back: str | None
) -> Calls | None:
    """Return how a layer is called by a method for each way, if the first takes an input."""
    signature = signature_of(getattr(layer, there))
    if signature is None or not signature.names:
        return None
    shown = f"f.{there}(x) -> y, ldj"
    return Calls(
        convention=convention,
        signature=shown if back is None else f"{shown}; way back: .{back}()",
        forward=Way(call=method_call(there, signature.asks())),
        inverse=None if back is None else Way(call=method_call(back)),
        context_names=signature.contexts(),
        extra_names=signature.extras(),
        inferred=(("convention", f"{convention}: it has {there}()"),),
    )


def answer_of(
    layer: Any, method: str | None, x: Any, fixed: Mapping[str, Any], kwargs: Kwargs
) -> Any:
    """Return what the layer, or a method of it, answers to its input as asked for."""
    function = caller(layer, method)
    return run(function, x, {**fixed, **taken(function, kwargs)})


def run(function: Callable[..., Any], x: Any, named: Mapping[str, Any]) -> Any:
    """Return what a function makes of its input, which may be several tensors.

    Each tensor is an argument of its own where the function has so many; else they are one
    argument, a tuple or, where the tensors have names of their own, a dict.
    """
    signature = parameters_of(getattr(function, "forward", function))
    if isinstance(x, Tensor):
        if signature is not None and (named or signature.keyword_only):
            first = next(iter(signature.names), "")
            # what stands before the input is given
            free = [n for n in signature.required if first in named and n not in named]
            if free:
                return function(**{free[0]: x}, **named)
            if first in signature.keyword_only and not signature.takes_any_position:
                return function(**{first: x}, **named)
        return function(x, **named)
    if signature is not None and signature.takes_any_position:
        return function(*(x.values() if isinstance(x, dict) else x), **named)
    if isinstance(x, dict):
        if signature is not None and set(x) <= set(signature.names):
            return function(**x, **named)
        return function(x, **named)
    wanted = () if signature is None else signature.required
    several = sum(name not in named for name in wanted) >= len(x)
    return function(*x, **named) if several else function(x, **named)


def taken(function: Any, kwargs: Kwargs) -> dict[str, Any]:
    """Return the keyword arguments that a function takes."""
    signature = parameters_of(function)
    if signature is None or signature.takes_any_keyword:
        return dict(kwargs)
    return {name: value for name, value in kwargs.items() if name in signature.names}

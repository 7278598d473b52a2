"""The parameters of a call: which takes the input, the total, a context, or says the way."""

import dis
import functools
import inspect
import itertools
import types
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from ldjcheck.calling.parameter_names import (
    FORWARD_FLAGS,
    METHODS_OF_WAYS,
    NO_CALL,
    REVERSE_FLAGS,
    SIGNS,
    is_about_context,
    is_density,
    is_time,
    is_total,
    speaks_of_context,
)
from ldjcheck.object_graph import looked_up, module_of, reachable
from ldjcheck.records import Calls

INVERSE_METHODS = (
    "inverse", "inv", "invert", "reverse", "backward", "inverse_transform",
)  # fmt: skip
"""Method names, met in the wild, of the way back."""
_POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WayFlag:
    """A parameter that says which way a layer runs: `reverse=True`, or `direction=-1`."""

    name: str
    there: bool | int
    back: bool | int  # what it is on the way back

    @property
    def forward(self) -> dict[str, bool | int]:
        """The argument that runs the layer forward."""
        return {self.name: self.there}

    @property
    def inverse(self) -> dict[str, bool | int]:
        """The argument that runs the layer the other way."""
        return {self.name: self.back}

    def __str__(self) -> str:
        return f"{self.name}={self.back}"


_INPUTS = {"x", "z", "y", "u", "v", "input", "inputs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The parameters of a call that matter here, `self` excluded."""

    function: Callable[..., Any]
    required: tuple[str, ...]  # positional, without default
    optional: tuple[str, ...]  # with default, and keyword-only ones with and without
    defaults: dict[str, Any]
    keyword_only: frozenset[str]
    takes_any_keyword: bool
    takes_any_position: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All named parameters, in order."""
        return self.required + self.optional

    @property
    def input(self) -> str | None:
        """The parameter that takes the input: the first that is no context, and no time.

        Nor is it a running total, where something else is wanted behind it. One letter is
        a context's where an input's stands behind: hidden states come first as well.
        """
        is_told = not _INPUTS.isdisjoint(self.required)
        named = is_about_context if is_told else speaks_of_context
        free = [n for n in self.required if not (named(n) or is_time(n))]
        inputs = (name for name in free if not (is_total(name) or is_density(name)))
        return next(inputs, next(iter((*free, *self.names)), None))

    @property
    def besides(self) -> tuple[str, ...]:
        """All named parameters but the input, in order."""
        return tuple(name for name in self.names if name != self.input)

    def find(self, names: tuple[str, ...]) -> str | None:
        """Return the first parameter that bears one of these names."""
        return next((name for name in self.names if name in names), None)

    def reads(self, name: str) -> bool:
        """Return whether the code reads a parameter of its own; True where none is had."""
        function = inspect.unwrap(getattr(self.function, "forward", self.function))
        code = getattr(function, "__code__", None)
        if code is None or name not in (*code.co_varnames, *code.co_cellvars):
            return True
        loads = (i for i in dis.get_instructions(code) if i.opname.startswith("LOAD"))
        return name in code.co_cellvars or any(name in str(i.argrepr) for i in loads)

    def way_flag(self) -> WayFlag | None:
        """Return the parameter that says which way the layer runs, if there is one."""
        for name in self.names if self.takes_any_position else self.besides:
            default = self.defaults.get(name, False)
            if name in REVERSE_FLAGS:
                return WayFlag(name=name, there=False, back=True)
            if name in FORWARD_FLAGS and (name in self.required or default is True):
                return WayFlag(name=name, there=True, back=False)
            if name in SIGNS and default == 1 and default is not True:
                return WayFlag(name=name, there=default, back=-default)
        return None

    def contexts(self, *known: str | None) -> tuple[str, ...]:
        """Return the further arguments that a call must have: no input, and no flag."""
        flag = self.way_flag()
        told = (*known, None if flag is None else flag.name, self.input)
        by_name = (n for n in self.optional if n not in self.defaults)  # `*, context`
        return tuple(n for n in (*self.required, *by_name) if n not in told)

    def extras(self, *known: str | None) -> tuple[str, ...]:
        """Return what may be None, and is where nobody gives it; the input left out."""
        taken = (*known, *(() if self.takes_any_position else (self.input,)))
        return tuple(
            name
            for name in self.optional
            if self.defaults.get(name, 0) is None and name not in taken
        )

    def asks(self) -> dict[str, bool]:
        """Return the flags, off unless they are given, that ask for the ldj, all on."""
        names = (n for n in self.besides if self.defaults.get(n) is False)
        return {name: True for name in names if is_total(name)}

    def show(self, result: str) -> str:
        """Return the call as a reader would write it: `f(z, ldj, reverse) -> ...`."""
        return f"f({', '.join(self.names)}) -> {result}"


def call_signature(layer: Any) -> Signature | None:
    """Return the signature of calling the layer; None when it cannot be called.

    For a module that is `forward`; its own hooks still run, since modules are called. One
    that has no forward may say itself what calling it does.
    """
    forward = looked_up(layer, "forward")
    call = inspect.getattr_static(type(layer), "__call__", None)
    absent = getattr(forward, "__name__", "") == NO_CALL
    says_itself = absent and not module_of(call).startswith("torch.nn")
    function = forward if callable(forward) and not says_itself else layer
    return signature_of(function) if callable(function) else None


def signature_of(function: Callable[..., Any]) -> Signature | None:
    """Return the signature of a function or bound method; None when it has none."""
    own = parameters_of(function)
    if own is None or own.function is function:
        return own
    return replace(own, function=function)


def parameters_of(function: Callable[..., Any]) -> Signature | None:
    """Return the signature, of whichever copy of a layer it is that a method is bound to.

    A method of a class is looked at once: this is asked at every call.
    """
    try:
        if isinstance(function, types.MethodType) and isinstance(
            function.__func__, types.FunctionType
        ):
            own = _signature_of_method(function.__func__)
            if own is not None:
                return own
        return _signature(function, [*inspect.signature(function).parameters.values()])
    except (TypeError, ValueError):
        return None


@functools.lru_cache(maxsize=256)
def _signature_of_method(function: types.FunctionType) -> Signature | None:
    """Return the signature of a method that is bound; None where it names no `self`."""
    parameters = [*inspect.signature(function).parameters.values()]
    if not parameters or parameters[0].kind not in _POSITIONAL:
        return None
    return _signature(function, parameters[1:])


def _signature(
    function: Callable[..., Any], parameters: list[inspect.Parameter]
) -> Signature:
    required, optional, only = [], [], set()
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            only.add(parameter.name)
        if parameter.kind in _POSITIONAL and parameter.default is parameter.empty:
            required.append(parameter.name)
        elif parameter.kind in (*_POSITIONAL, inspect.Parameter.KEYWORD_ONLY):
            optional.append(parameter.name)
    return Signature(
        function=function,
        required=tuple(required),
        optional=tuple(optional),
        defaults={p.name: p.default for p in parameters if p.default is not p.empty},
        keyword_only=frozenset(only),
        takes_any_keyword=any(p.kind is p.VAR_KEYWORD for p in parameters),
        takes_any_position=any(p.kind is p.VAR_POSITIONAL for p in parameters),
    )


def total_name(signature: Signature) -> tuple[str, bool] | None:
    """Return the parameter that takes the running total, and whether it is a density."""
    for name in signature.besides:
        if isinstance(signature.defaults.get(name), bool):
            continue  # `logdet=True` asks for a log-det, it does not take one
        if is_total(name) or is_density(name):
            return name, is_density(name)
    return None


def method_names(layer: Any) -> tuple[str, ...]:
    """Return the methods that the classes of a layer, or of a class, define: not torch's.

    A cached property is none, though it answers to the protocol of one: asked, it would
    change the layer.
    """
    found: dict[str, None] = {}
    for cls in (layer if isinstance(layer, type) else type(layer)).__mro__:
        if not module_of(cls).startswith(("torch.nn", "builtins")):
            members = vars(cls).items()
            found |= {
                name: None
                for name, value in members
                if inspect.isroutine(value)
                and (callable(value) or isinstance(value, classmethod))
            }
    return tuple(found)


def caller(layer: Any, method: str | None = None) -> Callable[..., Any]:
    """Return what is called to run the layer forward, or a method of it."""
    if method is not None:
        return getattr(layer, method)  # type: ignore[no-any-return]  # a method
    if callable(layer):
        return layer  # type: ignore[no-any-return]  # `callable` does not narrow Any
    return layer.forward  # type: ignore[no-any-return]


def inverse_method(layer: Any) -> str | None:
    """Return the name of the layer's method for the way back, or None.

    The call may hand on to a method that has a partner, as `encode` has `decode`.
    """
    names = itertools.chain(INVERSE_METHODS, _partners(layer))
    return next((name for name in names if callable(looked_up(layer, name))), None)


def _partners(layer: Any) -> Iterator[str]:
    """Yield the partners of methods that a layer's call asks for, and does not ask itself.

    A network that is called `f`, or a partner that is one, is no method.
    """
    signature = call_signature(layer)
    code = getattr(signature and signature.function, "__code__", None)
    asked = () if code is None else code.co_names
    for name in (n for n in asked if inspect.isroutine(looked_up(layer, n))):
        partners = (p for p in METHODS_OF_WAYS.get(name, ()) if p not in asked)
        yield from (p for p in partners if inspect.isroutine(looked_up(layer, p)))


def ways_back(layer: Any, signature: Signature) -> tuple[WayFlag | None, str | None]:
    """Return the flag that runs a layer back, and the name of the method that does.

    A flag that the code never reads is left over where there is a method.
    """
    flag, method = signature.way_flag(), inverse_method(layer)
    if flag is not None and method is not None and not signature.reads(flag.name):
        flag = None
    return flag, method


# --- arguments that are not taken -----------------------------------------------------

_BARE = (types.FunctionType, types.MethodType, functools.partial)


def untaken(
    layer: Any, ways: Iterable[Calls], names: Collection[str]
) -> tuple[str, ...]:
    """Return those of the names that the layer does not take as an argument.

    What takes any keyword takes these, and a container what its layers take.
    """
    if not names:
        return ()
    own = [call_signature(layer), *_signatures(layer)]
    if any(each is not None and each.takes_any_keyword for each in own):
        return ()
    known = _context_names(layer, ways)
    return tuple(name for name in names if name not in known)


def not_taken(layer: Any, ways: Iterable[Calls], name: str) -> str:
    """Return what to say of such a name: what it may have been."""
    near = get_close_matches(name, sorted(_context_names(layer, ways)), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"The layer takes no argument {name!r}{hint}"


def _context_names(layer: Any, ways: Iterable[Calls]) -> set[str]:
    known = {name for calls in ways for name in calls.context_names}
    known |= {name for calls in ways for name, _ in calls.context_shapes}
    own = {"forward", "__call__"} & {*method_names(layer)}
    for item in [layer] if own or isinstance(layer, _BARE) else reachable(layer):
        for signature in _signatures(item):
            known |= set(signature.names)
    return known - {"self"}


def _signatures(item: Any) -> Iterator[Signature]:
    """Yield the signatures of a function, or of the methods that users' classes define."""
    functions = [item]
    if not isinstance(item, _BARE):
        names = (n for n in method_names(item) if n[:2] != "__" or n == "__call__")
        functions = [getattr(type(item), name) for name in names]
    yield from filter(None, map(signature_of, functions))

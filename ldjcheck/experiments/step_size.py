"""The numbers that say how finely a layer steps: steps, tolerances, rules of quadrature.

A count of steps or a step size is an attribute of the layer or of its class, the default
of a parameter, a name at module level, or is simply written where it is used. Points at
which a function is integrated may be kept as such, with their weights.

An integral over [0, 1] or [-1, 1] is a weighted sum over points. Nothing says so but the
numbers themselves: they integrate constants and straight lines exactly. A finer rule
applies the same one to equal parts of the interval, and goes to the integral.
"""

import ast
import contextlib
import dis
import math
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal

import torch
from torch import Tensor

from ldjcheck.object_graph import attributes, module_of, reachable
from ldjcheck.revision import (
    Live,
    Replacement,
    SourceText,
    StaleSourceError,
    first_line,
)
from ldjcheck.tape.frames import calls_layers, is_torchs, is_users
from ldjcheck.tracing import Args, Named, Operation, Operations

_FEWEST_POINTS = 3  # points: fewer are no approximation that somebody relies on
_INTERVALS = ((0.0, 1.0), (-1.0, 1.0))
_DEGREE = 1  # up to which polynomials are tried
_SAME = 1e-5  # points and weights may be float32


@dataclass(frozen=True, slots=True)
class HeldRule:
    """Where an object keeps the points and the weights of a rule."""

    owner: Any
    points: str
    weights: str
    low: float
    high: float

    @property
    def size(self) -> int:
        """The number of points."""
        return _fixed_tensors(self.owner)[self.points].numel()

    def refine(self, times: int) -> None:
        """Put the rule that is so many times finer in its place."""
        held = _fixed_tensors(self.owner)
        points, weights = held[self.points], held[self.weights]
        wide = (self.high - self.low) / times
        starts = [self.low + wide * part for part in range(times)]
        along = _axis(points)
        scaled = (points - self.low) / times
        _keep(self.owner, self.points, torch.cat([s + scaled for s in starts], along))
        finer = torch.cat([weights / times] * times, _axis(weights))
        _keep(self.owner, self.weights, finer)


def rules_held(layer: Any) -> Iterator[HeldRule]:
    """Yield the rules of quadrature among the fixed tensors of a layer's parts."""
    for owner in reachable(layer):
        if isinstance(owner, (Tensor, dict, list, tuple)):
            continue
        held = {name: t for name, t in _fixed_tensors(owner).items() if _is_row(t)}
        for points in held:
            for weights in held:
                for low, high in _INTERVALS if points != weights else ():
                    if _integrates(held[points], held[weights], low, high):
                        yield HeldRule(owner, points, weights, low, high)


def _fixed_tensors(owner: Any) -> dict[str, Tensor]:
    """Return the tensors that an object keeps and training does not move."""
    own = attributes(owner)
    if isinstance(owner, torch.nn.Module):
        own = {**own, **owner._buffers}
    return {
        name: value
        for name, value in own.items()
        if isinstance(value, Tensor) and not value.requires_grad
    }


def _keep(owner: Any, name: str, value: Tensor) -> None:
    if isinstance(owner, torch.nn.Module) and name in owner._buffers:
        owner._buffers[name] = value
    else:
        object.__setattr__(owner, name, value)


def _is_row(tensor: Tensor) -> bool:
    """Return whether all entries lie along one axis."""
    n = tensor.numel()
    return tensor.is_floating_point() and n >= _FEWEST_POINTS and n == max(tensor.shape)


def _axis(tensor: Tensor) -> int:
    return tensor.shape.index(tensor.numel())


def _integrates(points: Tensor, weights: Tensor, low: float, high: float) -> bool:
    if points.numel() != weights.numel():
        return False
    at, by = points.flatten().double(), weights.flatten().double()
    if bool(((at < low - _SAME) | (at > high + _SAME)).any()):
        return False
    return all(
        abs(float((by * at**k).sum()) - (high ** (k + 1) - low ** (k + 1)) / (k + 1))
        < _SAME
        for k in range(_DEGREE + 1)
    )


# --- steps and tolerances -------------------------------------------------------------

_FEWEST, _MOST = 2, 200


@dataclass(frozen=True, slots=True)
class Number:
    """A count of steps or points, or a step size, and what keeps it."""

    kept: Literal["held", "default", "global", "written", "points"]
    name: str
    value: int | float

    @property
    def is_count(self) -> bool:
        """Whether more of it is finer; else less is."""
        return type(self.value) is int

    def finer(self, value: int | float, times: int) -> int | float:
        """Return what it, or its reciprocal, is where steps are so many times finer."""
        more = value * times if value >= 1 else value / times
        return int(more) if type(value) is int else more

    def __str__(self) -> str:
        return f"the {self.value} in its code" if self.kept == "written" else self.name


class Grain:
    """The numbers of a layer, and of the functions of the user's that a call runs."""

    def __init__(self, run: Callable[[], object]) -> None:
        with _Codes() as noted:
            run()
        codes = noted.run
        # What is written counts only where something is done more than once.
        self.loops = any(map(_goes_back, codes))
        self._live = Live(
            sorted({code.co_filename for code in codes} if self.loops else ())
        )
        self._functions = self._live.functions_of(codes) if self.loops else []
        self._written: list[tuple[SourceText, ast.Constant]] = []
        names = {(c.co_filename, c.co_name, c.co_firstlineno) for c in codes}
        for source in self._live.sources.values():
            for node in source.functions:
                name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
                if (source.file, name, first_line(node)) in names:
                    body = [node.body] if isinstance(node, ast.Lambda) else node.body
                    inside = (part for each in body for part in ast.walk(each))
                    self._written += [
                        (source, part)
                        for part in inside
                        if isinstance(part, ast.Constant) and _is_grain(part.value)
                    ]

    def numbers(self, layer: object) -> list[Number]:
        """Return every number, those that the layer holds first."""
        found = [
            Number("points", f"{rule.points} with {rule.weights}", rule.size)
            for rule in rules_held(layer)
        ]
        found += [Number("held", name, value) for _, name, value in _held(layer)]
        if self.loops:
            for function in self._functions:
                for name, value in _defaults(function):
                    found.append(Number("default", name, value))
                for name in function.__code__.co_names:
                    known = function.__globals__.get(name)
                    if known is not None and _is_grain(known):
                        found.append(Number("global", name, known))
            for _, node in self._written:
                assert isinstance(node.value, (int, float))
                found.append(Number("written", str(node.value), node.value))
        return list(dict.fromkeys(found))

    @contextlib.contextmanager
    def refined(
        self, layer: object, numbers: Iterable[Number], times: int
    ) -> Iterator[None]:
        """Let numbers be so many times finer, inside the `with`; the layer's stay so.

        A step size that is written as the reciprocal of a count goes with it.

        Raises:
            StaleSourceError: what is written is not what runs.
            SyntaxError: it does not compile with other numbers.
        """
        with contextlib.ExitStack() as stack:
            for number in numbers:
                if number.kept == "points":
                    for rule in list(rules_held(layer)):
                        rule.refine(times)
                elif number.kept == "held":
                    for item, name, value in _held(layer):
                        if name == number.name:
                            with contextlib.suppress(AttributeError, TypeError):
                                setattr(item, name, number.finer(value, times))
                elif number.kept == "written":
                    stack.enter_context(
                        self._live.edited(self._rewritten(number, times))
                    )
                else:
                    stack.enter_context(self._rebound(number, times))
            yield

    def _rewritten(self, number: Number, times: int) -> list[Replacement]:
        changes = {
            source.put(node, repr(number.finer(node.value, times)))
            for source, node in self._written
            if isinstance(node.value, (int, float))
            and (
                node.value == number.value
                or (number.is_count and math.isclose(node.value * number.value, 1.0))
            )
        }
        if not changes:
            raise StaleSourceError
        return sorted(changes)

    @contextlib.contextmanager
    def _rebound(self, number: Number, times: int) -> Iterator[None]:
        value = number.finer(number.value, times)
        saved = [
            (f, f.__defaults__, dict(f.__kwdefaults__ or {})) for f in self._functions
        ]
        scopes = [
            f.__globals__
            for f in self._functions
            if number.kept == "global"
            and f.__globals__.get(number.name) == number.value
        ]
        try:
            for scope in scopes:
                scope[number.name] = value
            for function, *_ in saved if number.kept == "default" else ():
                _default(function, number, value)
            yield
        finally:
            for scope in scopes:
                scope[number.name] = number.value
            for function, defaults, keywords in saved:
                function.__defaults__ = defaults
                function.__kwdefaults__ = keywords or None


class _Codes(Operations):
    """Notes which functions of the layer are running whenever torch is called."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[int, types.CodeType] = {}  # by identity: code is slow to hash

    @property
    def run(self) -> set[types.CodeType]:
        """The codes of the user's; torch's take no steps."""
        return {
            code
            for code in self._seen.values()
            if is_users(code.co_filename) and not is_torchs(code.co_filename)
        }

    def operate(self, name: str, func: Operation, args: Args, named: Named) -> Any:
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            code = frame.f_code
            if id(code) not in self._seen:
                if calls_layers(code.co_filename):
                    break
                self._seen[id(code)] = code
            frame = frame.f_back
        return func(*args, **named)


def _goes_back(code: types.CodeType) -> bool:
    """Return whether the code loops: an instruction jumps to an earlier one."""
    jumps = {*dis.hasjrel, *dis.hasjabs}
    return any(
        i.opcode in jumps and i.argval <= i.offset for i in dis.get_instructions(code)
    )


def _is_grain(value: object) -> bool:
    if type(value) is int:
        return _FEWEST <= value <= _MOST
    return type(value) is float and 0.0 < value < 1.0


def _held(layer: object) -> list[tuple[Any, str, int | float]]:
    """Return the numbers that the layer's parts or their classes hold."""
    found: list[tuple[Any, str, int | float]] = []
    for item in reachable(layer):
        if isinstance(item, (Tensor, dict, list, tuple)):
            continue
        own = attributes(item)
        for cls in type(item).__mro__:
            if not module_of(cls).startswith(("torch", "builtins")):
                own = {**vars(cls), **own}
        found += [
            (item, name, value) for name, value in own.items() if _is_grain(value)
        ]
    return found


def _defaults(function: types.FunctionType) -> Iterator[tuple[str, int | float]]:
    code, given = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    pairs = [*zip(names[len(names) - len(given) :], given, strict=True)]
    for name, value in (*pairs, *(function.__kwdefaults__ or {}).items()):
        if _is_grain(value):
            yield name, value


def _default(function: types.FunctionType, number: Number, value: int | float) -> None:
    """Give a parameter's default another value where it has this name and number."""
    if (number.name, number.value) not in list(_defaults(function)):
        return
    if number.name in (function.__kwdefaults__ or {}):
        function.__kwdefaults__ = {
            **(function.__kwdefaults__ or {}), number.name: value
        }  # fmt: skip
        return
    code, given = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount][-len(given) :]
    function.__defaults__ = tuple(
        value if name == number.name else old
        for name, old in zip(names, given, strict=True)
    )

"""The user's functions while they ran: which line held which value under which name.

The tape knows every operation and its place; here is what was in scope there, so that a
derived term can be written in the names that the source has at that very line.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import inspect
import itertools
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor

from ldjcheck.object_graph import paths, reachable
from ldjcheck.records import Calls, Direction
from ldjcheck.revision import SourceText, first_line, read_source
from ldjcheck.revision.text import MethodNode
from ldjcheck.tape import Node, Place, Trace
from ldjcheck.tape.frames import is_users
from ldjcheck.tape.recorder import Recorder
from ldjcheck.tracebacks import PYTHON, home_of, is_own, package_of


class Sources:
    """The files in which functions ran, and the expressions in them by their place."""

    def __init__(self) -> None:
        self._texts: dict[str, SourceText | None] = {}
        self._spans: dict[str, dict[tuple[int, int, int, int], ast.AST]] = {}

    def of(self, execution: Execution) -> SourceText:
        """Return the source of a function that ran, where it is known to have one."""
        source = self.text(execution.file)
        assert source is not None
        return source

    def text(self, file: str) -> SourceText | None:
        """Return a file's source, None where there is none."""
        if file not in self._texts:
            self._texts[file] = read_source(file)
        return self._texts[file]

    def function(self, ran: Execution) -> MethodNode | None:
        """Return the definition of a function that ran; None of a lambda, or of no source."""
        source, begins = self.text(ran.file), (ran.function, ran.code.co_firstlineno)
        for node in () if source is None else source.functions:
            if isinstance(node, ast.Lambda):
                continue
            if (node.name, first_line(node)) == begins:
                return node
        return None

    def at(self, place: Place) -> ast.AST | None:
        """Return the expression, or the statement, that a place spans."""
        if place.file not in self._spans:
            source = self.text(place.file)
            found: dict[tuple[int, int, int, int], ast.AST] = {}
            for node in () if source is None else source.nodes_of(source.tree):
                if isinstance(node, (ast.expr, ast.stmt)):
                    end = node.end_lineno or 0, node.end_col_offset or 0
                    found[(node.lineno, node.col_offset, *end)] = node
            self._spans[place.file] = found
        key = place.line, place.column, place.end_line, place.end_column
        return self._spans[place.file].get(key)

    def statement(self, place: Place) -> ast.stmt | None:
        """Return the statement in which a place stands: the innermost one."""
        source, node = self.text(place.file), self.at(place)
        if source is None:
            return None
        if node is not None:
            return source.statement(node)
        simple = source.statements.get(place.line, [])
        return simple[0] if len(simple) == 1 else None


Span = tuple[str, int, int, int, int]

_MOST = 4000  # lines; what loops longer is a solver, and has no closed form
_ATTRIBUTES = 400  # tensors that one object holds
_NO_HOLDERS = (Node, str, int, float, type, types.ModuleType, types.FunctionType)


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What a function held just before a line of it ran.

    Tensors that are on the tape stand as their nodes; `clock` counts the nodes so far.
    """

    line: int
    held: dict[str, Any]
    clock: int


@dataclass(slots=True, eq=False, kw_only=True)
class Execution:
    """One call of one of the user's functions.

    `call` is the number that places of the tape carry; `caller` is where the call stands
    in the function around it. `attributes` are the tensors that its arguments hold, as the
    source writes them: `self.log_scale`.
    """

    call: int
    code: CodeType
    caller: Place | None
    scope: Mapping[str, Any]  # the module's own names
    moments: list[Moment] = field(default_factory=list)
    returned: Any = None
    returned_at: int = 0
    attributes: dict[str, Node] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The file, as it was loaded."""
        return self.code.co_filename

    @property
    def function(self) -> str:
        """The function's name."""
        return self.code.co_name

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of its parameters."""
        count = self.code.co_argcount + self.code.co_kwonlyargcount
        flags = (inspect.CO_VARARGS, inspect.CO_VARKEYWORDS)
        count += sum(bool(self.code.co_flags & flag) for flag in flags)
        return self.code.co_varnames[:count]

    @property
    def owner(self) -> Any:
        """What the first parameter held: the layer itself, in a method."""
        if not self.moments or not self.arguments:
            return None
        return self.moments[0].held.get(self.arguments[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One number for each sample, a column of them, or one for each event.

    `event` is how many trailing axes one entry of the ldj covers; None is all but the
    first, as many as there are where the layer is `of_any_rank`. `sign` is -1 where the
    ldj is taken off a running log-density. Nothing is handed back at all where the volume
    is kept.
    """

    event: int | None = None
    of_any_rank: bool = False
    column: bool = False
    sign: int = 1
    is_silent: bool = False

    def summed(self, rank: int) -> str:
        """Return how a value of so many axes, the batch among them, is summed."""
        if self.event is not None:
            axes = ", ".join(str(axis) for axis in range(-min(self.event, rank), 0))
            if not axes:
                return ""
            return f".sum({axes})" if self.event == 1 else f".sum(({axes}))"
        if rank < 2:
            return ""  # one number for each sample already
        keep = ", keepdim=True" if self.column else ""
        flat = "" if rank == 2 and not self.of_any_rank else ".flatten(1)"
        return f"{flat}.sum(dim=1{keep})"

    def zeros(self, name: str) -> str:
        """Return a zero for every entry of the ldj, in the precision of an input."""
        if self.event == 0:
            return f"{name}.new_zeros({name}.shape)"
        if self.event is not None:
            return f"{name}.new_zeros({name}.shape[:-{self.event}])"
        if self.column:
            return f"{name}.new_zeros({name}.shape[0], 1)"
        return f"{name}.new_zeros({name}.shape[0])"

    def counted(self, axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
        """Return the axes of a value over which one entry of the ldj is a sum."""
        if self.event is None:
            return axes
        return tuple(axis for axis in axes if axis >= rank - self.event)


def form_of(calls: Calls, direction: Direction, *, of_any_rank: bool = False) -> Form:
    """Return the form that a way of calling promises."""
    way = calls.way(direction)
    return Form(
        event=None if way is None else way.event_dim,
        of_any_rank=of_any_rank,
        column=calls.column,
        sign=calls.sign,
        is_silent=calls.keeps_volume,
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Recorded:
    """One call of a layer: its tape, and the functions that ran.

    `home` is a file of the layer's own.
    """

    trace: Trace
    executions: Mapping[int, Execution]
    sources: Sources
    form: Form
    made: Mapping[tuple[int, Span], list[Node]]  # by call and place, in order
    home: str

    def is_own(self, file: str) -> bool:
        """Return whether a file is of the layer's own source: no other's is ever edited."""
        return is_own(file, self.home)


def recorded(trace: Trace, executions: Mapping[int, Execution], form: Form) -> Recorded:
    """Return a recorded call with what its expressions came to."""
    made: dict[tuple[int, Span], list[Node]] = {}
    for node in trace.nodes:
        for place in node.places[:1]:
            made.setdefault((place.call, place.span), []).append(node)
    return Recorded(
        trace=trace,
        executions=executions,
        sources=Sources(),
        form=form,
        made=made,
        home=home_of(tuple(each.file for each in executions.values())),
    )


class Observer:
    """Sees every line of the user's functions while a call is recorded.

    The interpreter tells; a debugger or a coverage tool stands aside meanwhile. So does the
    garbage collector: what it calls runs in between, and is no function of the layer's.
    """

    def __init__(self) -> None:
        self.executions: dict[int, Execution] = {}

    @contextlib.contextmanager
    def watching(self, recorder: Recorder) -> Iterator[None]:
        """Watch until the block is left; what was seen before is forgotten."""
        watch = _Watch(recorder)
        self.executions = watch.executions
        before, collects = sys.gettrace(), gc.isenabled()
        gc.disable()
        sys.settrace(watch.called)
        try:
            yield
        finally:
            sys.settrace(before)
            if collects:
                gc.enable()
            with torch._C.DisableTorchFunction():
                watch.look_again()


class _Watch:
    """What is seen of one recorded call."""

    def __init__(self, recorder: Recorder) -> None:
        self.executions: dict[int, Execution] = {}
        self._recorder = recorder
        # By the ids of frames, which are unique among the living only: they are kept.
        self._open: dict[int, tuple[Execution, FrameType]] = {}
        self._lines = 0

    def called(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if not _is_seen(code.co_filename) or self._lines > _MOST:
            return None
        if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE):
            return None
        execution = Execution(
            call=self._recorder.call_of(frame),
            code=code,
            caller=self._recorder.place_above(frame),
            scope=frame.f_globals,
        )
        self.executions[execution.call] = execution
        self._open[id(frame)] = execution, frame
        return self._within

    def _within(self, frame: FrameType, event: str, argument: Any) -> Any:
        if id(frame) not in self._open or event not in ("line", "return"):
            return self._within
        execution, _ = self._open[id(frame)]
        self._lines += 1
        if self._lines <= _MOST:
            with torch._C.DisableTorchFunction():
                held = {n: self._as_nodes(value) for n, value in frame.f_locals.items()}
                moment = Moment(frame.f_lineno, held, len(self._recorder.nodes))
                execution.moments.append(moment)
                if event == "return":
                    execution.returned_at = frame.f_lineno
                    execution.returned = self._as_nodes(argument)
        return self._within

    def _as_nodes(self, value: Any) -> Any:
        """Return a value with its node in the place of every tensor that is on the tape."""
        if isinstance(value, Tensor):
            return self._recorder.find(value) or value
        if type(value) in (tuple, list) and len(value) < 20:
            return tuple(self._as_nodes(item) for item in value)
        return value

    def look_again(self) -> None:
        """Put in the nodes of tensors that came on the tape only later, when first used.

        And look at the tensors that arguments hold, and what is named of the module.
        """
        known: dict[int, dict[str, Node]] = {}
        ran = self.executions.values()
        names = dict.fromkeys(n for each in ran for n in each.code.co_names)
        for execution in ran:
            for moment in execution.moments:
                for name, value in moment.held.items():
                    if isinstance(value, Tensor):
                        moment.held[name] = self._recorder.find(value) or value
            if not execution.moments:
                continue
            held, scope = execution.moments[0].held, execution.scope
            named = {n: scope[n] for n in names if n in scope}
            given = {name: held.get(name) for name in execution.arguments}
            for name, value in {**named, **given}.items():
                if value is None or isinstance(value, _NO_HOLDERS):
                    continue
                if id(value) not in known:
                    tensors = itertools.islice(_tensors_of(value), _ATTRIBUTES)
                    nodes = ((way, self._recorder.find(each)) for way, each in tensors)
                    known[id(value)] = {way: n for way, n in nodes if n is not None}
                for path, node in known[id(value)].items():
                    execution.attributes[name + path] = node


def _tensors_of(value: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors that an object holds, with how to write each behind it."""
    if isinstance(value, Tensor):
        yield "", value
        return
    ways = paths(value)
    for item in reachable(value):
        way = ways.get(id(item))
        if way is None:
            continue
        if isinstance(item, torch.nn.Module):
            for name, tensor in {**item._parameters, **item._buffers}.items():
                if tensor is not None:
                    step = f"[{name}]" if name.isdigit() else f".{name}"
                    yield way + step, tensor
        elif isinstance(item, Tensor) and way:
            yield way, item


def _is_seen(file: str) -> bool:
    """Return whether the functions of a file are looked at: the user's, and libraries'."""
    if file.startswith("<string>") or package_of(file) == PYTHON:
        return False
    return is_users(file)

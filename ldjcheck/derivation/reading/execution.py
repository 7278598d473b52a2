"""The user's functions while they ran: which line held which value under which name.

The tape knows every operation and its place; here is what was in scope there, so that a
derived term can be written in the names that the source has at that very line.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import itertools
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ldjcheck.derivation.reading.sources import Sources
from ldjcheck.holdings import paths, reachable
from ldjcheck.tape import Node, Place, Trace
from ldjcheck.tape.frames import is_users
from ldjcheck.tape.recorder import Recorder
from ldjcheck.tracebacks import PYTHON, home_of, is_own, package_of

if TYPE_CHECKING:
    from ldjcheck.derivation.reading.forms import Form

Span = tuple[str, int, int, int, int]

_MOST = 4000  # lines; what loops longer is a solver, and has no closed form
_ATTRIBUTES = 400  # tensors that one object holds


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
        self._recorder: Recorder | None = None
        self._open: dict[int, Execution] = {}
        self._kept: list[FrameType] = []  # ids are unique among the living only
        self._lines = 0

    @contextlib.contextmanager
    def watching(self, recorder: Recorder) -> Iterator[None]:
        """Watch until the block is left; what was seen before is forgotten."""
        self._recorder = recorder
        self.executions = {}
        self._lines = 0
        before, collects = sys.gettrace(), gc.isenabled()
        gc.disable()
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(before)
            if collects:
                gc.enable()
            with torch._C.DisableTorchFunction():
                self._look_again()
                self._look_at_attributes()
            self._open.clear()
            self._kept.clear()

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if not _is_seen(code.co_filename) or self._lines > _MOST:
            return None
        if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE):
            return None
        assert self._recorder is not None
        execution = Execution(
            call=self._recorder.call_of(frame),
            code=code,
            caller=self._recorder.place_above(frame),
            scope=frame.f_globals,
        )
        self.executions[execution.call] = execution
        self._open[id(frame)] = execution
        self._kept.append(frame)
        return self._within

    def _within(self, frame: FrameType, event: str, argument: Any) -> Any:
        execution = self._open.get(id(frame))
        if execution is None or event not in ("line", "return"):
            return self._within
        self._lines += 1
        if self._lines <= _MOST:
            with torch._C.DisableTorchFunction():
                self._note(execution, frame)
                if event == "return":
                    execution.returned_at = frame.f_lineno
                    execution.returned = self._as_nodes(argument)
        return self._within

    def _note(self, execution: Execution, frame: FrameType) -> None:
        assert self._recorder is not None
        held = {name: self._as_nodes(value) for name, value in frame.f_locals.items()}
        moment = Moment(frame.f_lineno, held, len(self._recorder.nodes))
        execution.moments.append(moment)

    def _as_nodes(self, value: Any) -> Any:
        """Return a value with its node in the place of every tensor that is on the tape."""
        assert self._recorder is not None
        if isinstance(value, Tensor):
            return self._recorder.find(value) or value
        if type(value) in (tuple, list) and len(value) < 20:
            return tuple(self._as_nodes(item) for item in value)
        return value

    def _look_again(self) -> None:
        """Put in the nodes of tensors that came on the tape only later, when first used."""
        assert self._recorder is not None
        for execution in self.executions.values():
            for moment in execution.moments:
                for name, value in moment.held.items():
                    if isinstance(value, Tensor):
                        moment.held[name] = self._recorder.find(value) or value

    def _look_at_attributes(self) -> None:
        assert self._recorder is not None
        known: dict[int, dict[str, Node]] = {}
        for execution in self.executions.values():
            if not execution.moments:
                continue
            for name in execution.arguments:
                value = execution.moments[0].held.get(name)
                if value is None or isinstance(value, (Node, Tensor, str, int, float)):
                    continue
                if id(value) not in known:
                    known[id(value)] = self._attributes(value)
                for path, node in known[id(value)].items():
                    execution.attributes[name + path] = node

    def _attributes(self, value: Any) -> dict[str, Node]:
        assert self._recorder is not None
        found: dict[str, Node] = {}
        for way, tensor in itertools.islice(_tensors_of(value), _ATTRIBUTES):
            node = self._recorder.find(tensor)
            if node is not None:
                found[way] = node
        return found


def _tensors_of(value: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors that an object holds, with how to write each behind it."""
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

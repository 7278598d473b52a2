"""Hearing the calls that a layer makes: of its methods, and of what it holds.

The interpreter tells of every call, so that nothing of the user's is wrapped or replaced:
methods, dunders, and objects that are only made during the call are heard alike.

What autograd recorded between the tensor that enters such a call and the one that leaves
it is a part of the map, at the very point at which the map runs it. Nothing is called
again, and nothing that is called is trusted.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from ldjcheck.tape import Call, Node, Place
from ldjcheck.tape.frames import is_users
from ldjcheck.tape.recorder import Recorder
from ldjcheck.tracing import trace_calls


class Heard(Protocol):
    """A call that was heard to its end."""

    @property
    def begin(self) -> int:
        """When it began, in the order of all that began and ended."""


Entered = TypeVar("Entered")
Seen = TypeVar("Seen", bound=Heard)


class MethodCalls(ABC, Generic[Entered, Seen]):
    """Hears users' methods; what is kept of a call is for those that derive from this."""

    most: ClassVar[int]  # calls; a solver inside a layer makes many more
    arguments: ClassVar[int] = 1  # that such a method takes at least, with its owner

    def __init__(self) -> None:
        # the frames are kept, since ids are unique among the living alone
        self._open: dict[int, tuple[FrameType, int, Entered]] = {}
        self._seen: list[Seen] = []
        self._clock = itertools.count()
        self._methods: dict[int, bool] = {}  # by identity: code is slow to hash
        self._codes: list[CodeType] = []  # likewise

    @abstractmethod
    def _entered(self, frame: FrameType) -> Entered | None:
        """Return what is to be kept of a call that begins; None if it is none of ours."""

    @abstractmethod
    def _left(self, entered: Entered, result: Any, begin: int, end: int) -> Seen | None:
        """Return what a call came to that returns now; None if it is none of ours."""

    @property
    def calls(self) -> list[Seen]:
        """What was heard, in the order in which the calls began."""
        return sorted(self._seen, key=lambda call: call.begin)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Listen until the block is left; what was heard before is forgotten."""
        self._seen.clear()
        try:
            with trace_calls(self._event):
                yield
        finally:
            self._open.clear()

    def _event(self, frame: FrameType, event: str, result: Any) -> None:
        if event not in ("call", "return") or len(self._seen) > self.most:
            return
        is_method = self._methods.get(id(frame.f_code))
        if is_method is None:
            is_method = self._is_method(frame.f_code)
        if not is_method:
            return
        with contextlib.suppress(Exception), torch._C.DisableTorchFunction():
            # a strange object of the user's must not end the user's own call
            if event == "call":
                entered = self._entered(frame)
                if entered is not None:
                    self._open[id(frame)] = frame, next(self._clock), entered
            elif id(frame) in self._open:
                _, begin, entered = self._open.pop(id(frame))
                seen = self._left(entered, result, begin, next(self._clock))
                if seen is not None:
                    self._seen.append(seen)

    def _is_method(self, code: CodeType) -> bool:
        """Return whether code is the user's, takes an owner, and returns where it ends."""
        found = code.co_argcount >= self.arguments and is_users(code.co_filename)
        found = found and not code.co_flags & inspect.CO_GENERATOR
        self._methods[id(code)] = found
        self._codes.append(code)
        return found


# --- calls that hand on a batch -------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Point:
    """A tensor on the way through a map: its numbers, and where autograd has it.

    `tensor` is a copy of its own, which autograd follows; the edge is that of the tensor
    itself, None where nothing was recorded.
    """

    tensor: Tensor
    edge: GradientEdge | None

    @property
    def values(self) -> Tensor:
        """Return the numbers, `(batch, n)`."""
        return self.tensor.detach().double().reshape(len(self.tensor), -1)

    @property
    def size(self) -> int:
        """How many numbers of each sample there are."""
        return self.tensor[0].numel()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SubmoduleCall:
    """One call that takes a batch, and hands on as many numbers of each sample."""

    entered: Point
    left: Point
    reports: bool  # hands on something beside its output, as an ldj
    begin: int
    end: int

    def holds(self, other: SubmoduleCall) -> bool:
        """Return whether another call was made on the way of this one."""
        return self.begin < other.begin and other.end < self.end


class SubmoduleCalls(MethodCalls["tuple[Tensor, Point]", SubmoduleCall]):
    """Hears the calls of users' methods that take a tensor, and hand one on."""

    most = 1000  # none of more calls is a part
    arguments = 2

    def _entered(self, frame: FrameType) -> tuple[Tensor, Point] | None:
        names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
        owner, *given = (frame.f_locals.get(name) for name in names)
        x = next((each for each in given if isinstance(each, Tensor)), None)
        if isinstance(owner, (Tensor, type, type(None))) or x is None or not x.dim():
            return None
        return x, point_of(x)

    def _left(
        self, entered: tuple[Tensor, Point], result: Any, begin: int, end: int
    ) -> SubmoduleCall | None:
        _, at = entered
        several = isinstance(result, (tuple, list)) and len(result) > 0
        y = result[0] if several else result
        if not isinstance(y, Tensor) or not y.dim() or len(y) != len(at.tensor):
            return None
        if y.numel() != at.tensor.numel() or y.is_complex() or at.tensor.is_complex():
            return None  # of complex numbers a real map has not as many
        reports = several and len(result) > 1
        return SubmoduleCall(
            entered=at, left=point_of(y), reports=reports, begin=begin, end=end
        )


def point_of(x: Tensor) -> Point:
    """Return where a tensor is now: what is written into it later is another point."""
    edge = torch.autograd.graph.get_gradient_edge(x) if x.requires_grad else None
    return Point(tensor=x.clone(), edge=edge)


# --- what a flow calls, and with what -------------------------------------------------


class _Entered(NamedTuple):
    """A call that has not returned yet: on what, with what, from where."""

    owner: Any
    given: list[tuple[str, Node]]
    caller: Place | None


class Watcher(MethodCalls[_Entered, Call]):
    """Sees the calls of methods that map a tensor while a flow is being recorded.

    Args:
        flow: the object that is recorded; its own methods are no calls of sublayers.
    """

    most = 2000  # none of more calls is a sublayer

    def __init__(self, flow: Any) -> None:
        super().__init__()
        self._recorder: Recorder  # of the recording that is watched
        self._flow = flow

    @contextlib.contextmanager
    def watching(self, recorder: Recorder) -> Iterator[None]:
        """Watch until the block is left; what was seen before is forgotten."""
        self._recorder = recorder
        with self.listening():
            yield

    def _entered(self, frame: FrameType) -> _Entered | None:
        code, values = frame.f_code, frame.f_locals
        owner = values.get(code.co_varnames[0])
        if owner is self._flow or isinstance(owner, (Tensor, type, type(None))):
            return None
        count = code.co_argcount + code.co_kwonlyargcount
        count += bool(code.co_flags & inspect.CO_VARARGS)
        count += bool(code.co_flags & inspect.CO_VARKEYWORDS)
        given = [
            (name, node)
            for name in code.co_varnames[1:count]
            for tensor in _tensors(values.get(name))
            if (node := self._find(tensor)) is not None
        ]
        if not given:
            return None
        return _Entered(owner, given, self._recorder.own_place_above(frame))

    def _left(
        self, entered: _Entered, result: Any, begin: int, end: int
    ) -> Call | None:
        owner, given, caller = entered
        x = given[0][1]
        if isinstance(result, (tuple, list)) and result:
            y = self._find(next(iter(_tensors(result[0])), None))
            ldj = self._find(result[1]) if len(result) > 1 else None
        else:
            y, ldj = self._find(result), None
            if len(given) > 1 and y is not None and _is_ldj_of(y, x):
                y, ldj = given[1][1], y  # a method that is handed x and y
        if y is None or not _is_batch_of(y, x):
            return None
        return Call(
            owner=owner,
            x=x,
            y=y,
            ldj=ldj,
            named=dict(given[1:]),
            begin=begin,
            end=end,
            caller=caller,
        )

    def _find(self, value: Any) -> Node | None:
        return self._recorder.find(value)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        yield from (item for item in value if isinstance(item, Tensor))
    elif isinstance(value, dict):
        yield from (item for item in value.values() if isinstance(item, Tensor))


def _is_batch_of(y: Node, x: Node) -> bool:
    """Return whether two values hold as many entries for as many samples."""
    a, b = y.value, x.value
    return a.dim() > 0 and b.dim() > 0 and len(a) == len(b) and a.numel() == b.numel()


def _is_ldj_of(value: Node, x: Node) -> bool:
    """Return whether a value may be an ldj: at most an entry per entry of the input."""
    return value.value.numel() <= x.value.numel()

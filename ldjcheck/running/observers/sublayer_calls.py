"""Watching which objects a flow calls while it runs, and with what.

The interpreter tells of every call, so that nothing of the user's is wrapped or replaced:
methods, dunders, and objects that are only made during the call are seen alike.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ldjcheck.profiling import heard_by
from ldjcheck.tape import Call
from ldjcheck.tape.frames import is_users

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

    from ldjcheck.tape import Node, Place
    from ldjcheck.tape.recorder import Recorder

_MOST = 2000  # calls; a solver inside a layer makes many more, none of them a sublayer


class _Entered(NamedTuple):
    """A call that has not returned yet: when it began, on what, with what, from where."""

    begin: int
    owner: Any
    given: list[tuple[str, Node]]
    caller: Place | None


class Watcher:
    """Sees the calls of methods that map a tensor while a flow is being recorded.

    Args:
        flow: the object that is recorded; its own methods are no calls of sublayers.
    """

    def __init__(self, flow: Any) -> None:
        self._recorder: Recorder | None = None
        self._flow = flow
        self._open: dict[int, _Entered] = {}
        self._seen: list[Call] = []
        self._clock = itertools.count()
        self._methods: dict[int, bool] = {}  # by identity: code is slow to hash
        self._codes: list[CodeType] = []
        self._kept: list[FrameType] = []  # like codes: ids are unique among the living

    @property
    def calls(self) -> list[Call]:
        """What was seen, in the order in which the calls began."""
        return sorted(self._seen, key=lambda call: call.begin)

    @contextlib.contextmanager
    def watching(self, recorder: Recorder) -> Iterator[None]:
        """Watch until the block is left; another profiler stands aside meanwhile.

        What was seen before is forgotten.
        """
        self._recorder = recorder
        self._seen.clear()
        try:
            with heard_by(self._event):
                yield
        finally:
            self._open.clear()
            self._kept.clear()

    def _event(self, frame: FrameType, event: str, result: Any) -> None:
        if event not in ("call", "return") or len(self._seen) > _MOST:
            return
        is_method = self._methods.get(id(frame.f_code))
        if is_method is None:
            is_method = self._is_method(frame.f_code)
        if not is_method:
            return
        with contextlib.suppress(Exception), torch._C.DisableTorchFunction():
            # a strange object of the user's must not end the user's own call
            if event == "call":
                self._enter(frame)
            elif id(frame) in self._open:
                self._leave(frame, result)

    def _is_method(self, code: CodeType) -> bool:
        """Return whether code is the user's, takes an owner, and returns where it ends."""
        found = bool(code.co_argcount) and is_users(code.co_filename)
        found = found and not code.co_flags & inspect.CO_GENERATOR
        self._methods[id(code)] = found
        self._codes.append(code)
        return found

    def _enter(self, frame: FrameType) -> None:
        code, values = frame.f_code, frame.f_locals
        owner = values.get(code.co_varnames[0])
        if owner is self._flow or isinstance(owner, (Tensor, type, type(None))):
            return
        count = code.co_argcount + code.co_kwonlyargcount
        count += bool(code.co_flags & inspect.CO_VARARGS)
        count += bool(code.co_flags & inspect.CO_VARKEYWORDS)
        given = [
            (name, node)
            for name in code.co_varnames[1:count]
            for tensor in _tensors(values.get(name))
            if (node := self._find(tensor)) is not None
        ]
        if given:
            self._kept.append(frame)
            assert self._recorder is not None
            place = self._recorder.place_above(frame)
            self._open[id(frame)] = _Entered(next(self._clock), owner, given, place)

    def _leave(self, frame: FrameType, result: Any) -> None:
        begin, owner, given, caller = self._open.pop(id(frame))
        x = given[0][1]
        if isinstance(result, (tuple, list)) and result:
            y = self._find(next(iter(_tensors(result[0])), None))
            ldj = self._find(result[1]) if len(result) > 1 else None
        else:
            y, ldj = self._find(result), None
            if len(given) > 1 and y is not None and _is_ldj_of(y, x):
                y, ldj = given[1][1], y  # a method that is handed x and y
        if y is None or not _is_batch_of(y, x):
            return
        self._seen.append(
            Call(
                owner=owner,
                x=x,
                y=y,
                ldj=ldj,
                named=dict(given[1:]),
                begin=begin,
                end=next(self._clock),
                caller=caller,
            )
        )

    def _find(self, value: Any) -> Node | None:
        assert self._recorder is not None
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

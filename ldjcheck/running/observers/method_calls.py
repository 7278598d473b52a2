"""Hearing the calls of users' methods while something runs, each with when it began and ended.

The interpreter tells of every call, so that nothing of the user's is wrapped or replaced:
methods, dunders, and objects that are only made during the call are heard alike.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch

from ldjcheck.tape.frames import is_users
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

"""Hearing what leaves a flow on its way: calls of what it holds that drop dims.

Such a call takes a tensor and returns fewer entries of each sample. Whatever profiler is
set meanwhile hears the same.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, FrameType, FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from ldjcheck.object_graph import at_path, attributes, paths
from ldjcheck.tracing import trace_calls


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Left:
    """One call that dropped dims: of which object, by its path, and with what."""

    owner: Any
    path: str
    x: Tensor
    y: Tensor
    given: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Asked:
    """One question to a distribution of torch's: of what, and what it answered."""

    owner: Any
    z: Tensor
    answer: Tensor


@dataclass(eq=False, kw_only=True)
class Leavings:
    """Hears the outermost calls, of the objects at `wanted` paths, that drop dims.

    Without `wanted` all that the flow holds are heard, and inner calls too. `asked` are the
    log-densities that are asked of torch's distributions outside of those calls.
    """

    flow: Any
    wanted: Collection[str] | None = None
    heard: list[Left] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    _asking: list[tuple[FrameType, Any, Any]] = field(default_factory=list)
    _open: dict[int, tuple[Any, str, Tensor, dict[str, Any]]] = field(
        default_factory=dict
    )
    _kept: list[Any] = field(default_factory=list)  # ids are unique among the living

    @contextlib.contextmanager
    def listening(self) -> Iterator[Leavings]:
        """Listen until the block is left."""
        names, codes = self._listened_to()

        def hears(frame: FrameType, event: str, result: Any) -> None:
            if event == "call":
                code = frame.f_code
                of_these = codes is None or id(code) in codes
                if code.co_name != "log_prob" and not (
                    of_these and code.co_argcount > 1
                ):
                    return
            elif event != "return" or not (self._asking or id(frame) in self._open):
                return  # nearly always
            with contextlib.suppress(Exception), torch._C.DisableTorchFunction():
                # a strange object of the user's must not end the user's own call
                self._event(names, frame, event, result)

        try:
            with trace_calls(hears):
                yield self
        finally:
            self._open.clear()
            self._kept.clear()

    def _listened_to(self) -> tuple[Mapping[int, str], frozenset[int] | None]:
        """Return the paths of what is heard, by its id, and the ids of its methods' code.

        Without a wish for certain objects all code counts: None.
        """
        if self.wanted is None:
            return paths(self.flow), None
        owners = {path: at_path(self.flow, path) for path in self.wanted}
        codes = (id(code) for owner in owners.values() for code in _codes_of(owner))
        return {id(owner): path for path, owner in owners.items()}, frozenset(codes)

    def _event(
        self, names: Mapping[int, str], frame: FrameType, event: str, result: Any
    ) -> None:
        if event == "call" and frame.f_code.co_name == "log_prob":
            self._ask(frame)
        elif event == "return" and self._asking and self._asking[-1][0] is frame:
            _, owner, z = self._asking.pop()
            outermost = not self._asking and not (self.wanted and self._open)
            if outermost and isinstance(z, Tensor) and isinstance(result, Tensor):
                self.asked.append(Asked(owner=owner, z=z, answer=result))
        elif event == "call" and frame.f_code.co_argcount > 1:
            self._enter(names, frame)
        elif event == "return" and id(frame) in self._open:
            owner, path, x, given = self._open.pop(id(frame))
            y = result[0] if isinstance(result, (tuple, list)) and result else result
            if not isinstance(y, Tensor) or not y.dim() or len(y) != len(x):
                return
            if y.numel() < x.numel() and not (self.wanted and self._open):
                left = Left(owner=owner, path=path, x=x, y=y, given=given)
                self.heard.append(left)

    def _ask(self, frame: FrameType) -> None:
        owner, z = (frame.f_locals.get(name) for name in frame.f_code.co_varnames[:2])
        if isinstance(owner, Distribution):
            self._asking.append((frame, owner, z))

    def _enter(self, names: Mapping[int, str], frame: FrameType) -> None:
        code, values = frame.f_code, frame.f_locals
        owner = values.get(code.co_varnames[0])
        path = names.get(id(owner), "")
        if not path or (self.wanted is not None and path not in self.wanted):
            return
        given = {name: values[name] for name in code.co_varnames[1 : code.co_argcount]}
        x = next((v for v in given.values() if isinstance(v, Tensor)), None)
        if x is not None and x.dim():
            self._kept.append(frame)
            self._open[id(frame)] = owner, path, x, given


def _codes_of(owner: Any) -> Iterator[CodeType]:
    """Yield the code of all that may run as an object's method, behind decorators too."""
    named = (vars(each).values() for each in type(owner).__mro__)
    waiting = [*itertools.chain.from_iterable(named), *attributes(owner).values()]
    seen: set[int] = set()
    for item in waiting:
        if not isinstance(item, FunctionType) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item.__code__
        with contextlib.suppress(ValueError):  # a cell that is still empty
            waiting += [cell.cell_contents for cell in item.__closure__ or ()]

"""What a call does to tensors beside its result: writes, casts, derivatives that end.

Values are not touched by what keeps derivatives from passing (`detach`, `no_grad`, plain
numbers), so its place is found by letting derivatives pass at one statement at a time and
looking at the gradient again.
"""

import linecache
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor

from ldjcheck.records import Location
from ldjcheck.records.called import Cast
from ldjcheck.tape import Place, location_of
from ldjcheck.tape.frames import innermost_place, is_users, place_of
from ldjcheck.torch_ops import COPIES, NUMBERS, RANDOM, writes
from ldjcheck.tracebacks import is_ours, nearest_own
from ldjcheck.tracing import Args, Named, Operation, Operations


class Watch:
    """Notes the statements of one call that write into its arguments, or lower precision.

    Whether a write changed anything is for the caller to see: values tell. A version
    counter also counts writes through views; `.data` has a counter of its own.

    Args:
        remember: also note where every tensor was made, or written last.
    """

    def __init__(self, *, remember: bool = False) -> None:
        self._remember = remember
        self._made: dict[int, tuple[Tensor, Place | None]] = {}
        self._call = 0
        self._results: dict[int, int] = {}  # the call that computed a tensor
        self._kept: Tensor | None = None
        self._given: dict[str, Tensor] = {}
        self._also: dict[str, Tensor] = {}
        self._versions: dict[str, int] = {}
        self._written: dict[str, Place | None] = {}
        self._low: dict[int, tuple[Tensor, str, Place | None]] = {}
        self._cast: tuple[str, Place | None] | None = None
        self._dropped: Place | None = None
        self._drawn: Place | None = None
        self.drops = False  # a dropout changed something

    def begin(self, **given: Tensor | None) -> None:
        """Watch the tensors that the call is about to be given, each by its name."""
        named = {name: t for name, t in given.items() if t is not None}
        self._given = {**self._also, **named}
        self._versions = {name: t._version for name, t in self._given.items()}
        self._written.clear()
        self._call += 1
        self._kept = None

    def also(self, held: dict[str, Tensor]) -> None:
        """Watch these too, at every call."""
        self._also = dict(held)

    def after(self, name: str, args: Args, result: Any) -> None:
        """Look at the operation that has just run."""
        for key, tensor in self._given.items():
            if tensor._version != self._versions[key] or _is_write_to(
                name, args, tensor
            ):
                self._versions[key] = tensor._version
                self._written.setdefault(key, innermost_place())
        if self._low and writes(name) and args:
            self._stays_low(args)
        if "dropout" in name and not self.drops:
            self._drop(args, result)
        elif self._drawn is None and name in RANDOM:
            self._drawn = innermost_place()
        if self._remember:
            self._remembers(name, args, result)

    def lowers(self, dtype: torch.dtype) -> None:
        """Note that the statement that is running turns float64 into less."""
        if self._cast is None:
            self._cast = _named(dtype), innermost_place()

    def makes(self, made: Any, dtype: torch.dtype) -> None:
        """Note a tensor that was asked for in a low precision, and is empty so far."""
        if isinstance(made, Tensor):
            self._low[id(made)] = made, _named(dtype), innermost_place()

    @property
    def cast(self) -> Cast | None:
        """The first dtype below float64 that the source insists on, and where."""
        if self._cast is None:
            return None
        dtype, place = self._cast
        return Cast(dtype=dtype, location=location_of(place))

    @property
    def drop(self) -> Location | None:
        """Where a dropout set something to zero, else where something was drawn."""
        return location_of(self._dropped or self._drawn)

    def made(self, value: Any) -> Location | None:
        """Return where a tensor was made, or last written into."""
        return location_of(self._made.get(id(value), (None, None))[1])

    def kept(self, raw: Any) -> Location | None:
        """Return where the tensor was computed that this call has from an earlier one."""
        if self._results.get(id(raw), self._call) < self._call:
            return self.made(raw)
        return self.made(self._kept)

    def written(self, name: str) -> Location | None:
        """Return the first statement that wrote into a tensor that was given."""
        return location_of(self._written.get(name))

    def _remembers(self, name: str, args: Args, result: Any) -> None:
        for tensor in args:
            if isinstance(tensor, Tensor):
                computed = self._results.get(id(tensor), self._call)
                self._kept = tensor if computed < self._call else self._kept
        is_write = writes(name) and bool(args)
        made = args[0] if is_write else result
        for tensor in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(tensor, Tensor):
                self._made[id(tensor)] = tensor, innermost_place()
                if not is_write:
                    self._results[id(tensor)] = self._call

    def _stays_low(self, args: Args) -> None:
        if self._cast is None and id(args[0]) in self._low:
            _, dtype, place = self._low[id(args[0])]
            self._cast = dtype, place

    def _drop(self, args: Args, result: Any) -> None:
        if (
            args
            and isinstance(args[0], Tensor)
            and isinstance(result, Tensor)
            and (
                result is args[0] or not torch.equal(args[0].detach(), result.detach())
            )
        ):
            self.drops = True
            self._dropped = innermost_place()


def _is_write_to(name: str, args: Args, tensor: Tensor) -> bool:
    if (
        not (writes(name) or name == "__set__")
        or not args
        or not isinstance(args[0], Tensor)
    ):
        return False
    return _storage(args[0]) == _storage(tensor)


def _storage(tensor: Tensor) -> int:
    try:
        return int(tensor.untyped_storage().data_ptr())
    except (RuntimeError, NotImplementedError):
        return id(tensor)


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


# --- where derivatives end ------------------------------------------------------------


class Cuts(Operations):
    """Notes the statements of one call that cut derivatives, and sees through some.

    Args:
        through: the statements that derivatives pass; None: all of them.

    After the call `passable` holds the statements that can be seen through, with the word
    that cuts, and `numbers` those that turn a tensor with a derivative into plain numbers.
    """

    def __init__(self, through: frozenset[Place] | None = frozenset()) -> None:
        super().__init__()
        self._through = through
        self.passable: dict[Place, str] = {}
        self.numbers: dict[Place, str] = {}

    def operate(self, name: str, func: Operation, args: Args, named: Named) -> Any:
        """Run the operation, unless it is a cut that is to be seen through."""
        if name == "_set_grad_enabled" and not args[0]:
            return func(self._sees(sys._getframe(2), "no_grad"))
        detaches = name in ("detach", "detach_")
        if detaches or (name == "__get__" and _owner(func) == "data"):
            word = "detach" if detaches else ".data"
            if args[0].requires_grad and self._sees(sys._getframe(2), word):
                return args[0].view_as(args[0])
        if func is torch.autograd.grad and not named.get("create_graph"):
            named["create_graph"] = self._sees(sys._getframe(2), "create_graph")
        if name in NUMBERS and args[0].requires_grad:
            self._note(sys._getframe(2), name.strip("_"))
        copied = args[-1] if name in COPIES and args else None
        if isinstance(copied, Tensor) and copied.requires_grad:
            self._note(sys._getframe(2), name)
        return func(*args, **named)

    def _sees(self, frame: FrameType | None, word: str) -> bool:
        place = _place(frame)
        if place is None:
            return self._through is None
        self.passable.setdefault(place, word)
        return self._through is None or place in self._through

    def _note(self, frame: FrameType | None, word: str) -> None:
        place = _place(frame)
        if place is not None:
            self.numbers.setdefault(place, word)


def place_of_code(code: CodeType, *, decorators: bool = True) -> Place:
    """Return where a function is defined: its first decorator's line, or its own."""
    line = code.co_firstlineno
    if not decorators:
        lines = linecache.getlines(code.co_filename)[line - 1 :]
        below = (i for i, text in enumerate(lines) if text.lstrip().startswith("def "))
        line += next(below, 0)
    return Place(
        file=code.co_filename, line=line, end_line=line, column=0, end_column=0,
        function=code.co_name, call=0,
    )  # fmt: skip


def _place(frame: FrameType | None) -> Place | None:
    """Return the innermost statement of the target's own, or what a decorator wraps there."""
    found: list[Place] = []
    while frame is not None:
        code = frame.f_code
        if code.co_name == "decorate_context" and "func" in frame.f_locals:
            wrapped = getattr(frame.f_locals["func"], "__code__", None)
            if wrapped is not None and is_users(wrapped.co_filename):
                found.append(place_of_code(wrapped))
        if is_users(code.co_filename):
            found.append(place_of(frame))
        if is_ours(code.co_filename) and code.co_name == "run":
            break  # where we call the layer
        frame = frame.f_back
    return found[nearest_own(tuple(p.file for p in found))] if found else None


def _owner(func: Callable[..., Any]) -> str:
    return getattr(getattr(func, "__self__", None), "__name__", "")

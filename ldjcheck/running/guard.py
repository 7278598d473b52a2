"""What stands between a layer and torch while it runs, and counts what it computes.

Flow layers hard-code float32, draw noise, round, detach and switch gradients off. Each of
these hides the truth about the map: precision, repeatability, derivatives. `Guard` takes
them out of the way for the length of one call, one by one, as it is told to. It never
changes what an exact real-number evaluation of the layer would give, `see_rounding` apart,
which is for maps whose very output is rounded.

Work is counted in multiplications of convolutions and matrix products. Seconds would tell
as well, but differ from machine to machine, and what is concluded from them would too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ldjcheck.records import Deadline, TimeIsUpError
from ldjcheck.running.call_mode import PLAIN, Manner
from ldjcheck.running.placement import (
    HALVES,
    INTEGER_DTYPES,
    LOW_PRECISION,
    asked_for,
    called_roughly,
    doubled,
    is_low,
    is_rounded,
    is_type_of,
    lowers,
    promoted_call,
)
from ldjcheck.tape.frames import innermost_place, location_of
from ldjcheck.torch_ops import (
    CLIPS,
    FLOOR_DIVISION,
    RANDOM,
    RANDOM_IN_PLACE,
    ROUNDED_DIVISION,
    TO_LOW_PRECISION,
    named,
    rounds,
)
from ldjcheck.tracing import Args, Named, Operation, Operations


def multiplications(
    name: str, args: Args, named: Mapping[str, Any], result: Any
) -> int:
    """Return the multiplications of an operation; 0 of what takes few."""
    per_entry = MULTIPLYING.get(name)
    if per_entry is None or not isinstance(result, Tensor):
        return 0
    operands = [
        value for value in (*args, *named.values()) if isinstance(value, Tensor)
    ]
    if len(operands) < 2 or not all(each.dim() for each in operands[:2]):
        return 0
    return per_entry(operands, result)


def _fan_in(weight: Tensor) -> int:
    return weight.numel() // max(1, len(weight))


_UNASKED = 1024  # operations of a call between two looks at the clock
_Count = Callable[[list[Tensor], Tensor], int]
_BY_KIND: tuple[tuple[Iterable[str], _Count], ...] = (
    (named("of-weight"), lambda given, made: made.numel() * _fan_in(given[1])),
    (named("transposed"), lambda given, _: given[0].numel() * _fan_in(given[1])),
    (named("last-axis"), lambda given, made: made.numel() * given[0].shape[-1]),
    (named("added"), lambda given, made: made.numel() * given[1].shape[-1]),
)
MULTIPLYING = {name: count for names, count in _BY_KIND for name in names}


# --- what is seen through, and held ---------------------------------------------------


@dataclass
class Frozen:
    """What the first call at one input drew and rounded; later calls get it again.

    `draws` are the random tensors in the order they were drawn, `offsets` the amounts by
    which values were rounded, `idle_clips` the entries that a clip left as they were.
    """

    draws: list[Tensor] = field(default_factory=list)
    offsets: list[Tensor] = field(default_factory=list)
    idle_clips: list[Tensor] = field(default_factory=list)

    def copied(self, draws: Iterable[Tensor] | None = None) -> Frozen:
        """Return the same in lists of its own, with other draws if some are given."""
        drawn = list(self.draws if draws is None else draws)
        return Frozen(drawn, list(self.offsets), list(self.idle_clips))


class EndlessError(RuntimeError):
    """A call ran out of patience: it loops for as long as it is let."""


class Guard(Operations):
    """Runs a layer's operations with noise frozen and, when told, seen through.

    Args:
        frozen: noise and rounding of this input; extended by what is met for the first
            time, replayed afterwards.
        manner: what is seen through, what looks on, and when a call counts as endless.
        promote: turn every request for float32 or less into float64.
        timeout: when the check is over, which a call that never ends is told as well.
    """

    def __init__(
        self,
        frozen: Frozen,
        manner: Manner = PLAIN,
        *,
        promote: bool = True,
        timeout: Deadline | None = None,
    ) -> None:
        super().__init__()
        self._timeout, self._unasked = timeout, min(manner.patience, _UNASKED)
        self._frozen, self._manner, self._promote = frozen, manner, promote
        self._round = self._clip = 0
        self._inference = _InferenceAsNoGrad()
        self.draws = 0  # random tensors that this call has drawn so far
        self.operations = 0  # torch's, so far
        self.multiplications = 0  # of its matrix products
        self.single = False  # a number that float32 has rounded entered from outside
        self.coarse: str | None = None  # the least precision below float32's, if any

    def __enter__(self) -> Guard:
        """Begin to stand between the layer and torch."""
        self._inference.__enter__()
        super().__enter__()  # type: ignore[no-untyped-call]  # untyped in torch
        return self

    def __exit__(self, *raised: object) -> None:
        """Step aside."""
        super().__exit__(*raised)  # type: ignore[no-untyped-call]  # untyped in torch
        self._inference.__exit__(*raised)

    def operate(self, name: str, func: Operation, args: Args, named: Named) -> Any:
        """Return what the layer gets instead of `func(*args, **kwargs)`."""
        self.operations += 1
        if self.operations > self._unasked:
            self._ask()
        watch = self._manner.writes
        if watch is None:
            result = self._run(func, name, args, named)
            if name in MULTIPLYING:
                self.multiplications += multiplications(name, args, named, result)
            return result
        asked = asked_for(name, args, named) if self._promote else None
        if asked is not None and lowers(name, args):
            watch.lowers(asked)
            asked = None
        result = self._run(func, name, args, named)
        if asked is not None:
            watch.makes(result, asked)
        watch.after(name, args, result)
        self.multiplications += multiplications(name, args, named, result)
        return result

    def _ask(self) -> None:
        """Raise where the call has gone on for too long.

        Raises:
            EndlessError: it has more operations than its manner allows.
            TimeIsUpError: the time of the check is over.
        """
        if self.operations > self._manner.patience:
            raise EndlessError
        if self._timeout is not None and self._timeout.left <= 0:
            at = location_of(innermost_place())
            if at is None:
                raise TimeIsUpError
            where = f"It was in line {at.line} of {at.file}:", f"  {at.text}"
            raise TimeIsUpError(within=where)
        self._unasked = min(self._manner.patience, self.operations + _UNASKED)

    def _run(self, func: Operation, name: str, args: Args, named: Named) -> Any:
        manner = self._manner
        if manner.see_detach:
            if name == "_set_grad_enabled":
                return func(True)
            if name in ("detach", "detach_"):
                return args[0].view_as(args[0])
            if name == "__get__" and func.__self__.__name__ == "data":  # type: ignore[attr-defined]  # a slot wrapper's owner
                return args[0].view_as(args[0])
        low = self._promote and (
            is_low(args)
            or name in TO_LOW_PRECISION
            or (named and is_low(named.values()))
        )
        if low:
            self.single = self.single or any(is_rounded(value) for value in args)
            func, args = promoted_call(func, name, args, named)
        if name in RANDOM:
            return self._drawn(func, name, args, named)
        if manner.see_rounding:
            seen = self._seen_through(func, name, args, named)
            if seen is not None:
                return seen
        if manner.rounding is not None:
            return called_roughly(func, name, args, named, manner.rounding)
        result = func(*args, **named)
        if type(result) is Tensor and result.dtype is torch.float64:
            return result  # nearly always
        if self._promote and not name.endswith("_") and is_low((result,)):
            self.single = self.single or is_rounded(result)
            result = doubled(result)
        elif not self._promote and type(result) is Tensor and result.dtype in HALVES:
            least = self.coarse == "bfloat16" or result.dtype is torch.bfloat16
            self.coarse = "bfloat16" if least else "float16"
        return result

    def _drawn(self, func: Operation, name: str, args: Args, kwargs: Any) -> Any:
        """Draw, or hand out again what was drawn at this place before."""
        index, self.draws = self.draws, self.draws + 1
        draws = self._frozen.draws
        if index >= len(draws):
            drawn = func(*args, **kwargs)
            if not isinstance(drawn, Tensor):
                return drawn
            if self._promote and name not in RANDOM_IN_PLACE:
                drawn = doubled(drawn)
            draws.append(drawn.detach().clone())
            return drawn
        kept = draws[index]
        if name in RANDOM_IN_PLACE:
            target: Tensor = args[0] if args else kwargs["tensor"]  # `nn.init` names it
            if target.shape != kept.shape:
                return func(*args, **kwargs)
            # of a parameter that is made meanwhile, as `nn.init` fills it
            tracks = torch.is_grad_enabled() and not _is_parameter(target)
            with torch.set_grad_enabled(tracks):
                return target.copy_(kept)
        fresh: Tensor = func(*args, **kwargs)  # keeps shape and dtype honest
        if fresh.shape != kept.shape:
            return doubled(fresh) if self._promote else fresh
        if fresh.dtype in LOW_PRECISION and self._promote:
            return kept.clone()
        return kept.to(fresh.dtype, copy=True)

    def _seen_through(
        self, func: Operation, name: str, args: Args, kwargs: Any
    ) -> Tensor | None:
        """Return value + (rounded - value), the bracket held constant; None: no rounding."""
        if name in CLIPS and isinstance(args[0], Tensor):
            return self._clipped(func, name, args, kwargs)
        value = _rounded_argument(func, name, args, kwargs)
        if value is None:
            return None
        index, self._round = self._round, self._round + 1
        if index >= len(self._frozen.offsets):
            bare = (a.detach() if isinstance(a, Tensor) else a for a in args)
            rounded = func(*bare, **kwargs)
            self._frozen.offsets.append(
                rounded.detach().to(value.dtype) - value.detach()
            )
        if name.endswith("_") and not name.endswith("__"):
            in_place: Tensor = args[0]
            return in_place.add_(self._frozen.offsets[index])
        return value + self._frozen.offsets[index]

    def _clipped(
        self, func: Operation, name: str, args: Args, kwargs: Any
    ) -> Tensor | None:
        """Return the value with those entries clipped that were so at first.

        What is clipped to a whole number, by one at most, counts as rounded: the levels end
        there. None where all is clipped.
        """
        value: Tensor = args[0]
        clip, self._clip = self._clip, self._clip + 1
        index, self._round = self._round, self._round + 1
        frozen = self._frozen
        if clip >= len(frozen.idle_clips):
            given = value.detach()
            clipped = torch.clamp(given, *args[1:], **kwargs)
            off = clipped - given
            whole = (clipped == clipped.round()) & (off.abs() <= 1.0)
            frozen.idle_clips.append((off == 0) | whole)
            frozen.offsets.append(torch.where(whole, off, torch.zeros_like(off)))
        idle, offset = frozen.idle_clips[clip], frozen.offsets[index]
        if idle.shape != value.shape or not idle.any():
            return None
        in_place = name.endswith("_")
        kept = value + offset if bool(offset.any()) else value
        if not idle.all():
            bare = value.clone() if in_place else value
            kept = torch.where(idle, kept, func(bare, *args[1:], **kwargs))
        return value.copy_(kept) if in_place and kept is not value else kept


def _is_parameter(tensor: Tensor) -> bool:
    return tensor.is_leaf and tensor.requires_grad


class _InferenceAsNoGrad:
    """Lets `inference_mode` do what `no_grad` does, for the length of one call.

    The values are the same. The mode itself is no torch function, so it could not be seen
    through, and its tensors can never take part in a derivative.
    """

    def __enter__(self) -> None:
        self._kept = torch.inference_mode.__enter__, torch.inference_mode.__exit__
        before: list[bool] = []

        def enter(mode: torch.inference_mode) -> None:
            before.append(torch.is_grad_enabled())
            if mode.mode:
                torch.set_grad_enabled(False)

        def leave(mode: torch.inference_mode, *raised: object) -> None:
            torch.set_grad_enabled(before.pop())

        torch.inference_mode.__enter__ = enter  # type: ignore[method-assign]
        torch.inference_mode.__exit__ = leave  # type: ignore[method-assign]

    def __exit__(self, *raised: object) -> None:
        enter, leave = self._kept
        torch.inference_mode.__enter__ = enter  # type: ignore[method-assign]
        torch.inference_mode.__exit__ = leave  # type: ignore[method-assign]


def _rounded_argument(
    func: Operation, name: str, args: Args, kwargs: Any
) -> Tensor | None:
    """Return the real value that this call is about to round, or None."""
    if not args or not isinstance(args[0], Tensor) or not args[0].is_floating_point():
        return None
    value: Tensor = args[0]
    if rounds(name):
        return value
    floors = name in FLOOR_DIVISION
    if floors or (name in ROUNDED_DIVISION and kwargs.get("rounding_mode") is not None):
        quotient: Tensor = value / args[1]
        return quotient
    if name in ("to", "type"):
        wanted = (*args[1:], kwargs.get("dtype"))
        return value if any(is_type_of(w, INTEGER_DTYPES) for w in wanted) else None
    return None

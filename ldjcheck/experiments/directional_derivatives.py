"""Directional derivatives of a layer's ldj: by autograd, and by central differences."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from ldjcheck.oracle.derivatives.autograd import FrozenMap
from ldjcheck.oracle.derivatives.jacobian import (
    NoJacobianError,
    difference_jacobian,
    exact_jacobian,
    log_abs_det,
)
from ldjcheck.oracle.direction import measure_direction
from ldjcheck.records import Options, Side
from ldjcheck.records.observed import GradientPart
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.guard import Frozen
from ldjcheck.running.observers.side_effects import Cuts, place_of_code
from ldjcheck.running.runner import Runner
from ldjcheck.running.snapshot.isolation import learnable
from ldjcheck.tape import Place

_Value = TypeVar("_Value")

_STEPS = (1e-5, 1e-6, 1e-4)  # one for each attempt
_RELATIVE = 1e-6
_ROUNDING = 1e-14  # of the sum, before it is divided by the step
_UNCLEAR = 1e-2  # an error estimate above this share of the slope decides nothing
_INPUT = "x"
_INCOMING = "incoming ldj"
_PASSES = 1e-6  # relative: how much of a derivative may be lost to rounding


class UndefinedSlopeError(Exception):
    """Autograd raised, or there is no number to differentiate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """A weighted sum of the ldj over the samples, differentiated along one direction."""

    by_autograd: float
    by_differences: float
    error: float  # how far differences may be off, estimated from two steps
    scale: float  # the sizes of the parts that add up

    @property
    def off(self) -> float:
        """How far the two are apart."""
        return abs(self.by_autograd - self.by_differences)

    @property
    def allowed(self) -> float:
        """How far they may be apart by rounding and by the step."""
        return _RELATIVE * self.scale + 3.0 * self.error

    @property
    def is_clear(self) -> bool:
        """Whether the differences decide anything."""
        return self.error <= _UNCLEAR * self.scale + 1e-7

    @property
    def agrees(self) -> bool:
        """Whether both are the same, and clearly so."""
        return self.is_clear and self.off <= self.allowed

    @property
    def parts(self) -> bool:
        """Whether they clearly part ways."""
        return self.is_clear and self.off > 10.0 * self.allowed


class _Told(NamedTuple):
    """What one call returned."""

    y: Tensor
    ldj: Tensor | None


class Slopes:
    """Slopes of one direction's ldj at one input, by `x` and by every learnable tensor.

    The layer runs as it is written: nothing is seen through. All noise is held fixed.
    """

    def __init__(
        self, runner: Runner, side: Side, options: Options, *, moves_x: bool
    ) -> None:
        self._runner = runner
        self._side = side
        self._options = options
        self._frozen = Frozen()
        runner.run(side.direction, side.x, self._frozen)
        self._tensors = dict(_named(runner.layer))
        moves_x = moves_x and side.x.is_floating_point()
        self.names = ((_INPUT,) if moves_x else ()) + tuple(self._tensors)
        generator = torch.Generator().manual_seed(1)
        self._weights = _signed(side.y.new_zeros(len(side.x)), generator)
        self._output_weights = _signed(side.y.double(), generator)
        self._together: dict[tuple[int, float], _Told] = {}
        self._along: dict[tuple[tuple[str, ...], int], Slope] = {}
        self.incoming: GradientPart | None = None  # where its derivative is lost

    def along(
        self, names: tuple[str, ...], attempt: int, cuts: Cuts | None = None
    ) -> Slope:
        """Return the slope when the named tensors move together along a random direction.

        Raises:
            UndefinedSlopeError: autograd raises, or the sum is not finite.
        """
        known = self._along.get((names, attempt)) if cuts is None else None
        if known is not None:
            return known
        calls = self._runner.calls
        start = self._runner.start(self._side.x) if calls.accumulates else None
        start = None if start is None else start.requires_grad_()
        x, outcome = self._run_tracked(cuts, start)
        if outcome.reported is None:
            raise UndefinedSlopeError("the call reports no ldj")
        total = (outcome.reported * self._weights).sum()
        if start is not None:
            self.incoming = self._lost(total, start, calls.sign)
        slope = self._slope(names, attempt, x, total, self._ldj)
        if cuts is None:
            self._along[names, attempt] = slope
        return slope

    def exact_along(self, names: tuple[str, ...], attempt: int) -> tuple[float, float]:
        """Return the same slope of the exact value by differences, and its error."""
        steps = self._directions(names, attempt)
        size = 1e-4 if self._side.exact.method != "differences" else 1e-2
        return self._difference(lambda h: self._displaced(steps, h, self._exact), size)

    def tracks_output(self) -> bool:
        """Return whether autograd follows the output itself: it does not in a sampler."""
        x, outcome = self._run_tracked(None)
        if not any(
            t is not None and t.requires_grad for t in (outcome.y, outcome.reported)
        ):
            return False
        if not outcome.y.is_floating_point() or self._side.exact.rounding_seen:
            return True
        total = (outcome.y * self._output_weights).sum()
        return any(
            self._slope(self.names, attempt, x, total, self._output).agrees
            for attempt in range(len(_STEPS))
        )

    def custom_backward(self, *, of_output: bool = False) -> Place | None:
        """Return where the user wrote a backward that the ldj, or y, goes through."""
        _, outcome = self._run_tracked(None)
        result = outcome.y if of_output else outcome.reported
        seen: set[Any] = set()
        stack = [getattr(result, "grad_fn", None)]
        while stack:
            node = stack.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            function = getattr(node, "_forward_cls", None)
            if function is not None:
                try:
                    code = inspect.unwrap(function.backward).__code__
                except AttributeError:
                    code = None
                if code is not None:
                    return place_of_code(code, decorators=False)
            stack.extend(parent for parent, _ in node.next_functions)
        return None

    # --- the numbers --------------------------------------------------------------

    def _lost(self, total: Tensor, start: Tensor, sign: int) -> GradientPart | None:
        """Return the derivative by the incoming ldj, where less comes out than goes in.

        `total` is of the layer's own part, without what came in: it does not depend on it.
        """
        (gradient,) = _grad(total, [start])
        if gradient is None:
            return None
        weights = self._weights.reshape(start.shape)
        whole = float((weights**2).sum())
        lost = sign * float((gradient.double() * weights).sum())
        if abs(lost) <= _PASSES * whole:
            return None
        return GradientPart(name=_INCOMING, reported=whole + lost, exact=whole)

    def _run_tracked(
        self, cuts: Cuts | None, start: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        x = self._side.x.clone()
        if x.is_floating_point():
            x.requires_grad_()
        direction = self._side.direction
        outcome = self._runner.run(
            direction, x, self._frozen, Manner(cuts=cuts), start=start
        )
        return x, outcome

    def _slope(
        self,
        names: tuple[str, ...],
        attempt: int,
        x: Tensor,
        total: Tensor,
        value: Callable[[_Told], float],
    ) -> Slope:
        """Return the slope of `total`, made at `x`, and of `value` by differences."""
        steps = self._directions(names, attempt)
        held = [x if name == _INPUT else self._tensors[name] for name in names]
        products = [
            float((gradient.double() * steps[name]).sum())
            for name, gradient in zip(names, _grad(total, held), strict=True)
            if gradient is not None
        ]
        slope, error = self._difference(
            lambda size: value(self._measure_aside(names, attempt, size)),
            _STEPS[attempt],
        )
        return Slope(
            by_autograd=sum(products),
            by_differences=slope,
            error=error,
            scale=max(abs(slope), sum(map(abs, products))),
        )

    def _directions(self, names: tuple[str, ...], attempt: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(100 + attempt)
        held = {_INPUT: self._side.x, **self._tensors}
        return {name: _signed(held[name], generator) for name in names}

    def _difference(
        self, value: Callable[[float], float], size: float
    ) -> tuple[float, float]:
        """Return the slope, extrapolated from two steps, and how far it may be off."""
        ends = [value(h) for h in (size, -size, 2 * size, -2 * size)]
        near, far = (ends[0] - ends[1]) / (2 * size), (ends[2] - ends[3]) / (4 * size)
        if not all(abs(end) < float("inf") for end in ends):
            raise UndefinedSlopeError("the ldj is not finite a step aside")
        rounding = _ROUNDING * (1.0 + max(map(abs, ends))) / size
        return (4 * near - far) / 3, abs(near - far) + rounding

    def _measure_aside(
        self, names: tuple[str, ...], attempt: int, size: float
    ) -> _Told:
        """Return what the call tells a step aside; of all together it is asked once."""
        if names != self.names:
            return self._displaced(self._directions(names, attempt), size, self._call)
        at = attempt, size
        if at not in self._together:
            steps = self._directions(names, attempt)
            self._together[at] = self._displaced(steps, size, self._call)
        return self._together[at]

    def _displaced(
        self, steps: dict[str, Tensor], size: float, value: Callable[[Tensor], _Value]
    ) -> _Value:
        moved = [(self._tensors[n], s) for n, s in steps.items() if n != _INPUT]
        saved = [tensor.detach().clone() for tensor, _ in moved]
        x = self._side.x
        if _INPUT in steps:
            x = x + size * steps[_INPUT]
        try:
            with torch.no_grad():
                for tensor, step in moved:
                    tensor.add_(size * step)
            placed = [tensor.detach().clone() for tensor, _ in moved]
            found = value(x)
            if not all(map(torch.equal, placed, (tensor for tensor, _ in moved))):
                raise UndefinedSlopeError("the call itself writes into its parameters")
            return found
        finally:
            with torch.no_grad():
                for (tensor, _), old in zip(moved, saved, strict=True):
                    tensor.copy_(old)

    def _call(self, x: Tensor) -> _Told:
        outcome = self._runner.run(self._side.direction, x, self._frozen)
        reported = outcome.reported
        return _Told(
            outcome.y.detach(), None if reported is None else reported.detach()
        )

    def _ldj(self, told: _Told) -> float:
        if told.ldj is None:
            raise UndefinedSlopeError("the call reports no ldj")
        return float((told.ldj.double() * self._weights).sum())

    def _output(self, told: _Told) -> float:
        return float((told.y.double() * self._output_weights).sum())

    def _exact(self, x: Tensor) -> float:
        exact = self._exact_ldj(x)
        if exact is None:
            raise UndefinedSlopeError("no Jacobian a step aside")
        return float((exact * self._weights).sum())

    def _exact_ldj(self, x: Tensor) -> Tensor | None:
        side, seen = self._side, self._side.exact
        if seen.jacobian is None:  # it was known without one, which takes seconds
            return measure_direction(
                self._runner, side.direction, x, self._options,
                behaviour=False, noise=self._frozen.copied(),
            ).exact.ldj  # fmt: skip
        manner = Manner(see_detach=seen.detach_seen, see_rounding=seen.rounding_seen)
        map_ = FrozenMap(
            runner=self._runner, direction=side.direction, x=x, frozen=self._frozen,
            manner=manner, noise=self._noise(),
        )  # fmt: skip
        if seen.rounding_seen:
            map_(map_.origin)
        if side.exact.method == "differences":
            jacobian, _ = difference_jacobian(map_, map_.origin, 1e-4)
        else:
            try:
                jacobian, _, _ = exact_jacobian(map_, map_.origin)
            except NoJacobianError:
                return None
        is_square = jacobian.shape[1] == jacobian.shape[2]  # a base may be lost aside
        return log_abs_det(jacobian.double())[1] if is_square else None

    def _noise(self) -> int | None:
        if self._side.exact.wrt != "noise":
            return None
        entries = self._side.y.numel()
        return next(
            i
            for i, draw in enumerate(self._frozen.draws)
            if draw.is_floating_point() and draw.numel() == entries
        )


def _named(layer: Any) -> list[tuple[str, Tensor]]:
    """Return the learnable tensors with the names that their owners give them."""
    names: dict[int, str] = {}
    if isinstance(layer, torch.nn.Module):
        names = {id(p): name for name, p in layer.named_parameters()}
    own = getattr(layer, "__dict__", {})
    names |= {id(t): name for name, t in own.items() if isinstance(t, Tensor)}
    found: dict[str, Tensor] = {}
    for index, tensor in enumerate(learnable(layer)):
        name = names.get(id(tensor), f"parameter {index}")
        found[name if name != _INPUT else f"self.{name}"] = tensor
    return list(found.items())


def _grad(total: Tensor, held: list[Tensor]) -> tuple[Tensor | None, ...]:
    if not total.requires_grad:
        return (None,) * len(held)
    try:
        return torch.autograd.grad(total, held, allow_unused=True, retain_graph=True)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise UndefinedSlopeError(f"autograd raised: {reason}") from None


def _signed(like: Tensor, generator: torch.Generator) -> Tensor:
    """Return random entries between 1/2 and 3/2 of either sign: none is left out."""
    at = like.shape
    size = 0.5 + torch.rand(at, generator=generator, dtype=torch.float64)
    sign = torch.randint(0, 2, at, generator=generator, dtype=torch.float64) * 2 - 1
    return size * sign

"""What earlier calls leave behind: twins of one layer that have lived different lives.

Both twins are then asked the same question, with the same parameters. Where their outputs
agree and their ldj do not, the ldj is that of an earlier call: it is a function of the map,
and the map is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.distributions.transforms import Transform

from ldjcheck.calling.domains import draw
from ldjcheck.numerics.closeness import same
from ldjcheck.records import Direction, Probe, Returned, Stale, StateChange
from ldjcheck.running.behaviour import SAME
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.manner import Manner
from ldjcheck.running.observers.writes import Watch
from ldjcheck.running.runner import Outcome, Runner
from ldjcheck.running.snapshot.isolation import learnable, set_mode
from ldjcheck.running.snapshot.state import (
    Kind,
    State,
    changed,
    state_of,
    tensors_by_name,
)

_GIVES_UP = FailedCallError
_VISIBLE = (
    1e-4  # relative: a solver that starts where it ended last time is off by less
)
_LAST = 40  # number of the draw at which both twins are asked
_FIRST = {"one": 41, "other": 42}  # and of those that they lived with before


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What earlier calls turned out to have left behind, by direction."""

    state: StateChange | None = None
    stale: Mapping[Direction, Stale]


@dataclass(slots=True, kw_only=True)
class _Life:
    """A twin, what it answered at the end, and what it held on the way."""

    runner: Runner
    base: list[Tensor]  # the learnable tensors as built
    watch: Watch
    states: list[State]
    answer: Outcome | None = None
    back: Outcome | None = None


class Histories:
    """Lives of one layer's twins at one configuration.

    Args:
        bench: how the layer is called.
        config: sizes, domain and scale of the parameters' moves.
        way: the direction that is asked, forward where there is one.
        x: the inputs of the question, `(batch, *event)`.
        y: the inputs of the way back, where that is asked too.
    """

    def __init__(
        self, bench: Bench, probe: Probe, way: Direction, x: Tensor, y: Tensor | None
    ) -> None:
        self._bench, self._probe, self._way = bench, probe, way
        self._x, self._y = x, y
        self._tolerance = SAME["float64" if x.dtype != torch.float32 else "float32"]
        self._noise, self._back_noise = Frozen(), Frozen()
        self._watched = False

    def remembered(self, *, coupled: bool) -> Remembered:
        """Return what matters of what calls leave behind.

        `coupled` says that samples were seen to influence each other. Only where there is
        something are the lives lived again, and watched.
        """
        found = self._remembered(coupled=coupled)
        if found.state is None and not found.stale:
            return found
        self._watched = True
        self._noise, self._back_noise = Frozen(), Frozen()
        return self._remembered(coupled=coupled)

    def _remembered(self, *, coupled: bool) -> Remembered:
        nothing = Remembered(stale={})
        if self._bench.copy().layer is self._bench.layer.obj:
            return nothing  # there are no twins of what cannot be copied
        try:
            one = self._life("one", "one")
            other = self._life("other", "other")
            state = self._state_change(one, coupled=coupled)
        except _GIVES_UP:
            return nothing
        if state is not None:
            return Remembered(state=state, stale={})
        stale: dict[Direction, Stale] = {}
        for way in (self._way, "inverse"):
            direction: Direction = "forward" if way == "forward" else "inverse"
            found = self._stale(one, other, direction)
            if found is not None:
                stale[direction] = found
        if not stale:
            found = self._stale_between()
            stale = {} if found is None else {"forward": found}
        return Remembered(state=self._initialised(one, beside=not stale), stale=stale)

    # --- lives --------------------------------------------------------------------

    def _born(self, parameters: str) -> _Life:
        runner = self._bench.at(self._probe).runner(seed=self._probe.seed)
        base = [t.detach().clone() for t in learnable(runner.layer)]
        life = _Life(runner=runner, base=base, watch=Watch(remember=True), states=[])
        self._move(life, _FIRST[parameters])
        return life

    def _life(self, inputs: str, parameters: str, *, trains: bool = False) -> _Life:
        life = self._born(parameters)
        first, second = (self._drawn(inputs, index) for index in (0, 1))
        life.states.append(state_of(life.runner.layer))
        for x in (first, second, first):
            y = self._ask(life, self._way, x, Frozen()).y.detach()
            life.states.append(state_of(life.runner.layer))
        self._inverted(life, y)
        mode = self._bench.options.mode
        set_mode(life.runner.layer, "train")
        if trains:
            self._ask(life, self._way, self._drawn("shared", 0), Frozen())
        set_mode(life.runner.layer, mode)
        self._move(life, _LAST)
        life.answer = self._ask(life, self._way, self._x, self._noise)
        if self._y is not None:
            self._ask(life, self._way, second, Frozen())
            life.back = self._ask(life, "inverse", self._y, self._back_noise)
        return life

    def _inverted(self, life: _Life, y: Tensor) -> None:
        if self._y is not None and torch.isfinite(y).all() and y.shape == self._y.shape:
            self._ask(life, "inverse", y, Frozen())

    def _ask(self, life: _Life, way: Direction, x: Tensor, frozen: Frozen) -> Outcome:
        observer = life.watch if self._watched else None
        return life.runner.run(way, x, frozen, Manner(writes=observer))

    def _drawn(self, who: str, index: int) -> Tensor:
        number = 10 * ("one", "other", "shared").index(who) + index
        generator = torch.Generator().manual_seed(7_000_003 + number)
        probe, calls = self._probe, self._bench.calls
        domain = probe.domain
        back = calls.inverse
        if self._way == "inverse" and back is not None and back.domain is not None:
            domain = back.domain
        x = draw(domain, probe.shape, probe.batch, "usual", generator)
        return x.to(self._x.dtype)

    def _move(self, life: _Life, number: int) -> None:
        """Put the parameters at a draw of their own, whatever they were before."""
        shop, scale = self._bench, self._probe.scale
        if not self._probe.draw:
            return  # they are to stay as they are
        generator = torch.Generator().manual_seed(7919 * number)
        with torch.no_grad():
            for index, (tensor, base) in enumerate(
                zip(learnable(life.runner.layer), life.base, strict=False)
            ):
                step = torch.randn(base.shape, generator=generator, dtype=torch.float64)
                if index not in shop.fixed and tensor.shape == base.shape:
                    tensor.copy_(base + (scale * step).to(base))

    # --- state --------------------------------------------------------------------

    def _state_change(self, life: _Life, *, coupled: bool) -> StateChange | None:
        """Return what every call changes of what the layer holds, if it matters."""
        _, first, second, third = life.states
        every = changed(first, second, ("learned",))
        if not every and coupled and self._bench.options.mode == "eval":
            # Overwritten from each batch, and what the batch has in common is used.
            every = tuple(
                name
                for name in changed(first, second, ("buffer",))
                if name not in changed(first, third, ("buffer",))
            )
        if every:
            return StateChange(
                names=every,
                every_call=True,
                learned=bool(changed(first, second, ("learned",))),
                location=self._writer(life, every),
            )
        return None

    def _initialised(self, life: _Life, *, beside: bool) -> StateChange | None:
        """Return what the first call sets, or the first in training, and no other call.

        Of what is held `beside` parameters and buffers, only what is another number after
        another batch: what is the same whatever the batch is a cache.
        """
        usual = self._bench.options.mode
        for mode in dict.fromkeys((usual, "train")):
            stays = self._bench.stays(life.runner, self._probe.shape)
            if mode != usual and stays:
                continue
            try:
                states = life.states if mode == usual else self._begun("one", mode)
                names = self._once(states, ("learned", "buffer"))
                if (
                    not names
                    and beside
                    and (kept := self._once(states, ("attribute",)))
                ):
                    other = self._begun("other", mode)
                    moved = changed(states[1], other[1], ("attribute",))
                    names = tuple(name for name in kept if name in moved)
            except _GIVES_UP:
                return None
            if names:
                return StateChange(names=names, every_call=False)
        return None

    def _begun(self, inputs: str, mode: str) -> list[State]:
        """Return what a twin holds when it is built, and after each of its first calls."""
        life = self._born("one")
        set_mode(life.runner.layer, mode)
        states = [state_of(life.runner.layer)]
        for index in (0, 1):
            self._ask(life, self._way, self._drawn(inputs, index), Frozen())
            states.append(state_of(life.runner.layer))
        return states

    def _once(self, states: list[State], kinds: tuple[Kind, ...]) -> tuple[str, ...]:
        """Return the parameters and numbers that the first call sets, and no other."""
        built, first, second = states[:3]
        again = changed(first, second)
        return tuple(
            name
            for name in changed(built, first, kinds)
            if name not in again
            and isinstance(first[name].value, Tensor)
            and first[name].value.is_floating_point()
        )

    def _writer(self, life: _Life, names: tuple[str, ...]) -> Any:
        """Return the statement that writes into one of these tensors."""
        watch = Watch()
        held = tensors_by_name(life.runner.layer)
        watch.also({name: held[name] for name in names if name in held})
        life.runner.run(
            self._way, self._drawn("other", 0), Frozen(), Manner(writes=watch)
        )
        return next((p for name in names if (p := watch.written(name))), None)

    # --- stale answers ------------------------------------------------------------

    def _stale(self, one: _Life, other: _Life, way: Direction) -> Stale | None:
        a, b = self._answers(one, other, way)
        if a is None or b is None:
            return None
        if not self._is_close(a.y, b.y):
            return self._stale_output(one, way)
        if not self._differ(a, b):
            return None
        try:
            inputs_only = self._life("other", "one")
            trained = self._life("one", "one", trains=True)
            elsewhere = self._life("other", "other", trains=True)
        except _GIVES_UP:
            return self._told(a, b, one, "earlier call")
        c, _ = self._answers(inputs_only, one, way)
        assert c is not None
        if self._differ(a, c):
            return self._told(a, c, one, "earlier call")
        # A cache that is cleared when training goes on is as it should be.
        d, e = self._answers(trained, elsewhere, way)
        assert d is not None
        assert e is not None
        if self._is_close(d.y, e.y) and not self._differ(d, e):
            return None
        return self._told(a, b, one, "earlier parameters")

    def _stale_output(self, one: _Life, way: Direction) -> Stale | None:
        """Return whether the output, or the ldj alone, is of parameters of an earlier call.

        Twins that were initialised by different batches have different outputs, and those
        that had the same first batch differ in the ldj alone where it is kept. A copy of
        the output's parameters is kept in a plain attribute, beside these and buffers.
        """
        try:
            moved = self._life("one", "other")
            kin = self._life("one", "one", trains=True)
            stranger = self._life("one", "other", trains=True)
        except _GIVES_UP:
            return None
        pairs = ((one, moved), (kin, stranger))
        asked = [self._answers(*pair, way) for pair in pairs]
        if all(a and b and self._differ(a, b) for a, b in asked):
            a, b = asked[0]
            assert a is not None
            assert b is not None
            return self._told(a, b, one, "earlier parameters")
        for first, second in pairs:
            held = [state_of(life.runner.layer) for life in (first, second)]
            if changed(held[0], held[1], ("learned", "buffer")):
                return None
            if not changed(held[0], held[1], ("attribute",)):
                return None
            a, b = self._answers(first, second, way)
            if a is None or b is None or same(a.y, b.y, _VISIBLE):
                return None
        a, b = self._answers(one, moved, way)
        assert a is not None
        assert b is not None
        gap = (a.y - b.y).detach().abs().nan_to_num(nan=0.0).reshape(-1)
        worst = int(gap.argmax())
        return Stale(
            of="earlier parameters",
            output=True,
            got=float(a.y.reshape(-1)[worst]),
            fresh=float(b.y.reshape(-1)[worst]),
            location=one.watch.kept(None) if way == self._way else None,
        )

    def _answers(
        self, one: _Life, other: _Life, way: Direction
    ) -> tuple[Outcome | None, Outcome | None]:
        if way == self._way:
            return one.answer, other.answer
        return one.back, other.back

    def _differ(self, a: Outcome, b: Outcome) -> bool:
        """Return whether the ldj differ though the outputs do not."""
        if a.reported is None or b.reported is None:
            return False
        return self._is_close(a.y, b.y) and not same(a.reported, b.reported, _VISIBLE)

    def _is_close(self, a: Tensor, b: Tensor) -> bool:
        return same(a, b, 100.0 * self._tolerance)

    def _told(self, a: Outcome, b: Outcome, life: _Life, of: Any) -> Stale:
        assert a.reported is not None
        assert b.reported is not None
        gap = (a.reported - b.reported).detach().abs().nan_to_num(nan=0.0)
        worst = int(gap.argmax())
        return Stale(
            of=of,
            output=False,
            got=float(a.reported[worst]),
            fresh=float(b.reported[worst]),
            location=life.watch.kept(a.raw),
        )

    def _stale_between(self) -> Stale | None:
        """Return whether a transform answers for whatever it was called with last.

        `t(x)` may be followed by `t(other)` before `t.log_abs_det_jacobian(x, y)` is asked.
        """
        answers: list[Outcome] = []
        life: _Life | None = None
        for who in ("one", "other"):
            life = self._born("one")
            if not isinstance(life.runner.layer, Transform) or self._way != "forward":
                return None
            calls = replace(
                life.runner.calls, forward=_called_between(self._drawn(who, 0))
            )
            runner = replace(life.runner, calls=calls)
            try:
                answers.append(
                    runner.run("forward", self._x, Frozen(), Manner(writes=life.watch))
                )
            except _GIVES_UP:
                return None
        assert life is not None
        if not self._differ(*answers):
            return None
        return self._told(answers[0], answers[1], life, "earlier call")


def _called_between(other: Tensor) -> Any:
    def call(
        layer: Any, x: Tensor, start: Tensor | None, kwargs: Mapping[str, Any]
    ) -> Returned:
        y = layer(x)
        layer(other.clone())
        return Returned(y=y, ldj=layer.log_abs_det_jacobian(x, y))

    return call

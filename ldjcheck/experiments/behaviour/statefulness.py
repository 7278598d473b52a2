"""What earlier calls leave behind: twins of one layer that have lived different lives.

Both twins are then asked the same question, with the same parameters. Where their outputs
agree and their ldj do not, the ldj is that of an earlier call: it is a function of the map,
and the map is the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.distributions.transforms import Transform

from ldjcheck.calling.domains import draw
from ldjcheck.numerics.closeness import same
from ldjcheck.records import Direction, Kwargs, Probe, Returned
from ldjcheck.records.called import Stale, StaleFrom, StateChange
from ldjcheck.running.behaviour import SAME, VISIBLE, stale_by, stale_ldj
from ldjcheck.running.bench import Bench
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import FailedCallError, on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.running.observers.side_effects import Watch
from ldjcheck.running.runner import Outcome, Runner
from ldjcheck.running.snapshot.isolation import learnable, set_mode
from ldjcheck.running.snapshot.state import (
    Kind,
    State,
    changed,
    state_of,
    tensors_by_name,
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
    states: list[State] = field(default_factory=list)
    answers: dict[Direction, Outcome] = field(default_factory=dict)


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
        self._dtype = "float64" if x.dtype != torch.float32 else "float32"
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
        except FailedCallError:
            return nothing
        if state is not None:
            return Remembered(state=state, stale={})
        asked = ((way, self._stale(one, other, way)) for way in one.answers)
        stale = {way: found for way, found in asked if found is not None}
        if not stale and (between := self._stale_between()) is not None:
            stale = {"forward": between}
        return Remembered(state=self._initialised(one, beside=not stale), stale=stale)

    # --- lives --------------------------------------------------------------------

    def _born(self, parameters: str) -> _Life:
        runner = self._bench.at(self._probe).runner(seed=self._probe.seed)
        base = [t.detach().clone() for t in learnable(runner.layer)]
        life = _Life(runner=runner, base=base, watch=Watch(remember=True))
        self._move(life, _FIRST[parameters])
        return life

    def _life(self, inputs: str, parameters: str, *, trains: bool = False) -> _Life:
        life = self._born(parameters)
        first, second = (self._drawn(inputs, index) for index in (0, 1))
        life.states.append(state_of(life.runner.layer))
        for x in (first, second, first):
            y = self._ask(life, self._way, x, Frozen()).y.detach()
            life.states.append(state_of(life.runner.layer))
        if self._y is not None and torch.isfinite(y).all() and y.shape == self._y.shape:
            self._ask(life, "inverse", y, Frozen())
        mode = self._bench.options.mode
        set_mode(life.runner.layer, "train")
        if trains:
            self._ask(life, self._way, self._drawn("shared", 0), Frozen())
        set_mode(life.runner.layer, mode)
        self._move(life, _LAST)
        life.answers[self._way] = self._ask(life, self._way, self._x, self._noise)
        if self._y is not None:
            self._ask(life, self._way, second, Frozen())
            back = self._ask(life, "inverse", self._y, self._back_noise)
            life.answers["inverse"] = back
        return life

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
        fixed, scale = self._bench.fixed, self._probe.scale
        if not self._probe.draw:
            return  # they are to stay as they are
        generator = torch.Generator().manual_seed(7919 * number)
        with torch.no_grad():
            for index, (tensor, base) in enumerate(
                zip(learnable(life.runner.layer), life.base, strict=False)
            ):
                step = torch.randn(base.shape, generator=generator, dtype=torch.float64)
                if index not in fixed and tensor.shape == base.shape:
                    tensor.copy_(base + (scale * step).to(base))

    # --- state --------------------------------------------------------------------

    def _state_change(self, life: _Life, *, coupled: bool) -> StateChange | None:
        """Return what every call changes of what the layer holds, if it matters."""
        _, first, second, third = life.states
        every = changed(first, second, ("learned",))
        if not every and coupled and self._bench.options.mode == "eval":
            # Overwritten from each batch, and what the batch has in common is used.
            again = changed(first, third, ("buffer",))
            seen = changed(first, second, ("buffer",))
            every = tuple(name for name in seen if name not in again)
        if not every:
            return None
        return StateChange(
            names=every,
            every_call=True,
            learned=bool(changed(first, second, ("learned",))),
            location=self._writer(life, every),
        )

    def _initialised(self, life: _Life, *, beside: bool) -> StateChange | None:
        """Return what the first call sets, or the first in training, and no other call.

        Of what is held `beside` parameters and buffers, only what is another number after
        another batch: what is the same whatever the batch is a cache.
        """
        usual = self._bench.options.mode
        for mode in dict.fromkeys((usual, "train")):
            if mode != usual and self._bench.stays(life.runner, self._probe.shape):
                continue
            try:
                states = life.states if mode == usual else self._begun("one", mode)
                names = self._once(states, ("learned", "buffer"))
                kept = self._once(states, ("attribute",)) if beside else ()
                if not names and kept:
                    other = self._begun("other", mode)
                    moved = changed(states[1], other[1], ("attribute",))
                    names = tuple(name for name in kept if name in moved)
            except FailedCallError:
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
        x = self._drawn("other", 0)
        life.runner.run(self._way, x, Frozen(), Manner(writes=watch))
        return next((p for name in names if (p := watch.written(name))), None)

    # --- stale answers ------------------------------------------------------------

    def _stale(self, one: _Life, other: _Life, way: Direction) -> Stale | None:
        a, b = one.answers[way], other.answers[way]
        if not self._is_close(a, b):
            return self._stale_output(one, way)
        stale = self._parted(a, b, one, "earlier parameters")
        if stale is None:
            return None
        try:
            inputs_only = self._life("other", "one")
            trained = self._life("one", "one", trains=True)
            elsewhere = self._life("other", "other", trains=True)
        except FailedCallError:
            return replace(stale, of="earlier call")
        by_inputs = self._parted(a, inputs_only.answers[way], one, "earlier call")
        if by_inputs is not None:
            return by_inputs
        # A cache that is cleared when training goes on is as it should be.
        c, d = trained.answers[way], elsewhere.answers[way]
        is_cleared = self._is_close(c, d) and self._parted(c, d, one, stale.of) is None
        return None if is_cleared else stale

    @on_failure(None)
    def _stale_output(self, one: _Life, way: Direction) -> Stale | None:
        """Return whether the output, or the ldj alone, is of parameters of an earlier call.

        Twins that were initialised by different batches have different outputs, and those
        that had the same first batch differ in the ldj alone where it is kept. A copy of
        the output's parameters is kept in a plain attribute, beside these and buffers.
        """
        moved = self._life("one", "other")
        kin = self._life("one", "one", trains=True)
        stranger = self._life("one", "other", trains=True)
        pairs = ((one, moved), (kin, stranger))
        answers = [(first.answers[way], other.answers[way]) for first, other in pairs]
        parted = [self._parted(*pair, one, "earlier parameters") for pair in answers]
        if all(parted):
            return parted[0]
        for lives, (a, b) in zip(pairs, answers, strict=True):
            held = [state_of(life.runner.layer) for life in lives]
            if changed(held[0], held[1], ("learned", "buffer")):
                return None
            if not changed(held[0], held[1], ("attribute",)):
                return None
            if same(a.y, b.y, VISIBLE):
                return None
        a, b = answers[0]
        place = one.watch.kept(None) if way == self._way else None
        return stale_by(a.y, b.y, of="earlier parameters", output=True, location=place)

    def _is_close(self, a: Outcome, b: Outcome) -> bool:
        return same(a.y, b.y, 100.0 * SAME[self._dtype])

    def _parted(
        self, a: Outcome, b: Outcome, life: _Life, of: StaleFrom
    ) -> Stale | None:
        """Return what is stale of a life's ldj, where the outputs agree and it does not."""
        return stale_ldj(a, b, self._dtype, of=of, location=life.watch.kept(a.raw))

    @on_failure(None)
    def _stale_between(self) -> Stale | None:
        """Return whether a transform answers for whatever it was called with last.

        `t(x)` may be followed by `t(other)` before `t.log_abs_det_jacobian(x, y)` is asked.
        """
        if self._way != "forward" or not isinstance(self._bench.layer.obj, Transform):
            return None
        one, other = self._born("one"), self._born("one")
        a = self._asked_between(one, self._drawn("one", 0))
        b = self._asked_between(other, self._drawn("other", 0))
        return self._parted(a, b, other, "earlier call")

    def _asked_between(self, life: _Life, x: Tensor) -> Outcome:
        """Return the answer of a twin that is called at x before its ldj is asked for."""
        calls = replace(life.runner.calls, forward=_called_between(x))
        runner = replace(life.runner, calls=calls)
        return runner.run("forward", self._x, Frozen(), Manner(writes=life.watch))


def _called_between(other: Tensor) -> Any:
    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        y = layer(x)
        layer(other.clone())
        return Returned(y=y, ldj=layer.log_abs_det_jacobian(x, y))

    return call

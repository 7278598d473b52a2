"""`Monitor`: looks at a flow every so many steps of its training, and leaves no trace."""

import logging
import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

from torch import Tensor

from ldjcheck.checking import Glance, glance_at
from ldjcheck.errors import CannotCheckError
from ldjcheck.faults import failed_result
from ldjcheck.mistakes.terms.unexplained_mismatch import RULE as UNNAMED
from ldjcheck.monitoring.listeners import Look, Mode, On, listeners
from ldjcheck.numerics.tolerance import MACHINE_EPSILON, SOLVER_RESIDUAL
from ldjcheck.options.keywords import asked
from ldjcheck.records import Check, Layer, Options, Result, Run, Status
from ldjcheck.records.asked import Given
from ldjcheck.report import Report
from ldjcheck.settling.subject import Subject
from ldjcheck.targets.data import given_inputs

_WRONG = (
    "The ldj is wrong: ldjcheck.check(flow, inputs=x), in this mode, says which way."
)
_OURS = "ldjcheck itself failed"
_GRAVITY = ("pass", "unproven", "error", "fail")


class Monitor:
    """Watches a flow while it trains.

    Call `step` once in each step of the loop. Every so many calls it looks at some samples
    of the batch at hand, on a copy, in the precision in use, in training and in evaluation:
    the reported ldj against the exact one, the way there and back, and the condition of
    the map. Parameters, gradients, buffers, the mode and the state of random generators
    stay as they are.

    Args:
        flow: the flow, or a layer of it; what `ldjcheck.check` takes.
        every: calls between two looks; the first is at call number `every`.
        on: what hears of each look: `"log"`, the logger `ldjcheck`; `"warn"` and `"raise"`,
            which stay silent while nothing is wrong; a function of a `Look`; a
            `SummaryWriter` of TensorBoard; or a list of these.
        samples: how many of the batch are looked at.
        share: of the time of training, what looks may take at most: one that would take
            more is put off. None: none is. How the flow is called is found out at the
            first look, and that is not counted.
        timeout: how many seconds of CPU time one step may take; what has begun is ended.
            The mode in use is looked at first, the other where half of them are left.
        convention: how the flow is called; recognised when `"auto"`.
        adapter: how to call a flow that follows no convention, as of `ldjcheck.check`.

    Raises:
        ValueError: an argument that cannot be what it is given as.
    """

    def __init__(
        self,
        flow: Any,
        every: int = 1000,
        on: On = "log",
        *,
        samples: int = 4,
        share: float | None = 0.01,
        timeout: float = 30.0,
        convention: str = "auto",
        adapter: Any = None,
    ) -> None:
        for name, count in (("every", every), ("samples", samples)):
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise ValueError(f"{name}={count!r}: a whole number of at least 1.")
        if share is not None and not 0.0 < share <= 1.0:
            raise ValueError(f"share={share!r}: it is a number above 0, and at most 1.")
        name = type(flow).__name__
        self._layer = Layer(target=name, name=name, obj=flow)
        self._every = every
        self._options = asked(
            {
                "batch": samples,
                "timeout": timeout,
                "convention": convention,
                "adapter": adapter,
                "dtype": "as-written",
                "params": "as-is",
            }
        )
        self._listeners = listeners(on)
        self._share = share
        self._steps = 0
        self._last = 0  # the step of the last look
        self._ended = perf_counter()  # when it ended
        self._cost = 0.0  # how many seconds it took
        self._sizes: Hashable = None  # of what was looked at last
        self._subjects: dict[Mode, Subject] = {}  # how the flow is called there

    def step(self, x: Any, **context: Any) -> Look | None:
        """Count one step of training; return the look that was taken, or None.

        Of the looks in both modes it is the graver one; whoever listens hears of both.

        Args:
            x: the batch that goes into the flow, `(batch, *event)`.
            context: what goes beside it, by the names of the flow's arguments: tensors
                with a row for each sample, and anything else as it is.

        Raises:
            LdjMismatch: something is wrong, with `on="raise"`.
            LdjError: the flow could not be looked at, likewise.
        """
        self._steps += 1
        if not self._is_due():
            return None
        __tracebackhide__ = True
        started = perf_counter()
        looks, first = self._looks(x, context)
        self._last, self._ended = self._steps, perf_counter()
        self._cost = 0.0 if first else self._ended - started
        for look in looks:
            for listener in self._listeners:
                listener(look)
        return max(looks, key=lambda look: _GRAVITY.index(look.status))

    def _is_due(self) -> bool:
        if self._steps - self._last < self._every:
            return False
        since = perf_counter() - self._ended
        return self._share is None or self._cost <= self._share * since

    def _looks(self, x: Any, context: Mapping[str, Any]) -> tuple[list[Look], bool]:
        """Return a look in each mode that is one, and whether the first at such a batch.

        Where both modes say the same at the first look, the one in use is looked at.
        """
        try:
            options, inputs = self._at(x, context)
        except ValueError as error:
            refused = CannotCheckError("LDJ006", f"The batch cannot be fed: {error}.")
            result = failed_result(self._layer.target, refused)
            return [self._look(Glance(result=result), self._modes[0], 0.0)], False
        sizes = tuple((name, tuple(x.shape[1:])) for name, x in inputs.samples.items())
        is_first = self._sizes is None
        if sizes != self._sizes:
            self._subjects = {}
        known = self._subjects
        looks: dict[Mode, Look] = {}
        glances: dict[Mode, Glance] = {}
        limit = options.timeout
        for mode in tuple(known) or self._modes:
            if looks and limit is not None and 2 * limit.left < limit.seconds:
                break
            started = perf_counter()
            at = replace(options, mode=mode)
            glances[mode] = self._glance(at, known.get(mode))
            looks[mode] = self._look(glances[mode], mode, perf_counter() - started)
        is_whole = bool(known) or len(glances) == len(self._modes)
        if not known and is_whole and _say_the_same(glances.values()):
            del glances[self._modes[1]], looks[self._modes[1]]
        settled = {m: g.subject for m, g in glances.items() if g.subject is not None}
        if len(settled) == len(glances):
            self._sizes, self._subjects = sizes, known | settled if is_whole else {}
        return list(looks.values()), is_first and self._sizes is not None

    def _glance(self, options: Options, subject: Subject | None) -> Glance:
        """Return what one look shows; a fault of ours must not end a training of days."""
        try:
            return glance_at(self._layer, options, subject)
        except Exception as error:
            logging.getLogger("ldjcheck").exception("%s: please report it", _OURS)
            said = {"not checked": f"{_OURS}: {type(error).__name__}: {error}"}
            target = self._layer.target
            failed = Result(target=target, layer=None, status="error", inferred=said)
            return Glance(result=failed)

    @property
    def _modes(self) -> tuple[Mode, Mode]:
        """The mode that the flow is in, then the other; a plain function is in none."""
        trained = getattr(self._layer.obj, "training", False)
        return ("train", "eval") if trained else ("eval", "train")

    def _at(self, x: Any, context: Mapping[str, Any]) -> tuple[Options, Given]:
        """Return the options of a look at the first samples of a batch, and these.

        Raises:
            ValueError: they are none.
        """
        named = dict(x) if isinstance(x, Mapping) else {None: x}
        beside = {k: v for k, v in context.items() if isinstance(v, Tensor) and v.dim()}
        count = self._options.batch
        rows = {
            name: value[:count] if isinstance(value, Tensor) and value.dim() else value
            for name, value in (named | beside).items()
        }
        inputs = given_inputs(rows)
        timeout = self._options.timeout
        options = replace(
            self._options,
            timeout=None if timeout is None else timeout.started(),
            inputs=inputs,
            kwarg=tuple((k, v) for k, v in context.items() if k not in beside),
            device=_device_of(named.values()),
        )
        return options, inputs

    def _look(self, glance: Glance, mode: Mode, seconds: float) -> Look:
        """Return a look: only what is true of the values counts here, and the way back."""
        result = glance.result
        shown = _shown(result.checks)
        trip = next((c for c in result.checks if c.name == "round-trip"), None)
        status, why = _judged(glance)
        result = replace(result, status=status)
        run = Run.of(result, seed=self._options.seed, command="ldjcheck.Monitor")
        run = replace(run, seconds=seconds)
        samples = () if shown is None else shown.samples
        told = [each for each in samples if each.reported is not None]
        return Look(
            step=self._steps,
            mode=mode,
            status=status,
            reported=tuple(each.reported for each in told if each.reported is not None),
            exact=tuple(each.exact for each in told),
            worst=None if shown is None else shown.worst,
            allowed=None if shown is None else shown.tolerance,
            round_trip=None if trip is None else trip.worst,
            condition=glance.condition,
            why=why,
            seconds=seconds,
            report=Report(run),
        )


def _shown(checks: tuple[Check, ...]) -> Check | None:
    """Return the comparison that a look tells of: one that fails, or of the way there."""
    compared = [c for c in checks if c.name == "ldj" and math.isfinite(_allowed(c))]
    return min(compared, key=lambda check: check.status != "fail", default=None)


def _allowed(check: Check) -> float:
    """Return what was allowed, in nats: inf where samples meet, or nothing was compared."""
    told = check.worst is not None and check.tolerance is not None
    return check.tolerance or 0.0 if told else math.inf


def _judged(glance: Glance) -> tuple[Status, str | None]:
    """Return what the values and the way back come to, and what is wrong with them.

    That samples meet in training, as those of a batch norm do, only leaves it unproven.
    """
    result = glance.result
    if result.status == "error":
        told = (f.message for f in result.findings)
        return "error", next(told, result.inferred.get("not checked"))
    watched = [c for c in result.checks if c.name in ("ldj", "round-trip")]
    failed = [c for c in watched if c.status == "fail"]
    if failed:
        found = [f for f in result.findings if f.severity == "error"]
        said = dict.fromkeys(
            f.message if f.code != UNNAMED.code else _WRONG for f in found
        )
        return "fail", " ".join(said)  # of both directions, once
    if lost := _lost(glance, watched):
        return "fail", lost
    proved = all(c.status in ("pass", "not-available") for c in watched)
    return ("pass" if proved else "unproven"), None


def _lost(glance: Glance, checks: Sequence[Check]) -> str | None:
    """Return what to say of a way back of which rounding leaves less than half the digits.

    Rounding explains it, so that it is no mistake of the code: samples are lost all the
    same. Of a map that is not known to be one of each sample alone, nothing follows.
    """
    there, *_, trip = checks
    if glance.sides is None or there.status != "pass" or trip.worst is None:
        return None
    forward = glance.sides.forward
    half = max(math.sqrt(MACHINE_EPSILON[forward.said.dtype]), SOLVER_RESIDUAL)
    if trip.worst <= half * (1.0 + float(forward.x.abs().max())):
        return None
    return (
        f"The way back loses more than half of the digits of {forward.said.dtype}: it "
        f"misses x by {trip.worst:.2g}."
    )


def _say_the_same(glances: Collection[Glance]) -> bool:
    """Return whether a flow says the same in both modes, bit by bit."""
    a, b = (glance.sides.forward.said if glance.sides else None for glance in glances)
    if a is None or b is None:
        return a is b
    pairs = ((a.y, b.y), (a.ldj, b.ldj))
    return all(
        (u is None and v is None) or (u is not None and v is not None and u.equal(v))
        for u, v in pairs
    )


def _device_of(samples: Collection[Any]) -> str | None:
    """Return where a batch is, if that is not the CPU."""
    devices = {str(x.device) for x in samples if isinstance(x, Tensor)}
    return next(iter(devices - {"cpu"}), None)

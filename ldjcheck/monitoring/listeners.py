"""What one look at a flow in training has shown, and who hears of it.

That is a function, the log, a warning, an exception, or TensorBoard.
"""

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from ldjcheck.records import Status
from ldjcheck.report import Report
from ldjcheck.testing.assertion import LdjError, LdjMismatch

Mode = Literal["train", "eval"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at a flow, at some samples of the batch at hand.

    Args:
        step: how often `step` had been called, this call included.
        mode: the mode of the module that was looked at.
        status: `fail` where the ldj is wrong, or the way back leads elsewhere or has lost
            more than half of its digits; `unproven` and `error` as in a report.
        reported: the ldj that the flow says, of each sample, in nats.
        exact: log|det J| of each.
        worst: how far reported is from exact, at most, in nats; None without a comparison.
        allowed: what rounding explains of that, in nats.
        round_trip: how far inverse(f(x)) is from x, at most; None without a way back.
        condition: the largest condition number of J, of the map from x.
        why: what is wrong, or what kept it from being looked at; None where nothing is.
        seconds: how long the look took.
        report: all that is known, as `ldjcheck.check` returns it.
    """

    step: int
    mode: Mode
    status: Status
    reported: tuple[float, ...]
    exact: tuple[float, ...]
    worst: float | None
    allowed: float | None
    round_trip: float | None
    condition: float | None
    why: str | None
    seconds: float
    report: Report

    @property
    def metrics(self) -> dict[str, float]:
        """Return the numbers that are known by names for a logger, as `ldj/worst_train`."""
        known = {
            "worst": self.worst,
            "round_trip": self.round_trip,
            "condition": self.condition,
        }
        return {
            f"ldj/{name}_{self.mode}": value
            for name, value in known.items()
            if value is not None
        }

    def __str__(self) -> str:
        """Return it in one line."""
        numbers = [
            f"{name} {value:.3g}"
            for name, value in (
                ("ldj off by", self.worst),
                ("round trip", self.round_trip),
                ("condition", self.condition),
            )
            if value is not None
        ]
        told = ", ".join(numbers) or "nothing compared"
        why = "" if self.why is None else f": {self.why}"
        return f"step {self.step} ({self.mode}): {self.status}, {told}{why}"


@runtime_checkable
class ScalarWriter(Protocol):
    """What takes numbers by name and step, as `SummaryWriter` of TensorBoard does."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> Any:
        """Write one number."""


Listener = Callable[["Look"], object]
Heard = Literal["log", "warn", "raise"] | ScalarWriter | Listener
On = Heard | Sequence[Heard]

_WRONG = ("fail", "error")


def listeners(on: On) -> tuple[Listener, ...]:
    """Return the functions that are to hear of each look.

    Raises:
        ValueError: one of them is none.
    """
    if isinstance(on, Sequence) and not isinstance(on, str):
        return tuple(listener for each in on for listener in listeners(each))
    if isinstance(on, str) and on in _BY_NAME:
        return (_BY_NAME[on],)
    if isinstance(on, ScalarWriter):
        return (_written_by(on),)
    if callable(on):
        return (on,)
    names = ", ".join(map(repr, _BY_NAME))
    raise ValueError(
        f"on={on!r}: it is one of {names}, a function of a look, a SummaryWriter, or a "
        "list of these."
    )


def _log(look: Look) -> None:
    level = logging.WARNING if look.status in _WRONG else logging.INFO
    logging.getLogger("ldjcheck").log(level, "%s", look)


def _warn(look: Look) -> None:
    if look.status in _WRONG:
        warnings.warn(str(look), RuntimeWarning, stacklevel=3)  # at the user's `step`


def _raise(look: Look) -> None:
    if look.status == "fail":
        raise LdjMismatch(str(look), look.report)
    if look.status == "error":
        raise LdjError(str(look), look.report)


_BY_NAME: dict[str, Listener] = {"log": _log, "warn": _warn, "raise": _raise}


def _written_by(writer: ScalarWriter) -> Listener:
    def write(look: Look) -> None:
        for name, value in look.metrics.items():
            writer.add_scalar(name, value, look.step)

    return write

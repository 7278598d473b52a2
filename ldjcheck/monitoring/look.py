"""What one look at a flow in training has shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ldjcheck.records import Status

if TYPE_CHECKING:
    from ldjcheck.report import Report

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

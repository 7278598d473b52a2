"""What to say of a direction that raised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.mistakes import rule_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Comparison, Finding, Verdict


def raised(comparison: Comparison) -> tuple[Finding, ...]:
    """Return a finding for each direction that raised, and what to type next."""
    rule = rule_for("LDJ005")
    assert rule is not None
    return tuple(
        rule.finding(
            f"The {verdict.direction} direction raised {verdict.why}",
            direction=verdict.direction,
            evidence=(*verdict.raised, *_what_next(verdict, comparison)),
        )
        for verdict in comparison.verdicts
        if verdict.raised
    )


def _what_next(verdict: Verdict, comparison: Comparison) -> Iterator[str]:
    """Yield what to type where only the way back raises: it may want more than y."""
    if verdict.direction != "inverse" or comparison.forward.raised:
        return
    measurement = comparison.measurement
    calls, options = measurement.calls, measurement.options
    given = {name for name, _ in (*options.context, *options.kwarg)}
    back = calls.inverse
    own = back.names if back is not None else ()
    left_out = [name for name in own or calls.extra_names if name not in given]
    if left_out:
        yield f"It was called with {' and '.join(f'{n}=None' for n in left_out)}."
        yield f"To give that: --kwarg {left_out[0]}=1.0, or what it has to be"
    yield "To check the map alone: --direction forward"

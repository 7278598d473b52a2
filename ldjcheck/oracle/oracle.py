"""What all oracles have in common: a question about one direction, and what one knows of it.

An oracle is one way to know the exact ldj, or how far a right report may be from it.
Nothing else sets either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ldjcheck.records import Probe, Side
from ldjcheck.running.bench import Bench
from ldjcheck.running.runner import Runner


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is true of one direction at one probe, asked with what is known so far.

    `other` is the other direction at the same probe: absent where there is none, or where
    it has not been asked yet. `runner` has a copy of the layer that is set up as `probe`
    says.
    """

    bench: Bench
    probe: Probe
    runner: Runner
    side: Side
    other: Side

    @property
    def is_back(self) -> bool:
        """Whether it is the way back that is asked about."""
        return self.side.direction == "inverse"


Oracle = Callable[[Question], Side | None]
"""One way to know what is true.

Returns the direction that was asked about, with what is known in the place of what was;
None where it is none of its questions. It never raises what the layer raises.
"""


def answered(oracles: tuple[Oracle, ...], question: Question) -> Side:
    """Return the direction by the first oracle that knows; as it is where none does."""
    side = question.side
    if not side.answered:
        return side
    for oracle in oracles:
        if (known := oracle(question)) is not None:
            return known
    return side

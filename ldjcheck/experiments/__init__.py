"""What is tried with a layer, one question a file: all run it, and observe what it does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ldjcheck.records import Evidence
from ldjcheck.records.observed import Observation
from ldjcheck.running.bench import Bench


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One experiment. It yields what it observes, and edits nothing that is known.

    `after` names the experiments whose observations it reads: they come before it.
    """

    name: str
    run: Callable[[Bench, Evidence], Iterator[Observation]]
    after: tuple[str, ...] = ()

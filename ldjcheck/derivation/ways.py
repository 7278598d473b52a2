"""Both directions of a layer, each recorded and derived from one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ldjcheck.derivation.program import Program, Refusal, derive_call
from ldjcheck.derivation.reading.execution import Observer, Recorded, recorded
from ldjcheck.derivation.reading.forms import form_of
from ldjcheck.derivation.way_back import by_the_way_there
from ldjcheck.oracle.recording import UntraceableError, record
from ldjcheck.records import Calls, Direction, Probe, Side
from ldjcheck.revision import Replacement
from ldjcheck.running.bench import Bench
from ldjcheck.settling.ranks import at_all_ranks
from ldjcheck.settling.settle import runs


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """One direction, with what was derived of it."""

    direction: Direction
    found: Program | Refusal
    call: Recorded | None  # None where it could not be recorded

    @property
    def changes(self) -> tuple[Replacement, ...]:
        """The edit that writes what was derived; nothing where it was refused."""
        return self.found.changes if isinstance(self.found, Program) else ()


def ways_of(
    bench: Bench, promised: Calls, probe: Probe, sides: Sequence[Side]
) -> list[Way]:
    """Return what is derived of each side of a probe, in the form that was promised.

    A way back that has no terms of its own asks the way there.
    """
    any_rank = _takes_any_rank(bench, probe)
    found = [_way(bench, promised, probe, side, any_rank) for side in sides]
    if _clash(found):
        found = [replace(way, found=_literally(way)) for way in found]
    return _with_ways_back(found)


def _takes_any_rank(bench: Bench, probe: Probe) -> bool:
    """Return whether a layer that was fed vectors takes images as well.

    Their axes have sizes that no parameter of vectors is spread over.
    """
    if len(bench.shape) != 1:
        return False
    if at_all_ranks(bench, probe):
        return True
    if bench.options.shape:
        return False
    size = bench.shape[0] + 1
    images = (size, size + 1, size + 2)
    return runs(bench, images)


def _way(
    bench: Bench, promised: Calls, probe: Probe, side: Side, any_rank: bool
) -> Way:
    runner, _, _ = bench.ready(probe)
    observer = Observer()
    try:
        trace = record(runner, probe, side, observer)
    except UntraceableError:
        trace, why = None, "an operation of the map cannot be run again by itself"
    else:
        why = "what the call computes cannot be followed"
    if trace is None:
        return Way(side.direction, Refusal(why=why), None)
    form = form_of(promised, side.direction, of_any_rank=any_rank)
    call = recorded(trace, observer.executions, form)
    return Way(side.direction, derive_call(call), call)


def _clash(ways: Sequence[Way]) -> bool:
    """Return whether two directions want different terms at one place."""
    changes = {change for way in ways for change in way.changes}
    places: dict[tuple[str, int, int], str] = {}
    for change in changes:
        at = change.file, change.line, change.column
        if places.setdefault(at, change.text) != change.text:
            return True
    return False


def _literally(way: Way) -> Program | Refusal:
    return way.found if way.call is None else derive_call(way.call, literal=True)


def _with_ways_back(ways: list[Way]) -> list[Way]:
    if len(ways) != 2 or not isinstance(ways[0].found, Program):
        return ways
    there, back = ways
    if isinstance(back.found, Program) or there.call is None or back.call is None:
        return ways
    found = by_the_way_there(back.call, there.call)
    return ways if found is None else [there, replace(back, found=found)]

"""Both directions of a layer, each recorded and derived from one call.

A way back that loops over the dims, or iterates, has no terms of its own. It undoes the map
all the same: at the x that it has found, its log|det| is minus that of the forward map.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ldjcheck.derivation.program import Program, Refusal, derive_call
from ldjcheck.derivation.reading.execution import Observer, Recorded, form_of, recorded
from ldjcheck.derivation.reading.ldj_sites import Home, home_of
from ldjcheck.derivation.writing.codegen import Spelled
from ldjcheck.derivation.writing.edits import Line, NoPlaceError, statements_of
from ldjcheck.oracle.recording import UntraceableError, record
from ldjcheck.records import Calls, Direction, Probe, Side
from ldjcheck.revision import Replacement
from ldjcheck.running.bench import Bench
from ldjcheck.settling.other_sizes import at_all_ranks
from ldjcheck.settling.settle import runs

_WHY = "undoes the map: its ldj is minus that of the way there, at the x that it found"


def by_the_way_there(back: Recorded, there: Recorded) -> Program | None:
    """Return a program that asks the way there; None where it cannot be called from here."""
    home, forward = _outermost(back), _outermost(there)
    if home is None or forward is None or not isinstance(home.output, ast.Name):
        return None
    if home.returns is forward.returns:
        return None  # it would ask itself
    text = _asked(back, home, forward)
    if text is None:
        return None
    minus = back.form.sign > 0
    line = Line(
        home=home,
        statement=home.returns,
        side="before",
        parts=(Spelled(text=text, minus=minus, varies=True, cost=0),),
        whys=(f"line {home.returns.lineno} {_WHY}",),
    )
    try:
        said, changes = statements_of(back, home, [line])
    except NoPlaceError:
        return None
    told = tuple(replace(each, part=None) for each in said)
    return Program(said=told, changes=tuple(changes))


def _outermost(call: Recorded) -> Home | None:
    for execution in call.executions.values():
        if execution.caller is None and call.is_own(execution.file):
            return home_of(call, execution)
    return None


def _asked(back: Recorded, home: Home, forward: Home) -> str | None:
    """Return the call of the way there that gives its ldj alone."""
    names = list(forward.execution.arguments)
    here = home.execution.arguments
    if not names or not here or names[0] != here[0]:
        return None
    assert isinstance(home.output, ast.Name)
    given = [home.output.id]
    if forward.is_total:
        if not home.is_total:
            return None
        given.append(f"0 * {home.name}")
    held = forward.execution.moments[0].held
    for name in names[2:]:
        if name == forward.name and forward.is_total:
            continue
        is_tensor = hasattr(held.get(name), "value") or hasattr(held.get(name), "shape")
        if is_tensor and name not in here:
            return None
        if is_tensor:
            given.append(f"{name}={name}")
    call = f"{here[0]}.{forward.execution.function}({', '.join(given)})"
    return f"{call}[{forward.position}]"


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
        found = [
            replace(way, found=derive_call(way.call, literal=True)) if way.call else way
            for way in found
        ]
    if len(found) == 2 and isinstance(found[0].found, Program):
        there, back = found
        program = None
        if not isinstance(back.found, Program) and there.call and back.call:
            program = by_the_way_there(back.call, there.call)
        if program is not None:
            found = [there, replace(back, found=program)]
    return found


def _takes_any_rank(bench: Bench, probe: Probe) -> bool:
    """Return whether a layer that was fed vectors takes images as well.

    Their axes have sizes that no parameter of vectors is spread over.
    """
    if len(bench.shape) != 1:
        return False
    if at_all_ranks(bench, probe):
        return True
    size = bench.shape[0] + 1
    return not bench.options.shape and runs(bench, (size, size + 1, size + 2))


def _way(
    bench: Bench, promised: Calls, probe: Probe, side: Side, any_rank: bool
) -> Way:
    runner, _, _ = bench.ready(probe)
    observer = Observer()
    why = "what the call computes cannot be followed"
    try:
        trace = record(runner, probe, side, observer, drawn=False)
    except UntraceableError:
        trace, why = None, "an operation of the map cannot be run again by itself"
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

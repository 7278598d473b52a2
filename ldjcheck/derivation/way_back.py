"""The ldj of a way back that has no terms of its own: minus that of the way there.

A way back that loops over the dims, or iterates, undoes the map all the same: at the x that
it has found, its log|det| is minus that of the forward map.
"""

from __future__ import annotations

import ast

from ldjcheck.derivation.program import Program, Said
from ldjcheck.derivation.reading.execution import Recorded
from ldjcheck.derivation.reading.homes import Home, home_of
from ldjcheck.derivation.writing.edits import NoPlaceError, statements_of
from ldjcheck.derivation.writing.insertion import Line
from ldjcheck.derivation.writing.spelling import Spelled
from ldjcheck.tape import Place

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
        written, changes = statements_of(back, home, [line])
    except NoPlaceError:
        return None
    place = Place(
        file=home.execution.file,
        line=home.returns.lineno,
        end_line=home.returns.end_lineno or home.returns.lineno,
        column=home.returns.col_offset,
        end_column=home.returns.end_col_offset or 0,
        function=home.execution.function,
        call=home.execution.call,
    )
    said = tuple(Said(place=place, text=each.text, why=each.why) for each in written)
    return Program(solved=(), said=said, changes=tuple(changes))


def _outermost(call: Recorded) -> Home | None:
    for execution in call.executions.values():
        if execution.caller is None and call.is_own(execution.file):
            return home_of(call, execution, call.trace.batch)
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
    value = forward.returns.value
    assert isinstance(value, ast.Tuple)
    where = next(i for i, part in enumerate(value.elts) if part is forward.ldj)
    return f"{call}[{where}]"

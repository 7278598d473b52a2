"""A flow's own density, which may sum what its call leaves as one entry per dim."""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.readings.reading import Outcome, Reading, read_anew
from ldjcheck.records import Result

_SAID = "a column, or entries per dim; its density adds them up, and is what is checked"


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield the density, where all that is wrong is an ldj of entries, or a column."""
    from ldjcheck.conventions import densities

    asked, layer = outcome.subject.asked, outcome.subject.layer
    wrong = {f.code for f in outcome.result.findings if f.severity == "error"}
    if wrong not in ({"LDJ202"}, {"LDJ201"}) or asked.adapter is not None:
        return
    if (asked.kind, asked.convention) == ("auto", "auto") and any(densities(layer.obj)):
        for there in read_anew(layer, replace(asked, kind="model")):
            yield replace(there, adopt=_adopted)


def _adopted(before: Result, again: Result | None) -> Result:
    if again is None or again.status not in ("pass", "fail"):
        return before
    return replace(again, inferred={"ldj": _SAID, **again.inferred})

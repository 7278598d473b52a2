"""An ldj of entries that its source's own words call one: "log-det, per pixel".

Words decide nothing: where nobody is seen to add the entries up, both readings are told.
"""

import inspect
import re
from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.mistakes.contract import not_reduced
from ldjcheck.readings.policy import told_of
from ldjcheck.readings.reading import Outcome, Reading
from ldjcheck.records import Result

_NUMBER = r"(?:log[\s_-]*(?:abs[\s_-]*)?(?:det|deriv|jac|slope)\w*|ladj|ldj|log\s*\|[^|\n]*\|)"
_OF_EACH = (
    r"(?:per[\s-](?:pixel|dim|entry|element|feature|channel|position|token|frame|step)"
    r"|element-?wise|entry-?wise|point-?wise|un(?:summed|reduced)|not (?:summed|reduced)"
    r"|(?:with|of) the (?:same )?shape (?:of|as))"
)
_SAID = re.compile(
    rf"{_NUMBER}(?:(?!\bsum|[.;\n]).){{0,40}}{_OF_EACH}|{_OF_EACH}[\s-]{_NUMBER}", re.I
)
_OF_SAMPLE = "one number of each sample", ""
_BESIDE = "one of each entry, as its source says", "--ignore LDJ202"


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield an ldj that has nothing but entries too many as what words say that it is."""
    subject, calls = outcome.subject, outcome.subject.bench.calls
    codes = {f.code for f in outcome.result.findings if f.severity == "error"}
    said = _SAID.search(_source(subject.layer.obj))
    if codes == {not_reduced.RULE.code} and said is not None:
        why = f'its source says "{said[0]}"'
        bench = replace(subject.bench, calls=replace(calls, custom=why))
        reading = Reading(subject=subject, adopt=_told_beside)
        yield reading.assuming("form", "entries", "named", why, bench=bench)


def _told_beside(before: Result, again: Result | None) -> Result:
    return told_of(before, again, _OF_SAMPLE, _BESIDE)


def _source(layer: object) -> str:
    try:
        return inspect.getsource(layer if inspect.isroutine(layer) else type(layer))
    except (OSError, TypeError):
        return ""

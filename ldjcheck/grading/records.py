"""What is known about a submission: facts, their causes, and the points that follow.

Facts are stored, and read again when grading is resumed; what comes from the confined
processes is cut to size and to its types here. Nothing in the findings that they send is
believed to have a type, a length or a sense: what has not is left out.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ldjcheck.mistakes import rule_for
from ldjcheck.records import Edit

Standing = Literal[
    "right",  # judged right from outside, and nothing found beside the code
    "wrong",
    "unproven",
    "absent",  # it defines no such name, or lacks a direction that is asked for
    "broken",  # it cannot be loaded, built or called
    "stopped",  # it ran into a limit, or its process died
    "held",  # the two checks do not agree, or only one could be made: for the teacher
]

_LONGEST = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a submission something stands."""

    file: str
    line: int
    cell: int | None = None
    function: str | None = None  # with its class
    text: str | None = None
    from_handout: bool = False  # the line stands so in the handout

    @property
    def key(self) -> tuple[str, int | None, int]:
        """What tells it from other places of the same submission."""
        return self.file, self.cell, self.line

    def words(self) -> str:
        """Return the place as one says it."""
        at = f"cell {self.cell}, line {self.line}" if self.cell else f"line {self.line}"
        return f"{self.file}, {at}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One mistake, as the check beside the code names it.

    `confirmed`: its edit, made from outside, was seen to make the layer right, alone or
    together with those of its other causes.
    """

    code: str
    name: str
    severity: str
    message: str
    direction: str | None = None
    place: Place | None = None
    edits: tuple[Edit, ...] = ()
    confirmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The two numbers of one input, and by how much they may differ, in nats."""

    direction: str
    reported: float | None
    exact: float
    allowed: float
    index: int = 0  # of the sample
    x: tuple[float, ...] = ()  # what was fed; empty where it is too long to be told

    @property
    def is_wrong(self) -> bool:
        """Whether they part by more than differences leave open."""
        return not self.off <= 1.0

    @property
    def off(self) -> float:
        """How many times the allowed difference they part by; of no number, infinitely."""
        gap = math.inf if self.reported is None else abs(self.reported - self.exact)
        return gap / self.allowed if math.isfinite(gap) else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one exercise of a submission stands, and why."""

    exercise: str
    standing: Standing
    why: str = ""
    evidence: tuple[str, ...] = ()  # of the submission's own errors
    file: str | None = None
    causes: tuple[Cause, ...] = ()
    sample: Sample | None = None
    again: str | None = None  # the call of Python that checks it beside the code
    same_map: bool | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A function of a submission, as written, and in a form without names of its own."""

    name: str
    file: str
    line: int
    text: str
    form: str
    cell: int | None = None
    last: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """All facts about one submission."""

    submission: str
    fingerprint: str  # of its files
    rubric: str  # fingerprint of the rubric
    outcomes: tuple[Outcome, ...] = ()
    problem: str | None = None
    odd: tuple[str, ...] = ()  # what its source does that a layer has no need of
    wrong: tuple[Written, ...] = ()  # functions that something wrong stands in


def short(value: Any, longest: int = _LONGEST) -> str:
    """Return foreign text in one piece that is not too long, without control characters."""
    text = value if isinstance(value, str) else repr(value)
    kept = (
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for c in text[:longest]
    )
    return "".join(kept)


# --- causes ---------------------------------------------------------------------------

_WAYS = ("forward", "inverse")
_MOST_EDITS = 4
_LONGEST_EDIT = 300  # characters: a slip is mended by little


def causes_in(
    findings: Any, functions: Sequence[Written], handout: frozenset[str]
) -> tuple[Cause, ...]:
    """Return the mistakes among findings, the same one in both directions once.

    `functions` are those of the submission, `handout` the lines of the handout.
    """
    found: dict[tuple[object, ...], Cause] = {}
    for finding in findings if isinstance(findings, list) else ():
        rule = rule_for(str(finding.get("code"))) if isinstance(finding, dict) else None
        if rule is None or rule.code.startswith("LDJ0"):
            continue
        severity = finding.get("severity")
        known = severity in ("error", "unproven", "warning", "note")
        cause = Cause(
            code=rule.code,
            name=rule.name,
            severity=str(severity) if known else rule.severity,
            message=short(finding.get("message"), 400),
            direction=next((d for d in _WAYS if d == finding.get("direction")), None),
            place=_place(finding.get("location"), functions, handout),
            edits=tuple(_edits(finding.get("fix"))),
        )
        # The same slip on the way there and back is one misunderstanding.
        key = (cause.code, cause.severity)
        first = found.setdefault(key, cause)
        if first is not cause and cause.edits != first.edits:
            more = tuple(edit for edit in cause.edits if edit not in first.edits)
            edits = (*first.edits, *more) if first.edits and cause.edits else ()
            found[key] = replace(first, direction=None, edits=edits)
    return tuple(found.values())


def _place(
    table: Any, functions: Sequence[Written], handout: frozenset[str]
) -> Place | None:
    if not isinstance(table, dict):
        return None
    file, line, cell = table.get("file"), table.get("line"), table.get("cell")
    if not isinstance(file, str) or type(line) is not int:
        return None
    cell = cell if type(cell) is int else None
    there = (f for f in functions if (f.file, f.cell) == (file, cell))
    around = next((f for f in there if f.line <= line <= f.last), None)
    # the line as it was handed in, and not as somebody says
    text = None
    if around is not None:
        rows = around.text.splitlines()
        at = line - around.line
        text = rows[at].strip() if at < len(rows) else None
    return Place(
        file=short(file, 200),
        line=line,
        cell=cell,
        function=None if around is None else around.name,
        text=text,
        from_handout=text is not None and as_line(text) in handout,
    )


def _edits(fix: Any) -> Iterator[Edit]:
    if not isinstance(fix, dict) or fix.get("applicability") != "verified":
        return
    edits = fix.get("edits")
    rows = list(edits) if isinstance(edits, (list, tuple)) else []
    if len(rows) > _MOST_EDITS or not all(_is_edit(row) for row in rows):
        return
    for row in rows:
        yield Edit(**{name: row[name] for name in Edit.__slots__})


def _is_edit(row: Any) -> bool:
    if not isinstance(row, dict) or not set(Edit.__slots__) <= row.keys():
        return False
    texts = row["file"], row["before"], row["after"]
    fits = all(isinstance(t, str) and len(t) <= _LONGEST_EDIT for t in texts)
    cell = row["cell"] is None or type(row["cell"]) is int
    return fits and cell and type(row["line"]) is int and row["line"] > 0


def as_line(text: str) -> str:
    """Return a line of code as it is compared: remarks and spacing do not count."""
    return "".join(text.partition("#")[0].split())


def lines_of(written: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return the lines of functions, as they are compared."""
    rows = (row for each in written for row in str(each["text"]).splitlines())
    return frozenset(filter(None, map(as_line, rows)))

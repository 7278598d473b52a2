"""What the page says of each layer, in words and numbers that are ready to be placed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ldjcheck.mistakes.catalogue.page import Section
from ldjcheck.records import (
    Check,
    Direction,
    Finding,
    Fix,
    Location,
    Result,
    SublayerLine,
)
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks.layout import lines_of, one_line, outdented
from ldjcheck.report.blocks.tables import heading, label, outcome
from ldjcheck.report.blocks.title import left_open
from ldjcheck.report.failure import gravest
from ldjcheck.report.html.drawings import Drawings, drawings_of
from ldjcheck.report.html.source import (
    SourceRow,
    SourceView,
    lines_as_run,
    sources_of,
)

_WORDS = {
    "unproven": "Nothing wrong was found, and nothing could be proved either.",
    "fail": "Something disagrees, and no rule says why.",
    "error": "The layer could not be checked.",
}
_SAMPLES_SHOWN = 32


@dataclass(frozen=True, slots=True)
class EditView:
    """One line of a fix, as it was or as it becomes."""

    sign: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class FixView:
    """A fix: what is known of it, and its lines by file."""

    title: str
    files: tuple[tuple[str, tuple[EditView, ...]], ...]
    is_shown_above: bool


@dataclass(frozen=True, slots=True)
class PageView:
    """The page of a rule: its title, its sections, and what it is confused with."""

    title: str
    what: str
    sections: tuple[Section, ...]
    confused: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FindingView:
    """One mistake: where, why, how to mend it, and what it costs."""

    code: str
    name: str
    severity: str
    direction: Direction | None
    message: str
    where: str | None
    text: str | None
    law: str | None
    points: tuple[tuple[int, str], ...]
    evidence: tuple[str, ...]
    is_error: bool  # its evidence says all there is to say, as it is written
    also_fits: tuple[str, ...]
    fix: FixView | None
    bits: str | None
    page: PageView | None
    repeats: bool  # it is the mistake above once more, and the same edits mend it


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One row of numbers."""

    index: int
    reported: str
    exact: str
    difference: str
    allowed: str
    is_wrong: bool


@dataclass(frozen=True, slots=True)
class DirectionView:
    """The numbers, the lines and the pictures of one direction."""

    name: Direction
    heading: str
    status: str
    rows: tuple[SampleRow, ...]
    hidden: int
    sources: tuple[SourceView, ...]
    totals: tuple[str, str] | None
    sublayers: tuple[SublayerLine, ...]
    drawings: Drawings | None

    @property
    def lines(self) -> tuple[SourceRow, ...]:
        """The lines that did something, in the order in which they ran."""
        return lines_as_run(self.sources)


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One line of what was checked."""

    name: str
    outcome: str
    status: str
    on: str
    worst: str
    allowed: str


@dataclass(frozen=True, slots=True)
class LayerView:
    """All that the page says of one layer."""

    anchor: str
    target: str
    layer: str
    status: str
    title: str | None  # the code and name that the status stands for
    sentence: str
    findings: tuple[FindingView, ...]
    directions: tuple[DirectionView, ...]
    checks: tuple[CheckRow, ...]
    remarks: tuple[FindingView, ...]
    ignored: tuple[str, ...]
    understood: tuple[tuple[str, str], ...]


def view_of(result: Result, number: int, *, pictures: bool = True) -> LayerView:
    """Return what the page says of one result; its anchor is made of its number."""
    main = gravest(result) if result.status != "pass" else None
    findings = [f for f in result.findings if f.severity in ("error", "unproven")]
    if main is not None and main not in findings:  # a warning that --strict made grave
        findings.insert(0, main)
    remarks = [f for f in result.findings if f not in findings]
    views = []
    for index, each in enumerate(findings):
        is_shown = each.fix is not None and each.fix in [
            f.fix for f in findings[:index]
        ]
        is_known = each.code in [f.code for f in findings[:index]]
        views.append(_finding(each, is_shown=is_shown, with_page=not is_known))
    return LayerView(
        anchor=f"layer-{number + 1}",
        target=one_line(result.target),
        layer=one_line(result.layer or ""),
        status=result.status,
        title=None if main is None else f"{main.code} {main.name}",
        sentence=_sentence(result) if main is None else one_line(main.message),
        findings=tuple(views),
        directions=tuple(_directions(result, number, pictures=pictures)),
        checks=tuple(map(_check_row, result.checks)),
        remarks=tuple(_finding(each, with_page=False) for each in remarks),
        ignored=tuple(
            f"{each.code} {each.name}: {one_line(each.message)} ({one_line(each.reason)})"
            for each in result.ignored
        ),
        understood=tuple(_understood(result)),
    )


def _sentence(result: Result) -> str:
    """Return what a status means where no finding says it; no more than was proved."""
    if result.status != "pass":
        return _WORDS[result.status]
    told = "The reported log-determinant is the exact one"
    open_ = "; ".join(map(one_line, left_open(result)))
    return f"{told}, {open_}." if open_ else f"{told}."


def _understood(result: Result) -> Iterator[tuple[str, str]]:
    if result.convention:
        yield "convention", one_line(result.convention)
    if result.kind:
        yield "kind", result.kind
    for what, why in result.inferred.items():
        yield one_line(what), one_line(why)


# --- findings -------------------------------------------------------------------------


def _finding(
    finding: Finding, *, is_shown: bool = False, with_page: bool = True
) -> FindingView:
    place, law = finding.location, finding.law
    bits = finding.bits_per_dim
    return FindingView(
        code=finding.code,
        name=finding.name,
        severity=finding.severity,
        direction=finding.direction,
        message=one_line(finding.message),
        where=None if place is None else where_of(place),
        text=None if place is None or not place.text else one_line(place.text),
        law=None if law is None else one_line(law.expression),
        points=() if law is None else tuple(figures.by_dims(law.points)),
        evidence=tuple(line for each in finding.evidence for line in lines_of(each)),
        is_error=finding.code.startswith("LDJ0"),
        also_fits=finding.also_fits,
        fix=None if finding.fix is None else _fix(finding.fix, is_shown=is_shown),
        bits=None if bits is None else f"{abs(bits):.3g}",
        page=_page(finding.code) if with_page else None,
        repeats=is_shown and not with_page,
    )


def where_of(place: Location) -> str:
    """Return a place as one says it: file, cell, line and function."""
    told = one_line(place.file)
    told += f", cell {place.cell}, line" if place.cell is not None else ", line"
    told += f" {place.line}"
    return told + (f", in {one_line(place.function)}" if place.function else "")


def _fix(fix: Fix, *, is_shown: bool) -> FixView:
    if fix.applicability == "verified":
        title = "run: all samples then agree"
    else:
        title = "a suggestion, not proved"
    if fix.residual_after is not None:
        title += f" to {figures.size(fix.residual_after)}"
    by_file: dict[str, list[EditView]] = {}
    for edit in fix.edits:
        cell = "" if edit.cell is None else f", cell {edit.cell}"
        rows = by_file.setdefault(f"{one_line(edit.file)}{cell}", [])
        before, after = lines_of(edit.before), lines_of(edit.after)
        stays = [line for line in before if line in after and edit.before != edit.after]
        for sign, lines in (("-", before), ("+", after)):
            for number, line in enumerate(lines, edit.line):
                if line.strip() and line not in stays:
                    rows.append(EditView(sign, number, line))
    files = tuple((name, _outdented(rows)) for name, rows in by_file.items())
    return FixView(title, files, is_shown)


def _outdented(rows: Sequence[EditView]) -> tuple[EditView, ...]:
    texts = outdented([row.text for row in rows])
    return tuple(replace(row, text=t) for row, t in zip(rows, texts, strict=True))


def _page(code: str) -> PageView | None:
    from ldjcheck.mistakes import rule_for
    from ldjcheck.mistakes.catalogue.page import sections

    rule = rule_for(code)
    if rule is None:
        return None
    others = [(rule_for(other), text) for other, text in rule.page.confused]
    return PageView(
        title=f"{rule.code} {rule.name}",
        what=rule.page.what,
        sections=sections(rule.page),
        confused=tuple((f"{r.code} {r.name}", text) for r, text in others if r),
    )


# --- numbers --------------------------------------------------------------------------


def _directions(
    result: Result, number: int, *, pictures: bool
) -> Iterator[DirectionView]:
    checks = [c for c in result.checks if c.name == "ldj" and c.direction is not None]
    main = gravest(result)
    if main is not None and main.direction == "inverse":
        checks = checks[::-1]
    for check in checks:
        direction = check.direction
        assert direction is not None
        lines = [line for line in result.ledger if line.direction == direction]
        parts = tuple(s for s in result.sublayers if s.direction == direction)
        rows = tuple(_sample_rows(check))
        name = f"p{number}{direction[0]}"
        drawings = drawings_of(result, direction, name) if pictures else None
        if not (rows or lines or parts or drawings):
            continue
        totals = None
        if lines:
            last = lines[-1]
            form = figures.for_pairs([(last.exact_total, last.reported_total)])
            totals = form(last.exact_total), form(last.reported_total)
        yield DirectionView(
            name=direction,
            heading=", ".join(heading(check)[1:]),
            status=check.status,
            rows=rows,
            hidden=len(check.samples) - len(rows),
            sources=sources_of(result, direction),
            totals=totals,
            sublayers=parts,
            drawings=drawings,
        )


def _sample_rows(check: Check) -> Iterator[SampleRow]:
    number = figures.for_samples(check.samples)
    for sample in check.samples[:_SAMPLES_SHOWN]:
        yield SampleRow(
            index=sample.index,
            reported=number(sample.reported),
            exact=number(sample.exact),
            difference=figures.difference(sample.difference),
            allowed=figures.size(sample.allowed),
            is_wrong=figures.is_wrong(sample),
        )


def _check_row(check: Check) -> CheckRow:
    on: Sequence[str] = heading(check)[1:]
    if not check.samples and check.worst is not None:
        on = on[:-2]  # they have columns of their own
    return CheckRow(
        name=label(check),
        outcome=outcome(check),
        status=check.status,
        on=", ".join(on),
        worst="" if check.worst is None else figures.size(check.worst),
        allowed="" if check.tolerance is None else figures.size(check.tolerance),
    )

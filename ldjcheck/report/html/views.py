"""What the page says of each layer, ready to be placed, and the templates: all is escaped."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from ldjcheck.mistakes import rule_for
from ldjcheck.mistakes.catalogue.page import sections
from ldjcheck.records import Check, Finding, Fix, Location, Result
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks.finding import python
from ldjcheck.report.blocks.layout import in_file, lines_of, one_line, outdented
from ldjcheck.report.blocks.tables import heading, label, outcome
from ldjcheck.report.blocks.title import gravest, left_open, that_decides
from ldjcheck.report.html.exhibits import drawings_of, lines_as_run, sources_of

_WORDS = {
    "unproven": "Nothing wrong was found, and nothing could be proved either.",
    "fail": "Something disagrees, and no rule says why.",
    "error": "The layer could not be checked.",
}
_SAMPLES_SHOWN = 32


View = dict[str, Any]
"""What a part of a template is given, by the names that it has there."""


def view_of(result: Result, number: int, *, pictures: bool = True) -> View:
    """Return what the page says of one result; its anchor is made of its number."""
    main = that_decides(result)
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
    return {
        "anchor": f"layer-{number + 1}",
        "target": one_line(result.target),
        "layer": one_line(result.layer or ""),
        "status": result.status,
        "title": None if main is None else f"{main.code} {main.name}",
        "sentence": _sentence(result) if main is None else one_line(main.message),
        "findings": tuple(views),
        "directions": tuple(_directions(result, number, pictures=pictures)),
        "checks": tuple(map(_check_row, result.checks)),
        "remarks": tuple(_finding(each, with_page=False) for each in remarks),
        "ignored": tuple(
            f"{each.code} {each.name}: {one_line(each.message)} ({one_line(each.reason)})"
            for each in result.ignored
        ),
        "understood": tuple(_understood(result)),
        "again": python(result),
    }


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
) -> View:
    place, law = finding.location, finding.law
    bits = finding.bits_per_dim
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "direction": finding.direction,
        "message": one_line(finding.message),
        "where": None if place is None else where_of(place),
        "text": None if place is None or not place.text else one_line(place.text),
        "law": None if law is None else one_line(law.expression),
        "points": () if law is None else tuple(figures.by_dims(law.points)),
        "evidence": tuple(line for each in finding.evidence for line in lines_of(each)),
        "is_error": finding.code.startswith("LDJ0"),
        "also_fits": finding.also_fits,
        "fix": None if finding.fix is None else _fix(finding.fix, is_shown=is_shown),
        "bits": None if bits is None else f"{abs(bits):.3g}",
        "page": _page(finding.code) if with_page else None,
        "repeats": is_shown and not with_page,
    }


def where_of(place: Location) -> str:
    """Return a place as one says it: file, cell, line and function."""
    told = f"{in_file(place.file, place.cell)}, line {place.line}"
    return told + (f", in {one_line(place.function)}" if place.function else "")


def _fix(fix: Fix, *, is_shown: bool) -> View:
    if fix.applicability == "verified":
        title = "run: all samples then agree"
    else:
        title = "a suggestion, not proved"
    if fix.residual_after is not None:
        title += f" to {figures.size(fix.residual_after)}"
    by_file: dict[str, list[View]] = {}
    for edit in fix.edits:
        rows = by_file.setdefault(in_file(edit.file, edit.cell), [])
        before, after = lines_of(edit.before), lines_of(edit.after)
        stays = [line for line in before if line in after and edit.before != edit.after]
        for sign, lines in (("-", before), ("+", after)):
            for number, line in enumerate(lines, edit.line):
                if line.strip() and line not in stays:
                    rows.append({"sign": sign, "line": number, "text": line})
    for rows in by_file.values():
        for row, text in zip(rows, outdented([r["text"] for r in rows]), strict=True):
            row["text"] = text
    files_ = tuple(by_file.items())
    return {"title": title, "files": files_, "is_shown_above": is_shown}


def _page(code: str) -> View | None:
    rule = rule_for(code)
    if rule is None:
        return None
    others = [(rule_for(other), text) for other, text in rule.page.confused]
    return {
        "title": f"{rule.code} {rule.name}",
        "what": rule.page.what,
        "sections": sections(rule.page),
        "confused": tuple((f"{r.code} {r.name}", text) for r, text in others if r),
    }


# --- numbers --------------------------------------------------------------------------


def _directions(result: Result, number: int, *, pictures: bool) -> Iterator[View]:
    compared = (check for check in result.checks if check.name == "ldj")
    checks = [(c, way) for c in compared if (way := c.direction) is not None]
    main = gravest(result)
    if main is not None and main.direction == "inverse":
        checks = checks[::-1]
    for check, direction in checks:
        lines = [line for line in result.ledger if line.direction == direction]
        parts = tuple(s for s in result.sublayers if s.direction == direction)
        rows = tuple(_sample_rows(check))
        name = f"p{number}{direction[0]}"
        drawings = drawings_of(result, direction, name) if pictures else None
        if not (rows or lines or parts or drawings):
            continue
        sources = sources_of(result, direction)
        totals = None
        if lines:
            last = lines[-1]
            form = figures.for_pairs([(last.exact_total, last.reported_total)])
            totals = form(last.exact_total), form(last.reported_total)
        yield {
            "name": direction,
            "heading": ", ".join(heading(check)[1:]),
            "status": check.status,
            "rows": rows,
            "hidden": len(check.samples) - len(rows),
            "sources": sources,
            "lines": lines_as_run(sources),
            "totals": totals,
            "sublayers": parts,
            "drawings": drawings,
        }


def _sample_rows(check: Check) -> Iterator[View]:
    number = figures.for_samples(check.samples)
    for sample in check.samples[:_SAMPLES_SHOWN]:
        yield {
            "index": sample.index,
            "reported": number(sample.reported),
            "exact": number(sample.exact),
            "difference": figures.difference(sample.difference),
            "allowed": figures.size(sample.allowed),
            "is_wrong": figures.is_wrong(sample),
        }


def _check_row(check: Check) -> View:
    on: Sequence[str] = heading(check)[1:]
    if not check.samples and check.worst is not None:
        on = on[:-2]  # they have columns of their own
    return {
        "name": label(check),
        "outcome": outcome(check),
        "status": check.status,
        "on": ", ".join(on),
        "worst": "" if check.worst is None else figures.size(check.worst),
        "allowed": "" if check.tolerance is None else figures.size(check.tolerance),
    }


# --- templates ------------------------------------------------------------------------


def template(
    name: str, package: str = __package__, **filters: Callable[[Any], str]
) -> Template:
    """Return a template by the name of its file in a package, which may have more filters."""
    environment = Environment(
        loader=FunctionLoader(partial(source_of, package=package)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"spoken": spoken, "code": _code, **filters}
    return environment.get_template(name)


def source_of(name: str, package: str = __package__) -> str:
    """Return the text of a file of a package; of this module's own, if none is named."""
    return (files(package) / name).read_text(encoding="utf-8")


def _code(text: str) -> Markup:
    """Return a line, escaped, that may go on below at a sign: no name is broken for it."""
    return Markup(
        re.sub(r"(?<!\d)(?=\.)|(?<=[(\[,])(?![)\]])", "<wbr>", str(escape(text)))
    )


def spoken(text: str) -> Markup:
    """Return a sentence, escaped, with what stands between backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))

"""SARIF 2.1.0, the exchange format of code scanners: rules, findings, places, fixes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ldjcheck import __version__
from ldjcheck.mistakes import RULES, Rule, sections
from ldjcheck.records import Edit, Location, Result, Run, Severity
from ldjcheck.report.blocks.title import Mistake, in_order
from ldjcheck.report.style import Style, page_address

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: dict[Severity, str] = {
    "error": "error",
    "unproven": "warning",
    "warning": "warning",
    "note": "note",
}


def render(run: Run, style: Style) -> str:
    """Return the log of one run as JSON. It looks the same in every style."""
    found = [(r, m) for r in run.results for m in in_order(r.findings)]
    codes = list(dict.fromkeys(mistake.finding.code for _, mistake in found))
    driver = {"name": "ldjcheck", "version": __version__, "rules": _rules(codes, found)}
    log = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "invocations": [_invocation(run)],
                "results": [_result(r, m, codes) for r, m in found],
            }
        ],
    }
    return json.dumps(log, indent=2, allow_nan=False) + "\n"


def _invocation(run: Run) -> dict[str, Any]:
    """Return whether the checks could be made; that mistakes were found is no failure."""
    return {
        "executionSuccessful": run.exit_code in (0, 1, 3),
        "exitCode": run.exit_code,
        "commandLine": run.command,
    }


def _rules(
    codes: Sequence[str], found: Sequence[tuple[Result, Mistake]]
) -> list[dict[str, Any]]:
    known = {rule.code: rule for rule in RULES}
    names = {mistake.finding.code: mistake.finding.name for _, mistake in found}
    rules = []
    for code in codes:
        rule: dict[str, Any] = {"id": code, "name": names[code]}
        if code in known:
            rule["shortDescription"] = {"text": known[code].summary}
            typed = f"ldjcheck explain {code}"
            rule["help"] = {"text": typed, "markdown": _page(known[code])}
            if (address := page_address(code)) is not None:
                rule["helpUri"] = address
            rule["defaultConfiguration"] = {"level": _LEVELS[known[code].severity]}
        rules.append(rule)
    return rules


def _page(rule: Rule) -> str:
    """Return the page of a rule: a scanner shows it beside the code, so it needs no link."""
    blocks = [rule.page.what]
    for each in sections(rule.page):
        fenced = f"```{each.kind}\n{each.body}\n```"
        blocks += [f"## {each.heading}", each.body if each.kind == "prose" else fenced]
    return "\n\n".join(blocks)


def _result(result: Result, mistake: Mistake, codes: Sequence[str]) -> dict[str, Any]:
    finding = mistake.finding
    said: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": _LEVELS[finding.severity],
        "message": {"text": "\n".join([finding.message, *finding.evidence])},
        "properties": {"target": result.target, "direction": finding.direction},
    }
    places = [f.location for f in (finding, *mistake.echoes) if f.location is not None]
    if places:
        said["locations"] = [_place(places[0])]
    if places[1:]:
        said["relatedLocations"] = [_place(place) for place in places[1:]]
    fix = finding.fix
    in_files = mistake.edits and all(edit.cell is None for edit in mistake.edits)
    if fix is not None and fix.applicability == "verified" and in_files:
        said["fixes"] = [_fix(mistake.edits)]
    return said


def _place(place: Location) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(place.file)}}
    if place.cell is None:  # else lines are those of the cell, and not of the file
        region: dict[str, Any] = {"startLine": max(place.line, 1)}
        if place.column is not None:
            region["startColumn"] = max(place.column, 1)
        if place.text:
            region["snippet"] = {"text": place.text}
        physical["region"] = region
    found: dict[str, Any] = {"physicalLocation": physical}
    if place.cell is not None:
        found["message"] = {"text": f"cell {place.cell}, line {place.line}"}
    return found


def _uri(file: str) -> str:
    path = Path(file)
    if path.is_absolute():
        return path.as_uri()
    return quote(path.as_posix(), errors="replace")


def _fix(edits: Sequence[Edit]) -> dict[str, Any]:
    """Return whole lines to be deleted, and what stands in their place."""
    by_file: dict[str, list[dict[str, Any]]] = {}
    for edit in edits:
        start = max(edit.line, 1)
        end = start + max(len(edit.before.splitlines()), 1)
        replacement: dict[str, Any] = {
            "deletedRegion": {
                "startLine": start,
                "startColumn": 1,
                "endLine": end,
                "endColumn": 1,
            }
        }
        if edit.after:
            replacement["insertedContent"] = {"text": edit.after.rstrip("\n") + "\n"}
        by_file.setdefault(edit.file, []).append(replacement)
    return {
        "description": {"text": "The edited layer was run, and agreed."},
        "artifactChanges": [
            {"artifactLocation": {"uri": _uri(file)}, "replacements": replacements}
            for file, replacements in by_file.items()
        ],
    }

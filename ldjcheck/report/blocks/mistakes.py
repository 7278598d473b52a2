"""Findings and layers as a reader counts them: a mistake of both directions is one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from ldjcheck.records import Edit, Finding, Run, Status
from ldjcheck.report.blocks.figures import plural


@dataclass(frozen=True, slots=True)
class Mistake:
    """A finding, and those that tell of the same in the other direction."""

    finding: Finding
    echoes: tuple[Finding, ...] = ()

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The edits that mend all of it, each once, in the order of the source."""
        fixes = (f.fix for f in (self.finding, *self.echoes) if f.fix is not None)
        edits = dict.fromkeys(edit for fix in fixes for edit in fix.edits)
        return tuple(edits)


def told_once(findings: Iterable[Finding]) -> tuple[Mistake, ...]:
    """Return the grave findings, those together that one edit mends or one word names."""
    mistakes: list[Mistake] = []
    for finding in findings:
        if finding.severity not in ("error", "unproven"):
            continue
        for number, mistake in enumerate(mistakes):
            if _is_echo(finding, mistake.finding):
                echoes = (*mistake.echoes, finding)
                mistakes[number] = Mistake(mistake.finding, echoes)
                break
        else:
            mistakes.append(Mistake(finding))
    return tuple(mistakes)


def in_order(findings: Iterable[Finding]) -> tuple[Mistake, ...]:
    """Return all findings as mistakes, warnings and notes behind the grave ones."""
    findings = tuple(findings)
    rest = (Mistake(f) for f in findings if f.severity in ("warning", "note"))
    return (*told_once(findings), *rest)


def _is_echo(finding: Finding, of: Finding) -> bool:
    """Return whether a finding tells of the same mistake, seen from the other side."""
    if finding.direction == of.direction or finding.severity != of.severity:
        return False
    if finding.fix is not None and finding.fix == of.fix:
        return True
    is_alike = (finding.code, finding.message) == (of.code, of.message)
    return is_alike and _applies(finding) == _applies(of)


def _applies(finding: Finding) -> str | None:
    return None if finding.fix is None else finding.fix.applicability


def count_statuses(run: Run) -> dict[Status, int]:
    """Return how many results have each status, all statuses included."""
    seen = Counter(result.status for result in run.results)
    return {status: seen[status] for status in get_args(Status)}


def summary(run: Run) -> str:
    """Return one line such as `1 mistake in 1 layer (0.4 s)`."""
    ignored = sum(len(result.ignored) for result in run.results)
    told = f", {plural(ignored, 'finding')} ignored" if ignored else ""
    told += f", {len(run.skipped)} skipped" if run.skipped else ""
    return f"{_outcome(run)}{told} ({run.seconds:.1f} s)"


def _outcome(run: Run) -> str:
    counts = count_statuses(run)
    layers = plural(len(run.results), "layer")
    if not run.results:
        return "No layers were checked"
    if counts["pass"] == len(run.results):
        wrong = any(i.severity == "error" for r in run.results for i in r.ignored)
        return f"No mistakes {'that count ' if wrong else ''}in {layers}"
    mistakes = sum(
        mistake.finding.severity == "error"
        for result in run.results
        for mistake in told_once(result.findings)
        if not mistake.finding.code.startswith("LDJ0")
    )
    if counts["fail"] == len(run.results) and mistakes:
        return f"{plural(mistakes, 'mistake')} in {layers}"
    listed = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
    return f"{layers}: {listed}"

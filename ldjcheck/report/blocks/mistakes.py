"""Findings as a reader counts them: a mistake that stands in both directions is one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ldjcheck.records import Edit, Finding


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

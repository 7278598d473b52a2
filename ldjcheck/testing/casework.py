"""One check of one layer as a test: what belongs to it, and how it comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ldjcheck.records import Check, Finding
from ldjcheck.testing.assertion import failure_of, has_words

if TYPE_CHECKING:
    from ldjcheck.report import Report

CHECKS = ("forward", "inverse", "round-trip", "contract", "gradient")
"""The tests of each layer, by the names that stand in test ids."""

_OFF = ("fail", "unproven", "error")
_UNDECIDED = ("unproven", "error")
_ROUND_TRIP = ("LDJ301",)
_GRADIENT = ("LDJ210",)
_INVERSE = ("LDJ302", "LDJ303")


@dataclass(frozen=True, slots=True)
class Expected:
    """Findings that a test is known to have: reasons by code."""

    reasons: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, reasons: Mapping[str, str]) -> Expected:
        """Return expectations given by code or name.

        Raises:
            TypeError: no mapping.
            ValueError: a finding that does not exist, or no reason.
        """
        from ldjcheck.mistakes import rule_for

        if not isinstance(reasons, Mapping):
            raise TypeError("expected gives the reason of each: {'LDJ303': 'why'}")
        found = []
        for what, reason in reasons.items():
            rule = rule_for(what)
            if rule is None:
                raise ValueError(f"no finding is called {what!r}; see: ldjcheck codes")
            if not has_words(reason):
                raise ValueError(f"expected {what!r} needs a reason")
            found.append((rule.code, reason))
        return cls(tuple(found))

    def and_also(self, reasons: Mapping[str, str]) -> Expected:
        """Return these expectations and further ones."""
        return Expected(self.reasons + Expected.of(reasons).reasons)

    def __contains__(self, finding: Finding) -> bool:
        return any(code == finding.code for code, _ in self.reasons)

    def why(self, findings: tuple[Finding, ...]) -> str:
        """Return the reasons for these findings, as an xfail shows them."""
        codes = {finding.code: finding.name for finding in findings}
        return "; ".join(
            f"{code} {codes[code]}: {reason}"
            for code, reason in self.reasons
            if code in codes
        )


@dataclass(frozen=True, slots=True)
class Case:
    """One check of one layer, and what is known about it beforehand."""

    report: Report
    check: str  # one of CHECKS
    expected: Expected = Expected()
    allow_unproven: str | None = None
    strict: bool = False  # warnings fail, too

    @property
    def checks(self) -> tuple[Check, ...]:
        """The comparisons that this case is about."""
        return tuple(c for c in self.report.checks if _name(c) == self.check)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found about this check."""
        found = self.report.findings
        own = tuple(f for f in found if self.check in _homes(f))
        off = any(c.status in _OFF for c in self.checks)
        if off and not any(f.severity in ("error", "unproven") for f in own):
            # Its cause is told elsewhere: a form that is wrong breaks the contract, too.
            own += tuple(f for f in found if f.severity in ("error", "unproven"))
        return own

    @property
    def is_open(self) -> bool:
        """Whether it could not be decided.

        Where no check and no finding says so, as where nothing at all was compared, the
        first one speaks for the layer.
        """
        if any(check.status == "unproven" for check in self.checks):
            return True
        report = self.report
        told = any(f.severity in ("error", "unproven") for f in report.findings)
        told |= any(c.status in _OFF for c in report.checks)
        return self.check == CHECKS[0] and report.status in _UNDECIDED and not told

    def missing(self) -> tuple[str, ...]:
        """Return the expected codes that occur nowhere and would have belonged here."""
        seen = {finding.code for finding in self.report.findings}
        return tuple(
            code
            for code, _ in self.expected.reasons
            if code not in seen and _home_of(code) == self.check
        )


def _name(check: Check) -> str:
    return check.direction or check.name if check.name == "ldj" else check.name


def _homes(finding: Finding) -> tuple[str, ...]:
    """Return the checks that a finding is about."""
    if finding.direction is not None and finding.code not in _ROUND_TRIP + _GRADIENT:
        return (finding.direction,)
    if finding.code.startswith("LDJ0"):
        return CHECKS
    return (_home_of(finding.code),)


def _home_of(code: str) -> str:
    """Return the check that findings of a code belong to where no direction is told."""
    if code in _ROUND_TRIP:
        return "round-trip"
    if code in _GRADIENT:
        return "gradient"
    if code in _INVERSE:
        return "inverse"
    return "contract" if code.startswith("LDJ2") else "forward"


def judge(case: Case, target: str) -> None:
    """Return where the check passes; else skip, xfail, or raise what is wrong.

    `target` is what to call the layer in reports: the same for all of its checks.
    """
    __tracebackhide__ = True
    import pytest

    from ldjcheck.report_hooks import announce

    codes = frozenset(code for code, _ in case.expected.reasons)
    announce(case.report, asserted=True, struck=codes, target=target)
    severities = {"error", "warning"} if case.strict else {"error"}
    grave = tuple(f for f in case.findings if f.severity in severities)
    unproven = tuple(f for f in case.findings if f.severity == "unproven")
    is_open = case.is_open
    if not grave and case.allow_unproven:
        unproven, is_open = (), False
    known = tuple(f for f in (*grave, *unproven) if f in case.expected)
    unknown = tuple(f for f in (*grave, *unproven) if f not in case.expected)
    is_wrong = bool(grave or unproven or is_open)
    failure = failure_of(_part(case, unknown or known)) if is_wrong else None
    if failure is not None and (unknown or not known):
        raise failure
    _refuse_missing(case)
    if failure is None:
        _skip_absent(case)
        return
    pytest.xfail(case.expected.why(known))
    raise failure  # with --runxfail


def _refuse_missing(case: Case) -> None:
    """Fail where something expected does not occur any more."""
    __tracebackhide__ = True
    import pytest

    if missing := case.missing():
        reasons = dict(case.expected.reasons)
        told = "\n".join(f"  {code}: {reasons[code]}" for code in missing)
        pytest.fail(
            f"[XPASS(strict)] {', '.join(missing)} no longer occurs: take it out of "
            f"expected\n{told}",
            pytrace=False,
        )


def _part(case: Case, findings: tuple[Finding, ...]) -> Report:
    """Return the report of this check alone, with the findings that count."""
    run = case.report.run
    (result,) = run.results
    status = result.status
    if status != "error":
        is_wrong = any(f.severity != "unproven" for f in findings)
        status = "fail" if is_wrong else "unproven"
    part = replace(result, status=status, checks=case.checks, findings=findings)
    return replace(case.report, run=replace(run, results=(part,)))


def _skip_absent(case: Case) -> None:
    """Skip the test where the layer does not offer what it is about."""
    __tracebackhide__ = True
    import pytest

    if all(check.status == "not-available" for check in case.checks):
        pytest.skip(f"the layer has nothing to check here: {case.check} not available")

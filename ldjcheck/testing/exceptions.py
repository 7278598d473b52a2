"""What `assert_ldj` raises. Each carries the report that it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ldjcheck.report import Report


class LdjMismatch(AssertionError):  # noqa: N818  # it is what the test found, like pytest.Failed
    """The layer's log-determinant is wrong. `report` holds all that is known."""

    __module__ = "ldjcheck"  # where users find it, and what test runners print

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> tuple[type[LdjMismatch], tuple[str, Report]]:
        return type(self), (str(self), self.report)


class LdjUnproven(LdjMismatch):
    """Nothing wrong was found, but the probe could not have shown it."""

    __module__ = "ldjcheck"


class LdjError(Exception):
    """The layer could not be loaded, built or called. No assertion was made."""

    __module__ = "ldjcheck"

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> tuple[type[LdjError], tuple[str, Report]]:
        return type(self), (str(self), self.report)


def failure_of(report: Report) -> LdjMismatch | LdjError | None:
    """Return what to raise for a report; None for a pass."""
    if report.status == "pass":
        return None
    from ldjcheck.report import failure

    text = failure.render(report.run)
    if report.status == "error":
        return LdjError(text, report)
    return (LdjUnproven if report.status == "unproven" else LdjMismatch)(text, report)

"""Drawings of a finished run. Nothing here measures, decides or loads torch.

A new format is one file with `render(run, style) -> str`, and one line in `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldjcheck.records import (
    Check,
    Derived,
    Direction,
    Finding,
    Result,
    Run,
    Sample,
    Status,
)
from ldjcheck.report import concise, github, html, json, junit, sarif, text
from ldjcheck.report.style import Style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


__all__ = ["FORMATS", "Format", "Report", "Style"]


@dataclass(frozen=True, slots=True)
class Format:
    """An output format, by the name that `--format` takes.

    `drawn` says that it holds pictures and ledgers, which a check then keeps.
    """

    name: str
    render: Callable[[Run, Style], str]
    drawn: bool = False


FORMATS: tuple[Format, ...] = (
    Format("text", text.render),
    Format("concise", concise.render),
    Format("json", json.render),
    Format("html", html.render, drawn=True),
    Format("github", github.render),
    Format("sarif", sarif.render),
    Format("junit", junit.render),
)


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """What `check()` found out about one layer. Printed, it is one screen, as in a shell."""

    run: Run

    def __post_init__(self) -> None:
        if len(self.run.results) != 1:
            raise ValueError("a Report is about exactly one layer")

    @property
    def result(self) -> Result:
        """Everything that is known about the layer, as a record."""
        return self.run.results[0]

    @property
    def status(self) -> Status:
        """`pass`, `fail`, `unproven` or `error`."""
        return self.result.status

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, most important first."""
        return self.result.findings

    @property
    def checks(self) -> tuple[Check, ...]:
        """What was compared, and how each comparison came out."""
        return self.result.checks

    @property
    def derived(self) -> Derived | None:
        """What `derive()` derived: lines, edits, and whether they were verified."""
        return self.result.derived

    def sample(self, direction: Direction = "forward", index: int = 0) -> Sample:
        """Return a sample of a direction; printed, it is what is exact and reported.

        Raises:
            LookupError: the ldj of no such sample was compared.
        """
        for check in self.checks:
            if check.name == "ldj" and check.direction == direction:
                return check.samples[index]
        raise LookupError(f"no ldj was compared {direction}")

    @property
    def details(self) -> str:
        """All that was compared and inferred, as `-v` prints it."""
        return text.render(self.run, Style(color=False, verbosity=1)).rstrip("\n")

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `--format json` writes."""
        return json.document(self.run)

    def plot(
        self, path: str | Path | None = None, direction: Direction | None = None
    ) -> Figure:
        """Return a figure of the check, and write it where a path is given.

        It shows the Jacobian of some samples, reported against exact, and for a layer of
        two dims what becomes of a grid and of the area of a small cell in it.

        Args:
            path: a file whose name ends in .png, .svg or .pdf.
            direction: which way to draw; the one that the verdict is about, if None.

        Raises:
            ModuleNotFoundError: matplotlib, the extra `plot`, is not installed.
            ValueError: nothing was compared, so that there is nothing to draw.
        """
        from ldjcheck.report.pictures import save_sheet, sheet

        figure = sheet(self.result, direction)
        if path is not None:
            save_sheet(figure, Path(path))
        return figure

    def __str__(self) -> str:
        return text.render(self.run, Style(color=False, verbosity=0)).rstrip("\n")

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, str]:
        """Return what notebooks show: plain text, and HTML where they can."""
        return {"text/plain": str(self), "text/html": html.fragment(self.run)}

    def __repr__(self) -> str:
        codes = "".join(f" {finding.code}" for finding in self.findings)
        return f"<Report {self.result.target}: {self.status}{codes}>"

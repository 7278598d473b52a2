"""The last line of a report: how many layers came out how."""

from __future__ import annotations

from collections import Counter
from typing import get_args

from ldjcheck.records import Run, Status
from ldjcheck.report.figures import plural
from ldjcheck.report.mistakes import told_once


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

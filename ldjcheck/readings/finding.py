"""A result with one more mistake, unless that is not to count."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.judging.status import silenced

if TYPE_CHECKING:
    from ldjcheck.records import Finding, Options, Result


def with_finding(result: Result, options: Options, finding: Finding) -> Result:
    """Return the result with a mistake of the way there, unless it is not to count."""
    kept, ignored = silenced((finding,), options)
    return replace(
        result,
        status="fail" if kept else result.status,
        findings=(*kept, *result.findings),
        ignored=(*ignored, *result.ignored),
    )

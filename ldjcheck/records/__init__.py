"""The frozen records that stages hand to one another, in the order of the way through.

Records hold facts and compute nothing.
"""

from __future__ import annotations

from ldjcheck.records.asked import (
    Domain,
    Options,
    Oracle,
    Target,
)
from ldjcheck.records.called import (
    CallFunction,
    Calls,
    Layer,
    Returned,
)
from ldjcheck.records.explained import (
    Diagnosis,
    EditKind,
    Explanation,
    Multiplier,
    Span,
)
from ldjcheck.records.gradient import GradientMeasured, GradientPart
from ldjcheck.records.measured import (
    Comparison,
    Config,
    ConfigMeasured,
    DirectionMeasured,
    Measurement,
    Turned,
    Unavailable,
    Verdict,
)
from ldjcheck.records.result import (
    Check,
    Dimension,
    Edit,
    Finding,
    Fix,
    Law,
    LawPoint,
    LedgerLine,
    Location,
    Result,
    Run,
    Sample,
    Skipped,
)
from ldjcheck.records.words import (
    CheckName,
    CheckStatus,
    Direction,
    Kind,
    Method,
    Region,
    Severity,
    Shape,
    Status,
    Structure,
    Wrt,
)

__all__ = [
    "CallFunction",
    "Calls",
    "Check",
    "CheckName",
    "CheckStatus",
    "Comparison",
    "Config",
    "ConfigMeasured",
    "Diagnosis",
    "Dimension",
    "Direction",
    "DirectionMeasured",
    "Domain",
    "Edit",
    "EditKind",
    "Explanation",
    "Finding",
    "Fix",
    "GradientMeasured",
    "GradientPart",
    "Kind",
    "Law",
    "LawPoint",
    "Layer",
    "LedgerLine",
    "Location",
    "Measurement",
    "Method",
    "Multiplier",
    "Options",
    "Oracle",
    "Region",
    "Result",
    "Returned",
    "Run",
    "Sample",
    "Severity",
    "Shape",
    "Skipped",
    "Span",
    "Status",
    "Structure",
    "Target",
    "Turned",
    "Unavailable",
    "Verdict",
    "Wrt",
]

"""The frozen records that stages hand to one another, in the order of the way through.

Records hold facts, and derive others from them; they hold no state.
"""

from __future__ import annotations

from ldjcheck.records.asked import Context, Domain, Options, Suppression
from ldjcheck.records.called import (
    BaseMass,
    CallFunction,
    Calls,
    Departure,
    Kwargs,
    Layer,
    Returned,
    Way,
)
from ldjcheck.records.deadline import Deadline, TimeIsUpError
from ldjcheck.records.measured import (
    Comparison,
    Diagnosis,
    Explanation,
    Family,
    Measurement,
    Multiplier,
    SizeBound,
    Span,
    Verdict,
)
from ldjcheck.records.observed import Approximated, Evidence, Further, GradientMeasured
from ldjcheck.records.result import (
    Check,
    Derived,
    DerivedStep,
    Edit,
    Finding,
    Fix,
    Law,
    LawPoint,
    LedgerLine,
    Location,
    Obstacle,
    Result,
    Run,
    Sample,
    SublayerLine,
)
from ldjcheck.records.side import Probe, Side, Sides
from ldjcheck.records.words import (
    Direction,
    Kind,
    Severity,
    Shape,
    Status,
    Structure,
    Wrt,
)

__all__ = [
    "Approximated", "BaseMass", "CallFunction", "Calls", "Check", "Comparison", "Context",
    "Deadline", "Departure", "Derived", "DerivedStep", "Diagnosis", "Direction", "Domain",
    "Edit", "Evidence", "Explanation", "Family", "Finding", "Fix", "Further",
    "GradientMeasured", "Kind", "Kwargs", "Law", "LawPoint", "Layer", "LedgerLine",
    "Location", "Measurement", "Multiplier", "Obstacle", "Options", "Probe", "Result",
    "Returned", "Run", "Sample", "Severity", "Shape", "Side", "Sides", "SizeBound",
    "Span", "Status", "Structure", "SublayerLine", "Suppression", "TimeIsUpError",
    "Verdict", "Way", "Wrt",
]  # fmt: skip

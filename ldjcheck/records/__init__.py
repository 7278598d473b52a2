"""The frozen records that stages hand to one another, in the order of the way through.

Records hold facts, and derive others from them; they hold no state.
"""

from ldjcheck.records.asked import (
    Context,
    Deadline,
    Domain,
    Options,
    Suppression,
    TimeIsUpError,
)
from ldjcheck.records.called import (
    CallFunction,
    Calls,
    FactorOut,
    Kwargs,
    Layer,
    Returned,
    Way,
)
from ldjcheck.records.measured import (
    Comparison,
    Diagnosis,
    Explanation,
    Measurement,
    Multiplier,
    Span,
    Verdict,
)
from ldjcheck.records.observed import Approximated, Evidence, Further, GradientMeasured
from ldjcheck.records.result import (
    Check,
    Derived,
    Edit,
    Finding,
    Fix,
    Law,
    LedgerLine,
    Location,
    Result,
    Run,
    Sample,
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
    "Approximated", "CallFunction", "Calls", "Check", "Comparison", "Context", "Deadline",
    "Derived", "Diagnosis", "Direction", "Domain", "Edit", "Evidence", "Explanation",
    "FactorOut", "Finding", "Fix", "Further", "GradientMeasured", "Kind", "Kwargs", "Law",
    "Layer", "LedgerLine", "Location", "Measurement", "Multiplier", "Options", "Probe",
    "Result", "Returned", "Run", "Sample", "Severity", "Shape", "Side", "Sides", "Span",
    "Status", "Structure", "Suppression", "TimeIsUpError", "Verdict", "Way", "Wrt",
]  # fmt: skip

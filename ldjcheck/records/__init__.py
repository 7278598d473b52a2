"""The frozen records that stages hand to one another, in the order of the way through.

Records hold facts, and derive others from them; they hold no state.
"""

from __future__ import annotations

from ldjcheck.records.asked import (
    LARGEST_SEED,
    Context,
    Domain,
    Given,
    Options,
    Oracle,
    Suppression,
    Target,
)
from ldjcheck.records.behaved import (
    Accumulation,
    Behaviour,
    Cast,
    Coupling,
    Mutation,
    Stale,
    StaleFrom,
    StateChange,
    Unrepeatable,
)
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
from ldjcheck.records.deadline import Deadline, Stage, TimeIsUpError
from ldjcheck.records.edit import Derived, DerivedStep, Edit, Location, Obstacle
from ldjcheck.records.explained import Diagnosis, Explanation, Family, Multiplier, Span
from ldjcheck.records.measured import Comparison, Measurement, SizeBound, Verdict
from ldjcheck.records.observed import (
    Approximated,
    Evidence,
    Further,
    GradientMeasured,
    GradientPart,
    Noticed,
    Observation,
    OneSided,
)
from ldjcheck.records.portrait import Cell, Excerpt, GridImage, JacobianMatrix, Portrait
from ldjcheck.records.probe import Probe, Turned
from ldjcheck.records.result import (
    Assumption,
    Basis,
    Check,
    Dimension,
    Finding,
    Fix,
    Ignored,
    Law,
    LawPoint,
    LedgerLine,
    ReadAs,
    Result,
    Run,
    Sample,
    Skipped,
    SublayerLine,
)
from ldjcheck.records.side import Exact, RoundTrip, Said, Side, Sides
from ldjcheck.records.words import (
    CheckName,
    CheckStatus,
    Direction,
    Instead,
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
    "LARGEST_SEED", "Accumulation", "Approximated", "Assumption", "BaseMass", "Basis",
    "Behaviour", "CallFunction", "Calls", "Cast", "Cell", "Check", "CheckName",
    "CheckStatus", "Comparison", "Context", "Coupling", "Deadline", "Departure",
    "Derived", "DerivedStep", "Diagnosis", "Dimension", "Direction", "Domain", "Edit",
    "Evidence", "Exact", "Excerpt", "Explanation", "Family", "Finding", "Fix",
    "Further", "Given", "GradientMeasured", "GradientPart", "GridImage", "Ignored",
    "Instead", "JacobianMatrix", "Kind", "Kwargs", "Law", "LawPoint", "Layer", "LedgerLine",
    "Location", "Measurement", "Method", "Multiplier", "Mutation", "Noticed",
    "Observation", "Obstacle", "OneSided", "Options", "Oracle", "Portrait", "Probe",
    "ReadAs", "Region", "Result", "Returned", "RoundTrip", "Run", "Said", "Sample",
    "Severity", "Shape", "Side", "Sides", "SizeBound", "Skipped", "Span", "Stage",
    "Stale", "StaleFrom", "StateChange", "Status", "Structure", "SublayerLine",
    "Suppression", "Target", "TimeIsUpError", "Turned", "Unrepeatable",
    "Verdict", "Way", "Wrt",
]  # fmt: skip

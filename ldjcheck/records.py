"""The frozen records that stages hand to one another, in the order of the way through.

Records hold facts and compute nothing. Everything from `Result` down is plain data: it
can be pickled, and it is exactly what the JSON document shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

Direction = Literal["forward", "inverse"]
Severity = Literal["error", "unproven", "warning", "note"]
Status = Literal["pass", "fail", "unproven", "error"]
CheckName = Literal["ldj", "round-trip", "contract", "gradient"]
CheckStatus = Literal["pass", "fail", "unproven", "not-available", "error"]
Method = Literal["reverse", "reverse-looped", "forward", "differences", "preimage"]
Structure = Literal["diagonal", "triangular", "block", "dense"]
Kind = Literal["bijection", "dequantization", "split", "flow", "model"]
Wrt = Literal["input", "noise"]
Shape = tuple[int, ...]


# --- what the user asked ------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """Where inputs live: `real`, `unit`, `positive`, `int` or `interval`.

    `low` and `high` are the ends of an `int` (both included) or `interval` domain.
    """

    kind: Literal["real", "unit", "positive", "int", "interval"]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a check is to be run; the command line's options by the same names."""

    shape: tuple[tuple[str | None, Shape], ...] = ()  # (name of the input or None, event shape)
    batch: int = 3
    domain: Domain | None = None  # None: found out
    context: tuple[tuple[str, Shape], ...] = ()
    kwarg: tuple[tuple[str, Any], ...] = ()  # values, already evaluated
    convention: str = "auto"
    direction: Literal["both", "forward", "inverse"] = "both"
    params: Literal["random", "as-is"] = "random"
    params_scale: float = 0.3
    kind: Literal["auto"] | Kind = "auto"
    search: int = 0
    dims_limit: int = 4096
    mode: Literal["eval", "train"] = "eval"
    device: bool = False  # True: stay on the layer's own device
    wrt: Literal["auto"] | Wrt = "auto"
    seed: int = 0
    dtype: Literal["float64", "as-written"] = "float64"
    atol: float | None = None  # None: from the error model
    rtol: float | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    strict: bool = False


# --- targets ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the user typed, taken apart: `SOURCE` or `SOURCE:EXPR`."""

    text: str
    source: str
    expr: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The user's object, ready to be called, and where it came from."""

    target: str  # what was typed; for `check()`, the name of the object's class
    name: str  # how a report calls it, such as `Dequantization()`
    obj: Any
    rebuild: Callable[[], Any] | None = None  # evaluates the target's expression again


# --- conventions ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What one call handed back: the output and its ldj exactly as the layer gave it."""

    y: Any
    ldj: Any


CallFunction = Callable[[Any, "Tensor", "Tensor | None", Mapping[str, Any]], Returned]
"""`(layer, x, start, kwargs) -> Returned`; `start` is the incoming ldj or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """How one layer is called, both ways. The layer is an argument: copies are made."""

    convention: str  # the registered name
    signature: str  # as a report shows it: "f(z, ldj, reverse=False) -> z, ldj"
    forward: CallFunction | None
    inverse: CallFunction | None
    accumulates: bool = False  # an incoming ldj is passed, and its total comes back
    sign: Literal[1, -1] = 1  # -1: the total is logp, reduced by the ldj
    event_dim: int | None = None  # one ldj entry covers so many trailing axes; None: all
    tracks_inverse: bool = True  # the convention has an inverse ldj to report
    context_names: tuple[str, ...] = ()  # parameters that take a context tensor
    domain: Domain | None = None  # declared by the layer itself
    codomain: Domain | None = None
    inferred: tuple[tuple[str, str], ...] = ()  # what was concluded, and why


# --- results: plain data from here on ------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample's two numbers, in nats. `difference` is reported minus exact."""

    index: int
    reported: float | None
    exact: float
    difference: float | None
    allowed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One dimension's share of the first sample's ldj, in nats."""

    index: int
    exact: float
    reported: float | None  # None: the layer's own numbers cannot be split


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was compared, and how it came out."""

    name: CheckName
    direction: Direction | None
    status: CheckStatus
    wrt: Wrt | None = None
    shape: Shape | None = None
    dims: int | None = None
    dtype: str | None = None
    tolerance: float | None = None
    worst: float | None = None
    method: Method | None = None
    samples: tuple[Sample, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    structure: Structure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One executed source line: what it did to log|det| and to the reported ldj."""

    direction: Direction
    file: str
    line: int
    function: str
    text: str
    exact: float | None
    reported: float | None
    exact_total: float
    reported_total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in the user's source. `cell` is the notebook cell, if it is one."""

    file: str
    line: int
    column: int | None = None
    function: str | None = None
    text: str | None = None
    cell: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LawPoint:
    """One size at which the law was seen to hold."""

    dims: int
    difference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """The formula that the difference obeys, with the sizes at which it was tried."""

    expression: str
    points: tuple[LawPoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One changed line of the user's source."""

    file: str
    line: int
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """An edit. `verified` only when the edited layer was run and then agreed."""

    applicability: Literal["verified", "suggested"]
    residual_after: float | None
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule that matched here. `message` is one sentence; `evidence` its lines."""

    code: str
    name: str
    severity: Severity
    message: str
    direction: Direction | None = None
    evidence: tuple[str, ...] = ()
    also_fits: tuple[str, ...] = ()
    law: Law | None = None
    bits_per_dim: float | None = None
    location: Location | None = None
    fix: Fix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All that is known about one target."""

    target: str
    layer: str | None
    status: Status
    convention: str | None = None
    kind: Kind | None = None
    inferred: Mapping[str, str] = field(default_factory=dict)  # what: why
    seconds: float = 0.0
    checks: tuple[Check, ...] = ()
    ledger: tuple[LedgerLine, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something of a source that is no target, and why."""

    target: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A whole call of ldjcheck: what every output format draws."""

    seed: int
    exit_code: int
    seconds: float
    command: str
    results: tuple[Result, ...]
    skipped: tuple[Skipped, ...] = ()

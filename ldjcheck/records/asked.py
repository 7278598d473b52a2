"""What the user asked: targets and options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ldjcheck.records.deadline import Deadline, Stage
from ldjcheck.records.result import Finding, Location
from ldjcheck.records.words import Kind, Shape, Wrt

if TYPE_CHECKING:
    import torch
    from torch import Tensor


Oracle = Callable[[Callable[["Tensor"], "Tensor"], "Tensor"], "Tensor"]
"""`(f, x)` to J `(batch, dims_out, dims_in)`; f and x are flat, `(batch, dims)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """Where inputs live: `real`, `unit`, `positive`, `int` or `interval`.

    `low` and `high` are the ends of an `int` (both included) or `interval` domain.
    """

    kind: Literal["real", "unit", "positive", "int", "interval"]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Given:
    """The user's own samples, `(batch, *event)`, by the name of the argument.

    Under None is the input of a layer that has one. All have equally many rows: a row of
    each belongs together. What the layer does not take beside its input, such as labels,
    is `left_out`.
    """

    samples: Mapping[str | None, Tensor]
    left_out: tuple[str, ...] = ()
    dtype: torch.dtype | None = None  # in which the input is fed; None: the check's
    written: str = "inputs"  # as an argument of `check`: a name, or a file in quotes

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.samples.values())))


class Context(NamedTuple):
    """A tensor that is fed beside the input: for which argument, of which event shape.

    Without a `domain` it is of any numbers, or of those that the layer is seen to want.
    """

    name: str
    shape: Shape
    domain: Domain | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A rule whose findings are not to count, and why."""

    code: str
    reason: str
    expected: bool = False  # it is stale where nothing is found that it hides
    place: Location | None = None  # the line that it is about; None for all of a layer

    def hides(self, finding: Finding) -> bool:
        """Return whether a finding is one of those."""
        if self.place is None or finding.code != self.code:
            return finding.code == self.code
        at, line = finding.location, (self.place.file, self.place.cell, self.place.line)
        return at is not None and (at.file, at.cell, at.line) == line


LARGEST_SEED = 2**32 - 1  # NumPy takes no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a check is to be run; the command line's options by the same names."""

    shape: tuple[
        tuple[str | None, Shape], ...
    ] = ()  # (name of the input or None, event shape)
    batch: int = 3
    domain: Domain | None = None  # None: found out
    context: tuple[Context, ...] = ()
    inputs: Given | None = None  # None: made up
    kwarg: tuple[tuple[str, Any], ...] = ()  # values, already evaluated
    convention: str = "auto"
    direction: Literal["both", "forward", "inverse"] = "both"
    params: Literal["random", "as-is"] = "random"
    params_scale: float = 0.3
    dims_limit: int = 4096
    mode: Literal["eval", "train"] = "eval"
    kind: Literal["auto"] | Kind = "auto"
    wrt: Literal["auto"] | Wrt = "auto"
    seed: int = 0
    dtype: Literal["float64", "as-written"] = "float64"
    device: str | None = None  # None: a copy on the CPU is checked
    atol: float | None = None  # None: from the error model
    rtol: float | None = None
    select: tuple[str, ...] = ()  # codes that may be reported; none: all
    ignore: tuple[Suppression, ...] = ()
    search: int = 0  # look for a failing probe among so many
    strict: bool = False
    timeout: Deadline | None = None  # None: as long as it takes
    ledger: bool = False  # build the line ledger of a passing layer too
    pictures: bool = False  # keep what pictures are drawn from
    jacobian: Oracle | None = None  # instead of automatic differentiation
    adapter: Any = None  # calls the layer, instead of a convention

    @property
    def states_tolerance(self) -> bool:
        """Whether the user has said what to allow."""
        return (self.atol, self.rtol) != (None, None)

    @property
    def is_overdue(self) -> bool:
        """Whether no time is left."""
        return self.timeout is not None and self.timeout.left <= 0

    def started(self) -> Options:
        """Return the options of a check whose time runs from now on."""
        if self.timeout is None:
            return self
        return replace(self, timeout=self.timeout.started())

    def during(self, stage: Stage, *, wrong: bool) -> Options:
        """Return the options for a stage of a check that is `wrong`, or right, so far."""
        if self.timeout is None:
            return self
        return replace(self, timeout=self.timeout.of(stage, wrong=wrong))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the user typed, taken apart: `SOURCE` or `SOURCE:EXPR`."""

    text: str
    source: str
    expr: str | None

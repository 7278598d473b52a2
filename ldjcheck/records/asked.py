"""What the user asked: targets, options, and until when an answer is wanted.

A verdict comes first, then what explains it, then what mends it. A stage that finds no
time any more is left out by its name; what earlier ones have found stays.

Time is CPU time of the thread that runs the check, so that what else the machine does
changes no verdict, line or edit. The threads that torch computes with are not counted:
they work while this one does, and more of them must not leave less time. What sleeps or
waits uses none of it: whoever runs the check in a process of its own ends that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from time import thread_time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from ldjcheck.records.result import Finding, Location
from ldjcheck.records.words import Kind, Shape, Wrt

if TYPE_CHECKING:
    import torch
    from torch import Tensor


Item = TypeVar("Item")

_USABLE = 0.9  # of the time: one more call, and the report, take theirs


class TimeIsUpError(BaseException):
    """The time of a check, or of a stage of it, is over: the layer is called no more.

    Whoever sees what a layer raises must not take it for that, so it is no `Exception`.
    `tried` says what did not work until then, `instead` what would take less time, and
    `within` where a call was that went on, a line each.
    """

    def __init__(
        self,
        tried: tuple[str, ...] = (),
        instead: tuple[str, ...] = (),
        within: tuple[str, ...] = (),
    ) -> None:
        super().__init__("the time of the check is over")
        self.tried = tried
        self.instead = instead
        self.within = within


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of a check that may be left out, and the share of the time at which it ends.

    What is wrong so far is to be named and mended yet; of what is right so far, all that
    is left is to look further.
    """

    what: str  # it is called, where it is left out
    doing: str = ""  # while it is in progress, where that takes a while
    if_right: float = 1.0
    if_wrong: float = 1.0


SETTLING = Stage(what="how it is called", doing="finding out how it is called")
MEASURING = Stage(what="a first verdict", doing="comparing reported and exact")
CONFIGURATIONS = Stage(what="further configurations", if_right=0.85, if_wrong=0.35)
OBSERVING = Stage(what="experiments", if_right=0.95, if_wrong=0.45)
OWN_SIZE = Stage(what="whether it is made for one size only", if_wrong=0.5)
SMALLER = Stage(what="whether a smaller size shows it", if_wrong=0.5)
SPLITS = Stage(what="its splits by themselves", if_wrong=0.55)
ALONE = Stage(what="its sublayers by themselves", if_wrong=0.7)
NAMING = Stage(
    what="which mistake it is, and its line",
    doing="finding out which mistake it is",
    if_wrong=0.85,
)
LEDGER = Stage(what="what each line does", if_wrong=0.85)
SUBLAYERS = Stage(what="which sublayer is wrong", if_wrong=0.9)
MENDING = Stage(what="an edit that mends it", doing="looking for an edit that mends it")
PICTURES = Stage(what="pictures")
OTHERWISE = Stage(what="calling it otherwise", doing="calling it otherwise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """How many seconds of CPU time a check may take; once it has begun, when that was.

    It is read in the thread that it began in. `share` is what the stage in progress may
    use of the seconds, with all that it does.
    """

    seconds: float
    begun: float | None = None
    share: float | None = None

    def started(self) -> Deadline:
        """Return the deadline of a check that begins now; the first beginning counts."""
        return self if self.begun is not None else replace(self, begun=thread_time())

    def of(self, stage: Stage, *, wrong: bool) -> Deadline:
        """Return the deadline of a stage; what is part of another has that one's."""
        if self.share is not None:
            return self
        return replace(self, share=stage.if_wrong if wrong else stage.if_right)

    @property
    def left(self) -> float:
        """How many seconds are left; of a check that has not begun, all."""
        if self.begun is None:
            return self.seconds
        share = 1.0 if self.share is None else self.share
        return self.begun + _USABLE * share * self.seconds - thread_time()

    def check(self) -> None:
        """Raise where no time is left.

        Raises:
            TimeIsUpError: the time is over.
        """
        if self.left <= 0:
            raise TimeIsUpError


def while_time_lasts(items: Iterable[Item]) -> Iterator[Item]:
    """Yield what is made one by one, until the time is up."""
    with suppress(TimeIsUpError):
        yield from items


# --- targets and options --------------------------------------------------------------

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

    # Of each input its name, or None, and its event shape.
    shape: tuple[tuple[str | None, Shape], ...] = ()
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

"""What explains wrong numbers: the ordered table of kinds, and what a mistake proposes.

The cost of a kind is its prior. Only the order of costs has a meaning, and which of them
are nearly equal: of all explanations that make reported = exact everywhere, the cheapest
names the mistake. What has few ways to hold by accident, and what people do often, is
cheap. A kind that one mistake alone knows may be declared in the file of that mistake;
its cost is chosen by its neighbours here.

A mistake proposes laws of the whole ldj, and edits of a value in its arithmetic. Nothing
here needs torch to be imported: the files of mistakes are read to explain them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ldjcheck.records import Explanation, Multiplier
from ldjcheck.records.measured import Family

if TYPE_CHECKING:
    from torch import Tensor

    from ldjcheck.mistakes.engine.case import Case, Item, Target
    from ldjcheck.tape import Node, Trace


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of explanation: what must be done to the ldj, or what is true of it.

    Multipliers share one name, and are told apart by their `family`.
    """

    name: str
    cost: float
    family: Family | None = None
    lacking: bool = False  # something is missing: it may be written near the place
    counting: bool = False  # a count is wrong: a number that fits may be one by chance
    regional: bool = False  # it may hold where some samples are right and others NaN

    def holds(self, explanation: Explanation) -> bool:
        """Return whether an explanation is of this kind, and of its family."""
        if explanation.kind != self.name:
            return False
        multiplier = explanation.multiplier
        return self.family is None or (
            multiplier is not None and multiplier.family == self.family
        )

    def explanation(self, more: float = 0.0, **known: Any) -> Explanation:
        """Return an explanation of this kind; `more` says how much less likely it is."""
        return Explanation(kind=self.name, cost=self.cost + more, **known)


TIMES = "times"  # the name of all kinds of multipliers
EACH_TIME = "times-each"  # and of those of counts that change from turn to turn

UNEXPLAINED = Kind("unexplained", 0.0)  # of a sublayer that is wrong, who knows why

# What the whole ldj is, and which sublayer a flow counts wrongly.
NOTHING_REPORTED = Kind("nothing-reported", 0.0, lacking=True)  # r = 0
LEFT_OUT_BY_FLOW = Kind("step-unaccounted", 0.3, lacking=True)
OVERWRITTEN_BY_FLOW = Kind("overwritten", 0.3, lacking=True)
TWICE_IN_FLOW = Kind("twice", 0.3)
TIMES_IN_FLOW = Kind(TIMES, 0.3)
ONE = Kind("one", 0.4)  # r = e + 1; `detail` where e is not 0
REMOVE_ABS = Kind("remove-abs", 0.45)
WHOLE_SIGN = Kind(TIMES, 0.5, "sign")

# What a term must be multiplied by, and what is wrong with one operation.
SIGN = Kind(TIMES, 1.0, "sign")
ADD_ABS = Kind("add-abs", 1.0, regional=True)
OF_ESTIMATE = Kind(TIMES, 1.0)
SIGN_EACH_TIME = Kind(TIMES, 1.1, "sign")  # at every execution of a running total
SUM_FOR_MEAN = Kind("sum-for-mean", 1.2, counting=True)
EVENTS_ONLY = Kind("events-only", 1.2, counting=True)  # the batch must stay
EVENTS_ONLY_COLUMN = Kind("events-only", 1.21, counting=True)
EVENTS_ONLY_TERM = Kind("events-only", 1.21, counting=True)  # no reduction to point at
EVENTS_SUMMED = Kind("events-only", 1.22, counting=True)  # and dims, not averaged
BATCH_TOTAL = Kind("batch-total", 1.22)  # r is the sum or mean of e over the batch
NATURAL_LOG = Kind("natural-log", 1.3)  # another base must become e
DIMS = Kind(TIMES, 1.3, "dims")
SPATIAL = Kind(TIMES, 1.35, "spatial")
DIMS_EACH_TIME = Kind(EACH_TIME, 1.36, "dims", counting=True)  # of what is made by then
SPATIAL_EACH_TIME = Kind(EACH_TIME, 1.36, "spatial", counting=True)
COUNT_EACH_TIME = Kind(EACH_TIME, 1.37, "shape", counting=True)  # not of the input
ABSOLUTE = Kind("absolute", 1.4)  # r = |e|
MONOMIAL = Kind(TIMES, 1.4, "shape")  # of sizes: more with each of them
TWICE = Kind("twice", 1.45)  # a value is counted twice
PART_READ = Kind("part-unaccounted", 1.45, lacking=True)  # by the ldj, and not counted
UNNEEDED = Kind("unneeded", 1.5)  # a term must go
STEP_UNACCOUNTED = Kind("step-unaccounted", 1.5, lacking=True)  # or several of them
EXPONENTIAL = Kind("exponential", 1.5)  # r = exp(e)
ACTIVE = Kind(TIMES, 1.5, "active")
UNNEEDED_UNSUMMED = Kind("unneeded", 1.52)  # what is summed of it says more
OVERWRITTEN = Kind("overwritten", 1.6, lacking=True)  # earlier executions are lost
LEAVE_IDLE_OUT = Kind("leave-idle-out", 1.6, counting=True)  # dims that do not move
BOUND = Kind("region", 1.6, regional=True)  # a bound that the map does not have
OFF_BY_ONE = Kind(TIMES, 1.6, "shape")  # dims - 1, dims + 1, or active dims a dim
IN_PLACE_OF_DIMS = Kind(TIMES, 1.65, "shape")  # simpler than a fraction of counts
OTHER_CONDITION_WRITTEN = Kind("other-condition", 1.69, regional=True)  # another one is
OTHER_CONDITION = Kind("other-condition", 1.7, regional=True)  # that the map follows
NUMBER = Kind(TIMES, 1.7, "number")
LOG_BASE = Kind(TIMES, 1.7, "log-base")
OFF_BY_ONE_A_DIM = Kind(TIMES, 1.7, "shape")
NUMBER_EACH_TIME = Kind(TIMES, 1.75, "number")
TURN_EACH_TIME = Kind("times-turn", 1.76)  # a coefficient of a series
ADD_LOG = Kind("add-log", 1.8)
NUMBER_IN_LOG = Kind("number-in-log", 1.8)  # a number inside a logarithm must go
ONE_OFF_BY_ONE = Kind(TIMES, 1.8, "shape")
OTHER_POINT = Kind("other-point", 1.9)  # the term must be taken at another point
NUMBER_IN_LOG_AND_MAP = Kind("number-in-log", 1.9)
TRACE = Kind("trace", 1.9)  # r = trace J
NORMALISER = Kind("normaliser", 1.9, lacking=True)  # log(2 pi) / 2, of so many dims
SIGN_OF_FACTOR = Kind(TIMES, 1.95, "sign")  # after what is wrong with a whole term

# What is left where nothing above explains the numbers.
SCALING_UNACCOUNTED = Kind("part-unaccounted", 2.05, lacking=True)  # as it is written
PART_UNACCOUNTED = Kind("part-unaccounted", 2.1, lacking=True)  # solved for a quotient
DIMS_LEFT_OUT = Kind("dims-left-out", 2.15)  # the first or last; `detail` says which
REMOVE_EXP = Kind("remove-exp", 2.2)
VALUE = Kind("value", 2.3)  # some value must be another: no mistake's name says which
REGION = Kind("region", 2.4, regional=True)  # right on one region of the inputs alone
AS_BUILT = Kind("as-built", 3.5)  # r is e at the parameters that it was built with

# What makes an explanation less likely than its kind is.
ONE_OF_SEVERAL = 0.6  # it edits one execution of several
MORE_STEPS = 0.2  # for each further step that is left out
MORE_SIZES = 0.15  # for each size in a product of sizes
BATCH_SIZE = 0.3  # beside other sizes
TURNED = 0.8  # a count whose sign is wrong as well
TURNED_NUMBER = 0.5
TURNED_BASE = 1.0
RARE_NUMBER = 0.2  # other than 2 and 1/2
TIMES_A_NUMBER = 0.7  # a count times a number
ONE_SHAPE = 1.2  # where all configurations have one shape, most counts coincide

# What makes it likelier.
ALL_USES = 0.01  # it edits a value wherever it is used
SPOKEN_OF = 0.05  # the source speaks of this count

# Where what is found is looked at with other eyes.
PART_ONLY_BELOW = 2.0  # a part of a step explains only what nothing better does
PLAIN = 2.0  # of two mistakes each is plainer than this, or it may be an accident
CLEAR = 2.05  # cheaper ones are trusted for the whole, before calls are looked at
HOPELESS = 4.0  # dearer ones are none
TIE = 0.11  # what costs nearly the same explains the numbers as well


# --- what a mistake proposes ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WholeLaw:
    """A law between the whole reported ldj and the exact one, whatever the source says.

    `reported(e, trace)` is what is said in the place of the exact values, both `(batch,)`;
    None where the trace does not tell. Where `tells(e)` holds for no trace, the law would
    be one with what is right, or with another law. `detail(exact)` is for the message.
    """

    kind: Kind
    reported: Callable[[Tensor, Trace], Tensor | None]
    tells: Callable[[Tensor], bool] | None = None
    detail: Callable[[Sequence[Tensor]], str | None] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A value of one trace that is to be edited, and how it came about."""

    trace: Trace
    node: Node

    @property
    def now(self) -> Tensor:
        """The value as it is."""
        return self.node.value

    @property
    def argument(self) -> Tensor:
        """The first argument of the operation that made it."""
        argument: Node = self.node.args[0]
        return argument.value


def value_of(trace: Trace, item: Item) -> Value:
    """Return the value that is meant by an item of a target."""
    return Value(trace, item[0].argument(item[1]) if isinstance(item, tuple) else item)


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A place in the ldj's arithmetic that may be edited, the same one in every trace.

    `made` is the operation that makes its value in the first trace, and `user` the one
    that takes it there. `linear`: the ldj is a sum in which the value is a term. `finite`:
    all that is reported is.
    """

    target: Target
    traces: Sequence[Trace]
    made: Node
    user: Node
    linear: bool
    finite: bool
    depends_on_input: Callable[[Trace, Node], bool]

    @property
    def operation(self) -> str:
        """The name of an operation, `log` or `log_`; empty for a mere use of a value."""
        return self.made.name if self.target.kind == "node" else ""

    @property
    def values(self) -> tuple[tuple[Value, ...], ...]:
        """What is edited, trace by trace: one value for each execution."""
        pairs = zip(self.traces, self.target.items, strict=True)
        return tuple(tuple(value_of(t, item) for item in items) for t, items in pairs)

    @property
    def is_number(self) -> bool:
        """Whether it is the use of a plain number."""
        return self.target.kind == "edge" and self.made.name == "number"


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A target that the ldj is linear in, and what it adds to it."""

    case: Case
    target: Target
    amounts: list[Tensor]  # one (batch,) per trace, in nats

    @property
    def needs(self) -> list[Tensor]:
        """What it should add, if nothing else is wrong."""
        pairs = zip(self.amounts, self.case.differences, strict=True)
        return [amount + difference for amount, difference in pairs]


@dataclass(frozen=True, slots=True)
class ValueEdit:
    """One way of editing a value: `edit` returns what it should be, or None.

    What is `outermost` is missing: it belongs at the outermost place of the value.
    """

    kind: Kind
    edit: Callable[[Value], Tensor | None]
    outermost: bool = False
    detail: str | None = None
    multiplier: Multiplier | None = None  # by which this multiplies the value's own log

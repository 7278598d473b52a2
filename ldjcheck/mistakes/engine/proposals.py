"""What a mistake proposes: laws of the whole ldj, and edits of a value in its arithmetic.

Nothing here needs torch to be imported: the files of mistakes are read to explain them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldjcheck.mistakes.engine.kinds import Kind
from ldjcheck.records import Multiplier

if TYPE_CHECKING:
    from torch import Tensor

    from ldjcheck.mistakes.engine.case import Case, Item, Target
    from ldjcheck.tape import Node, Trace


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

"""Until when a check may call the layer, and how much of that each stage of it may use.

A verdict comes first, then what explains it, then what mends it. A stage that finds no
time any more is left out by its name; what earlier ones have found stays.

Time is CPU time of the thread that runs the check, so that what else the machine does
changes no verdict, line or edit. The threads that torch computes with are not counted:
they work while this one does, and more of them must not leave less time. What sleeps or
waits uses none of it: whoever runs the check in a process of its own ends that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from time import thread_time
from typing import TypeVar

Item = TypeVar("Item")

_USABLE = 0.9  # of the time: one more call, and the report, take theirs


class TimeIsUpError(BaseException):
    """The time of a check, or of a stage of it, is over: the layer is called no more.

    Whoever sees what a layer raises must not take it for that, so it is no `Exception`.
    `tried` says what did not work until then, and `instead` what would take less time, a
    line each.
    """

    def __init__(
        self, tried: tuple[str, ...] = (), instead: tuple[str, ...] = ()
    ) -> None:
        super().__init__("the time of the check is over")
        self.tried = tried
        self.instead = instead


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

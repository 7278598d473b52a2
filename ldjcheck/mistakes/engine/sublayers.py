"""Which sublayer of a flow is wrong, or which one the flow counts wrongly.

Each sublayer was measured by itself at the point where the flow calls it: what it does
(exact), what it says (claimed), and what it is worth in the flow's ldj (counted). Where
claimed is not exact, the sublayer is wrong; where counted is not claimed, the flow is.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from ldjcheck.mistakes.engine import kinds
from ldjcheck.mistakes.engine.closeness import same
from ldjcheck.records import Direction, Explanation, Multiplier
from ldjcheck.records.result import SublayerLine
from ldjcheck.tape import FlowParts, Part, location_of

_TIMES = (1.0, 0.0, -1.0, 2.0, 0.5, 3.0, -2.0)  # how often a sublayer may be counted
_ROUNDED = 1e-5  # nats: what constants that were made in float32 leave open
_BESIDE = 1e-3  # of the flow's own mistake


@dataclass(frozen=True, slots=True, eq=False)
class Blamed:
    """What a flow's sublayers show to be wrong.

    `wrong` are the positions of sublayers that are wrong by themselves; `explained` are
    mistakes of the flow, which counts right sublayers wrongly.
    """

    wrong: tuple[int, ...] = ()
    explained: tuple[Explanation, ...] = ()
    miscounted: tuple[int, ...] = ()
    right: tuple[int, ...] = ()  # by themselves, however the flow counts them
    complete: bool = False  # nothing but these is wrong: the flow's own lines are right


def blame_sublayers(seen: Sequence[FlowParts]) -> Blamed:
    """Return what is wrong where, judged over all configurations together."""
    if len({tuple(part.path for part in each.parts) for each in seen}) != 1:
        return Blamed()
    judge = _Judge(seen)
    own_lines = judge.look_within(None)
    return Blamed(
        wrong=tuple(judge.wrong),
        explained=tuple(judge.explanations()),
        miscounted=(*judge.times, *judge.unclear),
        right=tuple(judge.right()),
        complete=not own_lines and not judge.unclear,
    )


def sublayer_lines(
    seen: FlowParts, direction: Direction, blamed: Blamed
) -> tuple[SublayerLine, ...]:
    """Return what each sublayer does and is counted as, for the first sample.

    Innermost sublayers stand by themselves; what is left is the own lines of those around
    them, and of the flow, and is left out where it is nothing.
    """
    rows: list[tuple[str, str, tuple[Tensor, Tensor], bool]] = []
    for index, part in enumerate(seen.parts):
        has_parts = any(p.outer == index for p in seen.parts)
        exact, counted = _own(seen, index)
        is_blamed = index in (*blamed.wrong, *blamed.miscounted)
        if has_parts and not is_blamed and same(exact, 0 * exact):
            continue
        if has_parts and index in blamed.miscounted:
            exact, counted = part.exact, part.counted
        rows.append((part.path, part.kind, (exact, counted), is_blamed))
    exact, counted = _own(seen, None)
    if not (same(exact, 0 * exact) and same(counted, 0 * counted)):
        off = not same(counted, exact)
        rows.append(("", "its own lines", (exact, counted), off))
    return tuple(
        SublayerLine(
            direction=direction,
            sublayer=path.removeprefix(".") or None,
            type=kind,
            exact=float(exact[0]),
            reported=float(counted[0]),
            is_wrong=off,
        )
        for path, kind, (exact, counted), off in rows
    )


class _Judge:
    """Walks down from the flow to the innermost sublayer that explains what is off."""

    def __init__(self, seen: Sequence[FlowParts]) -> None:
        self._seen = seen
        self.wrong: list[int] = []
        self.times: dict[int, float] = {}  # how often a right sublayer is counted
        self.unclear: list[int] = []  # counted as nothing simple

    def look_within(self, whole: int | None) -> bool:
        """Judge the parts of a whole; return whether its own lines are off as well."""
        for index, part in enumerate(self._seen[0].parts):
            if part.outer == whole:
                self._judge(index)
        owns = [_own(each, whole) for each in self._seen]
        return not all(same(counted, exact) for exact, counted in owns)

    def _judge(self, index: int) -> None:
        if self._holds(index, lambda f, p: _is_right(f, p.counted, p.exact)):
            return  # also where what it says is turned around by the flow
        if not self._holds(index, lambda f, p: _is_right(f, p.claimed, p.exact)):
            has_parts = any(p.outer == index for p in self._seen[0].parts)
            if not has_parts or self.look_within(index):
                self.wrong.append(index)
        self._count(index)

    def _count(self, index: int) -> None:
        for times in _TIMES:
            if self._holds(index, lambda _, p, t=times: same(p.counted, t * p.claimed)):  # type: ignore[misc]  # mypy cannot type the default
                self.times |= {index: times} if times != 1.0 else {}
                return
        self.unclear.append(index)

    def right(self) -> Iterator[int]:
        """Yield the parts that say what they do."""
        for index in range(len(self._seen[0].parts)):
            if self._holds(index, lambda f, p: _is_right(f, p.claimed, p.exact)):
                yield index

    def _holds(self, index: int, holds: Callable[[FlowParts, Part], bool]) -> bool:
        return all(holds(each, each.parts[index]) for each in self._seen)

    def explanations(self) -> Iterator[Explanation]:
        """Yield the flow's mistakes: one for all sublayers that are counted alike."""
        parts = self._seen[0].parts
        outermost = [i for i, p in enumerate(parts) if p.outer is None]
        for times in dict.fromkeys(self.times.values()):
            these = [i for i, t in self.times.items() if t == times]
            all_but_last = len(these) > 1 and these == outermost[:-1]
            if times == 0.0:
                kind = (
                    kinds.OVERWRITTEN_BY_FLOW
                    if all_but_last
                    else kinds.LEFT_OUT_BY_FLOW
                )
            else:
                kind = kinds.TWICE_IN_FLOW if times == 2.0 else kinds.TIMES_IN_FLOW
            yield kind.explanation(
                multiplier=Multiplier.by(1 / Fraction(times)) if times else None,
                location=location_of(parts[these[0]].caller),
                sublayers=tuple(parts[i].name for i in these),
            )


def _is_right(flow: FlowParts, value: Tensor, exact: Tensor) -> bool:
    """Return whether a sublayer's number is right, as well as can be told in this flow.

    Numbers that were rounded to float32 may be off by more than others; beside a mistake
    that is much larger this is none.
    """
    off = float((value - exact).abs().max())
    whole = float((flow.reported - flow.exact).abs().max())
    return same(value, exact) or off <= min(_ROUNDED, _BESIDE * whole)


def _own(seen: FlowParts, whole: int | None) -> tuple[Tensor, Tensor]:
    """Return what a whole's own lines do, and are counted as: its parts' numbers apart."""
    if whole is None:
        exact, counted = seen.exact, seen.reported
    else:
        exact, counted = seen.parts[whole].exact, seen.parts[whole].counted
    inner = [part for part in seen.parts if part.outer == whole]
    zero = torch.zeros_like(exact)
    return (
        exact - torch.stack([zero, *(p.exact for p in inner)]).sum(0),
        counted - torch.stack([zero, *(p.counted for p in inner)]).sum(0),
    )

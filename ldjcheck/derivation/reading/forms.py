"""The form in which a convention promises the ldj: how sums and zeros are then written."""

from __future__ import annotations

from dataclasses import dataclass

from ldjcheck.records import Calls, Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One number for each sample, a column of them, or one for each event.

    `event` is how many trailing axes one entry of the ldj covers; None is all but the
    first, as many as there are where the layer is `of_any_rank`. `sign` is -1 where the
    ldj is taken off a running log-density. Nothing is handed back at all where the volume
    is kept.
    """

    event: int | None = None
    of_any_rank: bool = False
    column: bool = False
    sign: int = 1
    is_silent: bool = False

    def summed(self, rank: int) -> str:
        """Return how a value of so many axes, the batch among them, is summed."""
        if self.event is not None:
            axes = ", ".join(str(axis) for axis in range(-min(self.event, rank), 0))
            if not axes:
                return ""
            return f".sum({axes})" if self.event == 1 else f".sum(({axes}))"
        if rank < 2:
            return ""  # one number for each sample already
        keep = ", keepdim=True" if self.column else ""
        flat = "" if rank == 2 and not self.of_any_rank else ".flatten(1)"
        return f"{flat}.sum(dim=1{keep})"

    def zeros(self, name: str) -> str:
        """Return a zero for every entry of the ldj, in the precision of an input."""
        if self.event == 0:
            return f"{name}.new_zeros({name}.shape)"
        if self.event is not None:
            return f"{name}.new_zeros({name}.shape[:-{self.event}])"
        if self.column:
            return f"{name}.new_zeros({name}.shape[0], 1)"
        return f"{name}.new_zeros({name}.shape[0])"

    def counted(self, axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
        """Return the axes of a value over which one entry of the ldj is a sum."""
        if self.event is None:
            return axes
        return tuple(axis for axis in axes if axis >= rank - self.event)


def form_of(calls: Calls, direction: Direction, *, of_any_rank: bool = False) -> Form:
    """Return the form that a way of calling promises."""
    way = calls.way(direction)
    return Form(
        event=None if way is None else way.event_dim,
        of_any_rank=of_any_rank,
        column=calls.column,
        sign=calls.sign,
        is_silent=calls.keeps_volume,
    )

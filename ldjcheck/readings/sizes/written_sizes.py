"""Layers that count with a number which is written down, where nobody gave the shape.

`ldj = 3 * log_scale.sum()` is right for particles of three coordinates, and that axis was
ours to choose: elsewhere it is wrong, which is no more than a warning.
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.readings.reading import Measured, Reading, look_at, read_anew
from ldjcheck.readings.sizes.further_sizes import is_open
from ldjcheck.readings.sizes.user_shape import written_factors

_NUMBERS = 3  # that are tried
_LARGEST = 64  # as the size of an axis


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the layer at the size of an axis that its source counts with, if it is right.

    It is in one direction at least, and in no more of them wrong than elsewhere. Only of an
    axis that is open, beside others: what counts with one axis alone is as likely a wrong
    factor.
    """
    subject, bench = seen.subject, seen.subject.bench
    if not seen.is_wrong or not is_open(subject) or len(bench.shape) < 2:
        return
    alike = (s for s in subject.others if len(s) == len(bench.shape))
    sizes = [{*axis} for axis in zip(bench.shape, *alike, strict=True)]
    open_axes = [axis for axis, taken in enumerate(sizes) if len(taken) > 1]
    numbers = dict.fromkeys(n for n in written_factors(bench.layer.obj) if n > 1)
    for number in [n for n in numbers if n <= _LARGEST][:_NUMBERS]:
        for axis in open_axes:
            shape = (*bench.shape[:axis], number, *bench.shape[axis + 1 :])
            told = f"{shape}: its source counts with {number}"
            if not _wrong(look_at(seen.reading, shape)) < _wrong(seen):
                continue
            asked = replace(subject.asked, shape=((None, shape),))
            for there in read_anew(bench.layer, asked):
                still = _wrong(look_at(there))
                if not still < _wrong(seen):
                    continue
                others = there.subject.others
                if (
                    still
                ):  # what is wrong is told of the sizes that the rest is right at
                    others = tuple(s for s in others if s[axis] == number)
                yield there.assuming(
                    "shape", shape, "observed", told, asked=asked, others=others
                )
                return


def _wrong(seen: Measured) -> set[str]:
    """Return which directions are wrong; what is not available is not."""
    verdicts = seen.comparison.verdicts
    off = (v for v in verdicts if v.mismatched or not v.usable or v.vacuous)
    return {v.direction for v in off if v.check.status != "not-available"}

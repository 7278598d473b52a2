"""An ldj that was right when the layer was built, and has not moved since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ldjcheck.diagnosis.blame import ldj_statement
from ldjcheck.diagnosis.numbers import fits, is_constant, same
from ldjcheck.diagnosis.places import location_of
from ldjcheck.records import Explanation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldjcheck.tape import Trace

_COST = 3.5  # whatever else explains the numbers comes first
_LEAST = 1e-3  # nats: a layer that is the identity as built proves nothing


def apart_as_built(
    traces: Sequence[Trace],
) -> tuple[Sequence[Trace], Sequence[Trace]]:
    """Return the traces with parameters moved, and those with parameters as built.

    Where they stay as built everywhere, none of these is set apart.
    """
    moved = [trace for trace in traces if trace.config.draw]
    return (moved, [t for t in traces if not t.config.draw]) if moved else (traces, ())


def kept_since_built(
    moved: Sequence[Trace], built: Sequence[Trace]
) -> tuple[Explanation, ...]:
    """Return that one number is reported wherever parameters are: that of the start.

    It was right there, and not because nothing happened there.
    """
    for first in built:
        now = [t for t in moved if t.shape == first.shape and not t.config.nudged]
        told = torch.cat([first.reported, *(t.reported for t in now)])
        differ = [not same(t.exact[:1], first.exact[:1]) for t in now]
        if (
            len(now) > 1
            and all(differ)
            and is_constant([told])
            and fits(first, first.reported, first.exact)
            and bool((first.exact.abs() > _LEAST).all())
        ):
            place = location_of(ldj_statement(now[0]))
            kept = f"{float(first.reported[0]):+.6g}"
            return (
                Explanation(
                    kind="as-built", cost=_COST, location=place, whole=True, detail=kept
                ),
            )
    return ()

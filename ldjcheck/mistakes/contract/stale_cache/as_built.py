"""An ldj that was right when the layer was built, and has not moved since."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from ldjcheck.mistakes.engine.closeness import fits, is_constant, same
from ldjcheck.mistakes.engine.kinds import AS_BUILT
from ldjcheck.mistakes.engine.places import ldj_statement
from ldjcheck.records import Diagnosis, Explanation
from ldjcheck.tape import Trace, location_of

_LEAST = 1e-3  # nats: a layer that is the identity as built proves nothing


def is_unexplained(diagnosis: Diagnosis) -> bool:
    """Return whether a mistake of the whole direction has no explanation."""
    return not any(diagnosis.mistakes)


def explained_as_built(
    diagnosis: Diagnosis, moved: Sequence[Trace], built: Sequence[Trace]
) -> Diagnosis:
    """Return the diagnosis with what traces at parameters as built explain."""
    return replace(diagnosis, mistakes=(_kept_since_built(moved, built),))


def _kept_since_built(
    moved: Sequence[Trace], built: Sequence[Trace]
) -> tuple[Explanation, ...]:
    """Return that one number is reported wherever parameters are: that of the start.

    It was right there, and not because nothing happened there.
    """
    for first in built:
        now = [t for t in moved if t.shape == first.shape and not t.probe.nudged]
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
            return (AS_BUILT.explanation(location=place, whole=True, detail=kept),)
    return ()

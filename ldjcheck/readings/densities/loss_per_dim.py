"""A loss of each dim, in nats or bits: what is minimised may be divided by any number.

`-(log_p + ldj).mean() / x[0].numel()` is no mistake of a loss, whatever its name says of its
unit: as that of all dims it is wrong, and right as that of one.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from ldjcheck.conventions.distributions import density, model
from ldjcheck.numerics.closeness import same
from ldjcheck.readings.reading import Measured, Reading, look_at
from ldjcheck.readings.what_runs import run_at
from ldjcheck.running.failed_calls import FailedCallError

_WHY = "as a loss of all dims it is wrong, and right as one of each"


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading of a loss in nats, or in bits, per dim, where it is right.

    Or has a base so, which it has only with another constant as it is; unless the ldj is
    right as that of all dims: then it is the base that is averaged, and nothing else.
    """
    bench, obj = seen.subject.bench, seen.subject.layer.obj
    ways = {
        "model": lambda: model.as_loss_per_dim(obj, bench.calls),
        "density": lambda: density.as_loss_per_dim(obj),
    }
    if not seen.is_wrong or bench.calls.convention not in ways:
        return
    had_base = _has_a_base(seen)
    for unit, calls in ways[bench.calls.convention]():
        reading = seen.reading.assuming(
            "unit", unit, "observed", _WHY, bench=replace(bench, calls=calls)
        )
        with suppress(FailedCallError):
            measured = look_at(reading)
            has_base = _has_a_base(reading) > had_base
            if measured.is_right or (has_base and not _counts_all_dims(measured)):
                yield reading
                return


def _counts_all_dims(seen: Measured) -> bool:
    """Return whether an ldj that is read as one of each dim is right as that of all."""
    usable = seen.comparison.forward.usable
    return bool(usable) and all(
        side.said.ldj is not None and same(side.said.ldj / side.dims, side.exact.ldj)
        for _, side, _ in usable
    )


def _has_a_base(reading: Reading | Measured) -> bool:
    """Return whether a base was found as it stands, with no constant made up for it."""
    subject = reading.subject
    outcome, _ = run_at(subject.bench, subject.probes()[0], "forward")
    return outcome is not None and not outcome.made_up

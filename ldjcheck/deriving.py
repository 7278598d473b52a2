"""Deriving the ldj of a layer: record it, derive every step, edit, run, compare.

What is derived from one recorded call is run at other shapes, batches, inputs and
parameters, in both directions, by what verifies the fixes of a check as well.
"""

from dataclasses import replace
from time import perf_counter

from ldjcheck.errors import LAYERS_OWN, CannotCheckError
from ldjcheck.faults import failed
from ldjcheck.judging.measurement import compared
from ldjcheck.records import Comparison, Layer, Options, Result, Status
from ldjcheck.settling.map_alone import MapSubject, settle_map


def derive_layer(
    layer: Layer, options: Options, started: float | None = None, tell: object = None
) -> Result:
    """Return the derived ldj of a layer; the layer's own faults never raise.

    `tell` is not called: half a derivation is none.
    """
    from ldjcheck.running.snapshot.isolation import undisturbed, unharmed
    from ldjcheck.running.snapshot.state import Namespace

    started = perf_counter() if started is None else started
    torch_before = Namespace()
    try:
        with undisturbed(), unharmed(layer.obj):
            result = _derived(settle_map(layer, options), options)
    except LAYERS_OWN as error:
        result = failed(layer, error, torch_before)
    return replace(result, seconds=perf_counter() - started)


def _derived(mapped: MapSubject, options: Options) -> Result:
    from ldjcheck.derivation.presenting import derived_of

    subject = mapped.subject
    # Where digits are lost on the way is nothing to derive from.
    bench = replace(subject.bench, losses=False, behaviour=False)
    plain = replace(subject, bench=bench)
    comparison = compared(plain, values_alone=True)
    _no_sampler(subject.layer, comparison)
    derived = derived_of(mapped, options, comparison)
    status: Status = "pass" if derived.applicability == "verified" else "unproven"
    return Result(
        target=subject.layer.target,
        layer=subject.layer.name,
        status=status,
        convention=mapped.promised.convention,
        kind="bijection",
        inferred=subject.inferred,
        checks=tuple(c for c in comparison.checks if c.name == "ldj"),
        derived=derived,
    )


def _no_sampler(layer: Layer, comparison: Comparison) -> None:
    """Raise CannotCheckError, LDJ004, for a call that returns a draw and log q of it."""
    from ldjcheck.conventions import recognise_conventions

    drawn = comparison.measurement.measured[0].forward.exact.wrt == "noise"
    if drawn and any(calls.of_noise for calls in recognise_conventions(layer.obj)):
        raise CannotCheckError(
            "LDJ004",
            "This call draws what it returns: it has a log q, and no ldj of its input.",
            (
                "log q(z) is log p(noise) less the ldj of each layer that the draw goes",
                "through. Name one of them to have its ldj derived.",
            ),
        )

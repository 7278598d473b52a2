"""How the way back is called, where the plain call does not lead back.

A flow of several scales may hand its latents back in several tensors, and draw anew what it
is not told to reconstruct: called so, its way back is a sampler, and no inverse.
"""

from dataclasses import replace

from ldjcheck.numerics.closeness import same
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import on_failure

_MOVED = 0.05  # a prior that starts as a standard normal would hide what is drawn
_THERE = 1e-6  # relative to x


def with_way_back(bench: Bench) -> Bench:
    """Return the bench with a way back that leads back, if another call of it does."""
    calls = bench.calls
    usual = calls.forward is not None and calls.inverse is not None and not calls.parts
    if (
        calls.inverse is None
        or not usual
        or not calls.inverse.others
        or _leads_back(bench)
    ):
        return bench
    told: Bench | None = None
    for shown, inverse in calls.inverse.others:
        other = replace(calls, inverse=replace(calls.inverse, call=inverse))
        leads = _leads_back(replace(bench, calls=other))
        why = "only so it leads back to x" if leads else "told to, it should lead back"
        said = ("way back", f"{shown}: {why}")
        found = replace(bench, calls=replace(other, inferred=(*other.inferred, said)))
        if leads:
            return found
        if leads is not None and "=True" in shown:
            told = told or found
    return told or bench


@on_failure(None)
def _leads_back(bench: Bench) -> bool | None:
    """Return whether there and back is x; None where it cannot be run so."""
    x = bench.inputs()
    moved = bench.options.params == "random"
    back = bench.runner(warm_up=x, draw=int(moved), scale=_MOVED).around(x)
    return None if back.shape != x.shape else same(back, x, _THERE)

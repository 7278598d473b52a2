"""What a model, and a base that it asks, answer: for each sample, and as a density.

The mean over the batch is what is minimised, and no mistake. On the tape of the call stands
what the mean is taken of, and what is done with it afterwards: done with each sample's own
number, it is what the model would have said of that sample, from the very same draws.

The answer of a base stands on the tape, as a function of z. A log-density has mass 1,
whatever else it is given: exp of it is integrated over all z, in closed form or dim by dim
where that can be done, and by weighted draws where it cannot. Those may miss a part that is
far off: what they find beyond 1 is there, and what they lack may be elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from ldjcheck.densities.mass import drawn_log_mass, log_mass, near
from ldjcheck.densities.terms import DensityTerms
from ldjcheck.tape import Node, Place, ancestors, dependents, evaluate, in_order
from ldjcheck.tape.recorder import Recorder

_SAME = 1e-9  # relative


def before_the_mean(
    heard: Recorder, said: Tensor, batch: int, *, mixed: bool = False
) -> Tensor | None:
    """Return what is said of each sample, `(batch,)`; None where no mean is taken of it.

    Nor is one of all that is said where something else, beside the mean, adds samples up,
    unless it may be `mixed`.
    The operations after the mean are run again, and recorded where the tape is running.
    """
    end = heard.find(said)
    if end is None:
        return None
    order = in_order(ancestors(end))
    live = heard.living()
    values: dict[Node, Tensor] = {}
    for node in order:
        inner = node.args[0] if node.name == "mean" and node.args else None
        if not isinstance(inner, Node) or inner not in live:
            continue
        if inner.value.shape[:1] == (batch,) and node.value.numel() == 1:
            values[node] = live[inner].reshape(batch, -1).mean(1)
    after: set[Node] = set()
    for mean in values:
        after |= dependents(order, mean) - {mean}
    beside = {n for node in after for n in node.parents} - after - {*values}
    if not mixed and any(node.name == "input" for node in ancestors(*beside)):
        return None
    for node in in_order(after):
        values[node] = evaluate(node, lambda n: values.get(n, live.get(n, n.value)))
    found = values.get(end)
    if found is None or found.shape != (batch,):
        return None
    average, whole = found.detach().mean(), said.detach().reshape(())
    same = torch.isclose(average, whole, rtol=_SAME, atol=_SAME)
    return found if bool(same) else None


# --- whether a base is a density ------------------------------------------------------

_ONE = 1e-6  # nats, where a mass is known better than that


class Mass(NamedTuple):
    """Log of the integral of what a base answers, `(batch,)`, with its error, in nats.

    None where it is not known. `is_one` says whether it may be 1 as far as it is known.
    """

    log: Tensor | None
    is_one: bool = False
    error: float = 0.0


@dataclass(frozen=True, slots=True)
class _Answered:
    """What entered an answer beside z, and its mass: it is the same where that is."""

    operations: tuple[str, ...]
    beside: tuple[Tensor, ...]
    mass: Mass


@dataclass(slots=True)
class Masses:
    """The masses of answers, each worked out once at the same values beside z."""

    # By the line where it returns, whether a base is a part of the map: it stays one.
    within_map: dict[Place, bool] = field(default_factory=dict)
    _held: list[_Answered] = field(default_factory=list)

    def of(self, heard: Recorder, z: Tensor, answer: Tensor) -> Mass:
        """Return the mass of an answer to z, `(batch, *event)`, as it stands on the tape."""
        end, source = heard.find(answer), heard.find(z)
        if end is None or source is None:
            return Mass(None)
        with torch.no_grad(), torch._C.DisableTorchFunction():
            sum_ = DensityTerms(end, source, (), 1.0, len(z))
            between = sum_.after(source)
            operations = tuple(node.name for node in between)
            beside = tuple(node.value for node in _beside(between, source))
            for known in self._held:
                same = known.operations == operations
                same = same and len(known.beside) == len(beside)
                if same and all(map(torch.equal, known.beside, beside)):
                    return known.mass
            mass = _mass(sum_, source)
            self._held.append(
                _Answered(operations, tuple(each.clone() for each in beside), mass)
            )
        return mass


def _beside(between: Sequence[Node], z: Node) -> list[Node]:
    """Return what enters the answer from elsewhere than z."""
    return in_order({p for node in between for p in node.parents} - {*between, z})


def _mass(sum_: DensityTerms, z: Node) -> Mass:
    f = sum_.as_function_of(z)
    at = z.value.reshape(sum_.batch, -1).double()
    try:
        nearer = near(at)
        nearer = torch.where(torch.isfinite(f(nearer[None])[0])[:, None], nearer, at)
        # Of terms nobody asked about, one that comes back with each turn may be an ldj.
        exact = log_mass(f, nearer, may_turn=True) or _of_terms(sum_, z)
        if exact is not None:
            log, error = exact
            is_one = bool((log.abs() <= max(error, _ONE)).all())
            return Mass(log, is_one, error)
        return Mass(*drawn_log_mass(f, at))
    except Exception:  # the model's own operations, at other values, may raise anything
        return Mass(None)


def _of_terms(sum_: DensityTerms, z: Node) -> tuple[Tensor, float] | None:
    """Return the mass of what z enters, as of a mixture, with what stands beside it."""
    terms = tuple(sum_.through)
    found = sum_.log_mass(z, terms) if len(terms) == 1 else None
    if found is None:
        return None
    log, error = found
    return log + sum_.of(sum_.fixed, lambda end: end.value), error

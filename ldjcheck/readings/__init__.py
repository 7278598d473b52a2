"""How a layer may be read, one alternative a file, in the order they are tried.

A flag that says whether the layer is training may lead to other code, and so may one that
says whether gradients are wanted. What proves nothing in training may be wrong in
evaluation. A context that may be left out brings in terms of its
own, and a mask leaves out others.
"""

from __future__ import annotations

from ldjcheck.readings import submodule_inverses
from ldjcheck.readings.call_modes import (
    context,
    evaluation,
    no_grad,
    padding,
    training,
)
from ldjcheck.readings.claims import exact_form
from ldjcheck.readings.densities import compensating_density, density, own_density
from ldjcheck.readings.sizes import another_axis
from ldjcheck.readings.variant import Proposal, Variant

__all__ = ["VARIANTS", "Proposal", "Variant"]

VARIANTS: tuple[Variant, ...] = (
    exact_form.VARIANT,
    density.VARIANT,
    training.VARIANT,
    evaluation.VARIANT,
    no_grad.VARIANT,
    padding.VARIANT,
    context.VARIANT,
    own_density.VARIANT,
    submodule_inverses.VARIANT,
    compensating_density.VARIANT,
    another_axis.VARIANT,
)

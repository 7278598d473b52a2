"""Other ways of calling a layer that was checked, one a file, in the order they are tried.

A flag that says whether the layer is training may lead to other code, and so may one that
says whether gradients are wanted. What proves nothing in training may be wrong in
evaluation. A context that may be left out brings in terms of its
own, and a mask leaves out others.
"""

from __future__ import annotations

from ldjcheck.variants import (
    another_axis,
    context,
    density,
    evaluation,
    exact_form,
    held_ways_back,
    made_up_for,
    no_grad,
    own_density,
    padding,
    training,
)
from ldjcheck.variants.variant import Proposal, Variant

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
    held_ways_back.VARIANT,
    made_up_for.VARIANT,
    another_axis.VARIANT,
)

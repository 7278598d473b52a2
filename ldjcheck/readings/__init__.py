"""How a layer may be read, one kind of alternative a file, in the order they are tried.

Each only proposes, from how the numbers of a reading compare, or from what a reading has
come to; `checking` measures what is proposed, each reading once, and tells what comes of it.
"""

from collections.abc import Callable, Iterator

from ldjcheck.readings import no_flow_layer, submodule_inverses
from ldjcheck.readings.call_modes import context, mode, no_grad, padding
from ldjcheck.readings.claims import (
    another_number,
    bit_depth,
    broadcast_ldj,
    change_of_density,
    exact_form,
    named_total,
    returned_split,
    sibling_ldj_form,
    worded_form,
)
from ldjcheck.readings.densities import (
    density,
    density_by_mass,
    density_in_another_unit,
    density_of_draw,
    density_that_counts,
    density_with_draws,
    loss_per_dim,
    named_density,
    own_density,
    trained_number,
    unnamed_density,
)
from ldjcheck.readings.inputs import (
    another_input,
    beyond_fold,
    beyond_pole,
    further_labels,
    given_noise,
    interval_self_map,
    masks,
    several_tensors,
    time_major,
    where_inverse_leads,
)
from ldjcheck.readings.reading import Measured, Outcome, Reading
from ldjcheck.readings.sizes import (
    another_axis,
    further_sizes,
    held_sizes,
    leading_axes,
    no_broadcast_shapes,
    other_axes,
    singleton_axes,
    typed_sizes,
    unread_entries,
    user_shape,
    written_sizes,
)

__all__ = ["BY_NUMBERS", "BY_RESULT"]

BY_NUMBERS: tuple[Callable[[Measured], Iterator[Reading | Measured]], ...] = (
    several_tensors.propose,
    another_input.propose,
    given_noise.propose,
    density_with_draws.propose,
    loss_per_dim.propose,
    unread_entries.propose,
    another_number.propose,
    change_of_density.propose_taken_off,
    unnamed_density.propose,
    named_density.propose,
    broadcast_ldj.propose,
    returned_split.propose,
    bit_depth.propose,
    interval_self_map.propose,
    beyond_pole.propose,
    beyond_fold.propose,
    where_inverse_leads.propose,
    sibling_ldj_form.propose,
    masks.propose,
    singleton_axes.propose,
    held_sizes.propose,
    no_broadcast_shapes.propose,
    time_major.propose,
    leading_axes.propose,
    other_axes.propose,
    written_sizes.propose,
    typed_sizes.propose,
    user_shape.propose,
    further_sizes.propose,
)
"""What is proposed once the numbers of a reading are compared, and takes its place."""

BY_RESULT: tuple[tuple[str, Callable[[Outcome], Iterator[Reading]]], ...] = (
    ("named-total", named_total.propose),
    ("change-of-density", change_of_density.propose),
    ("time-major", time_major.propose_beside),
    ("exact-form", exact_form.propose),
    ("density", density.propose),
    ("trained-number", trained_number.propose),
    ("density-that-counts", density_that_counts.propose),
    ("mode", mode.propose),
    ("no-grad", no_grad.propose),
    ("padding", padding.propose),
    ("context", context.propose),
    ("further-labels", further_labels.propose),
    ("another-axis", another_axis.propose),
    ("another-unit", density_in_another_unit.propose),
    ("own-density", own_density.propose),
    ("density-of-draw", density_of_draw.propose),
    ("density-by-mass", density_by_mass.propose),
    ("worded-form", worded_form.propose),
    ("submodule-inverses", submodule_inverses.propose),
    ("no-flow-layer", no_flow_layer.propose),
)
"""What is proposed once a reading has come to a result, and is asked beside it."""

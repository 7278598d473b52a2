"""A sample whose exact ldj may be off by more than it is says nothing of an infinite report."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from small_layers import Affine

from ldjcheck.checking import measure_layer
from ldjcheck.records import Layer, Options, Side


def reported_infinite(*, allowed: float, flat: bool = True) -> Side:
    """Return what is known of a layer whose last sample is reported as minus infinity.

    Where that is `flat`, it is so along its first dim alone.
    """
    torch.manual_seed(0)
    layer = Layer(target="affine", name="affine", obj=Affine())
    side = measure_layer(layer, Options()).measured[0].forward
    assert side.said.ldj is not None
    assert side.exact.allowed is not None
    assert side.exact.jacobian is not None
    said, bound = side.said.ldj.clone(), side.exact.allowed.clone()
    said[-1], bound[-1] = -math.inf, allowed
    jacobian = side.exact.jacobian.clone()
    jacobian[-1, 0] *= 1e-30 if flat else 1.0
    return replace(
        side,
        said=replace(side.said, ldj=said),
        exact=replace(side.exact, allowed=bound, jacobian=jacobian),
    )


@pytest.mark.parametrize(
    ("allowed", "wrong"), [(1e-12, True), (0.1, True), (1e22, False)]
)
def test_it_is_wrong_where_the_exact_value_is_known(
    allowed: float, wrong: bool
) -> None:
    side = reported_infinite(allowed=allowed)
    assert side.disagrees is wrong
    assert side.agrees is not wrong
    assert side.known.tolist()[-1] is wrong


def test_it_is_wrong_where_the_map_squeezes_alike_in_all_directions() -> None:
    assert reported_infinite(allowed=1e22, flat=False).disagrees

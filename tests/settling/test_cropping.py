"""Copies for smaller events: what has an entry for each place is cropped, and no more."""

from __future__ import annotations

from math import prod

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ldjcheck.records import Layer
from ldjcheck.records.asked import Target
from ldjcheck.settling.sizes import cropped, smaller_shapes


class Holding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.arange(12.0 * 8).reshape(1, 1, 12, 8))
        self.register_buffer(
            "folded", torch.arange(6.0 * 4).reshape(1, 4, 6, 1)[..., 0]
        )
        self.squeezed = nn.Parameter(torch.zeros(4, 6, 4), requires_grad=False)
        self.conv = nn.Conv2d(1, 2, (12, 8))
        self.plain = torch.ones(12, 8)


def layer_of(module: nn.Module) -> Layer:
    return Layer(
        obj=module, name="Holding", target=Target(text="", source="", expr=None)
    )


def test_the_sides_of_an_image_are_cropped_and_those_that_a_squeeze_has_folded() -> (
    None
):
    module = Holding()
    twin = cropped(layer_of(module), (1, 12, 8), (1, 6, 4))
    assert twin is not None
    assert torch.equal(twin.obj.mask, module.mask[..., :6, :4])
    assert twin.obj.squeezed.shape == (4, 3, 2)
    assert not twin.obj.squeezed.requires_grad
    assert twin.obj.plain.shape == (6, 4)
    assert twin.obj.conv.weight.shape == module.conv.weight.shape, "a kernel is no mask"
    assert module.mask.shape == (1, 1, 12, 8), "it is a copy that is cropped"


def test_what_holds_nothing_of_that_size_is_not_cropped() -> None:
    assert cropped(layer_of(nn.Linear(3, 3)), (1, 12, 8), (1, 6, 4)) is None


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=3).map(tuple),
    st.integers(1, 10),
    st.integers(10, 200),
)
def test_smaller_shapes_divide_the_whole_and_come_the_smallest_first(
    shape: tuple[int, ...], least: int, most: int
) -> None:
    found = smaller_shapes(shape, least, most)
    assert found == sorted(found, key=prod)
    for smaller in found:
        assert least <= prod(smaller) <= most
        assert len(smaller) == len(shape)
        assert all(n % m == 0 for n, m in zip(shape, smaller, strict=True))
        assert prod(smaller) < prod(shape)

"""Shapes are read off the layer's own facts, and varied where it leaves them free."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_layers import Affine, Coupling, Curve, Pair
from torch import Tensor, nn
from torch.distributions import Independent, Normal

import ldjcheck
from ldjcheck.records import Domain, Options
from ldjcheck.settling.design import plan_probes
from ldjcheck.settling.guesses.shapes import guess_shapes, sizes_held
from ldjcheck.settling.other_sizes import resized


def holding(**attributes: Any) -> nn.Module:
    """Return a module that holds these tensors, modules and numbers."""
    module = nn.Module()
    for name, value in attributes.items():
        if isinstance(value, Tensor):
            module.register_buffer(name, value)
        else:
            setattr(module, name, value)
    return module


def normal(*shape: int) -> Independent:
    """Return a normal of the last axis, with a batch of parameters in front of it."""
    return Independent(Normal(torch.zeros(shape), torch.ones(shape)), 1)


def closing_over(weight: Tensor) -> Any:
    return lambda x: (x * weight.exp(), weight.sum().expand(len(x)))


def first_guess(layer: Any, event_dim: int | None = None) -> tuple[int, ...]:
    return guess_shapes(layer, event_dim)[0].shape


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (holding(mask=torch.ones(7)), (7,)),
        (holding(mask=torch.ones(1, 7)), (7,)),
        (holding(mask=torch.ones(1, 3, 5, 7)), (3, 5, 7)),
        (holding(mask=torch.ones(3, 5, 7)), (3, 5, 7)),
        (holding(net=nn.Linear(9, 18)), (9,)),
        (holding(net=nn.Sequential(nn.Linear(9, 4), nn.Linear(4, 2))), (9,)),
        (holding(features=11), (11,)),
        (holding(groups=[2, 3, 1], log_scale=torch.zeros(3)), (6,)),
        (holding(num_features=11, hidden=64), (11,)),
        (holding(_dim=6, bins=8), (6,)),
        (holding(event_shape=(2, 5)), (2, 5)),
        (holding(base=normal(1, 2)), (2,)),  # its batch of one is no axis of an event
        (holding(base=normal(7)), (7,)),
        (holding(base=Normal(torch.zeros(7), torch.ones(7))), (7,)),
        (holding(input_size=torch.Size((3, 4, 5))), (3, 4, 5)),
        (holding(norm=nn.BatchNorm1d(10)), (10,)),
        (holding(scale=torch.ones(1, 13)), (13,)),
        (holding(weight=torch.ones(6, 6)), (6,)),
        (holding(bias=torch.ones(1, 3, 4, 5)), (3, 4, 5)),
        (holding(loc=torch.ones(1, 1, 1, 1)), (1, 4, 6)),
        (holding(shape=(1, 28, 28)), (1, 4, 6)),
        (closing_over(torch.ones(5)), (5,)),
        (holding(parts=[torch.ones(5)]), (5,)),
    ],
)
def test_the_best_founded_shape_comes_first(layer: Any, shape: tuple[int, ...]) -> None:
    assert first_guess(layer) == shape


@pytest.mark.parametrize(
    "layer",
    [
        holding(net=nn.Conv2d(3, 6, 3, padding=1)),
        holding(mask=torch.ones(1, 3, 1, 1)),
        holding(weight=torch.ones(3, 3, 1, 1)),
        holding(scale=torch.ones(1, 3, 1, 1)),
    ],
)
def test_images_have_a_height_and_a_width_that_differ(layer: nn.Module) -> None:
    channels, height, width = first_guess(layer)
    assert channels == 3
    assert height > 1
    assert width > 1
    assert len({channels, height, width}) == 3


def test_every_guess_says_what_it_rests_on() -> None:
    guesses = guess_shapes(holding(mask=torch.ones(7), features=7), None)
    assert "mask" in guesses[0].why
    assert all(guess.why for guess in guesses)
    shapes = [guess.shape for guess in guesses]
    assert len(set(shapes)) == len(shapes), "each shape is tried once"


@pytest.mark.parametrize("event_dim", [1, 2, 3])
def test_a_shape_has_at_least_the_axes_of_an_event(event_dim: int) -> None:
    assert all(len(g.shape) >= event_dim for g in guess_shapes(object(), event_dim))


def test_a_layer_that_says_nothing_gets_vectors_first_and_images_too() -> None:
    shapes = [guess.shape for guess in guess_shapes(object(), None)]
    assert len(shapes[0]) == 1
    images = [shape for shape in shapes if len(shape) == 3]
    first = images[0]
    assert first[1] != first[2]


# Other sizes


sizes = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)


@settings(max_examples=60, deadline=None)
@given(sizes, st.frozensets(st.integers(1, 9)))
@example((5, 2, 4, 7), frozenset({4, 5, 7}))  # no other size has as few dims
def test_sizes_that_the_layer_holds_are_not_varied(
    shape: tuple[int, ...], held: frozenset[int]
) -> None:
    others = resized(shape, held)
    for other in others:
        assert len(other) == len(shape)
        assert other != shape
        assert all(
            new == old
            for new, old in zip(other, shape, strict=True)
            if old in held and shape.count(old) == 1
        )
    assert len(set(others)) == len(others)
    if all(size in held and shape.count(size) == 1 for size in shape):
        assert others == ()
    else:
        assert others


@pytest.mark.parametrize("shape", [(4, 4, 6), (6, 4, 6), (8, 8), (4, 6, 6)])
def test_of_two_axes_of_a_size_that_it_holds_either_may_be_free(
    shape: tuple[int, ...],
) -> None:
    twins = {i for i, size in enumerate(shape) if shape.count(size) > 1}
    others = resized(shape, frozenset(shape))
    varied = [
        {i for i, (new, old) in enumerate(zip(other, shape, strict=True)) if new != old}
        for other in others
    ]
    assert all(len(axes) == 1 for axes in varied)
    assert set().union(*varied) == twins


def test_a_size_of_our_own_choice_is_free_even_where_the_layer_holds_it_too() -> None:
    guess = guess_shapes(holding(scale=torch.ones(4, 1, 1)), None)[0]
    assert guess.shape == (4, 4, 6)
    assert guess.free == {1, 2}
    others = resized(guess.shape, frozenset({4, 6}), guess.free)
    assert {other[0] for other in others} == {4}
    assert {other[1] for other in others} >= {2, 8}


def test_no_two_counts_of_an_image_coincide_at_every_size() -> None:
    # Where they do, a factor of 1/C, 1/H, 1/(C H), ... could be taken for another.
    shape = (2, 4, 6)
    probes = plan_probes(
        shape,
        resized(shape, frozenset()),
        Domain(kind="real"),
        Options(),
        has_parameters=True,
    )
    axes = [(probe.batch, *probe.shape) for probe in probes]
    counts = [
        tuple(math.prod(at[i] for i in chosen) for at in axes)
        for n in range(5)
        for chosen in combinations(range(4), n)
    ]
    assert len(set(counts)) == len(counts) == 16


@pytest.mark.parametrize(
    ("layer", "held"),
    [
        (Affine(5), {5}),
        (holding(blocks=nn.ParameterList([torch.ones(3, 6)])), {3, 6}),
        (holding(shape=(2, 7)), {2, 7}),
        (holding(size=9), {9}),
    ],
)
def test_what_a_layer_holds_as_a_size(layer: Any, held: set[int]) -> None:
    assert held <= sizes_held(layer)


def test_the_widths_of_torchs_networks_are_no_sizes() -> None:
    # The network raises at a size that it does not take.
    net = nn.Sequential(nn.Conv1d(2, 8, 3), nn.GroupNorm(4, 8), nn.Linear(8, 5))
    assert not {2, 4, 5, 8} & sizes_held(holding(net=net))


def test_flags_and_names_are_no_sizes() -> None:
    assert 1 not in sizes_held(holding(flag=True, name="7"))


# Whole checks


class ForImages(nn.Module):
    """An actnorm on images of three channels and any size."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-1, 1, 3).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Pair:
        height, width = x.shape[2:]
        ldj = (self.log_scale.sum() * height * width).expand(len(x))
        return x * self.log_scale.exp(), ldj


class Rows(nn.Module):
    """Permutes the rows of an image, which are three."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("order", torch.tensor([2, 0, 1]))

    def forward(self, x: Tensor) -> Pair:
        assert x.dim() == 4
        assert x.shape[2] == 3
        return x[:, :, self.order], torch.zeros(len(x))


class WithoutWidth(ForImages):
    """The same with one factor too few, which square images of one row would hide."""

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y, ldj / x.shape[3]


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    "layer", [Affine(7), Coupling(6), ForImages(), Curve(), Rows()]
)
def test_a_layer_is_checked_at_a_shape_that_nobody_said(layer: nn.Module) -> None:
    report = ldjcheck.check(layer)
    assert report.status == "pass"
    shape = report.checks[0].shape
    assert shape is not None
    assert str(shape) in report.result.inferred["shape"]
    assert len(report.checks[0].samples) not in shape


@pytest.mark.slow
def test_the_factor_that_one_row_would_hide_is_missed() -> None:
    assert ldjcheck.check(WithoutWidth()).status == "fail"


def test_a_shape_that_was_said_is_the_one_that_is_shown() -> None:
    report = ldjcheck.check(ForImages(), shape=(3, 2, 5))
    assert report.checks[0].shape == (3, 2, 5)
    assert report.result.inferred["shape"].endswith("as you said")


class RightAtFour(nn.Module):
    """Right for four dims, wrong for any other number: a constant for x.shape[1]."""

    def forward(self, x: Tensor) -> tuple[Tensor, float]:
        return 2.0 * x, 4 * math.log(2.0)


@pytest.mark.slow
def test_a_mistake_that_one_size_hides_is_found_at_another() -> None:
    assert ldjcheck.check(RightAtFour()).status == "fail"
    report = ldjcheck.check(RightAtFour(), shape=(4,))
    assert report.status == "pass"
    assert report.findings[0].name == "size-hard-coded"


class FixesItsSize(Affine):
    """Raises at every size but its own, as most layers do."""


def test_a_layer_that_fixes_its_size_is_checked_at_that_size_only() -> None:
    report = ldjcheck.check(FixesItsSize(4), shape=(4,))
    assert report.status == "pass"


class NormOfSequences(nn.Module):
    """What it learns has the axes of (B, C, L); the name of its size says vectors."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features
        self.log_scale = nn.Parameter(torch.zeros(1, num_features, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = self.log_scale.sum() * x.shape[2]
        return x * self.log_scale.exp(), ldj.expand(len(x))


def test_axes_of_what_is_learned_come_before_a_size_that_is_named() -> None:
    report = ldjcheck.check(NormOfSequences(4))
    assert report.status == "pass", report
    assert report.result.inferred["shape"].startswith("(4, 8): 'log_scale'")


def documented(text: str, **held: Any) -> nn.Module:
    """Return a layer whose class writes a shape in words."""
    layer = holding(**held)
    layer.__class__ = type("Documented", (type(layer),), {"__doc__": text})
    return layer


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (documented("Particles (B, N, 3), with their centre of mass."), (8, 3)),
        (documented("x: (batch, 3, d)"), (3, 8)),
        (documented("x: [N, C, H, W] in [0, 1)"), (2, 4, 6)),
        (documented("velocities (B, K)", K=7), (7,)),
        (documented("one (b, 2, 7, 5) of each"), (2, 7, 5)),
        (documented("(B, C, T)", net=nn.Conv1d(5, 5, 1)), (5, 8)),
        # What names no batch is a call, or a pair of results.
        (documented("Returns (z, ldj).", net=nn.Linear(9, 18)), (9,)),
    ],
)
def test_a_shape_that_a_docstring_writes_is_tried_first(
    layer: Any, shape: tuple[int, ...]
) -> None:
    assert first_guess(layer) == shape


def test_a_number_held_is_a_length_beside_the_rows_of_a_parameter() -> None:
    layer = holding(kernel=nn.Parameter(torch.randn(2, 5)), N=32)
    assert (2, 32) in {guess.shape for guess in guess_shapes(layer, None)}

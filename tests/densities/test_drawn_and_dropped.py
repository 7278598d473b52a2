"""How probable a draw is, by the operation that drew it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch.distributions import Exponential, Normal, Uniform

from ldjcheck.densities.drawn_and_dropped import Draws

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
    from torch.distributions import Distribution

MEAN, STD = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.5, 2.0, 1.0])


@pytest.mark.parametrize(
    ("draw", "law"),
    [
        (lambda: torch.randn(5, 3), Normal(0.0, 1.0)),
        (lambda: torch.randn_like(MEAN), Normal(0.0, 1.0)),
        (lambda: torch.normal(MEAN, STD), Normal(MEAN, STD)),
        (lambda: torch.normal(0.0, 3.0, (5, 3)), Normal(0.0, 3.0)),
        (lambda: torch.normal(mean=MEAN, std=2.0), Normal(MEAN, 2.0)),
        (lambda: torch.empty(5, 3).normal_(1.0, 2.0), Normal(1.0, 2.0)),
        (lambda: torch.empty(5, 3).normal_(std=2.0), Normal(0.0, 2.0)),
        (lambda: torch.rand(5, 3), Uniform(0.0, 1.0)),
        (lambda: torch.empty(5, 3).uniform_(-1.0, 3.0), Uniform(-1.0, 3.0)),
        (lambda: torch.empty(5, 3).exponential_(2.0), Exponential(2.0)),
        (lambda: Normal(MEAN, STD).sample((4,)), Normal(MEAN, STD)),
    ],
)
def test_a_draw_is_as_probable_as_its_distribution_says(
    draw: Callable[[], Tensor], law: Distribution
) -> None:
    with Draws() as draws:
        value = draw()
    (heard,) = draws.heard
    assert heard.value is value or torch.equal(heard.value, value)
    assert heard.log_density is not None
    assert torch.allclose(heard.log_density, law.log_prob(value).double(), atol=1e-5)


def test_of_what_is_drawn_otherwise_the_density_is_not_known() -> None:
    with Draws() as draws:
        torch.randint(0, 5, (3,))
        torch.bernoulli(torch.full((3,), 0.5))
        torch.distributions.Gamma(2.0, 1.0).sample((3,))
    assert [draw.log_density for draw in draws.heard] == [None] * 3

"""Where no shape works, what is raised says which sizes were wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.settling.guesses.stated_shapes import all_corrected, corrected

if TYPE_CHECKING:
    from small_layers import Pair


@pytest.mark.parametrize(
    ("shape", "said", "wanted"),
    [
        (
            (8, 4),
            "The size of tensor a (8) must match the size of tensor b (5)",
            (5, 4),
        ),
        ((2, 6), "mat1 and mat2 shapes cannot be multiplied (6x3 and 4x8)", (2, 8)),
        ((4, 6), "mat1 and mat2 shapes cannot be multiplied (3x24 and 48x8)", (4, 12)),
        ((3, 8), "expected input[3, 3, 8] to have 7 channels, but got 3", (7, 8)),
    ],
)
def test_an_axis_that_was_met_gets_the_size_that_is_told(
    shape: tuple[int, ...], said: str, wanted: tuple[int, ...]
) -> None:
    assert wanted in set(corrected(shape, said))


def test_what_tells_no_size_of_the_event_asks_for_nothing() -> None:
    said = "The size of tensor a (9) must match the size of tensor b (7)"
    assert not all_corrected([((4,), said), ((2, 6), "dimension out of range")], 40)


def test_no_shape_is_asked_for_that_has_failed() -> None:
    said = "The size of tensor a (8) must match the size of tensor b (4)"
    failed = [((8,), said), ((4,), "size of tensor a (4) must match that of b (5)")]
    asked = all_corrected(failed, 40)
    assert asked[5,] == (4,)
    assert (4,) not in asked


class OnGraph(nn.Module):
    """Half of the features of each of five nodes moves by what its neighbours hold."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4)

    def forward(self, h: Tensor, links: Tensor) -> Pair:
        a, b = h[..., :2], h[..., 2:]
        shift, raw = self.net(torch.bmm(links, a)).chunk(2, -1)
        s = self.bounded(raw)
        return torch.cat([a, b * s.exp() + shift], -1), s.flatten(1).sum(1)

    def bounded(self, raw: Tensor) -> Tensor:
        return torch.tanh(raw)


class OnGraphCrosswise(OnGraph):
    def forward(self, h: Tensor, links: Tensor) -> Pair:
        y, ldj = super().forward(h, links)
        return y, ldj / h.shape[1]


def on_five_nodes(step: nn.Module) -> object:
    links = torch.ones(5, 5).triu(1)
    return lambda h: step(h, links.to(h).expand(len(h), 5, 5))


@pytest.mark.slow
def test_nodes_that_only_a_closure_knows_are_found() -> None:
    report = ldjcheck.check(on_five_nodes(OnGraph()))
    assert (report.status, report.result.checks[0].shape) == ("pass", (5, 4))
    assert ldjcheck.check(on_five_nodes(OnGraphCrosswise())).status == "fail"

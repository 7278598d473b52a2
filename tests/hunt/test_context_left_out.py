"""A context that may be left out is given too, where the layer's facts say its size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Conditioned(nn.Module):
    """Scales by its own numbers, and by a context's where there is one."""

    def __init__(self, counts_context: bool) -> None:
        super().__init__()
        self.counts_context = counts_context
        self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5, 0.1]))
        self.net = nn.Linear(3, 4)

    def forward(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        s = self.log_scale + 0 * x
        if context is not None:
            s = s + torch.tanh(self.net(context))
        counted = s if self.counts_context else self.log_scale + 0 * x
        return x * s.exp(), counted.sum(1)


@pytest.mark.parametrize("right", [True, False])
def test_what_is_wrong_with_a_context_only_is_found(right: bool) -> None:
    report = ldjcheck.check(Conditioned(right), shape=(4,))
    assert report.status == ("pass" if right else "fail")
    assert "context=(3,)" in report.to_dict()["results"][0]["inferred"]["context"]


def test_one_that_is_embedded_is_left_out() -> None:
    class Labelled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(5, 4)

        def forward(
            self, x: Tensor, label: Tensor | None = None
        ) -> tuple[Tensor, Tensor]:
            s = 0.3 * torch.ones_like(x)
            if label is not None:
                s = s + self.embedding(label)
            return x * s.exp(), s.sum(1)

    report = ldjcheck.check(Labelled(), shape=(4,))
    assert report.status == "pass"

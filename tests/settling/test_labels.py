"""Class labels that are stated: whole numbers, from the first to the last that was said."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

CLASSES = 7


class Labelled(nn.Module):
    """Scales by what belongs to a class, and keeps which classes it has seen."""

    def __init__(self, share: float = 1.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(CLASSES, 4)
        self.share = share

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        assert y.dtype == torch.int64
        assert 2 <= int(y.min()) <= int(y.max()) < CLASSES
        log_scale = torch.tanh(self.embedding(y))
        return x * log_scale.exp(), self.share * log_scale.sum(1)


@pytest.mark.parametrize(("share", "status"), [(1.0, "pass"), (0.5, "fail")])
def test_labels_are_whole_numbers_of_the_range_that_is_said(
    share: float, status: str
) -> None:
    report = ldjcheck.check(Labelled(share), context={"y": "():int:2:6"})
    assert report.status == status, report


def test_what_is_needed_may_be_a_label() -> None:
    report = ldjcheck.check(Labelled(), context={"y": 3})
    assert report.status == "error"
    told = "If it is a class label, say its range: context={'y': '():int:0:9'}"
    assert told in report.findings[0].evidence


def test_what_is_given_is_asked_for_no_more_but_its_size_is() -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(3, 4)

        def forward(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
            log_scale = self.net(context)
            return x * log_scale.exp(), log_scale.sum(1)

    (finding,) = ldjcheck.check(Wide(), shape=4, context={"context": 5}).findings
    told = "context is given as (5,), without the batch: is that its size?"
    assert told in finding.evidence
    assert "also needs" not in str(finding)


def test_labels_that_were_made_up_are_said_to_be_beside_samples_that_were_not() -> None:
    class Any(Labelled):
        def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            log_scale = torch.tanh(self.embedding(y))
            return x * log_scale.exp(), log_scale.sum(1)

    x, y = torch.randn(5, 4), torch.arange(5)
    said = "  5 samples, as you gave them"
    told = f"\n{said}; y made up: a class label\n"
    assert told in str(ldjcheck.check(Any(), inputs={"x": x}))
    assert f"\n{said}\n" in str(ldjcheck.check(Any(), inputs={"x": x, "y": y}))

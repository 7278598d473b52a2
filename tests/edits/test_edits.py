"""Edits that a check calls verified are right by a Jacobian that ldjcheck has no part in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from edits.judge import places
from edits.offers import judged, subjects
from ldjcheck.records import Edit

if TYPE_CHECKING:
    from edits.offers import Subject

SUBJECTS = tuple(subjects())


@pytest.mark.thinned(288)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda each: each.name)
def test_a_verified_edit_is_right_at_all_sizes_ranks_and_numbers(
    subject: Subject,
) -> None:
    found = judged(subject)
    assert not found.wrong, (found.diff, found.wrong)


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = 2.0

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.scale * x, torch.zeros(len(x))


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("ldj", "where"),
    [
        ("torch.full((len(x),), self.scale).log() * x[0].numel()", ""),
        ("torch.full((len(x),), 2.0).log() * x[0].numel()", "scale = 0.8"),
        ("torch.full((len(x),), self.scale).log() * x.shape[1]", "(3, 4)"),
        ("torch.full((len(x),), self.scale).log() * 4", "(2,)"),
    ],
)
def test_what_holds_for_one_value_rank_or_size_is_seen(ldj: str, where: str) -> None:
    """The judge itself is judged, lest it call everything right."""
    line = Scaled.forward.__code__.co_firstlineno + 1
    before = "        return self.scale * x, torch.zeros(len(x))"
    edit = Edit(
        file=__file__, line=line, before=before,
        after=before.replace("torch.zeros(len(x))", ldj),
    )  # fmt: skip
    wrong = [place for place in places(Scaled, (edit,), {}) if not place.is_right]
    assert bool(wrong) == bool(where)
    assert not where or any(where in place.where for place in wrong)

"""What a function does the other way stands in a branch of its own, and is left alone."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class TwoSided(nn.Module):
    """Both halves are scaled, the second by what the first has become; one is counted."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.f, self.g = nn.Linear(2, 4), nn.Linear(2, 4)

    def forward(self, x: Tensor, reverse: bool = False) -> tuple[Tensor, Tensor]:
        x1, x2 = x.chunk(2, 1)
        if not reverse:
            s2, t2 = self.g(x2).chunk(2, 1)
            y1 = x1 * torch.exp(s2) + t2
            s1, t1 = self.f(y1).chunk(2, 1)
            y2 = x2 * torch.exp(s1) + t1
            ldj = s1.sum(1)
        else:
            s1, t1 = self.f(x1).chunk(2, 1)
            y2 = (x2 - t1) * torch.exp(-s1)
            s2, t2 = self.g(y2).chunk(2, 1)
            y1 = (x1 - t2) * torch.exp(-s2)
            ldj = -s1.sum(1) - s2.sum(1)
        return torch.cat([y1, y2], 1), ldj


class TwoSidedBackFirst(TwoSided):
    """The same, the way back written first."""

    def forward(self, x: Tensor, reverse: bool = False) -> tuple[Tensor, Tensor]:
        x1, x2 = x.chunk(2, 1)
        if reverse:
            s1, t1 = self.f(x1).chunk(2, 1)
            y2 = (x2 - t1) * torch.exp(-s1)
            s2, t2 = self.g(y2).chunk(2, 1)
            y1 = (x1 - t2) * torch.exp(-s2)
            ldj = -s1.sum(1) - s2.sum(1)
        else:
            s2, t2 = self.g(x2).chunk(2, 1)
            y1 = x1 * torch.exp(s2) + t2
            s1, t1 = self.f(y1).chunk(2, 1)
            y2 = x2 * torch.exp(s1) + t1
            ldj = s1.sum(1)
        return torch.cat([y1, y2], 1), ldj


class TwoSidedBack(TwoSided):
    """The way back is the wrong one."""

    def forward(self, x: Tensor, reverse: bool = False) -> tuple[Tensor, Tensor]:
        x1, x2 = x.chunk(2, 1)
        if reverse:
            s1, t1 = self.f(x1).chunk(2, 1)
            y2 = (x2 - t1) * torch.exp(-s1)
            s2, t2 = self.g(y2).chunk(2, 1)
            y1 = (x1 - t2) * torch.exp(-s2)
            ldj = -s2.sum(1)
        else:
            s2, t2 = self.g(x2).chunk(2, 1)
            y1 = x1 * torch.exp(s2) + t2
            s1, t1 = self.f(y1).chunk(2, 1)
            y2 = x2 * torch.exp(s1) + t1
            ldj = s1.sum(1) + s2.sum(1)
        return torch.cat([y1, y2], 1), ldj


LAYERS = [TwoSided, TwoSidedBackFirst, TwoSidedBack]


def branch_of(kind: type, *, back: bool) -> range:
    """Return the lines of one way's branch of the layer's function."""
    lines, first = inspect.getsourcelines(kind.forward)
    tree = ast.parse(textwrap.dedent("".join(lines)))
    (asked,) = (node for node in ast.walk(tree) if isinstance(node, ast.If))
    is_back = isinstance(asked.test, ast.Name)
    arm = asked.body if is_back == back else asked.orelse
    return range(arm[0].lineno + first - 1, (arm[-1].end_lineno or 0) + first)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("kind", LAYERS)
def test_the_line_that_is_blamed_is_one_that_the_wrong_way_runs(kind: type) -> None:
    (finding,) = ldjcheck.check(kind()).findings
    assert finding.direction == ("inverse" if kind is TwoSidedBack else "forward")
    assert finding.location is not None
    assert finding.location.line in branch_of(kind, back=finding.direction == "inverse")


@pytest.mark.thinned(3)
@pytest.mark.parametrize("kind", LAYERS)
def test_a_fix_leaves_the_other_way_as_it_is(kind: type) -> None:
    (finding,) = ldjcheck.check(kind()).findings
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
    other = branch_of(kind, back=finding.direction != "inverse")
    assert not any(edit.line in other for edit in finding.fix.edits)

"""Of a way back that does not undo the map, the step is named, with the lines of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from derivation.right_inverses import Coupling
from derivation.wrong_inverses import outcome_of, planted

if TYPE_CHECKING:
    from pathlib import Path


class ShiftedTwice(Coupling):
    """The way back adds where it should take off."""

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        a, b = y.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        b = b + t
        b = b * torch.exp(-s)
        return torch.cat([a, b], 1), -s.sum(1)


class Leaking(nn.Module):
    """The half that is shifted conditions its own shift."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        b = b + self.net(b)
        return torch.cat([a, b], 1), torch.zeros(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        a, b = y.chunk(2, 1)
        b = b - self.net(b)
        return torch.cat([a, b], 1), torch.zeros(len(y))


def evidence_of(layer: nn.Module) -> tuple[str, int | None]:
    torch.manual_seed(0)
    findings = ldjcheck.check(layer, shape=(4,)).findings
    finding = next(f for f in findings if f.code == "LDJ301")
    line = None if finding.location is None else finding.location.line
    return "\n".join(finding.evidence), line


def test_the_step_that_is_not_undone_is_named_with_both_lines() -> None:
    told, line = evidence_of(ShiftedTwice())
    first = ShiftedTwice.inverse.__code__.co_firstlineno
    shift = Coupling.forward.__code__.co_firstlineno + 4
    assert line == first + 3
    assert f"line {line} does not undo line {shift}" in told


class NotShiftedBack(Coupling):
    """The way back leaves the shift out."""

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        a, b = y.chunk(2, 1)
        s, _ = self.net(a).chunk(2, 1)
        b = b * torch.exp(-s)
        return torch.cat([a, b], 1), -s.sum(1)


def test_a_step_that_nothing_undoes_is_named() -> None:
    told, _ = evidence_of(NotShiftedBack())
    shift = Coupling.forward.__code__.co_firstlineno + 4
    assert f"nothing undoes line {shift}" in told


class NoLdjBack(Coupling):
    """The way back reports no ldj, and adds where it should take off."""

    def inverse(self, y: Tensor) -> Tensor:  # type: ignore[override]  # x alone
        a, b = y.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        b = (b + t) * torch.exp(-s)
        return torch.cat([a, b], 1)


@pytest.mark.slow
def test_a_way_back_without_an_ldj_has_its_step_named_and_mended() -> None:
    torch.manual_seed(0)
    findings = ldjcheck.check(NoLdjBack(), shape=(4,)).findings
    finding = next(f for f in findings if f.code == "LDJ301")
    assert "does not undo" in " ".join(finding.evidence)
    assert finding.fix is not None
    (edit,) = finding.fix.edits
    assert edit.after.strip() == "b = (b - t) * torch.exp(-s)"


@pytest.mark.slow
def test_a_coupling_that_leaks_is_told_as_that() -> None:
    told, _ = evidence_of(Leaking())
    assert "it follows from the network" in told
    assert "has another output on the way back than on the way there" in told
    assert "does not undo" not in told


@pytest.mark.slow
def test_of_planted_wrong_inverses_most_are_named_and_mended(tmp_path: Path) -> None:
    cases = enumerate(planted())
    found = [outcome_of(case, tmp_path, number) for number, case in cases]
    asked = [each for each in found if each is not None]
    assert len(asked) >= 60
    assert sum(each.named for each in asked) >= 0.9 * len(asked)
    assert sum(each.mended for each in asked) >= 0.7 * len(asked)

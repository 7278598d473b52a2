"""A total that only its name calls a log-density: raised or reduced by the ldj."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Scale(nn.Module):
    """Scales, and changes what came in by so many times its ldj."""

    def __init__(self, times: float) -> None:
        super().__init__()
        self.times = times
        self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))

    def forward(
        self, z: Tensor, logp: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        sign = -1 if reverse else 1
        change = self.times * sign * self.log_scale.sum()
        return z * (sign * self.log_scale).exp(), logp + change


def test_one_that_reduces_it_passes() -> None:
    assert ldjcheck.check(Scale(-1.0)).status == "pass"


def test_one_that_adds_to_it_is_told_both_ways() -> None:
    report = ldjcheck.check(Scale(1.0))
    assert report.status == "unproven"
    assert report.findings[0].code == "LDJ405"
    assert report.findings[0].evidence == (
        "fail as a log-density, which is reduced by the ldj:",
        "  convention='accumulator'",
        "pass as a total, which the ldj is added to:",
        "  convention='f(z, ldj, reverse) -> z, ldj'",
    )
    readings = report.to_dict()["results"][0]["readings"]
    assert [read["status"] for read in readings] == ["fail", "pass"]
    assert all("named" in [a["basis"] for a in r["assumptions"]] for r in readings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("convention", "status"),
    [("accumulator", "fail"), ("f(z, ldj, reverse) -> z, ldj", "pass")],
)
def test_what_is_typed_settles_it(convention: str, status: str) -> None:
    assert ldjcheck.check(Scale(1.0), convention=convention).status == status


@pytest.mark.slow
def test_one_that_is_wrong_in_each_reading_fails() -> None:
    report = ldjcheck.check(Scale(0.5))
    assert report.status == "fail"
    assert "LDJ405" not in [finding.code for finding in report.findings]


@pytest.mark.slow
@pytest.mark.parametrize(("times", "sign"), [(0.5, 1.0), (-0.5, -1.0)])
def test_of_two_wrong_readings_the_much_nearer_is_told(
    times: float, sign: float
) -> None:
    finding = ldjcheck.check(Scale(times)).findings[0]
    assert finding.code == "LDJ114"
    assert finding.fix is not None
    written = finding.fix.applicability == "verified"
    assert written == (sign < 0), "what the name does not say is not written unasked"

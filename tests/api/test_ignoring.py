"""What is ignored does not count, and does not vanish either."""

from __future__ import annotations

import math

import pytest
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]
SHAPE = (4,)


class Double(nn.Module):
    """Right, but for the counts that are given."""

    def __init__(self, forward: int = 4, inverse: int = 4) -> None:
        super().__init__()
        self.counts = forward, inverse

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        if reverse:
            return z / 2, ldj - math.log(2) * self.counts[1]
        return 2 * z, ldj + math.log(2) * self.counts[0]


class Identity(nn.Module):
    def forward(self, z: Tensor, ldj: Tensor) -> Pair:
        return z, ldj


def mistake(layer: nn.Module) -> str:
    return ldjcheck.check(layer, shape=SHAPE).findings[0].code


@pytest.mark.slow
def test_an_ignored_mistake_leaves_findings_and_status_but_not_the_check() -> None:
    layer = Double(forward=1)
    code = mistake(layer)
    report = ldjcheck.check(layer, shape=SHAPE, ignore={code: "known since May"})
    assert report.status == "pass"
    assert report.findings == ()
    assert report.checks[0].status == "fail"
    assert [(i.code, i.direction, i.reason) for i in report.result.ignored] == [
        (code, "forward", "known since May")
    ]
    assert report.to_dict()["results"][0]["ignored"][0]["reason"] == "known since May"
    text = str(report)
    assert "PASS  inverse only  at (4,) alone  1 ignored" in text
    assert f"  1 finding ignored: {code} (known since May)" in text
    assert "  forward, sample 0 of 3: difference " in text  # what disagrees
    assert "No mistakes that count in 1 layer, 1 finding ignored" in text


@pytest.mark.slow
def test_another_mistake_counts_all_the_same() -> None:
    layer = Double(forward=-4, inverse=1)
    codes = {f.code for f in ldjcheck.check(layer, shape=SHAPE).findings}
    one, other = sorted(codes)
    report = ldjcheck.check(layer, shape=SHAPE, ignore=[one])
    assert report.status == "fail"
    assert {f.code for f in report.findings} == {other}


def test_what_proves_nothing_can_be_let_pass() -> None:
    assert ldjcheck.check(Identity(), shape=SHAPE).status == "unproven"
    report = ldjcheck.check(Identity(), shape=SHAPE, ignore=["vacuous-check"])
    assert report.status == "pass"
    assert report.checks[0].status == "unproven"


def test_what_is_not_selected_does_not_count_and_is_told() -> None:
    report = ldjcheck.check(Double(forward=1), shape=SHAPE, select=["LDJ2"])
    assert report.findings == ()
    assert [i.reason for i in report.result.ignored] == ["not selected"]


@pytest.mark.slow
def test_a_selected_mistake_counts() -> None:
    code = mistake(Double(forward=-4))
    report = ldjcheck.check(Double(forward=-4), shape=SHAPE, select=["LDJ1"])
    assert [f.code for f in report.findings] == [code]


def test_an_excuse_that_hides_nothing_is_stale() -> None:
    report = ldjcheck.check(Double(), shape=SHAPE, ignore={"sign-flipped": "old"})
    assert [(f.code, f.severity, f.message) for f in report.findings] == [
        ("LDJ490", "warning", "LDJ104 sign-flipped is ignored, and does not occur.")
    ]
    assert report.status == "pass"
    strict = ldjcheck.check(Double(), shape=SHAPE, ignore=["LDJ104"], strict=True)
    assert strict.status == "fail"


@pytest.mark.parametrize("ignore", [["LDJ104", "LDJ490"], ["LDJ1"]])
def test_an_excuse_is_not_stale_where_that_is_not_asked(ignore: list[str]) -> None:
    found = ldjcheck.check(Double(), shape=SHAPE, ignore=ignore).findings
    assert "LDJ490" not in {f.code for f in found if "LDJ490" not in f.message}


def test_one_direction_alone_makes_no_excuse_stale() -> None:
    report = ldjcheck.check(
        Double(inverse=1), shape=SHAPE, ignore=["LDJ104"], direction="forward"
    )
    assert "LDJ490" not in {f.code for f in report.findings}


def test_that_nothing_was_checked_cannot_be_ignored() -> None:
    with pytest.raises(ValueError, match="LDJ004 says that nothing was checked"):
        ldjcheck.check(Double(), ignore=["LDJ004"])
    with pytest.raises(ValueError, match="did you mean sign-flipped"):
        ldjcheck.check(Double(), ignore=["sing-flipped"])

"""Each mistake gets its own name and line; its sound twin and its neighbour get none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import ldjcheck
from ldjcheck.mistakes import RULES, Rule
from mistakes.diagnosis.mistakes import MISTAKES
from mistakes.diagnosis.neighbours import NEIGHBOURS, lines
from mistakes.diagnosis.written import Written, build

if TYPE_CHECKING:
    from pathlib import Path


def check(layer: Any, written: Written) -> ldjcheck.Report:
    return ldjcheck.check(
        layer,
        shape=written.shape,
        direction=written.direction,
        domain=written.domain,
    )


def of_the_value(rule: Rule) -> bool:
    """Return whether a rule names a mistake of numbers that are always wrong."""
    unnamed = "LDJ199"  # where none is known
    return rule.topic == "value" and rule.severity == "error" and rule.code != unnamed


@pytest.mark.thinned(60)
@pytest.mark.parametrize("written", MISTAKES, ids=lambda w: f"{w.code} {w.title}")
def test_a_mistake_is_named_on_its_line_and_its_twin_passes(
    written: Written, tmp_path: Path
) -> None:
    report = check(written.wrong(tmp_path), written)
    assert report.status == "fail"
    first = report.findings[0]
    assert (first.code, first.direction) == (written.code, "forward"), report
    assert first.location is not None
    assert first.location.text == written.blamed
    assert first.message
    if written.names is not None:
        assert written.names in first.message
    twin = check(written.right(tmp_path), written)
    assert twin.status == "pass", twin


def test_every_value_rule_is_met_in_two_conventions() -> None:
    conventions: dict[str, set[str]] = {}
    for written in MISTAKES:
        conventions.setdefault(written.code, set()).add(written.title.split(",")[0])
    assert set(conventions) == {rule.code for rule in RULES if of_the_value(rule)}
    assert {code for code, seen in conventions.items() if len(seen) < 2} == set()


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("shape", "body"),
    [pytest.param(n[2], n[3], id=f"{n[0]} {n[1]}") for n in NEIGHBOURS],
)
def test_the_nearest_innocent_neighbour_passes(
    shape: tuple[int, ...], body: str, tmp_path: Path
) -> None:
    report = ldjcheck.check(build(lines(body), tmp_path), shape=shape)
    assert report.status == "pass", report
    assert not [f for f in report.findings if f.severity == "error"]


@pytest.mark.thinned(2)
@pytest.mark.parametrize("log", ["torch.log(self.scale)", "self.scale.log()"])
def test_a_missing_abs_is_seen_at_ordinary_initial_values(
    log: str, tmp_path: Path
) -> None:
    text = f"""
class Layer(nn.Module):
    def __init__(self, dims=4):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dims))

    def forward(self, z, ldj, reverse=False):
        return z * self.scale, ldj + {log}.sum()
"""
    layer = build(text.splitlines(), tmp_path)
    report = ldjcheck.check(layer, shape=(4,), direction="forward")
    assert [f.code for f in report.findings] == ["LDJ109"]

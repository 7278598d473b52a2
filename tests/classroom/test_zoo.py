"""Every layer of the zoo is judged as it is known to be: the confusion is diagonal."""

from __future__ import annotations

import inspect
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ldjcheck.classroom.zoo import ANIMALS, FAMILIES, right_ones, wrong_ones
from ldjcheck.mistakes import RULES

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))

from zoo_figures import (  # it stands beside the page
    counts,
    figures,
    judge,
    picture,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldjcheck.classroom.zoo import Animal
    from ldjcheck.report import Report

BY_NAME = {"ids": lambda animal: f"{animal.code or 'right'}-{animal.name}"}


def cross_section() -> tuple[list[Animal], list[Animal]]:
    """Return one wrong layer of each rule, and one right layer of each family.

    Which wrong one it is goes through the families in turn.
    """
    by_code: defaultdict[str, list[Animal]] = defaultdict(list)
    for animal in wrong_ones():
        by_code[str(animal.code)].append(animal)
    chosen = [kin[n % len(kin)] for n, kin in enumerate(by_code.values())]
    return chosen, [next(a for a in kin if a.code is None) for kin in FAMILIES]


SOME_WRONG, SOME_RIGHT = cross_section()


def rest(of: Sequence[Animal], without: Sequence[Animal]) -> list[Animal]:
    return [animal for animal in of if animal not in without]


def assert_fits_a_screen(report: Report) -> None:
    """What a reader sees unasked: 8 lines for a pass, 30 for anything else."""
    screen, full = str(report).splitlines(), report.details.splitlines()
    assert len(screen) <= (8 if report.status == "pass" else 30), str(report)
    assert max(map(len, screen)) <= 80
    assert max(map(len, full)) <= 80
    assert len(full) >= len(screen)


def assert_named(animal: Animal) -> None:
    verdict = judge(animal)
    assert_fits_a_screen(verdict.report)
    assert verdict.detected, verdict
    if animal.yet is not None:
        assert (verdict.first, verdict.named) == (animal.yet, False), "named by now?"
    else:
        assert verdict.named, verdict


@pytest.mark.slow
@pytest.mark.parametrize("animal", SOME_WRONG, **BY_NAME)
def test_a_mistake_of_each_kind_is_named(animal: Animal) -> None:
    assert_named(animal)


@pytest.mark.thinned(5)
@pytest.mark.parametrize("animal", SOME_RIGHT, **BY_NAME)
def test_a_right_layer_of_each_family_passes(animal: Animal) -> None:
    verdict = judge(animal)
    assert not verdict.false_alarm, verdict
    assert_fits_a_screen(verdict.report)


@pytest.mark.slow
@pytest.mark.parametrize("animal", rest(wrong_ones(), SOME_WRONG), **BY_NAME)
def test_every_mistake_is_named(animal: Animal) -> None:
    assert_named(animal)


@pytest.mark.slow
@pytest.mark.parametrize("animal", rest(right_ones(), SOME_RIGHT), **BY_NAME)
def test_every_right_layer_passes(animal: Animal) -> None:
    verdict = judge(animal)
    assert not verdict.false_alarm, verdict
    assert_fits_a_screen(verdict.report)


@pytest.mark.thinned(4)
@pytest.mark.parametrize("animal", ANIMALS, **BY_NAME)
def test_every_layer_says_in_a_line_what_it_is(animal: Animal) -> None:
    assert animal.what.endswith(".")
    assert len(animal.what) <= 80
    assert animal.family
    assert inspect.getsource(type(animal.layer())) in animal.file()


def test_no_two_layers_have_one_name() -> None:
    kept = [a.name for a in ANIMALS if not a.options]
    assert len(kept) == len(set(kept))


def test_the_twin_of_a_mistake_is_a_right_layer_of_the_zoo() -> None:
    right = right_ones()
    assert not [a.name for a in ANIMALS if a.code is not None and a.twin not in right]


def test_the_zoo_is_large_enough_and_called_in_many_ways() -> None:
    assert len(wrong_ones()) >= 150
    assert len(right_ones()) >= 100
    kinds = {animal.family for animal in ANIMALS}
    assert {"freia", "manners", "elementwise", "masked coupling", "kinks"} <= kinds


def test_every_rule_that_a_layer_can_break_has_its_layers() -> None:
    """The layers of its page will do, which the tests of pages run, the wrong and right."""
    no_mistakes = {"LDJ405", "LDJ490"}  # of names, and of settings
    breakable = {r.code for r in RULES if not r.code.startswith("LDJ0")}
    shown = {rule.code for rule in RULES if rule.page.layers}
    broken = {code for a in wrong_ones() for code in (a.code, *a.beside)}
    assert breakable - broken - shown == no_mistakes
    assert breakable - {a.near for a in right_ones()} - shown == no_mistakes


def test_few_mistakes_have_another_name_yet() -> None:
    open_ones = [animal for animal in wrong_ones() if animal.yet is not None]
    assert len(open_ones) <= 0.05 * len(wrong_ones())


@pytest.mark.slow
def test_the_figures_count_what_was_judged() -> None:
    verdicts = [judge(animal) for animal in (SOME_WRONG[0], SOME_RIGHT[0])]
    assert figures(verdicts).splitlines() == [
        "1 wrong layers, 1 right ones",
        "detected      1 of 1  100.0 %",
        "first name    1 of 1  100.0 %",
        "false alarms  0 of 1",
    ]
    worse = [replace(v, named=False, detected=False) for v in verdicts]
    assert "detected      0 of 1  0.0 %" in figures(worse)
    assert counts(verdicts)["right", "pass"] == 1
    code = str(SOME_WRONG[0].code)
    assert code in table(verdicts)
    assert picture(verdicts).count("<rect") == 1 + 2 * 2

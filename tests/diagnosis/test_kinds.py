"""The table of kinds: one order, from the likeliest slip to the most far-fetched."""

from __future__ import annotations

import itertools
from collections import defaultdict

from ldjcheck.mistakes.engine import kinds
from ldjcheck.mistakes.engine.kinds import Kind

TABLE = [row for row in vars(kinds).values() if isinstance(row, Kind)]


def test_the_rows_stand_in_the_order_of_their_costs() -> None:
    for before, after in itertools.pairwise(TABLE):
        assert before.cost <= after.cost, (before, after)
    assert TABLE[-1].cost < kinds.HOPELESS


def test_rows_of_one_name_differ_in_their_cost_or_family_alone() -> None:
    flags = defaultdict(set)
    for row in TABLE:
        flags[row.name].add((row.lacking, row.counting, row.regional))
    assert {name for name, found in flags.items() if len(found) > 1} == set()


def test_an_explanation_is_of_the_kind_that_made_it_and_of_its_family() -> None:
    found = kinds.REMOVE_ABS.explanation(operand="s.log()", more=0.5)
    assert (found.kind, found.operand) == ("remove-abs", "s.log()")
    assert found.cost == kinds.REMOVE_ABS.cost + 0.5
    assert [row for row in TABLE if row.holds(found)] == [kinds.REMOVE_ABS]

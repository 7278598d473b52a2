"""The table of kinds: one order, from the likeliest slip to the most far-fetched."""

from __future__ import annotations

import itertools
from collections import defaultdict

from ldjcheck.mistakes import RULES
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


def test_every_kind_is_claimed_by_a_mistake_and_declared_once() -> None:
    claimed = [claim.kind for rule in RULES for claim in rule.claims]
    assert {row.name for row in TABLE} - {kind.name for kind in claimed} == {
        kinds.UNEXPLAINED.name
    }
    table = {row.name for row in TABLE}
    own = {kind for kind in claimed if kind not in TABLE}
    assert len(own) == len({kind.name for kind in own})
    assert not table & {kind.name for kind in own}

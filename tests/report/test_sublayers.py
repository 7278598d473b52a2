"""The ledger by sublayer: where there is no room for all, wrong ones are not left out."""

from __future__ import annotations

from typing import Any

import pytest

from ldjcheck.records.result import SublayerLine
from ldjcheck.report.blocks.ledger import by_sublayer
from ldjcheck.report.style import Style

STYLE = Style(color=False, verbosity=0)


def lines(count: int, *wrong: int) -> list[SublayerLine]:
    made: dict[str, Any] = {"direction": "forward", "type": "Coupling", "exact": 1.0}
    return [
        SublayerLine(
            sublayer=f"layers[{i}]",
            reported=-1.0 if i in wrong else 1.0,
            is_wrong=i in wrong,
            **made,
        )
        for i in range(count)
    ]


@pytest.mark.parametrize(("count", "wrong"), [(9, 7), (30, 0), (30, 29), (30, 16)])
@pytest.mark.parametrize("rows", [4, 8])
def test_the_wrong_one_is_shown_with_its_neighbours(
    count: int, wrong: int, rows: int
) -> None:
    shown = by_sublayer(lines(count, wrong), STYLE, rows)
    assert len(shown) == rows
    assert sum(row.startswith("    > layers") for row in shown) == 1
    assert f"> layers[{wrong}]" in "\n".join(shown)
    assert (
        shown[-1]
        == f"    ... {count - rows + 3} more sublayers in order (-v shows all)"
    )


def test_it_is_said_how_many_wrong_ones_have_no_room() -> None:
    shown = by_sublayer(lines(6, 1, 2, 4), STYLE, 5)
    assert [row.split()[-2:] for row in shown[2:-1]] == [["33", "%"], ["33", "%"]]
    assert shown[-1] == "    ... 4 more sublayers, 1 of them wrong (-v shows all)"


def test_all_are_shown_where_there_is_room() -> None:
    assert len(by_sublayer(lines(6, 2), STYLE, 8)) == 8

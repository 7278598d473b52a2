"""The matrix of a selftest: each planted mistake, whether it was caught, and as what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.report.layout import columns, one_line, shorten, shorten_middle, wrap

if TYPE_CHECKING:
    from ldjcheck.classroom.selftest import Planted, Selftest

_WIDTH = 80
_TEXT = 22


def draw(tests: list[Selftest]) -> str:
    """Return the matrices of all layers, and what they come to."""
    blocks = [_matrix(test) for test in tests]
    planted = sum(len(test.planted) for test in tests)
    caught = sum(test.caught for test in tests)
    if planted:
        what = "mistake" if planted == 1 else "mistakes"
        text = (
            f"{caught} of {planted} planted {what} would have been caught at these "
            "shapes."
        )
        blocks.append(text)
    return "\n\n".join(blocks)


def _matrix(test: Selftest) -> str:
    right = f"{test.caught} of {len(test.planted)} caught" if test.planted else "-"
    at = f", shape {test.shape}" if test.shape else ""
    room = _WIDTH - len(right) - 2
    left = shorten_middle(one_line(f"{test.layer}{at}"), room)
    title = left + right.rjust(_WIDTH - len(left))
    if test.why is not None:
        return "\n".join([title, *wrap(f"nothing planted: {test.why}", _WIDTH, "  ")])
    rows: list[tuple[str, ...]] = [
        ("line", "planted", "as", "caught", "named", "points at")
    ]
    rows += [_row(each) for each in test.planted]
    lines = columns(rows)
    return "\n".join([title, *(shorten(f"  {line}", _WIDTH) for line in lines)])


def _row(each: Planted) -> tuple[str, ...]:
    slip = each.slip
    if each.line is None:
        place = "-"
    else:
        place = "that line" if each.line == slip.line else f"line {each.line}"
    return (
        str(slip.line),
        slip.what,
        shorten(one_line(slip.text), _TEXT),
        "remark" if each.is_remark else "yes" if each.caught else "NO",
        each.code or "-",
        place,
    )

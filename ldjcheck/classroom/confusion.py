"""The confusion of the zoo: what each layer is, against what it is called first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ldjcheck.mistakes import rule_for

if TYPE_CHECKING:
    from ldjcheck.classroom.judging import Verdict

RIGHT = "right"
PASS = "pass"
_CELL = 16  # pixels of the picture
_LEFT, _TOP = 62, 62


def called(verdict: Verdict) -> str:
    """Return the name that a layer got: the expected code where it counts as named."""
    if verdict.named:
        return str(verdict.animal.code)
    if verdict.animal.code is None:
        return (verdict.first or PASS) if verdict.false_alarm else PASS
    return verdict.first or PASS


def counts(verdicts: Sequence[Verdict]) -> Counter[tuple[str, str]]:
    """Return how many layers are this, and are called that."""
    return Counter((v.animal.code or RIGHT, called(v)) for v in verdicts)


def figures(verdicts: Sequence[Verdict]) -> str:
    """Return the three figures: detection, first names, false alarms."""
    wrong = [v for v in verdicts if v.animal.code is not None]
    right = [v for v in verdicts if v.animal.code is None]
    detected, named = sum(v.detected for v in wrong), sum(v.named for v in wrong)
    alarms = sum(v.false_alarm for v in right)
    return "\n".join(
        [
            f"{len(wrong)} wrong layers, {len(right)} right ones",
            f"detected      {detected} of {len(wrong)}  {_percent(detected, wrong)}",
            f"first name    {named} of {len(wrong)}  {_percent(named, wrong)}",
            f"false alarms  {alarms} of {len(right)}",
        ]
    )


def _percent(count: int, of: Sequence[object]) -> str:
    return f"{100 * count / max(1, len(of)):.1f} %"


def table(verdicts: Sequence[Verdict]) -> str:
    """Return a line for each mistake: how many layers, and what they are called."""
    found = counts(verdicts)
    lines = [f"{'what it is':34}{'layers':>6}{'named':>7}  called otherwise"]
    for code in sorted({expected for expected, _ in found}):
        row = {given: n for (expected, given), n in found.items() if expected == code}
        own = row.pop(PASS if code == RIGHT else code, 0)
        rule = rule_for(code)
        name = "no mistake" if rule is None else f"{code} {rule.name}"
        others = ", ".join(f"{given} ({n})" for given, n in sorted(row.items()))
        lines.append(f"{name:34}{own + sum(row.values()):6}{own:7}  {others}".rstrip())
    return "\n".join(lines)


def picture(verdicts: Sequence[Verdict]) -> str:
    """Return the matrix as SVG: a row for what a layer is, a column for its name."""
    found = counts(verdicts)
    most = max(found.values())
    rows = sorted({expected for expected, _ in found})
    columns = sorted({given for _, given in found}, key=lambda c: (c == PASS, c))
    width = _LEFT + _CELL * len(columns) + 8
    height = _TOP + _CELL * len(rows) + 8
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="monospace" font-size="10">',
        "<title>What a layer is (rows), and what it is called (columns)</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for x, name in enumerate(columns):
        at = _LEFT + _CELL * x + 11
        drawn.append(
            f'<text transform="translate({at},{_TOP - 6}) rotate(-90)">{name}</text>'
        )
    for y, code in enumerate(rows):
        drawn.append(f'<text x="4" y="{_TOP + _CELL * y + 12}">{code}</text>')
        for x, given in enumerate(columns):
            number = found.get((code, given), 0)
            same = given == (PASS if code == RIGHT else code)
            drawn.append(_cell(x, y, number, number / most, same))
    return "\n".join([*drawn, "</svg>"]) + "\n"


def _cell(x: int, y: int, number: int, part: float, same: bool) -> str:
    left, top = _LEFT + _CELL * x, _TOP + _CELL * y
    color = "#2a7f62" if same else "#c0392b"
    depth = 0.25 + 0.75 * part if number else 0.0
    square = (
        f'<rect x="{left}" y="{top}" width="{_CELL - 1}" height="{_CELL - 1}" '
        f'fill="{color}" fill-opacity="{depth:.2f}" stroke="#ddd"/>'
    )
    text = f'<text x="{left + 2}" y="{top + 12}">{number}</text>' if number else ""
    return square + text

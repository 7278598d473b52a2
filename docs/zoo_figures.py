"""Judge the whole zoo, and write the figures, the table and the picture of the docs.

Run from the repository root: `python docs/zoo_figures.py`. It takes a few minutes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ldjcheck.classroom.judging import examine
from ldjcheck.classroom.zoo import Animal, right_ones, wrong_ones
from ldjcheck.mistakes import rule_for
from ldjcheck.records import Status
from ldjcheck.report import Report

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one layer of the zoo was judged.

    `detected`: a wrong layer got a finding that no right one gets. `named`: its first
    finding is the expected one, or a tie that admits it, in the right direction, and what
    must stand beside it does.
    `false_alarm`: a right layer got anything but a pass and the notes that it admits.
    """

    animal: Animal
    report: Report
    status: Status
    first: str | None  # the code of the first finding
    others: tuple[str, ...]
    detected: bool
    named: bool
    false_alarm: bool


def _named(code: str | None) -> str | None:
    rule = rule_for(code or "")
    return None if rule is None else rule.name


def judge(animal: Animal) -> Verdict:
    """Return how a layer of the zoo fares."""
    report = examine(animal)
    findings = report.findings
    first = findings[0] if findings else None
    codes = tuple(finding.code for finding in findings)
    is_right = animal.code is None
    unexpected = [code for code in codes if code not in animal.admits]
    named = first is not None and not is_right and (
        first.code == animal.code
        or (first.code in animal.ties and _named(animal.code) in first.also_fits)
    )  # fmt: skip
    if animal.direction is not None and first is not None:
        named = named and first.direction in (animal.direction, None)
    named = named and set(animal.beside) <= set(codes)
    return Verdict(
        animal=animal,
        report=report,
        status=report.status,
        first=None if first is None else first.code,
        others=codes[1:],
        detected=not is_right and (report.status != "pass" or animal.code in codes),
        named=named,
        false_alarm=is_right and (report.status != "pass" or bool(unexpected)),
    )


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


def main() -> None:
    """Judge every layer once; print the figures, and the names that are not right yet."""
    verdicts = [judge(animal) for animal in (*wrong_ones(), *right_ones())]
    text = f"{figures(verdicts)}\n\n{table(verdicts)}\n"
    (HERE / "zoo-figures.txt").write_text(text, encoding="utf-8")
    (HERE / "zoo-confusion.svg").write_text(picture(verdicts), encoding="utf-8")
    print(text)
    for v in verdicts:
        if v.false_alarm or (v.animal.code is not None and not v.named):
            print(f"{v.animal.name}: {v.animal.code or 'right'}, called {v.first}")


if __name__ == "__main__":
    main()

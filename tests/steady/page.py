"""Tables of what was measured, for the terminal and for `docs/steady.md`."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from tabulate import tabulate

Row = dict[str, Any]

STATUSES = ("pass", "unproven", "fail", "error")
HEAD = """# One verdict, however it is built

The zoo, [the layers of eight libraries](field.md), and forty whole flows of those
libraries, each built under seeds of torch and checked under another seed each. Of every
whole flow there is a twin with one layer of ours between the library's own, in which one
line is wrong. `{command}` printed this page.

A right one should pass, a wrong one never; `same name` is the name of the mistake, and
`same line` the line that was planted, or, where none was, the one that most builds get.
`late` is what two minutes did not allow.

{tables}
"""


def page_of(rows: list[Row], command: str) -> str:
    """Return the page about these rows."""
    return HEAD.format(command=command, tables=summary(rows, "github"))


def summary(rows: list[Row], style: str = "simple") -> str:
    """Return all tables, under a line each that says what they are."""
    wrong = [row for row in rows if _is_wrong(row)]
    parts = [
        "## What is right",
        _counts([row for row in rows if not _is_wrong(row)], style),
        "## What is wrong",
        _wrong(wrong, style),
        "## What is not as it should be, one by one",
        _list([row for row in rows if problems(row)], style),
        "## Two statuses in one layer",
        _two_statuses(rows, style),
    ]
    return "\n\n".join(part for part in parts if part)


def _is_wrong(row: Row) -> bool:
    return row["code"] not in (None, "unproven")


ELSEWHERE = "another line"


def problems(row: Row) -> str:
    """Return what is not as it should be about one build, in a few words."""
    found = []
    if row["late"]:
        found.append("time ran out")
    if not row["right"]:
        found.append("passes" if _is_wrong(row) else row["status"])
    elif _is_wrong(row) and not row["named"]:
        found.append(f"not {row['code']}")
    elif _is_wrong(row) and row["there"] is False:
        found.append(ELSEWHERE)
    return ", ".join(found)


def told(row: Row) -> str:
    """Return one line about a build."""
    numbers = ""
    if row["worst"] is not None:
        numbers = f" worst {row['worst']:.3g}, allowed {row['allowed']:.3g};"
    codes = " ".join(row["codes"])
    return (
        f"{row['id']}, seed {row['seed']}: {problems(row) or 'as it should be'}: "
        f"{row['status']} {codes};{numbers} {row['seconds']:.1f} s; {row['message']}"
    )


def _by(rows: list[Row], key: str) -> dict[str, list[Row]]:
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return {**groups, "all": rows} if key == "group" else dict(groups)


def _counts(rows: list[Row], style: str) -> str:
    """Return how right ones came out, and what can be neither proved nor refuted."""
    lines = []
    for group, own in _by(rows, "group").items():
        right = [row for row in own if row["code"] is None]
        statuses = Counter(row["status"] for row in right)
        other = sum(n for s, n in statuses.items() if s not in STATUSES)
        lines.append(
            [
                group,
                len({row["id"] for row in right}),
                len(right),
                *(statuses[status] for status in STATUSES),
                other,
                sum(row["late"] for row in right),
                _percent(statuses["pass"], len(right)),
                f"{sum(row['right'] for row in own if row['code'])}"
                f" of {len(own) - len(right)}",
                round(sum(row["seconds"] for row in own)),
            ]
        )
    headers = [
        "group", "subjects", "builds", *STATUSES, "no answer", "late", "pass %",
        "unproven, as known", "CPU s",
    ]  # fmt: skip
    return tabulate(lines, headers=headers, tablefmt=style)


def _wrong(rows: list[Row], style: str) -> str:
    lines = []
    for group, own in _by(rows, "group").items():
        placed = [row["there"] for row in own if row["there"] is not None]
        statuses = Counter(row["status"] for row in own)
        lines.append(
            [
                group,
                len({row["id"] for row in own}),
                len(own),
                *(statuses[status] for status in STATUSES[1:]),
                sum(not row["right"] for row in own),
                sum(row["late"] for row in own),
                _percent(sum(row["named"] for row in own), len(own)),
                _percent(sum(placed), len(placed)),
                round(sum(row["seconds"] for row in own)),
            ]
        )
    headers = [
        "group", "subjects", "builds", *STATUSES[1:], "passes", "late", "same name %",
        "same line %", "CPU s",
    ]  # fmt: skip
    return tabulate(lines, headers=headers, tablefmt=style)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else ""


def _list(rows: list[Row], style: str) -> str:
    if not rows:
        return "Nothing."
    lines = [
        [
            row["id"],
            row["seed"],
            problems(row),
            " ".join(row["codes"]),
            row["worst"],
            row["allowed"],
            row["seconds"],
            row["message"].replace("|", "\\|"),
        ]
        for row in rows
    ]
    headers = [
        "subject",
        "seed",
        "what",
        "codes",
        "worst",
        "allowed",
        "CPU s",
        "message",
    ]
    return tabulate(lines, headers=headers, tablefmt=style, floatfmt=".3g")


def _two_statuses(rows: list[Row], style: str) -> str:
    lines = []
    for name, own in _by(rows, "id").items():
        statuses = Counter(row["status"] for row in own)
        if len(statuses) > 1:
            lines.append([name, ", ".join(f"{n} {s}" for s, n in statuses.items())])
    if not lines:
        return "None."
    return tabulate(lines, headers=["subject", "builds"], tablefmt=style)

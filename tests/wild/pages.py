"""The page about layers of public projects, written from a run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .targets import Target

HEAD = """# Layers as people write them

{layers} layers of {projects} public projects, each built as its project builds it and
checked with what is found out by itself; {bare} need nothing typed but the arguments of
their constructors. `python -m tests.wild CHECKOUTS/ --page` writes this page, in clones
that you have. What is true of each layer stands in `tests/wild/tables`, and every verdict
was held against a second opinion of a few lines that is no part of ldjcheck: the dense
Jacobian, its `slogdet`, and the number that the layer returned.

{figures}

A project needs a flow that learns, and most of those below have taught many people how
flows work. What is listed as wrong is wrong at the revision that was looked at; the
projects may have good reasons for it, or have mended it since.

## What is wrong

`off` is the largest |reported - exact| of any sample, or of the round trip; in nats where
it is an ldj.

{wrong}

## What could not be told, or is told wrongly

A layer that is right and fails here is a false alarm of ldjcheck.

{open}

## The projects

{projects_table}
"""


def page(
    rows: Sequence[tuple[Target, dict[str, Any]]],
    judged: Callable[[Target, dict[str, Any]], str],
) -> str:
    """Return the page about these results."""
    wrong = [(t, seen) for t, seen in rows if t.is_wrong]
    other = [
        (t, seen)
        for t, seen in rows
        if not t.is_wrong and judged(t, seen) not in ("right",)
    ]
    verdicts = [judged(t, seen) for t, seen in rows]
    order = ("right", "named", "found", "open", "needless doubt", "needless error",
             "false alarm", "false pass")  # fmt: skip
    meaning = {
        "right": "right, and passes",
        "named": "wrong, found, and named as in the tables",
        "found": "wrong and found, by another name",
        "open": "not checkable, or not provable",
        "needless doubt": "right, and unproven",
        "needless error": "right, and could not be checked",
        "false alarm": "right, and called wrong",
        "false pass": "wrong, and passes",
    }
    return HEAD.format(
        layers=len(rows),
        projects=len({t.project for t, _ in rows}),
        bare=sum(not t.flags for t, _ in rows),
        figures=_table(
            ["layers", "are"], [[verdicts.count(o), meaning[o]] for o in order]
        ),
        wrong=_table(
            ["project, revision", "layer", "found", "off", "what it is"],
            [
                [_project(t), _layer(t), _found(seen), _off(seen), t.why]
                for t, seen in wrong
            ],
        ),
        open=_table(
            ["project", "layer", "status", "why"],
            [
                [t.project, _layer(t), f"{seen['status']} {_found(seen)}", t.why]
                for t, seen in other
            ],
        ),
        projects_table=_table(["kind", "project, revision", "layers", "pass"], [
            [kind, link, len(own), sum(s["status"] == "pass" for s in own)]
            for (kind, link), own in _by_project(rows).items()
        ]),
    )  # fmt: skip


def _by_project(
    rows: Sequence[tuple[Target, dict[str, Any]]],
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for target, seen in rows:
        found.setdefault((target.kind, _project(target)), []).append(seen)
    return found


def _project(target: Target) -> str:
    address = f"https://github.com/{target.project}/tree/{target.revision}"
    return f"[{target.project}]({address}) `{target.revision[:8]}`"


def _layer(target: Target) -> str:
    file, _, expression = target.at.partition(":")
    return f"`{file.rpartition('/')[2]}:{expression}`"


def _found(seen: dict[str, Any]) -> str:
    if not seen["codes"]:
        return ""
    named = f"{seen['codes'][0]} {seen['name']}".rstrip()
    return f"{named}, inverse" if seen["direction"] == "inverse" else named


def _off(seen: dict[str, Any]) -> str:
    second = seen["second"]
    numbers = [second.get(name) for name in ("forward", "back", "trip")]
    return f"{max((n for n in numbers if n is not None), default=seen['worst']):.2g}"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    if not rows:
        return "Nothing."
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    text = tabulate(cells, head, tablefmt="github", disable_numparse=True)
    return re.sub(r"-{4,}", "---", re.sub(r" +\|", " |", text))

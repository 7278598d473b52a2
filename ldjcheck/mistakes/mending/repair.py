"""The loop that every fix comes of: candidates, each run, and the first drawn as lines."""

import difflib
from collections.abc import Iterable, Sequence
from typing import TypeVar

from ldjcheck.mistakes.mending.verify import Weighed
from ldjcheck.records import Edit, Fix
from ldjcheck.revision import Live, Replacement
from ldjcheck.revision.text import replaced
from ldjcheck.tape import shown_file
from ldjcheck.tracebacks import split_cell

_Of = TypeVar("_Of")


def repair(
    live: Live, candidates: Iterable[tuple[_Of, Weighed | None]]
) -> tuple[Fix, _Of] | None:
    """Return the first fix that is right by no chance, and of what it is.

    Candidates were run, and weighed: None where a layer does not agree with one. That is
    told which is right by chance, where there is none else.
    """
    unsure: tuple[Fix, _Of] | None = None
    for of, weighed in candidates:
        if weighed is None:
            continue
        fix = Fix(
            applicability="verified" if weighed.sure else "suggested",
            residual_after=weighed.residual,
            edits=edits_of(live, weighed.changes),
        )
        if weighed.sure:
            return fix, of
        unsure = unsure or (fix, of)
    return unsure


def edits_of(live: Live, changes: Sequence[Replacement]) -> tuple[Edit, ...]:
    """Return the lines that replacements change, file by file, in order.

    `before` is one line as it is; `after` is what stands in its place: nothing when the
    line goes, several lines when some are added.
    """
    edits: list[Edit] = []
    for file in dict.fromkeys(change.file for change in changes):
        here = [change for change in changes if change.file == file]
        shown, cell = split_cell(shown_file(file))
        first = min(change.line for change in here)
        last = max(change.end_line for change in here)
        lines = live.sources[file].lines[first - 1 : last]
        old = [line.decode().rstrip("\r\n") for line in lines]
        text = replaced(lines, here, first).decode()
        new = text.removesuffix("\n").split("\n") if text else []
        edits += [
            Edit(
                file=shown,
                cell=cell,
                line=first + index,
                before=old[index],
                after="\n".join(rows),
            )
            for index, rows in _rewritten(old, new).items()
        ]
    return tuple(edits)


def _rewritten(old: Sequence[str], new: Sequence[str]) -> dict[int, list[str]]:
    """Return the lines that change, by their place, each with what stands there then.

    What is added goes with the line above, or below where there is none: a line may have
    something added on both sides.
    """
    found: dict[int, list[str]] = {}
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "insert":
            anchor = max(i - 1, 0)
            rows = found.setdefault(anchor, [old[anchor]])
            at = 0 if i == 0 else len(rows)
            rows[at:at] = new[k:m]
        elif tag != "equal":
            for index in range(i, j):
                position = k + index - i
                end = m if index == j - 1 else min(position + 1, m)
                found[index] = [*new[position:end]]
    return found

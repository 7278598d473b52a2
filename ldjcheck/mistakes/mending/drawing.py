"""From replacements to whole changed lines, as a report shows them and `--fix` writes."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from ldjcheck.cells import split_cell
from ldjcheck.records import Edit
from ldjcheck.revision.text import replaced

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ldjcheck.revision import Replacement, SourceText


def edits_of(
    source: SourceText, changes: Sequence[Replacement], shown: str
) -> Iterator[Edit]:
    """Yield the lines of one file that replacements change, in order.

    `before` is one line as it is; `after` is what stands in its place: nothing when the
    line goes, several lines when some are added.
    """
    file, cell = split_cell(shown)
    first = min(change.line for change in changes)
    last = max(change.end_line for change in changes)
    old = [line.decode().rstrip("\r\n") for line in source.lines[first - 1 : last]]
    text = replaced(source.lines[first - 1 : last], changes, first).decode()
    new = text.removesuffix("\n").split("\n") if text else []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            continue
        if tag == "insert":  # tied to the line above, or below where there is none
            above = i > 0
            anchor = i - 1 if above else i
            kept = old[anchor]
            lines = [kept, *new[k:m]] if above else [*new[k:m], kept]
            yield Edit(
                file=file,
                cell=cell,
                line=first + anchor,
                before=kept,
                after="\n".join(lines),
            )
            continue
        for index in range(i, j):
            position = k + index - i
            is_last = index == j - 1
            rows = new[position:m] if is_last else new[position : min(position + 1, m)]
            yield Edit(
                file=file,
                cell=cell,
                line=first + index,
                before=old[index],
                after="\n".join(rows),
            )

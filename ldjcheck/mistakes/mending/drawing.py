"""From replacements to whole changed lines, as a report shows them and `--fix` writes."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from ldjcheck.cells import split_cell
from ldjcheck.mistakes.mending.verify import Weighed
from ldjcheck.records import Edit, Fix
from ldjcheck.revision import Live, Replacement, SourceText
from ldjcheck.revision.text import replaced
from ldjcheck.tape import shown_file


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
    for index, rows in _rewritten(old, new).items():
        yield Edit(
            file=file,
            cell=cell,
            line=first + index,
            before=old[index],
            after="\n".join(rows),
        )


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


def drawn_fix(live: Live, weighed: Weighed) -> Fix:
    """Return edits that were run as a fix: verified where they are right by no chance."""
    edits: list[Edit] = []
    for file in dict.fromkeys(change.file for change in weighed.changes):
        here = [change for change in weighed.changes if change.file == file]
        edits += edits_of(live.sources[file], here, shown_file(file))
    return Fix(
        applicability="verified" if weighed.sure else "suggested",
        residual_after=weighed.residual,
        edits=tuple(edits),
    )

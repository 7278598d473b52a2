"""Fitting a user's text into columns: cleaned, measured, shortened, wrapped.

Widths are counted in terminal cells: a CJK character takes two, an accent none.
"""

import re
import unicodedata
from collections.abc import Sequence

import click

ELLIPSIS = "..."
_LEAST = 8  # columns of an expression of which something can be told


def printable(text: str) -> str:
    """Return one line without colour codes, tabs or characters that move the cursor.

    What cannot be printed is shown as Python escapes it: a message may hold anything.
    """
    text = click.unstyle(text).expandtabs(4)
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(char: str) -> str:
    if char.isprintable():
        return char
    if unicodedata.category(char) == "Zs":
        return " "
    return char.encode("unicode_escape").decode("ascii")


def one_line(text: str) -> str:
    """Return the text as a single printable line, each run of blanks one space."""
    return printable(" ".join(text.split()))


def in_file(file: str, cell: int | None) -> str:
    """Return the name of a file, with the cell that is meant where it is a notebook."""
    return one_line(file) + ("" if cell is None else f", cell {cell}")


def lines_of(text: str) -> list[str]:
    """Return the printable lines of a text, with their indentation; at least one."""
    return [printable(line).rstrip() for line in text.splitlines()] or [""]


def outdented(lines: Sequence[str]) -> list[str]:
    """Return the lines without the indentation that all of them share."""
    wide = [line.expandtabs(4) for line in lines]
    depths = [len(line) - len(line.lstrip()) for line in wide if line.strip()]
    shared = min(depths, default=0)
    return [line[shared:] for line in wide]


def cells(text: str) -> int:
    """Return how many terminal columns a printable text takes."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def _cells_of(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def pad(text: str, width: int) -> str:
    """Return the text with spaces on its right, up to `width` columns."""
    return text + " " * (width - cells(text))


def shorten(text: str, width: int) -> str:
    """Return the text, its end replaced by `...` where it is too wide."""
    if cells(text) <= width:
        return text
    if width <= len(ELLIPSIS):
        return ELLIPSIS[:width]
    return split(text, width - len(ELLIPSIS))[0] + ELLIPSIS


def shorten_middle(text: str, width: int) -> str:
    """Return the text, its middle replaced by `...` where it is too wide.

    For paths and targets: both the folder and the last name tell something.
    """
    if cells(text) <= width:
        return text
    kept = width - len(ELLIPSIS)
    if kept < 2:
        return shorten(text, width)
    head = split(text, kept // 2)[0]
    tail = split(text[::-1], kept - cells(head))[0][::-1]
    return head + ELLIPSIS + tail


def wrap(
    text: str, width: int, first: str = "", rest: str = "", rows: int | None = None
) -> list[str]:
    """Return one line of text as rows of at most `width` columns.

    A text that fits keeps its spacing, so that columns stay columns. `first` and
    `rest` stand before the first and the other rows. Beyond `rows`, `...` stands for
    what is left.
    """
    if cells(first) + cells(text) <= width:
        return [(first + text).rstrip()]
    most = len(text) if rows is None else rows
    lines: list[str] = []
    line, is_empty = first, True
    for word in text.split():
        if not is_empty and cells(line) + 1 + cells(word) <= width:
            line += " " + word
            continue
        if not is_empty:
            lines.append(line)
            line = rest
        while cells(line) + cells(word) > width and len(lines) <= most:
            part, word = split(word, max(width - cells(line), 2))
            lines.append(line + part)
            line = rest
        line, is_empty = line + word, False
        if len(lines) > most:  # a message may be a megabyte long
            break
    lines.append(line)
    if len(lines) > most:
        last = shorten(lines[most - 1], width - len(ELLIPSIS)).removesuffix(ELLIPSIS)
        lines[most - 1 :] = [last + ELLIPSIS]
    return lines


def pack(items: Sequence[str], width: int, margin: str, gap: str) -> list[str]:
    """Return items side by side, as many in a row as fit `width` columns."""
    lines: list[str] = []
    for item in items:
        if lines and cells(lines[-1] + gap + item) <= width:
            lines[-1] += gap + item
        else:
            lines.append(shorten(margin + item, width))
    return lines


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of printable cells as lines, each column flush left."""
    widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(pad, row, widths)).rstrip() for row in rows]


def indented(text: str, width: int, margin: str, rows: int | None = None) -> list[str]:
    """Return every line of a text, each wrapped under its own indentation."""
    lines: list[str] = []
    for line in lines_of(text):
        if cells(margin) + cells(line) <= width:  # marks stay under what they mark
            lines.append((margin + line).rstrip())
            continue
        bare = line.lstrip(" ")
        # Half of the page stays for the words, however deep the line stands.
        indent = margin + " " * min(len(line) - len(bare), (width - len(margin)) // 2)
        lines += wrap(bare, width, indent, indent, rows)
    return lines


def split(text: str, width: int) -> tuple[str, str]:
    """Return a start of at most `width` columns, and what is left.

    It is the longest that ends in no identifier; half of the page is not given up for it.
    """
    used = 0
    for position, char in enumerate(text):
        used += _cells_of(char)
        if used > width:
            whole = len(re.sub(r"\w+$", "", text[:position]))
            if re.match(r"\w", char) and 2 * whole >= position:
                position = whole
            return text[:position], text[position:]
    return text, ""


def shorten_target(name: str, width: int) -> str:
    """Return a target, shortened in its expression: a path that is cut cannot be pasted.

    No identifier is cut in the middle, and the first one stays where it can.
    """
    source, colon, rest = name.partition(":")
    kept = width - cells(source + colon) - len(ELLIPSIS)
    if cells(name) <= width or not colon or kept < _LEAST:
        return shorten_middle(name, width)
    first = cells(re.split(r"\W", rest)[0])
    start = _whole(rest, max(kept // 2, min(first, kept)))
    end = _whole(rest[::-1], kept - cells(start))[::-1]
    start = _whole(rest, kept - cells(end))
    return source + colon + start + ELLIPSIS + end


def _whole(text: str, width: int) -> str:
    """Return the longest start of at most `width` columns that cuts no identifier."""
    start = split(text, width)[0]
    goes_on = re.match(r"\w", text[len(start) :])
    return re.sub(r"\w+$", "", start) if goes_on else start


def around_marks(line: str, marks: str, width: int) -> tuple[str, ...]:
    """Return what of a line the marks below it mean, with what stands beside that, and them.

    No identifier is cut. A line that fits stays; where all that is marked does not fit, so
    does the line, without its marks.
    """
    indent = len(line) - len(line.lstrip())
    first, last = len(marks) - len(marks.lstrip()), len(marks.rstrip())
    beside = width - indent - 2 * len(ELLIPSIS) - (last - first)
    if cells(line) <= width:
        return line, marks
    if beside < 0:
        return (line,)
    start = min(max(indent, first - beside // 2), len(line))
    end = min(last + beside - (first - start), len(line))
    while indent < start < first and line[start - 1 : start + 1].isidentifier():
        start += 1
    while last < end < len(line) and line[end - 1 : end + 1].isidentifier():
        end -= 1
    head, tail = ELLIPSIS * (start > indent), ELLIPSIS * (end < len(line))
    shown = f"{' ' * indent}{head}{line[start:end]}{tail}"
    return shown, " " * (indent + len(head) + first - start) + marks[first:last]

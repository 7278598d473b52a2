"""Writing edits into the user's files: whole or not at all, and only as they were seen."""

import io
import json
import os
import stat
import tempfile
import tokenize
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ldjcheck.records import Edit, Fix
from ldjcheck.tracebacks import PYTHON, package_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The lines of a file, or of one cell of a notebook, with their ends.

    `lines` are the numbers of those that are edited; they count by the cell.
    """

    cell: int | None
    lines: tuple[int, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revised:
    """What becomes of one file: its new bytes, and what changes, or why nothing does."""

    file: str
    data: bytes = b""
    changes: tuple[Change, ...] = ()
    refused: str | None = None


class _RefusedError(Exception):
    """Why a file is not written."""


def plan_fixes(fixes: Sequence[Fix], started: float) -> tuple[Revised, ...]:
    """Return what verified fixes make of each file; nothing is written.

    A file that was changed after `started`, in seconds since the epoch, or whose lines are
    no longer those that were edited, is left alone, and so are the other files of the same
    fix.
    """
    done: list[Revised] = []
    wanted = [fix for fix in dict.fromkeys(fixes) if fix.applicability == "verified"]
    taken: set[tuple[str, int | None, int]] = set()
    agreed: list[Edit] = []
    for fix in wanted:
        edits = [edit for edit in fix.edits if edit not in agreed]
        lines = {(os.path.realpath(e.file), e.cell, e.line) for e in edits}
        if lines & taken:
            why = "two fixes change the same line; write one, and check again"
            done += [Revised(file=file, refused=why) for file in _files(edits)]
            continue
        taken |= lines
        agreed += edits
    planned = {
        file: _revised(file, [e for e in agreed if e.file == file], started)
        for file in _files(agreed)
    }
    for fix in wanted:
        files = [file for file in _files(fix.edits) if file in planned]
        bad = next((file for file in files if planned[file].refused), None)
        for file in files if any(edit in agreed for edit in fix.edits) else ():
            if bad is not None and not planned[file].refused:
                why = f"it belongs together with {bad}"
                planned[file] = Revised(file=file, refused=why)
    return (*done, *planned.values())


def write_fixes(fixes: Sequence[Fix], started: float) -> tuple[Revised, ...]:
    """Write what is planned of verified fixes, and return what became of each file.

    Encoding, line ends and mode stay; a reader sees the old file or the new one.
    """
    done: list[Revised] = []
    for each in plan_fixes(fixes, started):
        try:
            if each.refused is None:
                path = os.path.realpath(each.file)
                write_whole(path, each.data, stat.S_IMODE(os.stat(path).st_mode))
            done.append(each)
        except OSError as error:
            done.append(Revised(file=each.file, refused=str(error)))
    return tuple(done)


def edited(data: bytes, edits: Sequence[Any]) -> bytes | None:
    """Return a file's bytes with edits in them; None where its lines are others.

    The edits are of one file, a Python file or a notebook: records with the fields of
    `Edit`.
    """
    of_cells = any(edit.cell is not None for edit in edits)
    try:
        return (_notebook if of_cells else _python)(data, edits)[0]
    except (_RefusedError, LookupError, RecursionError):
        return None


def _files(edits: Sequence[Edit]) -> list[str]:
    return list(dict.fromkeys(edit.file for edit in edits))


def _revised(file: str, edits: Sequence[Edit], started: float) -> Revised:
    """Return a file with edits in it, or why it is not what was checked."""
    try:
        _refuse(file, started)
        with open(file, "rb") as stream:
            data = stream.read()
        draw = _python if edits[0].cell is None else _notebook
        changed, changes = draw(data, edits)
    except (_RefusedError, OSError) as error:
        return Revised(file=file, refused=str(error))
    return Revised(file=file, data=changed, changes=changes)


def _refuse(file: str, started: float) -> None:
    if not os.path.isfile(file):
        raise _RefusedError("it is no file")
    if package := package_of(os.path.abspath(file)):
        what = package if package == PYTHON else f"the installed package {package}"
        raise _RefusedError(f"it is part of {what}, which others use as well")
    if os.stat(file).st_mtime > started:
        raise _RefusedError("it was changed while it was checked")


def _python(data: bytes, edits: Sequence[Edit]) -> tuple[bytes, tuple[Change, ...]]:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise _RefusedError(f"its encoding cannot be told: {error}") from None
    change = _change(text, edits, None)
    try:
        return "".join(change.after).encode(encoding), (change,)
    except UnicodeEncodeError:
        raise _RefusedError(f"its encoding, {encoding}, cannot hold the edit") from None


def _change(text: str, edits: Sequence[Edit], cell: int | None) -> Change:
    """Return what edits make of the text of a file or cell."""
    before = io.StringIO(text, newline="").readlines()
    return Change(
        cell=cell,
        lines=tuple(sorted(edit.line for edit in edits)),
        before=tuple(before),
        after=tuple(_edited(before, edits)),
    )


def _edited(lines: Sequence[str], edits: Sequence[Edit]) -> list[str]:
    """Return lines, with their ends, in which edits are made."""
    rows = list(lines)
    common = next((_end_of(row) for row in rows if _end_of(row)), "\n")
    for edit in sorted(edits, key=lambda e: -e.line):
        if edit.line > len(rows) or rows[edit.line - 1].rstrip("\r\n") != edit.before:
            raise _RefusedError(f"line {edit.line} is no longer what was checked")
        end = _end_of(rows[edit.line - 1])
        new = edit.after.split("\n") if edit.after else []
        new = [row + (end or common) for row in new]
        if new and not end:
            new[-1] = new[-1].removesuffix(common)
        rows[edit.line - 1 : edit.line] = new
    return rows


def _end_of(row: str) -> str:
    return row[len(row.rstrip("\r\n")) :]


def _notebook(data: bytes, edits: Sequence[Edit]) -> tuple[bytes, tuple[Change, ...]]:
    """Return a notebook in which cells are edited, laid out as it was."""
    try:
        text = data.decode()
        notebook = json.loads(text)
    except ValueError:
        raise _RefusedError("it cannot be read as a notebook") from None
    layout = _layout(notebook, text)
    changes = []
    for number in sorted({edit.cell for edit in edits if edit.cell is not None}):
        cell = notebook["cells"][number - 1]
        source = cell["source"]
        whole = source if isinstance(source, str) else "".join(source)
        change = _change(whole, [e for e in edits if e.cell == number], number)
        rows = list(change.after)
        cell["source"] = "".join(rows) if isinstance(source, str) else rows
        changes.append(change)
    return (json.dumps(notebook, **layout[0]) + layout[1]).encode(), tuple(changes)


def _layout(notebook: Any, text: str) -> tuple[dict[str, Any], str]:
    """Return how a notebook's JSON is laid out, and what stands after it."""
    tail = text[len(text.rstrip()) :]
    for indent in (1, 2, 4, 0, None, "\t"):
        for ascii_only in (False, True):
            style = {"indent": indent, "ensure_ascii": ascii_only}
            if json.dumps(notebook, **style) == text.rstrip():  # type: ignore[arg-type]  # mypy joins the types of the values
                return style, tail
    raise _RefusedError(
        "its JSON is laid out in a way of its own; edit the cell by hand"
    )


def write_whole(path: str, data: bytes, mode: int) -> None:
    """Write a file in one step: a reader sees the old one or the new one."""
    handle, temporary = tempfile.mkstemp(
        dir=os.path.dirname(path), prefix=".ldjcheck-", suffix=".tmp"
    )
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise

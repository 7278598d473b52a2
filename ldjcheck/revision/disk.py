"""Writing edits into the user's files: whole or not at all, and only as they were seen."""

from __future__ import annotations

import io
import json
import os
import tempfile
import tokenize
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ldjcheck.records import Edit, Fix
from ldjcheck.tracebacks import PYTHON, package_of


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one file: the lines that were written, or why none was.

    Lines of a notebook count by its cell.
    """

    file: str
    lines: tuple[int, ...] = ()
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class _Draft:
    """A file's new bytes, not yet written."""

    file: str
    data: bytes
    lines: tuple[int, ...]


class _RefusedError(Exception):
    """Why a file is not written."""


def write_fixes(fixes: Sequence[Fix], started: float) -> tuple[Written, ...]:
    """Write verified fixes into their files, and return what became of each file.

    A file that was changed after `started`, in seconds since the epoch, or whose lines are
    no longer those that were edited, is left alone, and so are the other files of the same
    fix. Encoding, line ends and mode stay; a reader sees the old file or the new one.
    """
    done: list[Written] = []
    wanted = [fix for fix in dict.fromkeys(fixes) if fix.applicability == "verified"]
    taken: set[tuple[str, int | None, int]] = set()
    agreed: list[Edit] = []
    for fix in wanted:
        edits = [edit for edit in fix.edits if edit not in agreed]
        lines = {(os.path.realpath(e.file), e.cell, e.line) for e in edits}
        if lines & taken:
            why = "two fixes change the same line; write one, and check again"
            done += [Written(file, refused=why) for file in _files(edits)]
            continue
        taken |= lines
        agreed += edits
    groups = [fix for fix in wanted if any(edit in agreed for edit in fix.edits)]
    refused = _refused(groups, agreed, started)
    done += refused
    kept = [edit for edit in agreed if edit.file not in {w.file for w in refused}]
    for file in _files(kept):
        try:
            draft = _draft(file, [e for e in kept if e.file == file], started)
            _replace(draft)
            done.append(Written(file, draft.lines))
        except (_RefusedError, OSError) as error:
            done.append(Written(file, refused=str(error)))
    return tuple(done)


def edited(data: bytes, edits: Sequence[Any]) -> bytes | None:
    """Return a file's bytes with edits in them; None where its lines are others.

    The edits are of one file, a Python file or a notebook: records with the fields of
    `Edit`.
    """
    of_cells = any(edit.cell is not None for edit in edits)
    try:
        return _notebook(data, edits) if of_cells else _python(data, edits)
    except (_RefusedError, LookupError, RecursionError):
        return None


def _refused(
    fixes: Sequence[Fix], edits: Sequence[Edit], started: float
) -> list[Written]:
    """Return the files that cannot be written, and those that hang together with them."""
    found: dict[str, str] = {}
    for file in _files(edits):
        try:
            _draft(file, [e for e in edits if e.file == file], started)
        except (_RefusedError, OSError) as error:
            found[file] = str(error)
    for fix in fixes:
        files = _files(fix.edits)
        bad = [file for file in files if file in found]
        for file in files if bad else ():
            found.setdefault(file, f"it belongs together with {bad[0]}")
    return [Written(file, refused=why) for file, why in found.items()]


def _files(edits: Sequence[Edit]) -> list[str]:
    return list(dict.fromkeys(edit.file for edit in edits))


def _draft(file: str, edits: Sequence[Edit], started: float) -> _Draft:
    """Return a file's new bytes.

    Raises:
        _RefusedError: the file is not what was checked.
    """
    if not os.path.isfile(file):
        raise _RefusedError("it is no file")
    if package := package_of(os.path.abspath(file)):
        what = package if package == PYTHON else f"the installed package {package}"
        raise _RefusedError(f"it is part of {what}, which others use as well")
    if os.stat(file).st_mtime > started:
        raise _RefusedError("it was changed while it was checked")
    with open(file, "rb") as stream:
        data = stream.read()
    changed = (
        _notebook(data, edits) if edits[0].cell is not None else _python(data, edits)
    )
    return _Draft(file, changed, tuple(sorted(edit.line for edit in edits)))


def _python(data: bytes, edits: Sequence[Edit]) -> bytes:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise _RefusedError(f"its encoding cannot be told: {error}") from None
    changed = "".join(_edited(io.StringIO(text, newline="").readlines(), edits))
    try:
        return changed.encode(encoding)
    except UnicodeEncodeError:
        raise _RefusedError(f"its encoding, {encoding}, cannot hold the edit") from None


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


def _notebook(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Return a notebook in which cells are edited, laid out as it was."""
    try:
        text = data.decode()
        notebook = json.loads(text)
    except ValueError:
        raise _RefusedError("it cannot be read as a notebook") from None
    layout = _layout(notebook, text)
    for number in {edit.cell for edit in edits}:
        assert number is not None
        cell = notebook["cells"][number - 1]
        source = cell["source"]
        whole = source if isinstance(source, str) else "".join(source)
        lines = io.StringIO(whole, newline="").readlines()
        rows = _edited(lines, [e for e in edits if e.cell == number])
        cell["source"] = "".join(rows) if isinstance(source, str) else rows
    return (json.dumps(notebook, **layout[0]) + layout[1]).encode()


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


def _replace(draft: _Draft) -> None:
    """Put new bytes in the place of a file in one step; its mode stays."""
    path = os.path.realpath(draft.file)
    mode = os.stat(path).st_mode
    handle, temporary = tempfile.mkstemp(
        dir=os.path.dirname(path), prefix=".ldjcheck-", suffix=".tmp"
    )
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(draft.data)
        os.chmod(temporary, mode & 0o7777)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise

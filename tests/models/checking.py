"""What a check tells of one row, and what the independent check says of its edit."""

from __future__ import annotations

import signal
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ldjcheck

from .whole import Row

Seen = dict[str, Any]


class TooLongError(BaseException):
    """A check went on past its limit; no `except Exception` of a model stops it."""


def seen(row: Row, seed: int = 0, timeout: float = 60) -> Seen:
    """Return what a check tells of a row, as a line of the table.

    `off` is by how much the text is off by the independent check; `offered` the edit's
    applicability, `mended` whether it makes the text right. `seconds` are of CPU.
    """
    with TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        apart = folder / "apart"
        apart.mkdir()
        off = row.off(row.text, apart)
        file = row.written(folder)
        start = time.process_time()
        signal.signal(signal.SIGPROF, _stop)
        signal.setitimer(signal.ITIMER_PROF, 2.5 * timeout)
        try:
            told = _told(row, file, seed, timeout)
        except TooLongError:
            told = _nothing("hangs", f"no answer after {2.5 * timeout:g} s of CPU")
        except Exception as error:
            told = _nothing("crash", f"{type(error).__name__}: {error}")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        seconds = time.process_time() - start
        mended = None
        if told["offered"]:
            try:
                text = edited(row.text, told["edits"], file)
                mended = row.off(text, apart) < row.whole.close
            except Exception as error:
                told["message"] += f" [the edited text: {error}]"
                mended = False
    return {
        "id": row.id, "seed": seed, **told, "off": off, "mended": mended,
        "wanted": list(row.twin.codes) if row.twin else [], "lines": list(row.lines),
        "seconds": round(seconds, 1),
    }  # fmt: skip


def _stop(*_: object) -> None:
    raise TooLongError


def _nothing(status: str, message: str) -> Seen:
    return {
        "status": status, "codes": [], "line": None, "source": "", "offered": "",
        "edits": [], "message": message, "late": False,
    }  # fmt: skip


def _told(row: Row, file: Path, seed: int, timeout: float) -> Seen:
    report = ldjcheck.check(
        f"{file}:{row.whole.target}",
        seed=seed,
        timeout=timeout,
        pictures=False,
        **row.whole.options,
    )
    result = report.result
    grave = [f for f in result.findings if f.severity in ("error", "unproven")]
    first = next(iter(grave or result.findings), None) if grave else None
    at = first.location if first else None
    here = at is not None and Path(at.file).resolve() == file.resolve()
    fixes = [f.fix for f in grave if f.fix is not None]
    fixes.sort(key=lambda fix: fix.applicability != "verified")
    kind = fixes[0].applicability if fixes else ""
    edits = {e for fix in fixes if fix.applicability == kind for e in fix.edits}
    line = at.line if at is not None and here else None
    return {
        "status": result.status,
        "codes": list(dict.fromkeys(f.code for f in grave)),
        "line": line,
        "source": row.text.splitlines()[line - 1].strip() if line else "",
        "offered": kind,
        "edits": sorted([e.line, e.before, e.after] for e in edits),
        "message": first.message.partition("\n")[0] if first else "",
        "late": bool(result.not_done),
    }


def edited(text: str, edits: Sequence[Sequence[Any]], file: Path) -> str:
    """Return a text in which edits were written, each a line, what it was, and what it is."""
    lines = text.splitlines()
    for line, before, after in sorted(edits, reverse=True):
        assert lines[line - 1] == before, (file, line, before)
        lines[line - 1 : line] = after.split("\n") if after else []
    return "\n".join(lines) + "\n"


def marks(row: Row, found: Seen) -> dict[str, bool | None]:
    """Return what of an answer is right: verdict, name, line, edit; None if not asked."""
    if row.twin is None:
        return {
            "verdict": found["status"] == "pass",
            "name": None,
            "line": None,
            "edit": None if not found["offered"] else False,
        }
    first = next(iter(found["codes"]), None)
    return {
        "verdict": found["status"] == "fail",
        "name": first in row.twin.codes,
        "line": found["line"] in row.lines,
        "edit": bool(found["mended"]),
    }

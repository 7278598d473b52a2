"""The text to paste: versions, command, verdict, and the source that shows it."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path

from ldjcheck import __version__
from ldjcheck.bug_report.reducing import reduced, tried, verdict_of
from ldjcheck.records import Result, Run
from ldjcheck.report import Style, text
from ldjcheck.session.targets import Checker, Request
from ldjcheck.targets.blame import shown_path
from ldjcheck.targets.touched import files_of, source_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """A source, made as small as there was time for.

    `others` are files of the user's that it imports, which stay as they are.
    """

    text: str
    original: str
    others: tuple[str, ...]
    ended: bool  # nothing more can be left out


def bug_report(
    target: str,
    request: Request,
    checker: Checker,
    *,
    timeout: float,
    limit: float,
    command: str,
) -> tuple[Result | None, str]:
    """Return the result of a target, and the text to paste about it.

    Each check takes `timeout` seconds at most, and all that make the source smaller
    `limit`. Nothing is written anywhere.
    """
    result = tried(target, request, checker, timeout)
    parts = [_versions(), _console(command, result, timeout)]
    file = source_file(target)
    if file is None:
        parts.append(
            "The source is no Python file of mine. I paste the class, and what it needs:"
        )
    elif result is not None:
        found = _shrink(target, request, checker, timeout, limit, result, file)
        parts.append(_source(found, file))
    else:
        parts.append(_block("python", decode_source(file.read_bytes())))
    parts.append("What I expected, and why:\n\n")
    return result, "\n\n".join(parts).rstrip() + "\n"


def _shrink(
    target: str,
    request: Request,
    checker: Checker,
    timeout: float,
    limit: float,
    result: Result,
    file: Path,
) -> Shrunk:
    """Return the smallest source found that keeps the verdict."""
    wanted, end = verdict_of(result), time.monotonic() + limit
    whole = decode_source(file.read_bytes())
    out_of_time = False

    def keeps(candidate: str) -> bool:
        nonlocal out_of_time
        left = end - time.monotonic()
        again = None
        if left > 0:
            again = tried(target, request, checker, min(timeout, left), file, candidate)
        out_of_time |= time.monotonic() >= end
        return again is not None and verdict_of(again) == wanted

    others = sorted(shown_path(str(each)) for each in files_of(target) - {file})
    return Shrunk(
        text=reduced(whole, keeps),
        original=whole,
        others=tuple(others),
        ended=not out_of_time,
    )


def _versions() -> str:
    from importlib.metadata import version

    return (
        f"ldjcheck {__version__}, torch {version('torch')}, "
        f"numpy {version('numpy')}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}"
    )


def _console(command: str, result: Result | None, timeout: float) -> str:
    """Return the command, and what the check printed."""
    if result is None:
        told = f"(no answer within {timeout:g} seconds, or its process ended before)"
    else:
        run = Run(seed=0, exit_code=0, seconds=0.0, command=command, results=(result,))
        told = text.render(run, Style(color=False, verbosity=0)).strip()
        told = told.replace(os.getcwd() + os.sep, "")  # a home is nobody's business
    return _block("console", f"$ {command}\n{told}\n")


def _source(found: Shrunk, file: Path) -> str:
    said = f"{shown_path(str(file))}, all of it"
    if found.text != found.original:
        lines, left = (len(t.splitlines()) for t in (found.original, found.text))
        said = f"{shown_path(str(file))}, shrunk from {lines} lines to {left}"
    said += "" if found.ended else " so far: the time was over"
    if found.others:
        said += f". It imports {', '.join(found.others)}, which I add below"
    return f"{said}:\n\n{_block('python', found.text)}"


def _block(language: str, content: str) -> str:
    fence = "```"
    while fence in content:
        fence += "`"
    return f"{fence}{language}\n{content.rstrip()}\n{fence}"

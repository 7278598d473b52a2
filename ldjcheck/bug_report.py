"""What to paste where a layer is judged wrongly: its source made small, and the sheet.

Delta debugging (Zeller and Hildebrandt, *Simplifying and Isolating Failure-Inducing Input*,
2002) of each block of statements, the outer ones first: half of a block is left out, then a
quarter, down to single statements, as long as what is left keeps what it is to keep.
"""

import ast
import linecache
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import decode_source
from pathlib import Path
from types import CodeType
from typing import Any

from ldjcheck import __version__
from ldjcheck.records import Result, Run
from ldjcheck.records.result import Skipped
from ldjcheck.report import Style, text
from ldjcheck.session.isolation import Finished, run_isolated
from ldjcheck.session.targets import Checked, Request, check_target, load_checks
from ldjcheck.targets.static_check import files_of, source_file
from ldjcheck.targets.user_errors import shown_path

_DIGITS = 6  # of the numbers of a layer that passes


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What must stay of a result while its source gets smaller.

    That is the status, with the first finding; what could not be checked has many reasons
    under one code, so its message stays as well; and what is right must stay the same
    flow, so its numbers do.
    """

    status: str
    code: str | None
    about: tuple[Any, ...]


def verdict_of(result: Result) -> Verdict:
    """Return what of a result must stay."""
    told = [f for f in result.findings if f.severity in ("error", "unproven")]
    first = told[0] if told else None
    about: tuple[Any, ...]
    if first is None:
        about = tuple(
            (check.direction, _rounded(sample.reported), _rounded(sample.exact))
            for check in result.checks
            for sample in check.samples
        )
    elif result.status == "error":
        about = (first.message,)
    else:
        about = (first.direction,)
    code = None if first is None else first.code
    return Verdict(status=result.status, code=code, about=about)


def _rounded(number: float | None) -> str | None:
    return None if number is None else f"{number:.{_DIGITS}g}"


def tried(target: str, request: Request, timeout: float, *source: Any) -> Result | None:
    """Return the result of a target; None where its process did not come to one.

    `source` may be a file and the text that stands for what is in it: nothing is written.
    """
    outcome = run_isolated(_check, target, request, *source, timeout=timeout)
    if not isinstance(outcome, Finished):
        return None
    value = (
        outcome.value.result if isinstance(outcome.value, Checked) else outcome.value
    )
    return None if isinstance(value, Skipped) else value


def _check(
    target: str, request: Request, file: Path | None = None, text: str = ""
) -> Any:
    """Return what `check_target` does; it runs in a process of its own."""
    sys.dont_write_bytecode = True
    if file is not None:
        read_instead(file, text)
    return check_target(target, request)


def read_instead(file: Path, text: str) -> None:
    """Let this process see another text in a file, by import and by reading, for good."""
    lines = text.splitlines(keepends=True)
    linecache.cache[str(file)] = (len(text), None, lines, str(file))
    own_code = SourceFileLoader.get_code
    own_bytes, own_text = Path.read_bytes, Path.read_text

    def get_code(loader: SourceFileLoader, fullname: str) -> CodeType | None:
        path = loader.get_filename(fullname)
        if Path(path) != file:
            return own_code(loader, fullname)
        return loader.source_to_code(text.encode(), path)

    def read_bytes(path: Path) -> bytes:
        return text.encode() if path == file else own_bytes(path)

    def read_text(path: Path, *args: Any, **kwargs: Any) -> str:
        return text if path == file else own_text(path, *args, **kwargs)

    SourceFileLoader.get_code = get_code  # type: ignore[assignment,method-assign]  # of a child alone
    Path.read_bytes = read_bytes  # type: ignore[assignment,method-assign]  # likewise
    Path.read_text = read_text  # type: ignore[assignment,method-assign]  # likewise


_BLOCKS = ("body", "orelse", "finalbody", "handlers")

Block = list[ast.stmt]


def reduced(text: str, keeps: Callable[[str], bool]) -> str:
    """Return the source with as few statements as keep what `text` has.

    Comments are left out, since none is part of a tree. `keeps` says whether a smaller
    source does; it is asked once about each. Where not even the same statements keep it,
    the text comes back as it is.
    """
    if not _is_python(text):
        return text
    tree = ast.parse(text)
    asked: dict[str, bool] = {text: True}

    def still() -> bool:
        smaller = ast.unparse(tree) + "\n"
        if smaller not in asked:
            asked[smaller] = _is_python(smaller) and keeps(smaller)
        return asked[smaller]

    if not still():
        return text
    before = None
    while before != (before := ast.unparse(tree)):
        for block, may_be_empty in _blocks(tree):
            _reduce(block, still, may_be_empty=may_be_empty)
            _open(block, still)
    return before + "\n"


def _is_python(text: str) -> bool:
    try:
        compile(text, "<reduced>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _blocks(tree: ast.AST) -> Iterator[tuple[Block, bool]]:
    """Yield each block of statements, the outer ones first, and whether it may be empty."""
    waiting = [tree]
    while waiting:
        node = waiting.pop(0)
        for name in _BLOCKS:
            block = getattr(node, name, None)
            if isinstance(block, list) and block:
                yield block, name != "body" or isinstance(node, ast.Module)
                waiting += block  # what is left of it


def _reduce(block: Block, still: Callable[[], bool], *, may_be_empty: bool) -> None:
    """Leave out of a block, in place, all that can be; later statements first."""
    size = len(block)
    while size:
        end = len(block)
        while end > 0:
            start = max(0, end - size)
            whole = block[:]
            block[start:end] = []
            if not block and not may_be_empty:
                block[:] = [ast.Pass()]
            is_smaller = len(block) < len(whole) or not isinstance(whole[0], ast.Pass)
            if not (is_smaller and still()):
                block[:] = whole
            end = start
        size //= 2


def _open(block: Block, still: Callable[[], bool]) -> None:
    """Put what stands in an `if`, a `with` or a loop in its place, where that does."""
    for statement in tuple(block):
        if isinstance(statement, (ast.If, ast.With, ast.For, ast.While, ast.Try)):
            at = block.index(statement)
            block[at : at + 1] = statement.body
            if not still():
                block[at : at + len(statement.body)] = [statement]


# --- the sheet ------------------------------------------------------------------------


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
    target: str, request: Request, *, timeout: float, limit: float, command: str
) -> tuple[Result | None, str]:
    """Return the result of a target, and the text to paste about it.

    Each check takes `timeout` seconds at most, and all that make the source smaller
    `limit`. Nothing is written anywhere.
    """
    load_checks()
    result = tried(target, request, timeout)
    parts = [_versions(), _console(command, result, timeout)]
    file = source_file(target)
    if file is None:
        parts.append(
            "The source is no Python file of mine. I paste the class, and what it needs:"
        )
    elif result is not None:
        found = _shrink(target, request, timeout, limit, result, file)
        parts.append(_source(found, file))
    else:
        parts.append(_block("python", decode_source(file.read_bytes())))
    parts.append("What I expected, and why:\n\n")
    return result, "\n\n".join(parts).rstrip() + "\n"


def _shrink(
    target: str,
    request: Request,
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
            again = tried(target, request, min(timeout, left), file, candidate)
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

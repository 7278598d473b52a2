"""What comments of a source let not count: `# ldjcheck: ignore[LDJ117] reason`."""

import io
import linecache
import re
import tokenize
from collections.abc import Iterator
from itertools import chain
from types import CodeType, FunctionType, ModuleType
from typing import Any

from ldjcheck.errors import CommentError
from ldjcheck.mistakes import ignorable_codes_for
from ldjcheck.object_graph import functions_of, reachable
from ldjcheck.records import Location, Suppression
from ldjcheck.tape import has_line, shown_file
from ldjcheck.tracebacks import home_of, is_own, split_cell

_COMMENT = re.compile(
    r"#\s*ldjcheck:\s*(?P<what>ignore\b(?:\[(?P<words>[^]]*)\])?)(?P<reason>[^\n]*)"
)
_NEXT = re.compile(r"\s#\s")  # another comment behind it, such as noqa
_FORM = "# ldjcheck: ignore[LDJ117] why"


def ignored_in_source(layer: Any) -> tuple[Suppression, ...]:
    """Return what comments let not count in the lines of a layer's own sources.

    Those are the files of its classes and functions, and what these import from the same
    folder tree. In the lines of the layer's own class it is expected to occur.

    Raises:
        CommentError: a comment without a reason, or without a mistake that there is.
    """
    own = {member.__code__ for member in _defined(type(layer), layer)}
    found = chain.from_iterable(_ignored_in(file, own) for file in _files_of(layer))
    return tuple(found)


def _defined(*values: Any) -> Iterator[FunctionType]:
    """Yield the functions among some values, and those that classes among them define."""
    for value in values:
        members = vars(value).values() if isinstance(value, type) else (value,)
        yield from (each for each in members if isinstance(each, FunctionType))


def _files_of(layer: Any) -> dict[str, None]:
    """Return the own files that a layer's code stands in, or that these import."""
    items = {
        item if isinstance(item, FunctionType) else type(item): item
        for item in reachable(layer)
    }
    functions = [f for item in items.values() for f in functions_of(item)]
    home = home_of(tuple(f.__code__.co_filename for f in functions))
    files: dict[str, None] = {}
    scopes: list[dict[str, Any]] = []
    seen: set[int] = set()
    while functions:
        for function in functions:
            if is_own(function.__code__.co_filename, home):
                files[function.__code__.co_filename] = None
                scopes.append(function.__globals__)
        functions = []
        for scope in scopes:
            if id(scope) in seen:
                continue
            seen.add(id(scope))
            functions += _defined(*scope.values())
            modules = (vars(m) for m in scope.values() if isinstance(m, ModuleType))
            scopes += [m for m in modules if is_own(m.get("__file__") or "", home)]
    return files


def _ignored_in(file: str, own: set[CodeType]) -> Iterator[Suppression]:
    for line, text in _comments(file):
        match = _COMMENT.search(text)
        if match is None:
            continue
        name, cell = split_cell(file)
        place = Location(
            file=shown_file(name),
            cell=cell,
            line=line,
            text=linecache.getline(file, line).strip(),
        )
        is_expected = any(c.co_filename == file and has_line(c, line) for c in own)
        words = (match["words"] or "").split(",")
        reason = _NEXT.split(match["reason"])[0].strip(" \t:,;-")
        if not "".join(words).strip():
            raise _error(place, match["what"], f"name the mistake: {_FORM}")
        if not reason:
            raise _error(
                place, match["what"], f"give the reason: {match[0].strip()} why"
            )
        for word in words:
            try:
                codes = ignorable_codes_for(word)
            except ValueError as error:
                raise _error(place, match["what"], str(error)) from None
            for code in codes:
                yield Suppression(
                    code=code,
                    reason=reason,
                    expected=is_expected and len(codes) == 1,
                    place=place,
                )


def _comments(file: str) -> list[tuple[int, str]]:
    """Return the comments of a file by their lines, no text that only looks like one."""
    linecache.checkcache(file)
    lines = linecache.getlines(file)
    if not any("ldjcheck:" in line for line in lines):
        return []
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO("".join(lines)).readline))
    except (tokenize.TokenError, SyntaxError):  # a cell with commands of a shell
        return list(enumerate(lines, 1))
    return [(t.start[0], t.string) for t in tokens if t.type == tokenize.COMMENT]


def _error(place: Location, what: str, why: str) -> CommentError:
    cell = "" if place.cell is None else f", cell {place.cell}"
    told = f"{place.file}{cell}, line {place.line}: {what}: {why}"
    return CommentError(told if told.endswith(("?", ".")) else f"{told}.")

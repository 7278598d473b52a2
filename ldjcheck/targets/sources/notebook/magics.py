"""Notebook text made Python: magics, shell lines and help requests are taken out.

Every line stays on its line, so that places need no translation.
"""

from __future__ import annotations

import ast
import re

MAGIC_CALL = "__magic__"
"""The call that stands for what a magic or a shell command would return."""

_PYTHON_CELLS = ("time", "capture", "prun", "memit", "mprun", "lprun", "wandb")
"""Cell magics whose body runs in the notebook's own names."""

_RUN_HERE = re.compile(
    r"(?P<indent>\s*)%(?:time|prun|memit|lprun|mprun)\s+(?P<code>\S.*)"
)
_ASSIGNED = re.compile(
    r"(?P<left>\s*[^=#'\"%!]*[^=#'\"%!<>\s])\s*=\s*[!%](?P<command>\w.*)"
)
_MAGIC = re.compile(r"\s*([%!?,;]|/\w)|[^#'\"]*[\w\])]\?{1,2}\s*$")
_STRING = re.compile(r"('''|\"\"\"|'|\")")
_END = {quote: re.compile(rf"(?:\\.|(?!{quote}).)*{quote}", re.DOTALL)
        for quote in ("'", '"', "'''", '"""')}  # fmt: skip


def without_magics(text: str) -> str | None:
    """Return a cell's text as Python, line by line; None when none of it is Python."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    if first.startswith("%%"):
        if first[2:].split(maxsplit=1)[:1] not in ([name] for name in _PYTHON_CELLS):
            return None
        text = text.replace(first, "pass", 1)
    # A line that begins with `%` may go on with the expression of the line above.
    return text if _is_python(text) else "\n".join(_replaced(text.splitlines())) + "\n"


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _replaced(lines: list[str]) -> list[str]:
    replaced, scanner, shell = [], _Scanner(), False
    for line in lines:
        if shell:  # a shell command goes on
            replaced.append("")
            shell = line.endswith("\\")
            continue
        if scanner.is_between_statements and line.strip():
            python = _python(line)
            shell = python is not line and line.endswith("\\")
            line = python
        scanner.read(line)
        replaced.append(line)
    return replaced


def _python(line: str) -> str:
    """Return a line that begins a statement as Python; the same one if it is."""
    if match := _RUN_HERE.fullmatch(line):
        return match["indent"] + match["code"]
    if match := _ASSIGNED.fullmatch(line):
        return f"{match['left']} = {MAGIC_CALL}({match['command']!r})"
    if _MAGIC.match(line):
        return line[: len(line) - len(line.lstrip())] + "pass"
    return line


class _Scanner:
    """Knows after each line whether a bracket, a string or a backslash is open."""

    def __init__(self) -> None:
        self._depth = 0
        self._quote = ""
        self._goes_on = False

    @property
    def is_between_statements(self) -> bool:
        return self._depth == 0 and not self._quote and not self._goes_on

    def read(self, line: str) -> None:
        self._goes_on = False
        rest = line + "\n"
        while rest:
            if self._quote:
                end = _END[self._quote].match(rest)
                if end is None:
                    # Only a triple-quoted string goes on, or one after a backslash.
                    if len(self._quote) == 1 and not rest.endswith("\\\n"):
                        self._quote = ""
                    return
                rest, self._quote = rest[end.end() :], ""
                continue
            match = _STRING.match(rest)
            if match:
                self._quote, rest = match[0], rest[match.end() :]
            elif rest[0] == "#":
                return
            else:
                self._depth += (rest[0] in "([{") - (rest[0] in ")]}")
                self._depth = max(self._depth, 0)
                self._goes_on = rest == "\\\n"
                rest = rest[1:]

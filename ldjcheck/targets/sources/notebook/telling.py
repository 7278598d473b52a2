"""What is said of a notebook or script: what ran, what not, and what cannot be had."""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from collections.abc import Sequence

from ldjcheck.errors import CannotCheckError
from ldjcheck.targets.sources.notebook.document import MAGIC_CALL, Cell
from ldjcheck.targets.sources.notebook.names import Names, names_in
from ldjcheck.targets.sources.notebook.slicing import (
    Blocked,
    Left,
    Notebook,
    Part,
    Slice,
)
from ldjcheck.targets.sources.source import Source, command, respelled

_NAMED = 5  # names of statements that are listed


def refuse_unknown(
    needs: Names, notebook: Notebook, cells: tuple[Cell, ...], source: Source, expr: str
) -> None:
    """Raise LDJ002 for a needed name that nothing in the notebook binds."""
    if any(names.imports_all for names in notebook.names):
        return  # it may come from there
    for name in sorted(needs.reads):
        index = notebook.deleter(name)
        is_bound = bool(notebook.binders(name)) and index is None
        if is_bound or hasattr(builtins, name):
            continue
        message = f"There is no {name} in {source.name}."
        own = re.escape(name)
        pattern = re.compile(rf"^\s*((class|def)\s+{own}\b|{own}\s*=)", re.MULTILINE)
        may_bind = [cell for cell in cells if pattern.search(cell.text)]
        broken = [line for cell in may_bind for line in _broken(cell)]
        if index is not None:
            evidence: tuple[str, ...] = (
                f"{notebook.statements[index].place} deletes it.",
            )
        elif broken:
            evidence = tuple(broken)
        else:
            evidence = respelled(expr, name, notebook.bound, source)
            if not evidence and source.layers:
                evidence = (f"It has: {', '.join(source.layers[:6])}",)
        raise CannotCheckError("LDJ002", message, evidence)


def refuse_blocked(needs: Names, cut: Slice, source: Source) -> None:
    """Raise LDJ002 for a needed name that only a statement binds which is not run."""
    for blocked in cut.blocked:
        if binds_needed(blocked, needs):
            names = sorted(blocked.names & needs.reads)
            statement = blocked.statement
            line = _first_line(statement.node)
            raise CannotCheckError(
                "LDJ002",
                f"{names[0]} exists only after {statement.place}, which I do not run.",
                (
                    f"  {line}",
                    f"That statement {blocked.why}.",
                    "Name what it starts from instead, such as a class or a call:",
                    *(
                        f"  {command(source.name, each)}"
                        for each in source.layers[:2] or ("NAME",)
                    ),
                ),
            )


def binds_needed(blocked: Blocked, needs: Names) -> bool:
    """Return whether a needed name is bound by this statement, which is not run."""
    is_for_it = bool(blocked.names & needs.reads)
    return is_for_it and bool(needs.reads & _bound(blocked.statement.node))


def notes(
    cut: Slice, skipped: Sequence[Left], count: int, what: str
) -> tuple[str, ...]:
    """Return what was run of a notebook or a file, and what was tried in vain."""
    ran = [part for part in cut.parts if part not in [each for each, _ in skipped]]
    imports = any(isinstance(p.node, (ast.Import, ast.ImportFrom)) for p in ran)
    names = ["imports"] if imports else []
    names += dict.fromkeys(
        name
        for part in ran
        if not isinstance(part.node, (ast.Import, ast.ImportFrom))
        for name in _shown(part)
    )
    if len(names) > _NAMED:
        names[_NAMED:] = [f"{len(names) - _NAMED} more"]
    listed = f" ({', '.join(names)})" if names else ""
    if len(ran) == count:
        text = f"I ran every statement of the {what}{listed}."
    else:
        statements = "1 statement" if len(ran) == 1 else f"{len(ran)} statements"
        text = f"I ran {statements} of the {what}{listed} and skipped the rest: "
        text += "no data was downloaded, nothing was trained."
    lines = textwrap.wrap(text, 76, break_long_words=False)
    for part, why in skipped:
        line = _first_line(part.node)
        lines += textwrap.wrap(f"{part.statement.place}, {line}, {why}", 76)
    for blocked in cut.blocked:
        wanted = ", ".join(sorted(blocked.names))
        text = f"Not run: {blocked.statement.place}, for {wanted}: it {blocked.why}."
        lines += textwrap.wrap(text, 76)
    return tuple(lines)


def _shown(part: Part) -> list[str]:
    own = _bound(part.node)
    return sorted(part.names & own) or sorted(part.names - {"sys.path"})


def _bound(node: ast.stmt) -> set[str]:
    return set(names_in(node).binds)


def _first_line(node: ast.AST) -> str:
    """Return the first line of a statement, a shell command as it was written."""
    line = ast.unparse(node).splitlines()[0]
    return re.sub(rf"{MAGIC_CALL}\(['\"](.*)['\"]\)$", r"!\1", line)


def _broken(cell: Cell) -> list[str]:
    if cell.fault is None:
        return []
    line = cell.fault.lineno or 1
    text = (cell.text.splitlines() or [""])[min(line, cell.text.count("\n") + 1) - 1]
    return [
        f"cell {cell.number} seems to have it, but is no Python:",
        f"  line {line}: {text.strip()}",
        f"  {cell.fault.msg}",
    ]

"""Sources given as a notebook: `path/to/notebook.ipynb`.

Only the statements that the target needs are run: no download, training or plot.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ldjcheck.errors import CannotCheckError
from ldjcheck.targets.blame import shown_path, users_fault
from ldjcheck.targets.file import providers
from ldjcheck.targets.nearby import near_misses
from ldjcheck.targets.notebook import telling
from ldjcheck.targets.notebook.document import (
    NotANotebookError,
    read_cells,
    statements_of,
)
from ldjcheck.targets.notebook.names import names_in
from ldjcheck.targets.notebook.running import future_flags, remember_lines, run_parts
from ldjcheck.targets.notebook.slicing import Notebook, slice_for
from ldjcheck.targets.source import Source, SourceKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldjcheck.targets.notebook.slicing import Part


def accepts(name: str) -> bool:
    """Return whether the name has the suffix of a notebook."""
    return name.endswith(".ipynb")


def load(name: str, wanted: Sequence[str] = ()) -> Source:
    """Run what the wanted expressions need of the notebook, and return its names.

    Imports find what they find in Jupyter: the notebook's folder comes first.

    Raises:
        CannotCheckError: LDJ001, when the file is missing, is no Python notebook, or a
            needed statement raises; LDJ002, when a wanted name does not exist, or only
            after a training or a download.
    """
    path = Path(name).expanduser().absolute()
    try:
        cells = read_cells(path)
    except OSError:
        raise _missing(name, path) from None
    except NotANotebookError as error:
        message = f"{name} is no Python notebook: {error}."
        raise CannotCheckError("LDJ001", message) from None
    statements = statements_of(cells)
    notebook = Notebook(statements)
    remember_lines(cells)
    layers = tuple(_layer_classes(notebook))
    source = Source(
        name=name, namespace={}, known=notebook.bound, layers=layers,
        module=f"{path.stem}_cell",
    )  # fmt: skip
    needs = names_in(_tuple_of(wanted))
    telling.refuse_unknown(needs, notebook, cells, source, " ".join(wanted))
    cut = slice_for(notebook, needs)
    telling.refuse_blocked(needs, cut, source)
    sys.path[:0] = dict.fromkeys((str(path.parent), os.getcwd()))
    sys.path += providers(path, ast.Module([p.node for p in cut.parts], []))
    skipped: list[tuple[Part, str]] = []
    with users_fault("LDJ001", f"{name}, as far as {' '.join(wanted)} needs it,"):
        namespace = run_parts(
            cut.parts,
            path,
            future_flags(statements),
            lambda part, why: skipped.append((part, why)),
        )
    notes = telling.notes(cut, skipped, len(statements))
    return Source(
        name=name, namespace=namespace, known=notebook.bound, layers=layers,
        module=f"{path.stem}_cell", notes=notes,
    )  # fmt: skip


def _tuple_of(wanted: Sequence[str]) -> ast.AST:
    """Return the expressions as one; what cannot be read wants nothing."""
    found = []
    for text in wanted:
        try:
            found.append(ast.parse(text, mode="eval").body)
        except SyntaxError:  # said when it is evaluated
            continue
    return ast.Expr(ast.Tuple(found, ast.Load()))


def _layer_classes(notebook: Notebook) -> list[str]:
    """Return the classes that are run like layers, in their order."""
    nodes = (s.node for s in notebook.statements)
    return list(dict.fromkeys(
        node.name for node in nodes
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and any(
            isinstance(inner, ast.FunctionDef) and re.fullmatch("forward|_call", inner.name)
            for inner in node.body
        )
    ))  # fmt: skip


def _missing(name: str, path: Path) -> CannotCheckError:
    near = near_misses(path.name, (file.name for file in path.parent.glob("*.ipynb")))
    evidence = (
        ("Did you mean:", *(f"  {shown_path(path.parent / match)}" for match in near))
        if near
        else (f"Looked for in {path.parent}.",)
    )
    return CannotCheckError("LDJ001", f"There is no notebook {name}.", evidence)


KIND = SourceKind(name="notebook", accepts=accepts, load=load)

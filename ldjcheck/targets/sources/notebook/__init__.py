"""Sources given as a notebook: `path/to/notebook.ipynb`.

Only the statements that the target needs are run: no download, training or plot.
"""

import ast
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ldjcheck.errors import CannotCheckError
from ldjcheck.targets.sources import Grounds, Source, SourceKind
from ldjcheck.targets.sources.file import missing, providers
from ldjcheck.targets.sources.notebook import running
from ldjcheck.targets.sources.notebook.document import (
    Cell,
    Names,
    NotANotebookError,
    read_cells,
    statements_of,
)
from ldjcheck.targets.sources.notebook.running import (
    future_flags,
    remember_lines,
    run_parts,
)
from ldjcheck.targets.sources.notebook.slicing import (
    Left,
    Notebook,
    Slice,
    grounds_of,
    layer_classes,
    needs_of,
    slice_for,
    with_callers,
)
from ldjcheck.targets.user_errors import users_fault


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
    opened = _open(name)
    needs = _refuse_unknown(opened, wanted)
    cut = slice_for(opened.notebook, needs)
    running.refuse_blocked(needs, cut, opened.source)
    cut = with_callers(opened.notebook, needs, cut)
    expr = " ".join(wanted)
    with users_fault("LDJ001", f"{name}, as far as {expr} needs it,"):
        source, skipped = _run(opened, cut)
    count = len(opened.notebook.statements)
    notes = running.notes(cut, skipped, count, "notebook")
    return replace(source, notes=notes)


def glance(name: str, wanted: Sequence[str] = ()) -> Source:
    """Return the notebook with the names that it binds; nothing of it is run.

    Raises:
        CannotCheckError: LDJ001, when the file is missing, or is no Python notebook;
            LDJ002, when a wanted name does not exist.
    """
    opened = _open(name)
    _refuse_unknown(opened, wanted)
    return opened.source


def statements(path: Path) -> tuple[ast.stmt, ...]:
    """Return the statements of a notebook, of which none is run.

    Raises:
        CannotCheckError: LDJ001, when the file is missing, or is no Python notebook.
    """
    return tuple(each.node for each in _open(str(path)).notebook.statements)


def explore(name: str) -> Grounds:
    """Run all that may be a layer, as far as it can be run; nothing that raises matters.

    Classes and functions are defined; values are made where a class, or a function of the
    notebook, makes them.

    Raises:
        CannotCheckError: LDJ001, when the file is missing, or is no Python notebook.
    """
    opened = _open(name)
    with users_fault("LDJ001", f"Looking through {name}"):
        return grounds_of(opened.notebook, lambda cut: _run(opened, cut))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    path: Path
    cells: tuple[Cell, ...]
    notebook: Notebook
    source: Source  # nothing is run yet


def _open(name: str) -> _Opened:
    path = Path(os.path.expanduser(name)).absolute()
    try:
        cells = read_cells(path)
    except OSError:
        raise missing(name, path, "notebook") from None
    except NotANotebookError as error:
        message = f"{name} is no Python notebook: {error}."
        raise CannotCheckError("LDJ001", message) from None
    remember_lines(cells)
    notebook = Notebook(statements_of(cells))
    source = Source(
        name=name,
        namespace={},
        known=notebook.bound,
        layers=tuple(layer_classes(notebook)),
        module=f"{path.stem}_cell",
    )
    return _Opened(path=path, cells=cells, notebook=notebook, source=source)


def _refuse_unknown(opened: _Opened, wanted: Sequence[str]) -> Names:
    """Return what the wanted expressions read; a name that nothing binds is refused."""
    needs, expr = needs_of(wanted), " ".join(wanted)
    running.refuse_unknown(needs, opened.notebook, opened.cells, opened.source, expr)
    return needs


def _run(opened: _Opened, cut: Slice) -> tuple[Source, list[Left]]:
    """Return the source after running the slice, and what raised and was left out."""
    sys.path[:0] = dict.fromkeys((str(opened.path.parent), os.getcwd()))
    tree = ast.Module([part.node for part in cut.parts], [])
    sys.path += providers(opened.path, tree)
    flags = future_flags(opened.notebook.statements)
    namespace, left = run_parts(cut.parts, opened.path, flags)
    return replace(opened.source, namespace=namespace), left


KIND = SourceKind(name="notebook", accepts=accepts, load=load, explore=explore)

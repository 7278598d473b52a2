"""Sources given as a Python file, or its module, that trains, downloads or draws.

An import would do all of that at its top level. Only the statements that the target needs
are run, as of a notebook. What cannot be had so is imported as a whole, as any file is.
"""

import ast
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ldjcheck.targets.sources import Grounds, Source, SourceKind, file, module
from ldjcheck.targets.sources.notebook import running
from ldjcheck.targets.sources.notebook.document import Cell, Statement
from ldjcheck.targets.sources.notebook.running import future_flags, run_in_module
from ldjcheck.targets.sources.notebook.slicing import (
    Left,
    Notebook,
    Slice,
    grounds_of,
    layer_classes,
    needs_of,
    slice_for,
)
from ldjcheck.targets.user_errors import users_fault


def accepts(name: str) -> bool:
    """Return whether an import of this file would do what a check must not."""
    try:
        script = _open(name).script
    except (OSError, SyntaxError, ValueError):
        return False  # what is wrong with it is said where files are loaded
    return any(script.doings.of(s.node).hazard for s in script.statements)


def load(name: str, wanted: Sequence[str] = ()) -> Source:
    """Run what the wanted expressions need of the file, and return its names.

    Where a name is bound by a training or a download, all of the file is imported.

    Raises:
        CannotCheckError: LDJ001, when a needed statement raises.
    """
    opened = _open(name)
    script, needs = opened.script, needs_of(wanted)
    cut = slice_for(script, needs)
    if any(running.binds_needed(blocked, needs) for blocked in cut.blocked):
        return opened.whole.load(name, wanted)
    expr = " ".join(wanted)
    with users_fault("LDJ001", f"{name}, as far as {expr} needs it,"):
        if _is_imported_by_its_package(opened):
            return opened.whole.load(name, wanted)
        source, skipped = _run(opened, cut)
    notes = running.notes(cut, skipped, len(script.statements), "file")
    return replace(source, notes=notes)


def explore(name: str) -> Grounds:
    """Run all that may be a layer, as far as it can be run; nothing that raises matters.

    Raises:
        CannotCheckError: LDJ001, when the file cannot be imported at all.
    """
    opened = _open(name)
    with users_fault("LDJ001", f"Looking through {name}"):
        if _is_imported_by_its_package(opened):
            return opened.whole.explore(name)
        return grounds_of(opened.script, lambda cut: _run(opened, cut))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    name: str  # as it was typed
    path: Path
    tree: ast.Module
    script: Notebook
    module: str | None  # the name that it is imported by; a lone file goes by its own
    whole: SourceKind  # how all of it is run


def _open(name: str) -> _Opened:
    """Return the file's statements, as an import would run them.

    Raises:
        OSError, SyntaxError, ValueError: there is no such file, or it is a package's.
    """
    whole = file.KIND if file.accepts(name) else module.KIND
    path = module.file_of(name)
    if whole is file.KIND:
        path = Path(os.path.expanduser(name)).absolute()
    if path is None or path.stem == "__init__":
        raise ValueError(f"{name} has no file of its own")
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    known: str | None = name
    if whole is file.KIND:
        root = file.climbs_to(path, tree)
        known = None if root == path.parent else file.dotted(path, root)
    cell = Cell(number=None, file=str(path), text=text)
    nodes = (node for node in tree.body if not _is_main_guard(node))
    script = Notebook(tuple(Statement(cell=cell, node=node) for node in nodes))
    return _Opened(
        name=name, path=path, tree=tree, script=script, module=known, whole=whole
    )


def _is_main_guard(node: ast.stmt) -> bool:
    """Return whether a statement does nothing when the file is imported."""
    return (
        isinstance(node, ast.If)
        and not node.orelse
        and isinstance(node.test, ast.Compare)
        and ast.unparse(node.test)
        in ("__name__ == '__main__'", "'__main__' == __name__")
    )


def _is_imported_by_its_package(opened: _Opened) -> bool:
    """Run the package that the file is in; return whether that imports the file, too."""
    if opened.whole is module.KIND:
        sys.path.insert(0, os.getcwd())
    else:
        file.importable(opened.path, opened.tree)
    package = (opened.module or "").rpartition(".")[0]
    if package:
        importlib.import_module(package)
    return bool(package) and opened.module in sys.modules


def _run(opened: _Opened, cut: Slice) -> tuple[Source, list[Left]]:
    """Return the source after running the slice, and what raised and was left out."""
    own = file.empty_module(opened.path, opened.module)
    package, _, last = own.__name__.rpartition(".")
    if package:  # as an import leaves it
        setattr(sys.modules[package], last, own)
    left = run_in_module(cut.parts, own, future_flags(opened.script.statements))
    source = Source(
        name=opened.name,
        namespace=vars(own),
        module=own.__name__,
        file=opened.path,
        known=opened.script.bound,
        layers=tuple(layer_classes(opened.script)),
    )
    return source, left


KIND = SourceKind(name="script", accepts=accepts, load=load, explore=explore)

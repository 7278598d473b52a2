"""Sources given as a dotted module: `package.module`."""

import ast
import importlib.machinery
import importlib.util
import inspect
import os
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ldjcheck.errors import CannotCheckError
from ldjcheck.object_graph import module_of
from ldjcheck.targets.sources import (
    Grounds,
    Source,
    SourceKind,
    did_you_mean,
    near_misses,
)
from ldjcheck.targets.user_errors import user_frames, users_fault


def accepts(name: str) -> bool:
    """Return whether the name could be a Python module's, and is no notebook's."""
    parts = name.split(".")
    return all(part.isidentifier() for part in parts) and parts[-1] != "ipynb"


def file_of(name: str) -> Path | None:
    """Return the file of a module of the current folder, or None; nothing is run.

    A package is left to Python, as is what is installed.
    """
    path = Path.cwd().joinpath(*name.split(".")).with_suffix(".py")
    return path if accepts(name) and os.path.isfile(path) else None


def load(name: str, _: Sequence[str] = ()) -> Source:
    """Import the module, from the current folder if it is there, and return its names.

    Raises:
        CannotCheckError: LDJ001, when it is missing or raises.
    """
    sys.path.insert(0, os.getcwd())
    reproduce = "The same without ldjcheck:", f'  python -c "import {name}"'
    with users_fault("LDJ001", f"Importing {name}", *reproduce):
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            is_own = f"{name}.".startswith(f"{error.name}.")  # not what it imports
            if is_own and not user_frames(error):
                raise _missing(name, str(error.name)) from None
            raise
    return Source(name=name, namespace=vars(module), module=module.__name__)


def _missing(name: str, missing: str) -> CannotCheckError:
    package, _, last = missing.rpartition(".")
    here = [os.getcwd(), *sys.path]
    path = sys.modules[package].__path__ if package else here
    prefix = f"{package}." if package else ""
    near = near_misses(last, (found.name for found in pkgutil.iter_modules(path)))
    meant = (name.replace(missing, f"{prefix}{match}", 1) for match in near)
    evidence = did_you_mean(meant) or (
        "A module is looked for in the current folder and among what is installed.",
        "A file is named with its suffix: ldjcheck path/to/file.py:Layer",
    )
    return CannotCheckError("LDJ001", f"There is no module {missing}.", evidence)


def refuse_missing(name: str) -> None:
    """Raise where nobody has the outermost package of a dotted name; nothing is run.

    Raises:
        CannotCheckError: LDJ001, when it is missing.
    """
    outermost = name.partition(".")[0]
    if importlib.machinery.PathFinder.find_spec(outermost, [os.getcwd()]) is not None:
        return
    try:
        found = importlib.util.find_spec(outermost) is not None
    except ValueError:  # it is loaded, and says of itself no more than that
        found = True
    if not found:
        raise _missing(name, outermost)


def explore(name: str) -> Grounds:
    """Import the module, and return it with its statements.

    What a package takes from its own modules is its own.

    Raises:
        CannotCheckError: LDJ001, when it is missing or raises.
    """
    source = load(name)
    home = f"{source.module}."
    classes = {n: v for n, v in source.namespace.items() if inspect.isclass(v)}
    taken = (name for name, each in classes.items() if module_of(each).startswith(home))
    borrowed = tuple(name for name in taken if not name.startswith("_"))
    try:
        text = inspect.getsource(sys.modules[str(source.module)])
    except (OSError, TypeError):  # compiled, or empty
        text = ""
    tree = ast.parse(text)
    return Grounds(source=source, statements=tuple(tree.body), borrowed=borrowed)


KIND = SourceKind(name="module", accepts=accepts, load=load, explore=explore)

"""Imports around what a file of a package does not need itself.

The `__init__` of a package above it may raise, and a sibling may ask for a module that is
not installed, where the file that was asked for runs without either. The package is then
entered without its `__init__`; what is missing is there by name, and raises when it is used.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn


def import_around(
    load: Callable[[], ModuleType], name: str, root: Path, raised: Exception
) -> tuple[ModuleType, tuple[str, ...]]:
    """Return the module of a file below `root`, and what its import was led around.

    `load` imports it, and `name` is the module's, dotted where it is in a package. Every
    failure names the next thing to leave out, and each is left out once.

    Raises:
        Exception: `raised`, where the file does not run without them either.
    """
    packages = [*accumulate(name.split(".")[:-1], "{}.{}".format)]
    absent: list[str] = []
    entered: list[str] = []
    error: Exception = raised
    while True:
        missing = _missing(error)
        if missing is not None and missing not in absent:
            absent.append(missing)
        elif not entered and packages:
            entered = packages
            for package in entered:
                _enter(package, root)
        else:
            raise raised
        try:
            with _standing_in(absent):
                module = load()
        except Exception as failure:  # whatever a stranger's file may raise
            error = failure
        else:
            return module, _told(absent, entered, raised)


def _missing(error: Exception) -> str | None:
    """Return the package that nobody has, if that is what the error is about."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    top = error.name.partition(".")[0]
    return top if importlib.machinery.PathFinder.find_spec(top) is None else None


def _enter(package: str, root: Path) -> None:
    folder = root.joinpath(*package.split("."))
    module = sys.modules[package] = ModuleType(package)
    module.__path__ = [str(folder)]
    spec = importlib.machinery.ModuleSpec(package, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    module.__spec__ = spec
    above, _, own = package.rpartition(".")
    if above:
        setattr(sys.modules[above], own, module)


def _told(
    absent: Sequence[str], entered: Sequence[str], raised: Exception
) -> tuple[str, ...]:
    said = []
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        said.append(f"{', '.join(absent)} {verb} not installed: imported without.")
    if entered:
        why = " ".join(f"{type(raised).__name__}: {raised}".split())
        said.append(
            f"{entered[0]} raises when it is imported ({why}): entered without."
        )
    return tuple(said)


@contextmanager
def _standing_in(absent: Sequence[str]) -> Iterator[None]:
    """Let these packages be imported; afterwards nobody is told that they are there."""
    finder = _Finder(absent)
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [n for n in sys.modules if n.partition(".")[0] in absent]:
            del sys.modules[name]


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, absent: Sequence[str]) -> None:
        self.absent = absent

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] not in self.absent:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _AbsentModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing of it is there to be run."""


class _AbsentModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Absent(f"{self.__name__}.{name}")


class _Absent:
    """A name of a module that is not installed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _raise(self, *_: Any, **__: Any) -> NoReturn:
        top = self._name.partition(".")[0]
        raise ModuleNotFoundError(
            f"No module named {top!r}, of which {self._name} is used", name=top
        )

    __call__ = __mro_entries__ = __getitem__ = __iter__ = _raise

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self._raise()

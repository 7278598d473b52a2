"""Sources given as a Python file: `path/to/file.py`, of a package or alone.

The `__init__` of a package above it may raise, and a sibling may ask for a module that is
not installed, where the file that was asked for runs without either. The package is then
entered without its `__init__`; what is missing is there by name, and raises when it is used.
"""

import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from ldjcheck.errors import CannotCheckError
from ldjcheck.targets.sources import (
    Grounds,
    Source,
    SourceKind,
    did_you_mean,
    near_misses,
)
from ldjcheck.targets.user_errors import shown_path, users_fault


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
            return module, _render_imports(absent, entered, raised)


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


def _render_imports(
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
        return Absent(f"{self.__name__}.{name}")


class Absent:
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


# --- the file itself ------------------------------------------------------------------


def accepts(name: str) -> bool:
    """Return whether the name has the suffix of a Python file."""
    return name.endswith(".py")


def load(name: str, _: Sequence[str] = ()) -> Source:
    """Import the file under the name its own package gives it, and return its names.

    The current folder becomes importable, and so does what the file's imports need:
    the folder above its package, and the nearest folder upwards that has a module it
    asks for and nobody else provides.

    Raises:
        CannotCheckError: LDJ001, when the file is missing or raises.
    """
    path = Path(os.path.expanduser(name)).absolute()
    tree = parsed(name, path)
    with users_fault("LDJ001", f"Importing {name}", *_reproduce(name)):
        module, notes = _import(path, importable(path, tree))
    return Source(
        name=name,
        namespace=vars(module),
        module=module.__name__,
        file=path,
        notes=notes,
    )


def importable(path: Path, tree: ast.AST) -> Path:
    """Let what the file imports be found; return the folder to import the file from."""
    root = climbs_to(path, tree)
    sys.path[:0] = dict.fromkeys((str(root), os.getcwd()))
    sys.path += providers(path, tree)
    return root


def parsed(name: str, path: Path) -> ast.Module:
    """Return the tree of a file that was typed as `name`.

    Raises:
        CannotCheckError: LDJ001, when it is missing, or no Python.
    """
    if not os.path.isfile(path):
        raise missing(name, path)
    with users_fault("LDJ001", f"Importing {name}", *_reproduce(name)):
        # `ast.parse` would put a frame of its own into a SyntaxError's traceback.
        tree: ast.Module = compile(path.read_bytes(), name, "exec", ast.PyCF_ONLY_AST)  # type: ignore[assignment]  # of a whole file
        return tree


def _reproduce(name: str) -> tuple[str, ...]:
    return ("The same without ldjcheck:", f"  python {name}")


def climbs_to(path: Path, tree: ast.AST) -> Path:
    """Return the folder to import from: above every package that the file is in.

    A folder is a package when it has an `__init__.py`, when it lies between two that have
    one, or when the file's relative imports (`from .nets import MLP`) climb through it.
    """
    climbs = max(
        (node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)),
        default=0,
    )
    root = path.parent
    in_package = _is_package(root)
    while climbs > 0 or _is_package(root) or (in_package and _is_package(root.parent)):
        root, climbs = root.parent, climbs - 1
    return root


def _is_package(folder: Path) -> bool:
    return os.path.isfile(folder / "__init__.py")


def providers(path: Path, tree: ast.AST) -> list[str]:
    """Return folders above the file that have modules it imports and none else has."""
    wanted = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            wanted |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            wanted.add(node.module.partition(".")[0])
    found = (
        next((str(up) for up in path.parents if _provides(up, name)), None)
        for name in sorted(wanted)
        if not _is_importable(name)
    )
    return [folder for folder in dict.fromkeys(found) if folder is not None]


def _provides(folder: Path, name: str) -> bool:
    return os.path.isfile(folder / f"{name}.py") or os.path.isdir(folder / name)


def _is_importable(name: str) -> bool:
    # A module already loaded without a spec makes `find_spec` raise.
    return name in sys.modules or importlib.util.find_spec(name) is not None


def _import(path: Path, root: Path) -> tuple[ModuleType, tuple[str, ...]]:
    """Return the file's module, and what was left out of what it imports."""
    alone = path.parent == root
    name = path.stem if alone else dotted(path, root)
    load = partial(_run, path) if alone else partial(importlib.import_module, name)
    notes: tuple[str, ...] = ()
    try:
        module = load()
    except Exception as error:  # whatever a stranger's file may raise
        if alone and _raised_in(error) == path and _missing(error) is None:
            raise  # there is nothing to lead it around
        module, notes = import_around(load, name, root, error)
    if not path.samefile(str(module.__file__)):
        raise ImportError(f"{name} is already loaded from {module.__file__}")
    return module, notes


def _run(path: Path) -> ModuleType:
    module = empty_module(path)
    spec: Any = module.__spec__  # which has a loader
    spec.loader.exec_module(module)
    return module


def _raised_in(error: Exception) -> Path | None:
    """Return the file whose statement an import ended at."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.line]
    files = [f.filename for f in frames if not f.filename.startswith("<")]
    return Path(files[-1]) if files else None


def dotted(path: Path, root: Path) -> str:
    """Return the name of a package's file for an import from the folder `root`."""
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    return name.removesuffix(".__init__")


def empty_module(path: Path, name: str | None = None) -> ModuleType:
    """Return the module of a file, known to Python by its name; nothing of it is run.

    A lone file needs no `name`: it goes by its own, unless that is taken (`types.py`).

    Raises:
        ImportError: It is no module's file.
    """
    if name is None:
        taken = path.stem in sys.modules or path.stem in sys.stdlib_module_names
        name = f"{path.stem}_py" if taken else path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    return module


def missing(name: str, path: Path, what: str = "file") -> CannotCheckError:
    """Return what to say of a path at which there is no such file."""
    folder, is_file = path.parent, what == "file"
    if is_file and os.path.isdir(path):
        return CannotCheckError("LDJ001", f"{name} is a folder, not a file.")
    if is_file and not os.path.isdir(folder):
        where = shown_path(folder)
        return CannotCheckError(
            "LDJ001", f"There is no file {name}, nor folder {where}."
        )
    suffixes = (".py", ".ipynb") if is_file else (".ipynb", ".py")
    files = (file for suffix in suffixes for file in folder.glob(f"*{suffix}"))
    near = near_misses(path.name, (file.name for file in files))
    meant = did_you_mean(shown_path(folder / match) for match in near)
    evidence = meant or (f"Looked for in {folder}.",)
    return CannotCheckError("LDJ001", f"There is no {what} {name}.", evidence)


def explore(name: str) -> Grounds:
    """Import the file, and return it with its statements.

    Raises:
        CannotCheckError: LDJ001, when the file is missing or raises.
    """
    path = Path(os.path.expanduser(name)).absolute()
    source = load(name)
    tree = parsed(name, path)
    return Grounds(source=source, statements=tuple(tree.body))


KIND = SourceKind(name="file", accepts=accepts, load=load, explore=explore)

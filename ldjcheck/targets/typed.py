"""Targets as people type them, put into the form `SOURCE:EXPR`.

As pytest writes them (`flows.py::Affine`), as Python does (`flows.Affine`), as two words
(`flows.py Affine`), as a folder, or as a glob that no shell has expanded. Nothing is run:
what a word means is seen from the files' own text.
"""

import ast
import glob
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from ldjcheck.errors import CannotCheckError
from ldjcheck.records.asked import Target
from ldjcheck.targets.sources import Source, file, notebook, parse_target
from ldjcheck.targets.static_check import file_of_module, glance

_LEFT_OUT = re.compile(r"\..*|__pycache__|node_modules|site-packages|build|dist")
"""Folders that hold nobody's own layers."""
_NOT_LAYERS = re.compile(r"test_.*\.py|.*_test\.py|conftest\.py|setup\.py")
"""Files whose classes are run by others."""
_WEIGHTS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")


def as_targets(words: Sequence[str]) -> tuple[str, ...]:
    """Return the targets that typed words mean; one that is clear already stays as it is."""
    joined: list[str] = []
    for word in map(_written_plainly, words):
        if joined and _is_name_in(word, joined[-1]):
            joined[-1] = f"{joined[-1]}:{word}"
        else:
            joined.append(word)
    return tuple(target for word in joined for target in _expanded(word))


def _written_plainly(word: str) -> str:
    """Return a word with `::` as `:`, without a comma that sets it off from the next."""
    word = word.strip()
    source, twice, rest = word.partition("::")
    if twice and _is_path(source):
        word = f"{source}:{rest.replace('::', '.')}"
    bare = word.removesuffix(",")
    return bare if bare and _is_path(bare.partition(":")[0]) else word


def _is_path(text: str) -> bool:
    return file.accepts(text) or notebook.accepts(text)


def _is_name_in(word: str, source: str) -> bool:
    """Return whether a word is an expression, meant in the names of what stands before."""
    if not _is_path(source) or _is_path(word) or os.path.exists(word):
        return False
    try:
        tree = ast.parse(word, mode="eval")
        known = _names_of(source)
    except (SyntaxError, ValueError, CannotCheckError):
        return False
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    if not names or ":" in word:
        return False
    is_known = known is not None and names[0] in known.known
    return is_known or not _is_module(names[0])


def _names_of(source: str) -> Source | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the source's own text; told when it runs
        if notebook.accepts(source):
            return notebook.glance(source)
        return glance(source)


def _expanded(word: str) -> Iterator[str]:
    """Yield the files of a folder or glob, and what a dotted name means."""
    path = Path(os.path.expanduser(word))
    if os.path.isdir(path):  # a long expression is no path
        yield from _sources_in(path) or [word]
    elif re.search(r"[*?]", word.partition(":")[0]):
        source, colon, expr = word.partition(":")
        found = sorted(filter(_is_path, glob.glob(source, recursive=True)))
        apt = [each for each in found if _may_hold(each, expr)] or found
        yield from (f"{each}{colon}{expr}" for each in apt) if apt else [word]
    else:
        yield _with_colon(word)


def _sources_in(folder: Path) -> list[str]:
    """Return the files and notebooks under a folder that define a layer."""
    found = []
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not _LEFT_OUT.fullmatch(name)
            and not os.path.isfile(Path(here) / name / "pyvenv.cfg")
        )
        for name in sorted(files):
            path = os.path.join(here, name)
            is_apt = _is_path(name) and not _NOT_LAYERS.fullmatch(name)
            if is_apt and _may_hold(path, ""):
                found.append(path)
    return found


def _may_hold(path: str, expr: str) -> bool:
    """Return whether a file may hold what an expression names; without one, a layer."""
    try:
        source = _names_of(path)
    except CannotCheckError:
        return True
    name = re.match(r"\w*", expr.strip())
    if source is None or name is None:
        return True
    return name[0] in source.known if name[0] else bool(source.layers)


def _with_colon(word: str) -> str:
    """Return `package.module.Class` as `package.module:Class`, if the file defines it."""
    if ":" in word or _is_path(word) or not re.fullmatch(r"\w+(\.\w+)+", word):
        return word
    parts = word.split(".")
    if file_of_module(word) is not None:
        return word
    for cut in range(len(parts) - 1, 0, -1):
        module, rest = ".".join(parts[:cut]), parts[cut:]
        if file_of_module(module) is None:
            continue
        source = glance(module)
        is_known = source is None or rest[0] in source.known
        return f"{module}:{'.'.join(rest)}" if is_known else word
    return word


def defined_nearby(name: str) -> list[str]:
    """Return the files of this folder, and of those in it, whose text defines a class."""
    here = Path()
    found = []
    for path in sorted(f for p in ("*.py", "*.ipynb", "*/*.py") for f in here.glob(p)):
        try:
            source = _names_of(str(path))
        except CannotCheckError:
            continue
        if source is not None and name in source.layers:
            found.append(str(path))
    return found


def _is_package_with(folder: Path, target: Target) -> bool:
    """Return whether a folder is a package whose own names may hold the expression."""
    inside = folder / "__init__.py"
    if not (target.expr and target.source.isidentifier() and os.path.isfile(inside)):
        return False
    return _may_hold(str(inside), target.expr)


def refused(text: str) -> CannotCheckError | None:
    """Return what to type instead of a word that is no target, where that is clear."""
    try:
        target = parse_target(text)
    except CannotCheckError as error:
        return error
    instead = _instead(target)
    return None if instead is None else CannotCheckError("LDJ001", *instead)


def _instead(target: Target) -> tuple[str, tuple[str, ...]] | None:
    """Return what is wrong with a target, and what to type instead; or None."""
    source, text = target.source, target.text
    path = Path(os.path.expanduser(source))
    if os.path.isdir(path) and not _is_package_with(path, target):
        if target.expr is None:
            looked = "Looked for were classes with a forward, in .py and .ipynb files."
            return f"No file in the folder {source} defines a layer.", (looked,)
        found = [each for each in _sources_in(path) if _may_hold(each, target.expr)]
        typed = [f"  ldjcheck '{each}:{target.expr}'" for each in found[:3]]
        message = f"{source} is a folder; a layer is named with its file."
        return message, ("Type:", *typed) if typed else ()
    if re.search(r"[*?]", source):
        looked = f"Looked for in {Path().absolute()}."
        return f"No Python file or notebook matches {source}.", (looked,)
    if path.suffix in _WEIGHTS and os.path.exists(path):
        typed = [f"  ldjcheck FILE.py:LAYER --weights {source}"]
        return f"{source} holds weights, no layer.", (
            "Name the layer beside it:",
            *typed,
        )
    if target.expr is None and re.fullmatch(r"[\d\s,x()\[\]]*\d[\d\s,x()\[\]]*", text):
        message = f"{text} is no target; a shape is given with --shape."
        return message, ("Type:", f"  ldjcheck FILE.py:LAYER --shape {text}")
    with_suffix = path.with_name(path.name + ".py")
    if os.sep in source and os.path.isfile(with_suffix):
        expr = "" if target.expr is None else f":{target.expr}"
        meant = f"  ldjcheck '{source}.py{expr}'"
        return f"There is no file {source}.", ("Did you mean:", meant)
    name = source.partition("(")[0].strip()
    if target.expr is None and name.isidentifier() and not _is_module(name):
        found = defined_nearby(name)
        typed = [f"  ldjcheck '{each}:{source}'" for each in found[:3]]
        if found:
            message = f"{source} is no source, but the name of a layer."
            return message, ("Name the file that defines it:", *typed)
    return None


def _is_module(name: str) -> bool:
    return file_of_module(name) is not None

"""Tracebacks of the user's code, cells of notebooks too, shown without a frame of ours.

Each cell of a notebook is compiled as a file of its own, `flows.ipynb, cell 27`:
tracebacks, ledgers and locations then count lines by cell, as a reader of the notebook does.
"""

import ast
import functools
import linecache
import os
import re
import sys
import sysconfig
import traceback
from dataclasses import dataclass
from dis import opmap
from types import CodeType, FrameType, TracebackType

_CELL = re.compile(r"(?P<notebook>.*\.ipynb), cell (?P<number>\d+)", re.DOTALL)


def cell_file(notebook: str, number: int) -> str:
    """Return the file name of a cell; the first cell of any type is number 1."""
    return f"{notebook}, cell {number}"


def split_cell(file: str) -> tuple[str, int | None]:
    """Return the file that the user has, and the cell if it is a notebook's."""
    match = _CELL.fullmatch(file)
    return (match["notebook"], int(match["number"])) if match else (file, None)


def running_cell(file: str) -> str | None:
    """Return `In [2]` for what IPython compiled from that cell, whatever file it names."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    named = getattr(getattr(shell, "compile", None), "format_code_name", lambda _: None)
    found = named(file)
    return None if found is None else str(found[1]).replace("In[", "In [")


_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_LONGEST = 2000  # characters of a message
_STDLIB = os.path.realpath(sysconfig.get_path("stdlib")) + os.sep
PYTHON = "the standard library"
_PACKAGES = tuple(f"{os.sep}{each}-packages{os.sep}" for each in ("site", "dist"))
_BELOW = tuple(
    each + name + os.sep for each in _PACKAGES for name in ("torch", "numpy")
)
_PLUMBING = (
    f"{os.sep}torch{os.sep}nn{os.sep}modules{os.sep}module.py",
    f"{os.sep}torch{os.sep}overrides.py",
    f"{os.sep}torch{os.sep}utils{os.sep}_contextlib.py",
    "<frozen importlib._bootstrap>",
    "<frozen importlib._bootstrap_external>",
    "<frozen runpy>",
    f"{os.sep}importlib{os.sep}__init__.py",
)
_OF_FLAGS = (ast.Name, ast.UnaryOp, ast.Not, ast.BoolOp, ast.boolop, ast.expr_context)


_SLIPS: tuple[tuple[str, str], ...] = (
    (
        r"before Module\.__init__\(\) call|has no attribute '_(parameters|modules|buffers)'",
        "Your class sets up nn.Module first: super().__init__() in its __init__.",
    ),
    (
        r"not compiled with CUDA|No CUDA GPUs|no NVIDIA driver|CUDA driver (version|init)",
        "There is no CUDA here: make tensors where the input is, device=x.device.",
    ),
    (
        r"tensors to be on the same device",
        "A tensor is made on a device of its own: make it with device=x.device.",
    ),
    (
        r"uninitialized parameter|LazyModule|lazy module",
        "Its first call makes its parameters: name a function that calls it once.",
    ),
    (
        r"unhashable type",
        "torch puts modules into sets: a dataclass of them is @dataclass(eq=False).",
    ),
    (
        r"must have the same dtype|expected scalar type (Double|Float)",
        "A tensor is made in float32: give it dtype=x.dtype, or use --dtype as-written.",
    ),
)
"""What torch says of frequent slips, and what mends them."""


def advice_on(error: BaseException) -> tuple[str, ...]:
    """Return what to do about an error of which that is known, in a line."""
    text = message_of(error)
    return tuple(advice for said, advice in _SLIPS if re.search(said, text))[:1]


def message_of(error: BaseException) -> str:
    """Return an error's message: what cannot be shown is escaped, what never ends is cut."""
    text = _raw_message(error)
    if text is None:
        return "its message cannot be shown"
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + " ..."
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def without_numbers(text: str) -> str:
    """Return a message without the numbers in it: of whatever sizes it speaks."""
    return re.sub(r"\d+", "#", text)


def user_traceback(error: BaseException) -> tuple[str, ...]:
    """Return the lines of a traceback as Python prints it, the user's frames only.

    Frames of ldjcheck and of the machinery that only passes calls on are left out; an
    error that happened in no frame of the user's shows its last line alone.
    """
    summary = traceback.TracebackException.from_exception(error, limit=None)
    for part in _chain(summary):
        kept = [frame for frame in part.stack if not _is_plumbing(frame.filename)]
        part.stack = traceback.StackSummary.from_list(kept)
    text = "".join(summary.format()).rstrip()
    said = _raw_message(error)
    if said and said != message_of(error):
        text = text.replace(said, message_of(error))
    return tuple(text.splitlines())


def user_trail(error: BaseException) -> tuple[tuple[str, int], ...]:
    """Return file and line of the user's frames on the way to an error."""
    steps = traceback.walk_tb(error.__traceback__)
    trail = ((frame.f_code.co_filename, line) for frame, line in steps)
    return tuple((file, line) for file, line in trail if not _is_plumbing(file))


def line_of(error: BaseException) -> int | None:
    """Return the user's innermost line on the way to an error, libraries left out."""
    lines = [line for file, line in user_trail(error) if not _is_library(file)]
    return lines[-1] if lines else None


def _raw_message(error: BaseException) -> str | None:
    try:
        return str(error)
    except Exception:  # a message that cannot even be made is no reason to stop
        return None


@dataclass(frozen=True, slots=True)
class RunningLine:
    """A line of the user's that is running now."""

    file: str
    line: int
    text: str
    is_import: bool  # at a module's top level, or called from there


def running_line(frame: FrameType | None, until: CodeType) -> RunningLine | None:
    """Return the user's line that runs in a frame, or that has called what does.

    While a module is imported, that is the line at its top level. Looked at are the
    callers up to `until`.
    """
    found = None
    for caller, line in traceback.walk_stack(frame):
        code = caller.f_code
        file = code.co_filename
        if code is until or (found is not None and is_ours(file)):
            break
        if package_of(file) or _is_plumbing(file):
            continue
        is_import = code.co_name == "<module>"
        if found is None or is_import:
            text = linecache.getline(file, line).strip()
            found = RunningLine(file, line, text, is_import)
        if is_import:
            break
    return found


def is_of_users(error: BaseException) -> bool:
    """Return whether an error was raised by code that ldjcheck called, and is not ours.

    What torch and the standard library raise counts for whoever called them.
    """
    users = False
    for frame, _ in traceback.walk_tb(error.__traceback__):
        filename = frame.f_code.co_filename
        if is_ours(filename):
            users = False
        elif not _is_library(filename):
            users = True
    return users


def is_by_statement(error: BaseException) -> bool:
    """Return whether a `raise` or an `assert` made an error, and no operation that failed."""
    last = _last_of(error)
    if last is None:
        return False
    return last.tb_frame.f_code.co_code[last.tb_lasti] == opmap["RAISE_VARARGS"]


def is_by_flags(error: BaseException) -> bool:
    """Return whether a statement raised for a flag that it was called with, and no more.

    As `assert not reverse`, or `raise` below `if reverse:`. What was computed, or given
    beside flags, has no part in it.
    """
    last = _last_of(error)
    if last is None or not is_by_statement(error):
        return False
    code, held = last.tb_frame.f_code, last.tb_frame.f_locals
    if is_ours(code.co_filename):
        return False
    given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    flags = {name for name in given if isinstance(held.get(name), bool)}
    if not flags:
        return False  # without its file being read, which may be a long one of torch
    test = _test_before(code.co_filename, last.tb_lineno)
    nodes = [] if test is None else list(ast.walk(test))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    plain = all(isinstance(node, _OF_FLAGS) for node in nodes)
    return plain and bool(names) and names <= flags


def _test_before(file: str, line: int) -> ast.expr | None:
    """Return what an `assert` in a line asks, or the nearest `if` around a `raise` there."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return None
    found: ast.expr | None = None
    for node in ast.walk(tree):  # what is around comes first
        if isinstance(node, (ast.Assert, ast.If)):
            inner = node.body if isinstance(node, ast.If) else [node]
            if any(each.lineno <= line <= (each.end_lineno or line) for each in inner):
                found = node.test
    return found


def _last_of(error: BaseException) -> TracebackType | None:
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last


def _is_library(filename: str) -> bool:
    if any(part in filename for part in _PACKAGES):
        return any(part in filename for part in _BELOW)
    return filename.startswith((_STDLIB, "<frozen "))


@functools.lru_cache(maxsize=1024)
def package_of(file: str) -> str:
    """Return the installed package that a file belongs to; nothing for a user's own.

    A virtual environment holds packages wherever it stands, in the user's own folder too.
    """
    for name in (file, os.path.realpath(file)):
        for folder in _PACKAGES:
            _, found, inside = name.partition(folder)
            if found:
                return inside.partition(os.sep)[0]
        if name.startswith((_STDLIB, "<frozen ")):
            return PYTHON
    return ""


def is_own(file: str, home: str) -> bool:
    """Return whether a file is of the own sources of what is defined in the file `home`.

    Those are the files of its folder tree, or of the current one, that are not installed;
    of what is itself part of an installed package they are the files of that package.
    """
    package, of_home = package_of(file), package_of(home)
    if package or of_home:
        return package == of_home
    if file == home or file.startswith("<"):
        return True
    return any(_is_below(file, tree) for tree in (_tree_of(home), os.getcwd()))


def nearest_own(files: tuple[str, ...]) -> int:
    """Return which of the files that call each other, innermost first, is the nearest own.

    Where all are installed, it is of the outermost one's package.
    """
    home = home_of(files[::-1])
    return next(i for i, file in enumerate(files) if is_own(file, home))


def home_of(files: tuple[str, ...]) -> str:
    """Return a file of the target's own, of those that ran, the outermost first."""
    return next((f for f in files if not package_of(f)), files[0] if files else "")


@functools.lru_cache(maxsize=256)
def _tree_of(file: str) -> str:
    """Return the folder that holds a file, or the outermost package that it is in."""
    folder = os.path.dirname(os.path.abspath(file))
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder = os.path.dirname(folder)
    return folder


@functools.lru_cache(maxsize=1024)
def _is_below(file: str, folder: str) -> bool:
    return os.path.realpath(file).startswith(os.path.realpath(folder) + os.sep)


def is_ours(filename: str) -> bool:
    """Return whether a file is part of ldjcheck, and no layer that it shows."""
    return filename.startswith(_OURS)


def _is_plumbing(filename: str) -> bool:
    return is_ours(filename) or filename.endswith(_PLUMBING)


def _chain(summary: traceback.TracebackException) -> list[traceback.TracebackException]:
    found, queue = [], [summary]
    while queue:
        part = queue.pop()
        found.append(part)
        queue.extend(p for p in (part.__cause__, part.__context__) if p is not None)
    return found

"""Evaluating an expression in a source's own names, and saying what went wrong."""

import ast
import inspect
import itertools
import linecache
import re
from collections.abc import Callable, Iterator
from functools import partial
from inspect import Parameter, Signature
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from ldjcheck.errors import CannotCheckError
from ldjcheck.targets.sources import Source, bound_by, command, likely_layers, respelled
from ldjcheck.targets.sources.file import Absent
from ldjcheck.targets.user_errors import shown_path, users_fault
from ldjcheck.tracebacks import split_cell

_AXES = 4  # of an event, at most
_LACKS = re.compile(r"missing \d+ required (positional|keyword-only) argument")


def misfit(function: Callable[..., Any], call: ast.Call) -> TypeError | None:
    """Return why the call's arguments do not fit the function; None when they do.

    Arguments that are unpacked (`*args`, `**settings`) and functions that hide their
    signature are given the benefit of the doubt.
    """
    signature = _signature(function)
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    if signature is None or starred or any(k.arg is None for k in call.keywords):
        return None
    try:
        signature.bind(*call.args, **_keywords(call))
    except TypeError as error:
        return error
    return None


def lack(function: Callable[..., Any], error: Exception) -> TypeError | None:
    """Return why a call without arguments raised, where it was for want of them.

    `f(*args, **options)` hands on what it is given, and what it calls may need some; or
    it takes any number of things, and cannot do with none.
    """
    signature = _signature(function)
    kinds = {p.kind for p in signature.parameters.values()} if signature else set()
    variable = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
    hands_on = bool(kinds & variable)
    if hands_on and isinstance(error, TypeError) and _LACKS.search(str(error)):
        return error
    refuses = isinstance(error, (AssertionError, ValueError, IndexError))
    if Parameter.VAR_POSITIONAL in kinds and kinds <= variable and refuses:
        return TypeError(f"with no arguments it raises {type(error).__name__}: {error}")
    return None


def calls_in(tree: ast.Expression, source: Source) -> Iterator[tuple[Any, ast.Call]]:
    """Yield `(function, call)` for each call in `tree` that goes to a dotted name.

    Names are looked up, through modules and classes only; nothing is run again.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = _look_up(node.func, source)
            if function is not None:
                yield function, node


def needs_arguments(
    function: Any, call: ast.Call, tree: ast.Expression, why: TypeError, source: Source
) -> CannotCheckError:
    """Return LDJ003 for a call that does not fit, with what to type instead.

    `call` is a part of `tree`, which is changed.
    """
    name = getattr(function, "__name__", ast.unparse(call.func))
    verb = "build" if inspect.isclass(function) else "call"
    missing = _missing(function, call)
    reason = f"it needs {_listed(missing)}" if missing else str(why)
    evidence = [f"  {_shown(function, name)}", *_place(function)]
    if missing:
        evidence += [
            f"Write the call with its arguments; any name of {source.name} works:",
            f"  {command(source.name, _completed(call, tree, missing))}",
        ]
    return CannotCheckError(
        "LDJ003", f"I can't {verb} {name}: {reason}.", tuple(evidence)
    )


def typed_with_blanks(function: Any, call: ast.Call) -> tuple[str, str]:
    """Return what a call lacks, in words, and the call with `name=...` put in for it.

    The call is changed.
    """
    missing = _missing(function, call)
    needs = _listed(missing) if missing else "other arguments"
    return needs, _completed(call, ast.Expression(call), missing)


def _signature(function: Callable[..., Any]) -> Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _keywords(call: ast.Call) -> dict[str, ast.expr]:
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def _missing(function: Callable[..., Any], call: ast.Call) -> list[str]:
    """Return the parameters without default that the call leaves out."""
    signature = inspect.signature(function)
    try:
        given = signature.bind_partial(*call.args, **_keywords(call)).arguments
    except TypeError:  # not too few arguments but wrong ones
        return []
    return [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.default is Parameter.empty
        and parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        and parameter.name not in given
    ]


def _completed(call: ast.Call, tree: ast.Expression, missing: list[str]) -> str:
    """Return the expression with `name=...` put in for every missing argument."""
    blanks = [ast.keyword(name, ast.Constant(...)) for name in missing]
    call.keywords = [*call.keywords, *blanks]
    return ast.unparse(tree)


def _shown(function: Callable[..., Any], name: str) -> str:
    """Return the signature without its annotations: names and defaults are enough."""
    signature = inspect.signature(function)
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return f"{name}{Signature(bare)}"


def _place(function: Any) -> list[str]:
    """Return the line that says where the function is defined, where that is known."""
    try:
        file = inspect.getsourcefile(function)
        _, line = inspect.getsourcelines(function)
    except (OSError, TypeError):  # built in, or defined where no file is
        return []
    path, cell = split_cell(file or "")
    if cell is not None:
        return [f"  defined in {shown_path(path)}, cell {cell}, line {line}"]
    return [f"  defined at {shown_path(path)}:{line}"] if file else []


def _look_up(node: ast.expr, source: Source) -> Any:
    if isinstance(node, ast.Name):
        return source.namespace.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _look_up(node.value, source)
        if inspect.isclass(owner) or isinstance(owner, ModuleType):
            return getattr(owner, node.attr, None)
    return None


def _listed(names: list[str]) -> str:
    """Return the names as a sentence has them: `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


# --- sizes ---------------------------------------------------------------------------


def typed_sizes(expr: str) -> Iterator[tuple[tuple[int, ...], Callable[..., str]]]:
    """Yield sizes that an expression has, and how it reads with others in their place.

    They are what a tuple or a list begins with, or what a call is given first, by name too;
    the first of these numbers may be all of it.
    """
    for index, nodes in enumerate(_whole_numbers(ast.parse(expr, mode="eval"))):
        numbers = [int(node.value) for node in nodes]  # type: ignore[arg-type]  # whole
        for count in sorted({len(numbers), 1}, reverse=True):
            yield tuple(numbers[:count]), partial(_with_sizes, expr, index)


def _with_sizes(expr: str, index: int, sizes: tuple[int, ...]) -> str:
    tree = ast.parse(expr, mode="eval")
    for node, size in zip(_whole_numbers(tree)[index], sizes, strict=False):
        node.value = size
    return ast.unparse(tree)


def _whole_numbers(tree: ast.AST) -> list[list[ast.Constant]]:
    """Return numbers that stand side by side."""
    found: list[list[ast.Constant]] = []
    for node in ast.walk(tree):
        given = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
        named = [each.value for each in getattr(node, "keywords", [])]
        for values in (given, [*given, *named]) if named else (given,):
            whole = itertools.takewhile(_is_whole, values)
            numbers = [each for each in whole if isinstance(each, ast.Constant)]
            if 0 < len(numbers) <= _AXES and numbers not in found:
                found.append(numbers)
    return found


def _is_whole(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


# --- evaluating -----------------------------------------------------------------------

_EXPRESSION = f"{__file__}:target"
"""The file name that an expression is compiled under: a frame of ours, not shown."""


def evaluate(expr: str, source: Source) -> Any:
    """Return the value of `expr` in the source's namespace; it is run exactly once.

    Raises:
        CannotCheckError: LDJ001, for a name of a module that is not installed; LDJ002,
            for a name or attribute that does not exist, or an expression that cannot be
            read; LDJ003, for a call in it that lacks arguments; LDJ005, for whatever the
            user's code raises; LDJ007, when memory runs out.
    """
    tree = parsed(expr, source)
    with users_fault("LDJ005", f"Evaluating {expr}"):
        try:
            code = compile(tree, _kept(expr), "eval").replace(co_filename=_EXPRESSION)
            value = eval(code, source.namespace)
        except (NameError, AttributeError, TypeError) as error:
            if diagnosis := _diagnosis(error, tree, source):
                raise diagnosis from None
            raise
    if isinstance(value, Absent):
        with users_fault("LDJ001", f"Importing {source.name}"):
            value()
    return value


def _kept(expr: str) -> str:
    """Return the file name by which a lambda in an expression has its source."""
    names = itertools.chain(["<target>"], map("<target {}>".format, itertools.count(2)))
    name = next(n for n in names if linecache.getlines(n) in ([], [expr]))
    linecache.cache[name] = len(expr), None, [expr], name
    return name


def _diagnosis(
    error: NameError | AttributeError | TypeError, tree: ast.Expression, source: Source
) -> CannotCheckError | None:
    """Return what is wrong with the expression; None when its code runs and raises."""
    if not _is_of_expression(error.__traceback__):
        return None
    if isinstance(error, TypeError):
        for function, call in calls_in(tree, source):
            if why := misfit(function, call):
                return needs_arguments(function, call, tree, why, source)
        return None
    # A property that raises looks like a missing one where `__getattr__` hides it.
    if isinstance(error, AttributeError):
        absent = object()
        if inspect.getattr_static(error.obj, str(error.name), absent) is not absent:
            return None
    return _name_missing(error, ast.unparse(tree), source)


def parsed(expr: str, source: Source) -> ast.Expression:
    """Return the expression's tree.

    Raises:
        CannotCheckError: LDJ002, where it cannot be read.
    """
    try:
        tree = ast.parse(expr, mode="eval")
        compile(tree, _EXPRESSION, "eval")  # `(yield)` can be read, and stands nowhere
    except SyntaxError as error:
        names = (likely_layers(source) or ["NAME"])[:2]
        raise CannotCheckError(
            "LDJ002",
            f"{expr} is no Python expression: {error.msg}.",
            (
                "After the colon stands an expression, for example:",
                *(f"  {command(source.name, f'{name}()')}" for name in names),
            ),
        ) from None
    return tree


def _is_of_expression(traceback: TracebackType | None) -> bool:
    """Return whether the expression itself raised, not code that it called.

    A `__getattr__` that the expression's own attribute access ran counts as itself.
    """
    names = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        names.append(None if code.co_filename == _EXPRESSION else code.co_name)
        traceback = traceback.tb_next
    return names[-1] is None or (names[-1] == "__getattr__" and names[-2] is None)


# --- names that do not exist ----------------------------------------------------


def missing_name(name: str, expr: str, source: Source) -> CannotCheckError:
    """Return what to say of a name that an expression asks a source for in vain."""
    return _name_missing(NameError(name, name=name), expr, source)


def _name_missing(
    error: NameError | AttributeError, expr: str, source: Source
) -> CannotCheckError:
    name = str(error.name)
    if isinstance(error, NameError):
        message = f"There is no {name} in {source.name}."
        names = [*source.namespace, *source.known]
    elif inspect.ismodule(error.obj):
        message, names = f"There is no {name} in {error.obj.__name__}.", dir(error.obj)
    else:
        owner = error.obj if inspect.isclass(error.obj) else type(error.obj)
        message = f"{owner.__name__} has no attribute {name}."
        names = dir(error.obj)
    if isinstance(error, NameError) and (line := _main_only(name, source.file)):
        guarded = (
            f'{name} exists only under `if __name__ == "__main__":`,',
            f"line {line} of {source.name}, which does not run on import.",
            "Define it above that line, then type the same again.",
        )
        return CannotCheckError("LDJ002", message, guarded)
    evidence = respelled(expr, name, names, source)
    if not evidence and (known := ", ".join(likely_layers(source))):
        evidence = (f"It has: {known}",)
    return CannotCheckError("LDJ002", message, evidence)


def _main_only(name: str, file: Path | None) -> int | None:
    """Return the line of the main guard under which alone `name` is bound."""
    for guard in ast.parse(file.read_bytes()).body if file else ():
        if isinstance(guard, ast.If) and "__name__" in ast.unparse(guard.test):
            nodes = (node for statement in guard.body for node in ast.walk(statement))
            if any(name in bound_by(node) for node in nodes):
                return guard.lineno
    return None

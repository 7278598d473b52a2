"""Evaluating an expression in a source's own names, and saying what went wrong."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from types import TracebackType
from typing import Any

from ldjcheck.errors import CannotCheckError
from ldjcheck.targets.blame import users_fault
from ldjcheck.targets.signature import calls_in, misfit, needs_arguments
from ldjcheck.targets.sources.source import (
    Source,
    bound_by,
    command,
    likely_layers,
    respelled,
)

_EXPRESSION = f"{__file__}:target"
"""The file name that an expression is compiled under: a frame of ours, not shown."""


def evaluate(expr: str, source: Source) -> Any:
    """Return the value of `expr` in the source's namespace; it is run exactly once.

    Raises:
        CannotCheckError: LDJ002, for a name or attribute that the expression asks for
            and that does not exist, or an expression that cannot be read; LDJ003, for
            a call in it that lacks arguments; LDJ005, for whatever the user's code
            raises; LDJ007, when memory runs out.
    """
    tree = parsed(expr, source)
    with users_fault("LDJ005", f"Evaluating {expr}"):
        try:
            return eval(compile(tree, _EXPRESSION, "eval"), source.namespace)
        except (NameError, AttributeError, TypeError) as error:
            if diagnosis := _diagnosis(error, tree, source):
                raise diagnosis from None
            raise


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
    return _not_found(error, ast.unparse(tree), source)


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
    return _not_found(NameError(name, name=name), expr, source)


def _not_found(
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

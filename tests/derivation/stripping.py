"""Takes the ldj out of the source of right layers, mechanically, so that it can be derived.

What a function hands back as its ldj becomes a zero for each sample, or the running total
that came in; what then serves nothing is deleted. Names decide, as in a text editor: the
deriver's own idea of what serves the ldj has no part in it.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

from ldjcheck.calling.parameter_names import is_density, is_total

_WAYS = (
    "forward", "inverse", "backward", "reverse", "there", "back", "encode", "decode",
    "forward_and_log_det", "inverse_and_log_det",
)  # fmt: skip


def stripped_source(text: str) -> str:
    """Return a module's source with the ldj taken out of everything in it."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.FunctionDef):
                    _strip(item)
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def stripped_module(path: str, folder: Path, name: str) -> Any:
    """Return a module made of a file's stripped source, written into a folder."""
    target = folder / f"{name}.py"
    target.write_text(stripped_source(Path(path).read_text(encoding="utf-8")))
    spec = importlib.util.spec_from_file_location(name, target)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def stripped_twin(layer: Any, folder: Path) -> Any:
    """Return the class or function of the same name in the stripped module."""
    path = inspect.getsourcefile(layer)
    assert path is not None
    name = f"stripped_{Path(path).stem}"
    module = sys.modules.get(name)
    if module is None or not str(getattr(module, "__file__", "")).startswith(
        str(folder)
    ):
        module = stripped_module(path, folder, name)
    return getattr(module, layer.__name__)


def _strip(function: ast.FunctionDef) -> None:
    if is_total(function.name):
        _strip_method(function)
        return
    changed = False
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            where = _position(function, node.value)
            if where is not None:
                node.value.elts[where] = _nothing(function, node.value.elts[where])
                changed = True
    if changed:
        _Untouched(_totals(function)).visit(function)
        _without_the_unused(function)


def _position(function: ast.FunctionDef, value: ast.Tuple) -> int | None:
    """Return where a function hands its ldj back: by name, or second of two."""
    for index, item in enumerate(value.elts[1:], 1):
        if isinstance(item, ast.Name) and _is_ldj(item.id):
            return index
    is_way = function.name.strip("_") in _WAYS
    if len(value.elts) == 2 and (is_way or _mentions_ldj(value.elts[1])):
        return 1
    return None


def _mentions_ldj(node: ast.expr) -> bool:
    names = (n.id for n in ast.walk(node) if isinstance(n, ast.Name))
    return any(_is_ldj(name) for name in names)


def _is_ldj(name: str) -> bool:
    return is_total(name) or is_density(name)


def _nothing(function: ast.FunctionDef, old: ast.expr) -> ast.expr:
    """Return the running total that came in, else a zero for each sample."""
    arguments = [a.arg for a in (*function.args.args, *function.args.kwonlyargs)]
    totals = _totals(function)
    if totals:
        return ast.Name(id=totals[0], ctx=ast.Load())
    x = next(name for name in arguments if name not in ("self", "cls"))
    text = f"{x}[0]" if "jac" in arguments or "rev" in arguments else x
    column = ", 1" if _is_column(ast.unparse(old)) else ""
    return _expression(f"{text}.new_zeros({text}.shape[0]{column})")


def _totals(function: ast.FunctionDef) -> list[str]:
    """Return the running totals that a function is given."""
    arguments = [a.arg for a in (*function.args.args, *function.args.kwonlyargs)]
    return [name for name in arguments if _is_ldj(name) and name != "jac"]


class _Untouched(ast.NodeTransformer):
    """Deletes what a function adds to the running totals that it was given."""

    def __init__(self, totals: list[str]) -> None:
        self._totals = totals

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        return self._kept(node, node.targets)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST | None:
        return self._kept(node, [node.target])

    def _kept(self, node: ast.stmt, targets: list[ast.expr]) -> ast.AST | None:
        names = [t.id for t in targets if isinstance(t, ast.Name)]
        adds = len(names) == len(targets) and set(names) <= set(self._totals)
        return None if adds else node


def _is_column(text: str) -> bool:
    return any(word in text for word in ("unsqueeze", "keepdim", "None]"))


def _strip_method(function: ast.FunctionDef) -> None:
    """Make a method that gives the ldj alone give zeros of the same form."""
    arguments = [a.arg for a in function.args.args if a.arg not in ("self", "cls")]
    if not arguments:
        return
    x = arguments[0]
    text = ast.unparse(function)
    if function.name == "log_abs_det_jacobian":
        sums = any(word in text for word in ("sum(", "expand(", "[:-1]", "full("))
        zeros = (
            f"{x}.new_zeros({x}.shape[:-1])" if sums else f"{x}.new_zeros({x}.shape)"
        )
    else:
        zeros = f"{x}.new_zeros({x}.shape[0])"
    keep = [
        node
        for node in function.body[:1]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    function.body = [*keep, ast.Return(value=_expression(zeros))]


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _without_the_unused(function: ast.FunctionDef) -> None:
    """Delete assignments to names that nothing reads, until none is left."""
    while True:
        read = {
            n.id
            for n in ast.walk(function)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
        }
        if not _Sweep(read).swept(function):
            return


class _Sweep(ast.NodeTransformer):
    def __init__(self, read: set[str]) -> None:
        self._read = read
        self._found = False

    def swept(self, function: ast.FunctionDef) -> bool:
        """Return whether anything was deleted."""
        self.generic_visit(function)
        for node in ast.walk(function):
            for field in ("body", "orelse"):
                block = getattr(node, field, None)
                if field == "body" and isinstance(block, list) and not block:
                    block.append(ast.Pass())
        return self._found

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        return self._kept(node, node.targets)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST | None:
        own = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
        is_alone = isinstance(node.target, ast.Name) and node.target.id not in own
        return self._kept(node, [node.target]) if is_alone else node

    def _kept(self, node: ast.stmt, targets: list[ast.expr]) -> ast.AST | None:
        if not all(isinstance(target, ast.Name) for target in targets):
            return node
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        reads_itself = isinstance(node, ast.Assign) and any(
            isinstance(n, ast.Name) and n.id in names for n in ast.walk(node.value)
        )
        if names & self._read and not reads_itself:
            return node
        if reads_itself and not all(_is_ldj(name) for name in names):
            return node
        if reads_itself and _read_elsewhere(names, self._read):
            return node
        self._found = True
        return None


def _read_elsewhere(names: set[str], read: set[str]) -> bool:
    return not names <= read

"""Small faults of Python code: one operator, number, condition or result is another."""

from __future__ import annotations

import ast
import copy
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One expression of one file that is written otherwise.

    `function` is the first line of the innermost function around it, decorators
    included, or None where it stands at the level of the module.
    """

    file: Path
    line: int
    function: int | None
    begin: int
    end: int
    before: str
    after: str

    def planted(self, source: bytes) -> bytes:
        """Return the file with the fault in it."""
        return source[: self.begin] + f"({self.after})".encode() + source[self.end :]


def drawn(files: list[Path], number: int, seed: int) -> list[Fault]:
    """Return a sample of the faults of some files, each place as likely as any other."""
    places = [place for file in files for place in _places(file)]
    draw = random.Random(seed)
    chosen = draw.sample(places, min(number, len(places)))
    return [draw.choice(place) for place in chosen]


def _places(file: Path) -> Iterator[list[Fault]]:
    source = file.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node, others, function in _behaviour(ast.parse(source), None):
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        before = source[begin:end].decode()
        yield [
            Fault(
                file=file,
                line=node.lineno,
                function=function,
                begin=begin,
                end=end,
                before=before,
                after=ast.unparse(other),
            )
            for other in others
        ]


def _behaviour(
    node: ast.AST, function: int | None
) -> Iterator[tuple[ast.expr, list[ast.expr], int | None]]:
    """Yield expressions that decide what is done, what they might be, and their function.

    Left out is what is only said, or only read by a type checker.
    """
    if isinstance(node, (ast.Raise, ast.JoinedStr)) or _is_for_types(node):
        return
    if isinstance(node, (ast.FunctionDef, ast.Lambda)):
        function = min((node, *_decorators(node)), key=lambda n: n.lineno).lineno
    if isinstance(node, ast.expr) and (others := list(_others(node))):
        yield node, others, function
    elif isinstance(node, (ast.If, ast.While)):
        yield node.test, [ast.UnaryOp(ast.Not(), node.test)], function
    elif isinstance(node, ast.Return) and ast.unparse(node) not in (
        "return",
        "return None",
    ):
        assert node.value is not None
        yield node.value, [ast.Constant(None)], function
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _behaviour(child, function)


def _decorators(node: ast.FunctionDef | ast.Lambda) -> list[ast.expr]:
    return node.decorator_list if isinstance(node, ast.FunctionDef) else []


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _others(node: ast.expr) -> Iterator[ast.expr]:
    """Yield what might stand in the place of an expression by a slip."""
    other = copy.deepcopy(node)
    if isinstance(other, ast.Compare):
        for operator in COMPARISONS[type(other.ops[0])]:
            yield ast.Compare(
                other.left, [operator(), *other.ops[1:]], other.comparators
            )
    elif isinstance(other, ast.BoolOp):
        turned = ast.Or() if isinstance(other.op, ast.And) else ast.And()
        yield ast.BoolOp(turned, other.values)
        yield from other.values[:1]
    elif isinstance(other, ast.BinOp) and type(other.op) in ARITHMETIC:
        yield ast.BinOp(other.left, ARITHMETIC[type(other.op)](), other.right)
    elif isinstance(other, ast.UnaryOp):
        yield other.operand
    elif isinstance(other, ast.IfExp):
        yield ast.IfExp(other.test, other.orelse, other.body)
    elif isinstance(other, ast.Constant) and isinstance(
        other.value, (bool, int, float)
    ):
        value = other.value
        changed = not value if isinstance(value, bool) else value * 2 or 1
        yield ast.Constant(changed)
    elif _is_bare(other, "abs") or _is_bare(other, "log"):
        assert isinstance(other, ast.Call)
        assert isinstance(other.func, ast.Attribute)
        yield other.func.value


def _is_bare(node: ast.expr, method: str) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node).endswith(f".{method}()")

"""A sub-expression gets a name, a name goes, or its expression moves into a helper."""

from __future__ import annotations

import ast
from itertools import pairwise
from typing import TYPE_CHECKING

from .code import (
    blocks,
    is_decorated,
    loads,
    made_of,
    note,
    origins,
    statements,
    stores,
)
from .order import sets_more_than_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from .code import Block, Code, Function

_SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return)
_OWN_SCOPE = (
    ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.IfExp,
    ast.BoolOp, ast.NamedExpr, ast.Starred, ast.JoinedStr,
)  # fmt: skip
_AT_MOST = 40  # names
Site = tuple["ast.ClassDef | None", "Function", "Block", ast.stmt, ast.expr]


def name_expression(code: Code, random: Random) -> bool:
    """Put one sub-expression into a local of its own, before its statement."""
    sites = [site for site in _sites(code) if site[4] is not site[3].value]
    if not sites:
        return False
    _, _, block, statement, part = random.choice(sites)
    name = next(code.free("v"))
    _put(statement, part, ast.Name(name, ast.Load()))
    new = ast.Assign([ast.Name(name, ast.Store())], part)
    block.insert(block.index(statement), made_of(new, statement))
    return True


def name_all(code: Code, random: Random) -> bool:
    """Put every sub-expression into a local of its own, up to a number of them."""
    done = 0
    while done < _AT_MOST and name_expression(code, random):
        done += 1
    return done > 0


def inline_local(code: Code, random: Random) -> bool:
    """Put the value of a local that is used once in the place where it is used."""
    found = [each for _, f in _called(code) for b in blocks(f) for each in _once(f, b)]
    if not found:
        return False
    block, statement, use, at = random.choice(found)
    note(use, origins(statement) | origins(use))
    _put(use, at, statement.value)
    block.remove(statement)
    return True


def _once(
    function: Function, block: Block
) -> Iterator[tuple[Block, ast.Assign, ast.stmt, ast.expr]]:
    for statement, use in pairwise(block):
        if not isinstance(statement, ast.Assign) or not isinstance(use, _SIMPLE):
            continue
        target = statement.targets[0]
        if len(statement.targets) > 1 or not isinstance(target, ast.Name):
            continue
        own = [n for n in ast.walk(function) if isinstance(n, ast.Name)]
        same = [n for n in own if n.id == target.id]
        inside = [p for p in _parts(use.value) if isinstance(p, ast.Name)]
        there = [p for p in inside if p.id == target.id]
        if len(same) == 2 and len(there) == 1:
            yield block, statement, use, there[0]


def call_method(code: Code, random: Random) -> bool:
    """Move one expression of a method into a method of its own."""
    sites = [site for site in _sites(code) if site[0] is not None]
    if not sites:
        return False
    cls, function, _, statement, part = random.choice(sites)
    own = arguments_of(code, function, part)
    self = function.args.args[0].arg
    name = next(code.free("h"))
    call = ast.Call(
        ast.Attribute(ast.Name(self, ast.Load()), name, ast.Load()),
        [ast.Name(n, ast.Load()) for n in own if n != self],
        [],
    )
    _put(statement, part, call)
    assert cls is not None
    made = _function(name, [self, *(n for n in own if n != self)], part)
    cls.body.append(made_of(made, statement))
    return True


def call_function(code: Code, random: Random) -> bool:
    """Move one expression into a function of the module."""
    sites = [site for site in _sites(code) if "super" not in loads(site[4])]
    if not sites:
        return False
    cls, function, _, statement, part = random.choice(sites)
    own = arguments_of(code, function, part)
    name = next(code.free("f"))
    call = ast.Call(
        ast.Name(name, ast.Load()), [ast.Name(n, ast.Load()) for n in own], []
    )
    _put(statement, part, call)
    made = _function(name, own, part)
    place = code.tree.body.index(cls or function)
    code.tree.body.insert(place, made_of(made, statement))
    return True


def call_statements(code: Code, random: Random) -> bool:
    """Move two neighbours of a method into a method of their own."""
    found = [
        (cls, function, block, at)
        for cls, function in _called(code)
        if cls is not None
        for block in blocks(function)
        for at, pair in enumerate(pairwise(block))
        if all(isinstance(s, (ast.Assign, ast.AugAssign)) for s in pair)
        and not any(sets_more_than_names(s) for s in pair)
    ]
    if not found:
        return False
    cls, function, block, at = random.choice(found)
    pair = block[at : at + 2]
    both = ast.Module(pair, [])
    self = function.args.args[0].arg
    made, needed = sorted(stores(both)), arguments_of(code, function, both, inside=True)
    later = {n for s in statements(function) if s not in pair for n in loads(s)}
    made = [n for n in made if n in later] or made
    name = next(code.free("h"))
    call = ast.Call(
        ast.Attribute(ast.Name(self, ast.Load()), name, ast.Load()),
        [ast.Name(n, ast.Load()) for n in needed if n != self],
        [],
    )
    target: ast.expr = ast.Tuple([ast.Name(n, ast.Store()) for n in made], ast.Store())
    value: ast.expr = ast.Tuple([ast.Name(n, ast.Load()) for n in made], ast.Load())
    if len(made) == 1:
        target, value = ast.Name(made[0], ast.Store()), ast.Name(made[0], ast.Load())
    block[at : at + 2] = [made_of(ast.Assign([target], call), *pair)]
    helper = _function(name, [self, *(n for n in needed if n != self)], value)
    helper.body[:0] = pair
    cls.body.append(made_of(helper, *pair))
    return True


def _function(name: str, names: list[str], value: ast.expr) -> ast.FunctionDef:
    return ast.FunctionDef(
        name=name,
        args=ast.arguments([], [ast.arg(n) for n in names], None, [], [], None, []),
        body=[ast.Return(value)],
        decorator_list=[],
    )


def arguments_of(
    code: Code, function: Function, part: ast.AST, *, inside: bool = False
) -> list[str]:
    """Return the locals of a function that a part of it reads.

    What the part sets itself is none of them, unless that is set and read `inside`.
    """
    own = {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)}
    own |= stores(function)
    inner = {n.arg for n in ast.walk(part) if isinstance(n, ast.arg)}
    if not inside:
        return [n for n in loads(part) if n in own and n not in inner | stores(part)]
    needed: dict[str, None] = {}
    known: set[str] = set()
    for statement in part.body:  # type: ignore[attr-defined]  # a module of statements
        read = [*loads(statement)]
        if isinstance(statement, ast.AugAssign):
            read += stores(statement)
        needed |= {n: None for n in read if n in own and n not in known | inner}
        known |= stores(statement)
    return [*needed]


def _called(code: Code) -> Iterator[tuple[ast.ClassDef | None, Function]]:
    for cls, function in code.functions():
        nested = any(isinstance(n, (ast.FunctionDef, ast.ClassDef))
                     for n in ast.walk(function) if n is not function)  # fmt: skip
        if not (nested or is_decorated(function) or function.name == "__init__"):
            yield cls, function


def _sites(code: Code) -> list[Site]:
    """Return the expressions that may stand elsewhere, each with where it is."""
    return [
        (cls, function, block, statement, part)
        for cls, function in _called(code)
        for block in blocks(function)
        for statement in block
        if isinstance(statement, _SIMPLE) and statement.value is not None
        for part in _parts(statement.value)
        if _is_whole(part)
    ]


def _is_whole(part: ast.expr) -> bool:
    if isinstance(part, ast.Call):
        return not (isinstance(part.func, ast.Name) and part.func.id == "super")
    if isinstance(part, ast.UnaryOp):
        return not isinstance(part.operand, ast.Constant)
    return isinstance(part, ast.BinOp) and bool(loads(part))


def _parts(value: ast.expr) -> Iterator[ast.expr]:
    """Yield the expressions in a value that are always evaluated, and once."""
    yield value
    if isinstance(value, _OWN_SCOPE):
        return
    for child in ast.iter_child_nodes(value):
        if isinstance(child, ast.keyword):
            yield from _parts(child.value)
        elif isinstance(child, ast.expr):
            yield from _parts(child)


def _put(statement: ast.stmt, old: ast.expr, new: ast.expr) -> None:
    """Put an expression of a statement in the place of another."""
    for node in ast.walk(statement):
        for name, value in ast.iter_fields(node):
            if value is old:
                setattr(node, name, new)
                return
            if isinstance(value, list) and any(each is old for each in value):
                value[:] = [new if each is old else each for each in value]
                return

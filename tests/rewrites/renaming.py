"""Names that no protocol fixes get others: of locals and arguments, or of members."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .code import arguments, defaults
from .protocol import (
    DECLARED,
    ELSEWHERE,
    RESERVED,
    is_fixed_argument,
    is_fixed_method,
    is_fixed_result,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from .code import Code

_BY_STRING = {
    "getattr", "setattr", "hasattr", "register_buffer", "register_parameter",
    "add_module", "register_module",
}  # fmt: skip


def rename_locals(code: Code, random: Random) -> bool:
    """Rename all locals and arguments; a name that stands in two functions, in both alike."""
    outer = {a.asname or a.name for n in ast.walk(code.tree)
             if isinstance(n, (ast.Import, ast.ImportFrom)) for a in n.names}  # fmt: skip
    outer |= {n.name for n in code.tree.body if hasattr(n, "name")} | _globals(code)
    kept = {*RESERVED, *outer}
    for cls, function in code.functions():
        called = cls is not None and is_fixed_method(function.name)
        given = defaults(function)
        is_init = function.name == "__init__"
        for each in arguments(function):
            if called and not is_init and is_fixed_argument(
                each.arg, given.get(each.arg)
            ):  # fmt: skip
                kept.add(each.arg)
    new: dict[str, str] = {}
    locals_, args = code.free("v"), code.free("a")
    for _, function in code.functions():
        for node in ast.walk(function):
            if isinstance(node, ast.arg) and node.arg not in kept | new.keys():
                new[node.arg] = next(args)
        for node in ast.walk(function):
            is_local = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            if is_local and node.id not in kept | new.keys():
                new[node.id] = next(locals_)
    for _, function in code.functions():
        own = {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)}
        own |= {n.id for n in ast.walk(function)
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}  # fmt: skip
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and node.id in own:
                node.id = new.get(node.id, node.id)
            elif isinstance(node, ast.arg):
                node.arg = new.get(node.arg, node.arg)
            elif isinstance(node, ast.ExceptHandler) and node.name in new:
                node.name = new[node.name]
    _rename_keywords(code, new)
    code.names.update(new)
    return bool(new)


def _globals(code: Code) -> set[str]:
    found = set()
    for node in code.tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            found |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return found


def _rename_keywords(code: Code, new: dict[str, str]) -> None:
    """Rename the keywords with which functions and classes of the file are called."""
    own = {f.name for _, f in code.functions()}
    results = set()  # what is made of fields, and not of arguments
    for node in code.tree.body:
        if isinstance(node, ast.ClassDef):
            init = any(isinstance(f, ast.FunctionDef) and f.name == "__init__"
                       for f in node.body)  # fmt: skip
            bases = {b.id for b in node.bases if isinstance(b, ast.Name)}
            (own if init or bases & own else results).add(node.name)
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Call) and _called(node) in own - results:
            for each in node.keywords:
                if each.arg is not None:
                    each.arg = new.get(each.arg, each.arg)


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def rename_members(code: Code, random: Random) -> bool:
    """Rename attributes, methods, functions, classes and numbers of the module."""
    inherited = _inherited(code)
    members: dict[str, str] = {}
    attributes, methods = code.free("m"), code.free("h")
    for cls in (n for n in code.tree.body if isinstance(n, ast.ClassDef)):
        for name, is_method, late in _members(cls):
            fixed = name in inherited or name in DECLARED or name.startswith("__")
            fixed = fixed or (is_method and is_fixed_method(name))
            fixed = fixed or (late and is_fixed_result(name))
            if not fixed and name not in members:
                members[name] = next(methods if is_method else attributes)
    for cls in (n for n in code.tree.body if isinstance(n, ast.ClassDef)):
        for name, is_method, late in _members(cls):  # fixed in one, so in all
            if (is_method and is_fixed_method(name)) or (
                late and is_fixed_result(name)
            ):
                members.pop(name, None)
    top = _tops(code)
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Attribute) and node.attr in members:
            own = isinstance(node.value, ast.Name) and node.value.id == "self"
            if own or node.attr not in ELSEWHERE:
                node.attr = members[node.attr]
        elif isinstance(node, ast.Call):
            _rename_strings(node, members)
    for cls in (n for n in code.tree.body if isinstance(n, ast.ClassDef)):
        for statement in cls.body:
            if isinstance(statement, ast.FunctionDef):
                statement.name = members.get(statement.name, statement.name)
                continue
            for part in ast.walk(statement):
                if isinstance(part, ast.Name):
                    part.id = members.get(part.id, part.id)
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Name):
            node.id = top.get(node.id, node.id)
    for node in code.tree.body:
        if hasattr(node, "name"):
            node.name = top.get(node.name, node.name)
    code.target = top.get(code.target, code.target)
    code.names.update({**members, **top})
    return bool(members or top)


def _rename_strings(node: ast.Call, members: dict[str, str]) -> None:
    if _called(node) in _BY_STRING:
        for each in node.args[:2]:
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                each.value = members.get(each.value, each.value)


def _members(cls: ast.ClassDef) -> list[tuple[str, bool, bool]]:
    """Return the members of a class: name, whether a method, whether set in a call."""
    found = []
    for node in cls.body:
        if isinstance(node, ast.FunctionDef):
            found.append((node.name, True, False))
            late = node.name != "__init__"
            found += [(name, False, late) for name in _set_in(node)]
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found += [(t.id, False, True) for t in targets if isinstance(t, ast.Name)]
    return found


def _set_in(method: ast.FunctionDef) -> Iterator[str]:
    """Yield the attributes of the layer that a method sets, or registers."""
    for node in ast.walk(method):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                yield node.attr
        elif isinstance(node, ast.Call) and node.args:
            first = node.args[0]
            if _called(node) in _BY_STRING and isinstance(first, ast.Constant):
                yield str(first.value)


def _tops(code: Code) -> dict[str, str]:
    found: dict[str, str] = {}
    functions, classes, numbers = code.free("f"), code.free("C"), code.free("n")
    hidden = {n.arg for n in ast.walk(code.tree) if isinstance(n, ast.arg)}
    hidden |= {n.id for _, f in code.functions() for n in ast.walk(f)
               if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}  # fmt: skip
    for node in code.tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = next(functions)
        elif isinstance(node, ast.ClassDef):
            found[node.name] = next(classes)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = next(numbers)
    return {old: new for old, new in found.items() if old not in hidden}


def _inherited(code: Code) -> set[str]:
    """Return the members of the classes that those of the file come from."""
    space: dict[str, object] = {"__name__": "bases"}
    for node in code.tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            exec(ast.unparse(node), space)
    found: set[str] = set()
    for cls in (n for n in code.tree.body if isinstance(n, ast.ClassDef)):
        for base in cls.bases:
            try:
                found |= {*dir(eval(ast.unparse(base), space))}
            except NameError:  # another class of the file
                continue
    return found

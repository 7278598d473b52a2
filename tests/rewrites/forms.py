"""What is returned in another form, and a module as a function that its maker returns."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .code import arguments, made_of
from .protocol import is_density, is_fixed_method, is_fixed_result

if TYPE_CHECKING:
    from random import Random

    from .code import Code, Function


def return_named_tuple(code: Code, random: Random) -> bool:
    """Return a named tuple, whose fields are called what no protocol asks for."""
    return _returned(code, "NamedTuple", ("one", "two"))


def return_dataclass(code: Code, random: Random) -> bool:
    """Return an object of a dataclass; the field of the ldj says so."""
    return _returned(code, "dataclass", ("out", "log_det"))


def return_dict(code: Code, random: Random) -> bool:
    """Return a dictionary; the key of the ldj says so."""
    return _returned(code, "dict", ("out", "log_det"))


def _returned(code: Code, form: str, fields: tuple[str, str]) -> bool:
    """Turn each pair that a method called from outside returns; False if one is none.

    What is called as FrEIA calls its modules returns tuples, and nothing else.
    """
    if code.layer is None:
        return False
    own = [f for f in code.layer.body if isinstance(f, ast.FunctionDef)]
    of_freia = any(a.arg == "jac" for f in own for a in arguments(f))
    if of_freia and form != "NamedTuple":
        return False
    found: list[ast.Return] = []
    for function in (f for f in own if is_fixed_method(f.name) and f.name[:2] != "__"):
        returns = [n for n in ast.walk(function) if isinstance(n, ast.Return)]
        pairs = [n for n in returns if _is_pair(n.value)]
        if len(pairs) != len(returns):
            return False
        function.returns = None
        found += pairs
    name = next(code.free("R"))
    for each in found:
        assert isinstance(each.value, ast.Tuple)
        values = each.value.elts
        if form != "NamedTuple" and is_fixed_result(getattr(values[0], "id", "")):
            return False  # the ldj comes first
        if form != "NamedTuple" and is_density(getattr(values[1], "id", "")):
            fields = (fields[0], "log_prob")
        if form == "dict":
            each.value = ast.Dict([ast.Constant(k) for k in fields], values)
        else:
            each.value = ast.Call(ast.Name(name, ast.Load()), values, [])
    if found and form != "dict":
        module = "typing" if form == "NamedTuple" else "dataclasses"
        base = "(NamedTuple)" if form == "NamedTuple" else ""
        mark = "" if base else "@dataclass\n"
        one, two = fields
        text = f"{mark}class {name}{base}:\n    {one}: object\n    {two}: object"
        at = code.tree.body.index(code.layer)
        code.tree.body.insert(at, made_of(ast.parse(text).body[0]))
        place = next(i for i, n in enumerate(code.tree.body) if not _is_docstring(n))
        needed = ast.parse(f"from {module} import {form}").body[0]
        future = getattr(code.tree.body[place], "module", "") == "__future__"
        code.tree.body.insert(place + future, made_of(needed))
    return bool(found)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_pair(value: ast.expr | None) -> bool:
    return (
        isinstance(value, ast.Tuple)
        and len(value.elts) == 2
        and not any(isinstance(e, ast.Starred) for e in value.elts)
    )


def make_function(code: Code, random: Random) -> bool:
    """Turn a module without a way back of its own into a function of its parameters.

    What `__init__` keeps becomes locals of a maker, and the other methods functions in it.
    """
    layer = code.layer
    if layer is None or [ast.unparse(b) for b in layer.bases] != ["nn.Module"]:
        return False
    own = {f.name: f for f in layer.body if isinstance(f, ast.FunctionDef)}
    if "__init__" in own and not _set_in(layer) <= _set_in(own["__init__"]):
        return False  # what a call leaves is asked for
    fixed = [n for n in own if is_fixed_method(n)]
    if {*fixed} - {"__init__"} != {"forward"} or any(
        f.decorator_list for f in own.values()
    ):
        return False
    if any(not isinstance(n, (ast.FunctionDef, ast.Expr)) for n in layer.body):
        return False
    body: list[ast.stmt] = []
    init = own.pop("__init__", None)
    args = ast.arguments([], [], None, [], [], None, [])
    if init is not None:
        for statement in init.body:
            made = _of_init(statement)
            if made is None:
                return False
            body += made
        args = init.args
        del args.args[0]
    forward = own.pop("forward")
    for function in (*own.values(), forward):
        del function.args.args[0]
        body.append(function)
    body.append(made_of(ast.Return(ast.Name("forward", ast.Load())), forward))
    if any(_is_super(n) for s in body for n in ast.walk(s)):
        return False
    kept = {n.attr for s in body for n in ast.walk(s) if _is_own(n)}
    used = {n.id for s in body for n in ast.walk(s) if isinstance(n, ast.Name)}
    used |= {n.arg for s in body for n in ast.walk(s) if isinstance(n, ast.arg)}
    used |= {n.arg for n in args.args}
    names = code.free("p")
    free = {n: n if n not in used else next(names) for n in sorted(kept)}
    free |= {name: name for name in own}
    maker = ast.FunctionDef(
        name=layer.name, args=args, body=body, decorator_list=[], returns=None
    )
    made_of(maker, layer)
    maker.body = [_Unbound(free).visit(statement) for statement in body]
    if any(isinstance(n, ast.Name) and n.id == "self" for n in ast.walk(maker)):
        return False
    code.tree.body[code.tree.body.index(layer)] = maker
    return True


def _of_init(statement: ast.stmt) -> list[ast.stmt] | None:
    """Return what stands for a statement of `__init__`; None if it cannot be said."""
    value = getattr(statement, "value", None)
    if isinstance(statement, ast.Expr) and isinstance(value, ast.Constant):
        return []
    if isinstance(statement, ast.Expr) and isinstance(value, ast.Call):
        called = getattr(value.func, "attr", "")
        if called == "__init__":
            return []
        if called.startswith("register_"):
            name, made = value.args[0], value.args[1]
            if not isinstance(name, ast.Constant):
                return None
            of = ast.Attribute(ast.Name("self", ast.Load()), name.value, ast.Store())
            return [made_of(ast.Assign([of], made), statement)]
    return [statement]


def _set_in(tree: ast.AST) -> set[str]:
    """Return the attributes of the layer that are set, or registered."""
    nodes = [*ast.walk(tree)]
    stored = {n.attr for n in nodes if _is_own(n) and isinstance(n.ctx, ast.Store)}
    calls = [n for n in nodes if isinstance(n, ast.Call) and n.args]
    registered = [n.args[0] for n in calls if "register_" in ast.unparse(n.func)]
    return stored | {n.value for n in registered if isinstance(n, ast.Constant)}


def _is_own(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def _is_super(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "super"


class _Unbound(ast.NodeTransformer):
    """Reads the locals of the maker where a method read attributes."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if _is_own(node):
            return ast.Name(self.names[node.attr], node.ctx)
        return node

    def visit_FunctionDef(self, node: Function) -> ast.AST:
        own = [n for n in ast.walk(node) if _is_own(n)]
        changed = {self.names[n.attr] for n in own if isinstance(n.ctx, ast.Store)}
        self.generic_visit(node)
        if changed:
            node.body.insert(0, made_of(ast.Nonlocal(sorted(changed)), node))
        return node

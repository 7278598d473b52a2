"""From an expression's value to the layer: classes are built, factories called."""

import ast
import inspect
import reprlib
import sys
from types import FunctionType, MethodType, ModuleType
from typing import Any

from ldjcheck.errors import CannotCheckError
from ldjcheck.targets.expression import evaluate, lack, misfit, needs_arguments
from ldjcheck.targets.sources import Source, command, likely_layers, own_nodes
from ldjcheck.targets.user_errors import users_fault

_NUMBERS = (int, float, bool, str, "int", "float", "bool", "str")
DATA_NAMES = frozenset({"x", "y", "z", "u", "h", "input", "inputs", "value", "data"})
"""First parameters by which a plain function is a layer itself and not a factory."""

_NO_LAYERS = (
    bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, range,
    type(None), type, ModuleType,
)  # fmt: skip
"""Types that no convention could call. All else is for the conventions to judge."""


def build(value: Any, expr: str, source: Source) -> tuple[Any, str]:
    """Return the layer that `value` is or makes, and how a report calls it.

    A class is built with no arguments, and a function that needs none is called; so is
    the class of a method (`Flow.log_prob`). A function of data (`f(x)`, `f(z, ldj)`) and a
    bound method are layers as they are, and so is a function that a call has made.

    Raises:
        CannotCheckError: LDJ003, when arguments are needed; LDJ004, when the outcome
            is no layer whatever one does with it; LDJ005, when building raises.
    """
    name = " ".join(expr.split())
    if _is_made(value, is_result=name.endswith(")")):
        if owner := _owner(value):
            typed, _, method = name.rpartition(".")
            if not typed or method != value.__name__:  # it has a name of its own
                message = f"{name} is a method of {owner}, and no layer by itself."
                raise CannotCheckError(
                    "LDJ003", message, _what_to_type(value, name, source)
                )
            built, name = build(evaluate(typed, source), typed, source)
            return getattr(built, method), f"{name}.{method}"
        call = ast.Call(ast.parse(expr, mode="eval").body, [], [])
        if why := misfit(value, call):
            raise needs_arguments(value, call, ast.Expression(call), why, source)
        name = f"{name}()"
        verb = "Building" if inspect.isclass(value) else "Calling"
        with users_fault("LDJ005", f"{verb} {name}"):
            try:
                value = value()
            except Exception as error:
                if why := lack(value, error):
                    tree = ast.Expression(call)
                    raise needs_arguments(value, call, tree, why, source) from None
                raise
    if is_no_layer(value):
        raise _no_layer(value, name, source)
    return value, name


def is_no_layer(value: Any) -> bool:
    """Return whether no convention could call the value, whatever one does with it."""
    if isinstance(value, tuple) and not _is_plain(type(value)):
        return False
    # Objects that stand for others call themselves by their classes.
    return issubclass(type(value), _NO_LAYERS) or _is_array(value)


def _is_plain(kind: type) -> bool:
    """Return whether a tuple's type has no methods of its own, as a named tuple may have."""
    own = (vars(each) for each in kind.__mro__ if issubclass(each, tuple))
    return not any(
        inspect.isfunction(method) and not name.startswith("_")
        for each in own
        for name, method in each.items()
    )


def _is_made(value: Any, *, is_result: bool) -> bool:
    """Return whether the value, the `is_result` of a call perhaps, makes a layer."""
    if isinstance(value, MethodType):
        return inspect.isclass(value.__self__)  # `Flow.small`, a class method
    if not isinstance(value, FunctionType):
        return inspect.isclass(value)
    first = next(iter(inspect.signature(value).parameters.values()), None)
    if first is None or first.name in DATA_NAMES:
        return first is None
    is_data = first.default is first.empty and first.annotation not in _NUMBERS
    if not is_data or _owner(value) is not None:
        return True
    return not (is_result or _returns_pairs(value))


def _returns_pairs(function: FunctionType) -> bool:
    """Return whether all that a function itself returns, by its source, is several things."""
    # With it comes torch, which slips do not need.
    from ldjcheck.calling.results import source_of

    tree = source_of(function)
    nodes = [] if tree is None else own_nodes(tree.body[0])
    returned = [node.value for node in nodes if isinstance(node, ast.Return)]
    return bool(returned) and all(
        isinstance(each, ast.Tuple) and len(each.elts) > 1 for each in returned
    )


def _owner(value: Any) -> str | None:
    """Return the class whose method a plain function is; None for any other value."""
    if not isinstance(value, FunctionType) or "." not in value.__qualname__:
        return None
    first = next(iter(inspect.signature(value).parameters), None)
    owner = value.__qualname__.split(".")[-2]
    return owner if first == "self" and owner.isidentifier() else None


def _is_array(value: Any) -> bool:
    # Looked up where already loaded: who never imported torch has no tensor.
    homes = (("torch", "Tensor"), ("numpy", "ndarray"))
    return any(
        issubclass(type(value), getattr(sys.modules[module], name))
        for module, name in homes
        if module in sys.modules
    )


def _no_layer(value: Any, name: str, source: Source) -> CannotCheckError:
    kind = type(value).__name__
    article = "an" if kind[0] in "aeiou" else "a"
    try:
        shown = reprlib.repr(value)
    except Exception:  # a value that cannot be shown is refused all the same
        shown = f"<{kind}>"
    return CannotCheckError(
        "LDJ004",
        f"{name} is {article} {kind}, no flow layer.",
        (f"  {name} = {shown}", *_what_to_type(value, name, source)),
    )


def _what_to_type(value: Any, name: str, source: Source) -> tuple[str, ...]:
    if isinstance(value, type):
        return ("Build it:", f"  {command(source.name, f'{name}()')}")
    if isinstance(value, (list, tuple)) and value:
        return ("Name one item:", f"  {command(source.name, f'{name}[0]')}")
    if isinstance(value, dict) and value:
        key = next(iter(value))
        return ("Name one item:", f"  {command(source.name, f'{name}[{key!r}]')}")
    if isinstance(value, ModuleType):
        inner = value.__name__
        source = Source(name=inner, namespace=vars(value), module=inner)
    layers = likely_layers(source) or ["NAME"]
    return ("Name a layer:", *(f"  {command(source.name, each)}" for each in layers))

"""What a source offers when none of its layers is named."""

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ldjcheck.calling.parameter_names import (
    CALLS,
    DENSITIES,
    METHODS_OF_WAYS,
    is_loss,
    is_total,
    unit_of_method,
)
from ldjcheck.object_graph import module_of
from ldjcheck.records.result import Skipped
from ldjcheck.targets.build import DATA_NAMES, is_no_layer
from ldjcheck.targets.expression import misfit, typed_with_blanks
from ldjcheck.targets.sources import Grounds, Source, command, own_names, own_nodes
from ldjcheck.targets.sources.notebook.side_effects import Doings

_TOTAL = re.compile("ldj|log_?det|ladj|log_?abs|jac|log_?p", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Candidates in the order of their definition, and what is certainly none.

    Whether a candidate is a flow layer shows when it is run.
    """

    candidates: tuple[str, ...]  # expressions
    skipped: tuple[Skipped, ...]


def survey(grounds: Grounds) -> Survey:
    """Return which names of the source may be flow layers, and why others are none.

    Looked at are its classes, its instances of layers, functions of data that return a
    pair, and functions without arguments that make a layer. Names with an underscore in
    front and whatever is imported are left alone.
    """
    doings = Doings(grounds.statements)
    candidates, skipped = [], []
    own = {**dict.fromkeys(grounds.borrowed), **own_names(grounds.statements)}
    for name, node in own.items():
        if name in grounds.troubles:
            skipped.append(_skip(grounds.source, name, grounds.troubles[name]))
        elif name in grounds.source.namespace:
            value = grounds.source.namespace[name]
            why = _why_none(name, value, node, grounds, doings)
            if why is None:
                candidates.append(name)
            elif why:
                skipped.append(_skip(grounds.source, name, why))
    return Survey(candidates=tuple(candidates), skipped=tuple(skipped))


def _skip(source: Source, name: str, why: str) -> Skipped:
    return Skipped(target=f"{source.name}:{name}", why=why)


# --- one name -------------------------------------------------------------------------


def _why_none(
    name: str, value: Any, node: ast.stmt | None, grounds: Grounds, doings: Doings
) -> str | None:
    """Return why a name is no layer: None if it may be one, "" if not worth a word."""
    if inspect.isclass(value):
        is_imported = isinstance(node, (ast.Assign, ast.AnnAssign))
        return "" if is_imported else _why_no_class(name, value, grounds.source)
    if isinstance(node, ast.FunctionDef):
        return None if _is_layer_function(node, grounds, doings) else ""
    if is_no_layer(value):
        return ""
    kind = type(value)
    is_one = is_run_like_layer(kind) or _density_of(kind) is not None
    return None if is_one or _is_row_of_layers(value) else ""


def _is_row_of_layers(value: Any) -> bool:
    """Return whether it is a `nn.ModuleList` of nothing but layers of the user's own."""
    from torch import nn

    kinds = set(map(type, value if isinstance(value, nn.ModuleList) else ()))
    own = (not module_of(kind).startswith("torch.") for kind in kinds)
    return bool(kinds) and all(own) and all(map(is_run_like_layer, kinds))


def _why_no_class(name: str, value: type, source: Source) -> str | None:
    run = _call_of(value) or _density_of(value) or _sampler_of(value)
    if run is None:
        return "no flow layer: it has no forward, and no method named like an ldj"
    if inspect.isabstract(value):
        absent = ", ".join(sorted(getattr(value, "__abstractmethods__", ())))
        return f"a base class: {absent} is left to its subclasses"
    if _is_stub(run):
        return f"a base class: its {run.__name__} is left to its subclasses"
    absent = ", ".join(_left_to_subclasses(value, run))
    if absent:
        return f"a base class: {absent} is left to its subclasses"
    empty = ast.Call(ast.Name(name, ast.Load()), [], [])
    if misfit(value, empty) is not None:
        needs, typed = typed_with_blanks(value, empty)
        return f"needs {needs}: {command(source.name, typed)}"
    return None


def is_run_like_layer(kind: type) -> bool:
    """Return whether objects of this class are called with data, as layers are."""
    return _call_of(kind) is not None


def _call_of(kind: type) -> Callable[..., Any] | None:
    """Return what runs objects of a class; None where nothing does.

    Without a call of its own it may have a method for both, `forward_and_log_det(x)`, or
    one for each way, `encode(x)` and `decode(z)`.
    """
    found = _method_of(kind, CALLS)
    if found is not None or _density_of(kind) is not None:
        return found
    named = (n for n in dir(kind) if is_total(n) and n[0] != "_")
    ways = (
        there
        for there, ways_back in METHODS_OF_WAYS.items()
        if any(hasattr(kind, back) for back in ways_back)
    )
    return _method_of(kind, itertools.chain(named, ways))


def _density_of(kind: type) -> Callable[..., Any] | None:
    """Return what says how probable a model of this class finds x; or None.

    The distributions of torch are bases of models.
    """
    named = (name for name in dir(kind) if not is_loss(name))
    others = (name for name in named if unit_of_method(name) is not None)
    density = _method_of(kind, itertools.chain(*DENSITIES.values(), others))
    is_base = density is not None and module_of(density).startswith("torch.")
    return None if is_base else density


def _sampler_of(kind: type) -> Callable[..., Any] | None:
    """Return what draws samples and says how probable they are; or None."""
    from ldjcheck.calling.stated_returns import samplers  # which loads torch

    return _method_of(kind, samplers(kind))


def _method_of(kind: type, names: Iterable[str]) -> Callable[..., Any] | None:
    """Return the first method of these names that is no base class's of torch."""
    for name in names:
        function = getattr(kind, name, None)
        if inspect.isfunction(function) and not _is_of_torch(function):
            return function
    return None


def _is_of_torch(function: Callable[..., Any]) -> bool:
    """Return whether torch's base classes define the call, which then does nothing."""
    homes = ("torch.nn.modules.module", "torch.distributions.transforms")
    bases = ("Module", "Transform", "_forward_unimplemented")
    owner = function.__qualname__.partition(".")[0]
    return function.__module__ in homes and owner in bases


def _left_to_subclasses(value: type, run: Callable[..., Any]) -> Iterator[str]:
    """Yield the methods that a call asks for and only subclasses define, each of them."""
    kinds: list[type] = value.__subclasses__()
    for name in run.__code__.co_names if kinds else ():
        own = (inspect.isfunction(vars(kind).get(name)) for kind in kinds)
        if not hasattr(value, name) and all(own):
            yield name


def _is_stub(function: Callable[..., Any]) -> bool:
    """Return whether a function is only there to be overridden."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, SyntaxError, TypeError, IndexError):
        return False
    body = [s for s in getattr(tree, "body", []) if not _is_remark(s)]
    if not body:
        return True
    return isinstance(body[0], ast.Raise) and "NotImplemented" in ast.unparse(body[0])


def _is_remark(node: ast.stmt) -> bool:
    is_constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_constant or isinstance(node, ast.Pass)


# --- functions --------------------------------------------------------------------------


def _is_layer_function(node: ast.FunctionDef, grounds: Grounds, doings: Doings) -> bool:
    """Return whether a function maps data to a pair, or makes a layer from nothing."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args]
    required = every[: len(every) - len(arguments.defaults)]
    found = (part.value for part in own_nodes(node) if isinstance(part, ast.Return))
    returns = [value for value in found if value is not None]
    if not returns or any(d is None for d in arguments.kw_defaults):
        return False
    if required:
        totals = all(_TOTAL.search(other.arg) for other in required[1:])
        maps = required[0].arg in DATA_NAMES and totals
        pairs = all(isinstance(r, ast.Tuple) and len(r.elts) > 1 for r in returns)
        is_layer = maps and pairs
    else:
        is_layer = all(_is_made(value, node, grounds, {node.name}) for value in returns)
    return is_layer and doings.of_call(node.name).hazard is None


def _is_made(
    value: ast.expr, function: ast.FunctionDef, grounds: Grounds, seen: set[str]
) -> bool:
    """Return whether a returned value is a new layer, made by a call of its class."""
    if isinstance(value, ast.Name):
        made = [
            part.value
            for part in own_nodes(function)
            if isinstance(part, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id == value.id for t in part.targets)
        ]
        return bool(made) and _is_made(made[-1], function, grounds, seen)
    if not isinstance(value, ast.Call):
        return False
    name = ast.unparse(value.func)
    if re.search(r"\.(to|eval|train|double|float|cpu)$", name):
        return _is_made(value.func.value, function, grounds, seen)  # type: ignore[attr-defined]  # an attribute, by its name
    own = own_names(grounds.statements).get(name)
    if isinstance(own, ast.FunctionDef) and name not in seen:
        returns = [p.value for p in own_nodes(own) if isinstance(p, ast.Return)]
        known = seen | {name}
        return bool(returns) and all(
            r is not None and _is_made(r, own, grounds, known) for r in returns
        )
    made = _look_up(name, grounds.source)
    return inspect.isclass(made) and is_run_like_layer(made)


def _look_up(name: str, source: Source) -> Any:
    first, *rest = name.split(".")
    value = source.namespace.get(first)
    for attribute in rest:
        value = getattr(value, attribute, None)
    return value

"""What a layer holds: every object that can be reached from it without running it."""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

# A model's object graph is far smaller; a data set's is not our business.
_LIMIT = 50_000
_FOLLOWED = 200  # functions
_SETTINGS = 64  # a dict of more is data
_ATOMS = (
    str, bytes, int, float, complex, bool, type(None), type, types.ModuleType,
    types.CodeType, types.BuiltinFunctionType,
)  # fmt: skip
_PLAIN_ATOMS = frozenset(_ATOMS)


def reachable(root: object) -> Iterator[Any]:
    """Yield `root` and all that it holds, each object once, nearest first.

    Attributes, slots, containers, bound methods, partials, and what functions hold in
    closures and defaults are followed; classes, modules and atoms, numbers among them, are
    not. Tensors whose entries cannot be read one by one are passed over.
    """
    import torch

    seen: set[int] = set()
    queue: list[Any] = [root]
    for item in queue:
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, torch.Tensor):
            if is_plain(item):
                yield item
            continue
        yield item
        if len(queue) < _LIMIT:
            # Most are plain atoms, which their type alone tells, and sooner.
            queue += [
                child
                for child in children(item)
                if type(child) not in _PLAIN_ATOMS and not isinstance(child, _ATOMS)
            ]


def tensors(root: object) -> list[Tensor]:
    """Return every tensor that the object holds, parameters and buffers included."""
    import torch

    return [item for item in reachable(root) if isinstance(item, torch.Tensor)]


def module_level(root: object) -> list[Any]:
    """Return the tensors and modules that the layer's own code names at module level.

    They are no part of the layer, but running it may change them.
    """
    import torch

    found: dict[int, Any] = {}
    for item in reachable(root):
        for function in functions_of(item):
            scope = function.__globals__
            for name in _names(function.__code__):
                if isinstance(scope.get(name), (torch.Tensor, torch.nn.Module)):
                    found[id(scope[name])] = scope[name]
    return list(found.values())


def functions_of(item: object) -> Iterator[types.FunctionType]:
    """Yield what an object runs: itself, or the methods of its classes; not torch's."""
    if isinstance(item, types.FunctionType):
        yield item
        return
    for cls in filter(is_of_the_user, type(item).__mro__):
        members = vars(cls).values()
        yield from (m for m in members if isinstance(m, types.FunctionType))


def is_of_the_user(cls: type) -> bool:
    """Return whether a class is neither Python's nor torch's."""
    return module_of(cls).partition(".")[0] not in ("torch", "builtins")


def numbers_of_code(root: object) -> set[float]:
    """Return the numbers that a layer's own code is written with, its defaults included.

    Of pi, twice that as well. What its modules have under names that the code has counts,
    and functions among that are followed.
    """
    waiting = [function for item in reachable(root) for function in functions_of(item)]
    seen: set[types.CodeType] = set()
    found: set[float] = set()
    for function in waiting:
        code = function.__code__
        if code in seen or len(seen) >= _FOLLOWED:
            continue
        seen.add(code)
        by_word = function.__kwdefaults__ or {}
        written = (*code.co_consts, *(function.__defaults__ or ()), *by_word.values())
        names = {*_names(code)}
        others = [function.__globals__.get(name) for name in names]
        numbers = (n for n in (*written, *others) if type(n) in (int, float))
        found |= {float(n) for n in numbers}
        found |= {math.pi, math.tau} if "pi" in names else set()
        waiting += [
            other
            for other in others
            if isinstance(other, types.FunctionType)
            and other.__module__ == function.__module__
        ]
    return found


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def attributes(item: object) -> dict[str, Any]:
    """Return the instance attributes of an object, slots included, classes' excluded."""
    found: dict[str, Any] = {}
    for slot in _slots(type(item)):  # type: ignore[arg-type]  # a class is hashable
        try:
            found[slot] = object.__getattribute__(item, slot)
        except AttributeError:
            continue
    try:
        own = object.__getattribute__(item, "__dict__")
    except AttributeError:
        return found
    return {**found, **own}


def by_name(item: Any) -> dict[str, Any]:
    """Return what an object holds by name: attributes, or what stands in a small dict."""
    if not issubclass(type(item), dict):
        return attributes(item)
    if len(item) > _SETTINGS:
        return {}
    return {name: value for name, value in item.items() if isinstance(name, str)}


@functools.lru_cache(maxsize=256)
def _slots(kind: Any) -> tuple[str, ...]:
    """Return the slots of a class and those that it comes from."""
    found = []
    for cls in kind.__mro__:
        slots = cls.__dict__.get("__slots__", ())
        found += [slots] if isinstance(slots, str) else [*slots]
    return tuple(slot for slot in found if slot not in ("__dict__", "__weakref__"))


def owner_of(layer: Any) -> Any:
    """Return whose method a layer is, where it is one; else the layer itself."""
    return layer.__self__ if isinstance(layer, types.MethodType) else layer


def of_another(layer: Any, other: Any) -> Any:
    """Return what the layer is of another owner: its method of this name, or that itself."""
    is_method = isinstance(layer, types.MethodType)
    return getattr(other, layer.__name__) if is_method else other


def looked_up(item: object, name: str) -> Any:
    """Return an attribute; None where there is none, or where a property raises.

    What a property needs before it answers, a trainer for instance, is not there yet.
    """
    try:
        return getattr(item, name, None)
    except Exception:
        return None


def children(item: Any) -> list[Any]:
    """Return what an object holds itself; of a tensor, what was put onto it."""
    kind = type(item)  # what stands for another object calls itself by its class
    if issubclass(kind, dict):
        return list(dict.values(item))
    if issubclass(kind, (list, tuple, set, frozenset)):
        return list(item)
    if isinstance(item, types.MethodType):
        return [item.__self__, item.__func__]
    if isinstance(item, types.FunctionType):
        cells = [c.cell_contents for c in item.__closure__ or () if _is_full(c)]
        keywords = (item.__kwdefaults__ or {}).values()
        return [*cells, *(item.__defaults__ or ()), *keywords]
    if isinstance(item, functools.partial):
        return [item.func, *item.args, *item.keywords.values()]
    # A module alone has a dozen dicts of hooks, and most are empty.
    held = [
        value
        for name, value in attributes(item).items()
        if not isinstance(value, dict) or value or "_hooks" not in name
    ]
    if _is_script(item):  # its tensors live where attributes do not show them
        held += [*item.parameters(), *item.buffers()]
    return held


def _is_full(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # reading it is the only way to know
    except ValueError:
        return False
    return True


def _is_script(item: object) -> bool:
    import torch

    return isinstance(item, torch.jit.ScriptModule)


def unwrapped(layer: Any) -> Any:
    """Return the layer inside wrappers that only change where or how fast it runs."""
    import torch

    parallel = torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel
    while isinstance(layer, torch.nn.Module):
        if isinstance(layer, parallel):
            layer = layer.module
        elif "_orig_mod" in layer._modules:
            # `torch.compile`; its class loads a compiler
            layer = layer._orig_mod
        else:
            break
    return layer


def held_transform(item: Any) -> Any:
    """Return the transform that a distribution or model holds, or None.

    Several in a list are taken as one after the other. A distribution that only says which
    axes are one event holds what its base does.
    """
    from torch.distributions import Independent

    while isinstance(item, Independent):
        item = item.base_dist
    for name in ("transform", "_transform", "bijection", "bijector", "transforms"):
        held = looked_up(item, name)
        if isinstance(held, (list, tuple)):
            held = _in_a_row(held)
        if held is not None and not isinstance(held, _ATOMS) and held is not item:
            return held
    return None


def _in_a_row(parts: Any) -> Any:
    from torch.distributions.transforms import ComposeTransform, Transform

    if parts and all(isinstance(part, Transform) for part in parts):
        return ComposeTransform(list(parts))
    return list(parts) or None


def module_of(item: object) -> str:
    """Return the name of the module that made a class or function; none may have."""
    return str(looked_up(item, "__module__") or "")


def is_alike(one: object, other: object) -> bool:
    """Return whether two objects, and all that they hold, are of equal types.

    Their own plain values are equal too.
    """
    plain = (str, bool, int, float, type(None))
    own, others = (
        {
            name: value
            for name, value in attributes(each).items()
            if type(value) in plain
        }
        for each in (one, other)
    )
    return own == others and [*map(type, reachable(one))] == [
        *map(type, reachable(other))
    ]


def is_lazy(root: object) -> bool:
    """Return whether a module's parameters are still to be made, by its first call."""
    import torch

    parameters = root.parameters() if isinstance(root, torch.nn.Module) else ()
    return any(map(torch.nn.parameter.is_lazy, parameters))


def is_plain(tensor: Tensor) -> bool:
    """Return whether a tensor is dense, and has its numbers already."""
    import torch

    return (
        not torch.nn.parameter.is_lazy(tensor)
        and not tensor.is_nested
        and not tensor.is_quantized
        and tensor.layout == torch.strided
    )


def frozen_parameters(root: object) -> tuple[str, ...]:
    """Return the parameters that do not require a gradient, as a user would write them."""
    import torch

    modules = [item for item in reachable(root) if isinstance(item, torch.nn.Module)]
    if all(p.requires_grad for item in modules for p in item.parameters(recurse=False)):
        return ()
    where = paths(root)
    return tuple(
        f"{where.get(id(item), '')}.{name}".removeprefix(".")
        for item in modules
        for name, parameter in item.named_parameters(recurse=False)
        if not parameter.requires_grad
    )


def is_empty(root: object) -> bool:
    """Return whether a module is a container of none: it holds no tensor, and no layer."""
    import torch

    if not isinstance(root, torch.nn.Module) or tensors(root):
        return False
    containers = torch.nn.ModuleList, torch.nn.Sequential, torch.nn.ModuleDict
    if isinstance(root, containers) and not len(root):
        return True
    held = [*root.children(), *(v for n, v in attributes(root).items() if n[0] != "_")]
    lists = [v for v in held if isinstance(v, (list, tuple, *containers))]
    others = (v for v in held if isinstance(v, torch.nn.Module))
    return (
        bool(lists)
        and not any(map(len, lists))
        and all(isinstance(v, containers) for v in others)
    )


def paths(root: object) -> dict[int, str]:
    """Return how to write each object that the root holds, by its id: `.layers[1].net`.

    The shortest way counts. Submodules are reached as a user would reach them.
    """
    found = {id(root): ""}
    queue: list[Any] = [root]
    for item in queue:
        here = found[id(item)]
        for step, child in _steps(item):
            if not isinstance(child, _ATOMS) and id(child) not in found:
                found[id(child)] = here + step
                if len(queue) < _LIMIT:
                    queue.append(child)
    return found


def at_path(root: object, path: str) -> Any:
    """Return what stands at a path that is written as `paths` does; None if nothing."""
    if not path:
        return root
    ways = (
        at_path(child, path.removeprefix(step))
        for step, child in _steps(root)
        if path.startswith(step)
    )
    return next((found for found in ways if found is not None), None)


def _steps(item: Any) -> list[tuple[str, Any]]:
    """Return what an object holds itself, and how each is written behind its own name."""
    import torch

    if isinstance(item, torch.nn.Module):
        parts = [
            (f"[{n}]" if n.isdigit() else f".{n}", child)
            for n, child in item._modules.items()
        ]
        own = attributes(item).items()
        return parts + [(f".{n}", child) for n, child in own if not n.startswith("_")]
    if issubclass(type(item), dict):
        return [(f"[{key!r}]", child) for key, child in item.items()]
    if issubclass(type(item), (list, tuple)):
        return [(f"[{index}]", child) for index, child in enumerate(item)]
    if isinstance(item, (torch.Tensor, *_ATOMS)):
        return []
    return [(f".{n}", child) for n, child in attributes(item).items()]

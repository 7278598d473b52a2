"""Copies of the user's layer, and a process that is afterwards as it was before."""

import contextlib
import copy
import os
import random
import sys
import types
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions.transforms import _InverseTransform

from ldjcheck.object_graph import attributes, module_level, module_of, reachable
from ldjcheck.records.asked import LARGEST_SEED
from ldjcheck.running.placement import LOW_PRECISION, is_rounded
from ldjcheck.tracing import Args, Named, Operation, Operations


def reseed(seed: int) -> None:
    """Seed the global random generators on the CPU, which layers use."""
    # `torch.manual_seed` would also format a stack trace for each absent accelerator.
    torch.default_generator.manual_seed(seed)
    # Seeds are counted on from the largest, too.
    np.random.seed(seed % (LARGEST_SEED + 1))
    random.seed(seed)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Put back all process-wide state that running a layer may change.

    Random generators, default dtype and device, gradient mode, thread count, anomaly and
    deterministic modes, the working folder, where modules are imported from, and the
    warning filters.
    """
    # the global generator is what is restored
    generators = torch.get_rng_state(), np.random.get_state(), random.getstate()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    threads, anomaly = torch.get_num_threads(), torch.is_anomaly_enabled()
    deterministic = torch.are_deterministic_algorithms_enabled()
    folder, path = os.getcwd(), list(sys.path)
    try:
        with torch.inference_mode(False), warnings.catch_warnings(), _at_home():
            warnings.simplefilter("ignore")
            torch.set_grad_enabled(True)
            yield
    finally:
        torch.set_rng_state(generators[0])
        np.random.set_state(generators[1])
        random.setstate(generators[2])
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        if torch.get_num_threads() != threads:  # the layer changed it, we never do
            torch.set_num_threads(threads)
        torch.autograd.set_detect_anomaly(anomaly)
        if torch.are_deterministic_algorithms_enabled() != deterministic:
            torch.use_deterministic_algorithms(deterministic)  # slow: loads a compiler
        sys.path[:] = path
        os.chdir(folder)  # from wherever it went, be that gone or not


def _at_home() -> contextlib.AbstractContextManager[Any]:
    """Make new tensors on the CPU, where the program at hand makes them elsewhere."""
    home = torch.device("cpu")
    return contextlib.nullcontext() if torch.empty(0).device == home else home


@contextlib.contextmanager
def unharmed(layer: object) -> Iterator[None]:
    """Put back every tensor, gradient, mode and attribute that the layer holds.

    Checks run on copies; this is for what a copy still shares with the original, such as
    tensors at module level, and for layers that cannot be copied.
    """
    roots = (layer, *module_level(layer))
    held = list(reachable(roots))
    own = [(i, c) for i in held if (c := _contents(i)) is not None]
    saved = [
        (t, t.detach().clone(), _kept_grad(t), t.requires_grad, t.data)
        for t in held
        if isinstance(t, Tensor) and not t.is_meta  # which holds nothing to put back
    ]
    try:
        yield
    finally:
        for item, contents in own:
            _put_back(item, contents)
        for tensor, value, grad, requires_grad, storage in saved:
            if (tensor.dtype, tensor.device) != (value.dtype, value.device):
                tensor.data = storage
            if not torch.equal(tensor.detach().nan_to_num(), value.nan_to_num()):
                with torch.no_grad():
                    tensor.detach().copy_(value)
            if tensor.is_leaf:
                tensor.grad = None if grad is None else grad[0]
                if grad is not None and not torch.equal(*grad):
                    grad[0].detach().copy_(grad[1])
                if tensor.requires_grad != requires_grad:
                    tensor.requires_grad_(requires_grad)


def _kept_grad(tensor: Tensor) -> tuple[Tensor, Tensor] | None:
    if not tensor.is_leaf or tensor.grad is None:
        return None
    return tensor.grad, tensor.grad.detach().clone()


def _contents(item: Any) -> dict[Any, Any] | list[Any] | set[Any] | None:
    """Return what an object or a container holds now, one level deep."""
    for kind in (dict, list, set):
        if issubclass(type(item), kind):
            own: dict[Any, Any] | list[Any] | set[Any] = kind.copy(item)
            return own
    if isinstance(item, Tensor):
        return None
    try:
        return dict(object.__getattribute__(item, "__dict__"))
    except (AttributeError, TypeError):
        return None


def _put_back(item: Any, contents: dict[Any, Any] | list[Any] | set[Any]) -> None:
    """Give an object what it held before, unless it still does."""
    if isinstance(contents, dict):
        own = item if issubclass(type(item), dict) else item.__dict__
        now, before = ([(k, id(v)) for k, v in d.items()] for d in (own, contents))
        if now != before:
            own.clear()
            own.update(contents)
    elif isinstance(contents, list):
        if list(map(id, item)) != list(map(id, contents)):
            item[:] = contents
    elif set(map(id, item)) != set(map(id, contents)):
        item.clear()
        item.update(contents)


class CopiesOfResults(Operations):
    """Lets `deepcopy` copy tensors that are results of a computation, by value."""

    def operate(self, name: str, func: Operation, args: Args, named: Named) -> Any:
        """Run the operation, but for the copying of a result."""
        if func is Tensor.__deepcopy__ and not args[0].is_leaf:
            tensor, memo = args
            memo[id(tensor)] = tensor.detach().clone()
            return memo[id(tensor)]
        return func(*args, **named)


def copied(layer: Any) -> Any:
    """Return a deep copy of the layer, with what its functions hold copied too.

    Raises:
        Exception: whatever the layer's own copying raises.
    """
    memo: dict[int, Any] = {}
    held = list(reachable(layer))
    for item in held:
        if isinstance(item, _InverseTransform) and item._inv is not None:
            # Its own copying forgets the transform that it inverts.
            with CopiesOfResults():
                memo[id(item)] = copy.deepcopy(item._inv, memo).inv
    functions = [
        i for i in held if isinstance(i, types.FunctionType) and holds_state(i)
    ]
    for function in functions:
        cells = tuple(types.CellType() for _ in function.__closure__ or ())
        memo[id(function)] = types.FunctionType(
            function.__code__, function.__globals__, function.__name__, None, cells
        )
    with CopiesOfResults():
        for function in functions:
            new = memo[id(function)]
            new.__defaults__ = copy.deepcopy(function.__defaults__, memo)
            new.__kwdefaults__ = copy.deepcopy(function.__kwdefaults__, memo)
            new.__dict__.update(function.__dict__)
            for cell, own in zip(
                function.__closure__ or (), new.__closure__ or (), strict=True
            ):
                with contextlib.suppress(ValueError):  # an empty cell stays empty
                    own.cell_contents = copy.deepcopy(cell.cell_contents, memo)
        twin = copy.deepcopy(layer, memo)
    _cut_off(twin)
    return twin


def _cut_off(twin: Any) -> None:
    """Make leaves of a scripted copy's parameters: torch copies them as results of others."""
    for item in reachable(twin):
        if isinstance(item, torch.jit.ScriptModule):
            for parameter in item.parameters():
                if not parameter.is_leaf:
                    parameter.detach_().requires_grad_()


def holds_state(function: types.FunctionType) -> bool:
    """Return whether a function holds tensors or modules: in its closure, or as defaults."""
    parts = function.__closure__, function.__defaults__, function.__kwdefaults__
    return any(parts) and any(
        isinstance(i, (Tensor, torch.nn.Module)) for i in reachable(function)
    )


def promoted(held: Sequence[Any]) -> list[Tensor]:
    """Turn every float32 or half tensor among what a layer holds into float64.

    Returns those that training does not move: they keep the rounding of the precision
    that they were made in, and so does what the layer computes from them.
    """
    constants = []
    for tensor in (item for item in held if isinstance(item, Tensor)):
        if tensor.dtype in LOW_PRECISION:
            inexact = not tensor.requires_grad and is_rounded(tensor)
            tensor.data = tensor.data.double()
            if inexact:
                constants.append(tensor)
    _promote_numpy(held)
    return constants


def _promote_numpy(held: Sequence[Any]) -> None:
    """Turn float32 NumPy numbers and arrays into float64, wherever the layer keeps them."""
    for item in held:
        if issubclass(type(item), (dict, list)):
            places = item.items() if issubclass(type(item), dict) else enumerate(item)
            for key, value in [(k, v) for k, v in places if _is_narrow(v)]:
                item[key] = value.astype(np.float64)
        elif not isinstance(item, Tensor):
            for name, value in attributes(item).items():
                if _is_narrow(value):
                    with contextlib.suppress(AttributeError, TypeError):
                        object.__setattr__(item, name, value.astype(np.float64))


def _is_narrow(value: Any) -> bool:
    narrow = (np.float16, np.float32)
    return isinstance(value, (np.floating, np.ndarray)) and value.dtype in narrow


def learnable(layer: Any) -> list[Tensor]:
    """Return the tensors that training would move, in a fixed order."""
    return movable(reachable(layer))


def movable(held: Iterable[Any]) -> list[Tensor]:
    """Return those among what a layer holds that training would move."""
    return [
        t
        for t in held
        if isinstance(t, Tensor)
        and t.requires_grad
        and t.is_leaf
        and t.is_floating_point()
        and t.numel()
    ]


def is_kept_in_place(layer: Any, which: Collection[int]) -> bool:
    """Return whether something may take learnable tensors back to where they belong.

    A hook does, that runs around each call or step; or a kind of parameter of its own,
    which optimisers of manifolds know.
    """
    if any(
        name.endswith("_hooks") and value
        for module in reachable(layer)
        if isinstance(module, torch.nn.Module)
        for name, value in vars(module).items()
    ):
        return True
    held = [tensor for i, tensor in enumerate(learnable(layer)) if i in which]
    return any(
        type(tensor) not in (Tensor, torch.nn.Parameter)
        or tensor._backward_hooks
        or tensor._post_accumulate_grad_hooks
        for tensor in held
    )


def set_mode(layer: Any, mode: str) -> None:
    """Put every module that the layer holds into `eval` or `train` mode."""
    switch(reachable(layer), mode)


def switch(held: Iterable[Any], mode: str) -> None:
    """Put every module among what a layer holds into `eval` or `train` mode.

    A module passes it on to its own, or does with them what its author wants; only those
    that a layer keeps out of torch's sight are told by us.
    """
    told: set[int] = set()
    for module in held:
        if isinstance(module, torch.nn.Module) and id(module) not in told:
            module.train(mode == "train")
            told.update(map(id, module.modules()))


def is_modal(layer: Any) -> bool:
    """Return whether the user's code in what a layer holds asks whether it is trained."""
    return any(
        "training" in code.co_names
        for item in reachable(layer)
        if isinstance(item, torch.nn.Module)
        for code in _codes(type(item))
    )


def _codes(kind: type) -> Iterator[types.CodeType]:
    for cls in kind.__mro__:
        if not module_of(cls).startswith(("torch.", "builtins")):
            for member in vars(cls).values():
                if isinstance(member, types.FunctionType):
                    yield member.__code__

"""Where a copy of a layer runs, and in which precision: devices and dtypes."""

import contextlib
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from ldjcheck.errors import CannotCheckError
from ldjcheck.numerics.tolerance import MACHINE_EPSILON
from ldjcheck.object_graph import attributes, reachable, tensors
from ldjcheck.torch_ops import TO_LOW_PRECISION
from ldjcheck.tracing import Args, Named, Operation

CPU = torch.device("cpu")


def usable(name: str | None) -> torch.device:
    """Return the device of that name; the CPU where none is named.

    Raises:
        CannotCheckError: torch cannot put numbers there.
    """
    if name is None:
        return CPU
    try:
        one = torch.ones(1, device=name)
        one.tolist()
    except Exception as error:  # each kind of device has its own way of being absent
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise CannotCheckError(
            "LDJ006",
            f"No input can be put on the device {name}.",
            (f"torch says: {told}", "Without --device a copy on the CPU is checked."),
        ) from None
    return one.device


def moved(copy: Any, device: torch.device) -> None:
    """Move a copy to a device.

    What it keeps as the name of the device that it was on is changed, too: layers make
    tensors of their own by it.

    Raises:
        CannotCheckError: its tensors hold no numbers that could be moved.
    """
    held = list(reachable(copy))
    elsewhere = [t for t in held if isinstance(t, Tensor) and t.device != device]
    if not elsewhere and not any(_is_other(item, device) for item in held):
        return
    if any(tensor.is_meta for tensor in elsewhere):
        raise CannotCheckError(
            "LDJ006",
            "The layer's tensors are on the device meta, which holds no numbers.",
            ("Put it on one that does: layer.to_empty(device='cpu'), and reset it.",),
        )
    names = {str(tensor.device) for tensor in elsewhere}
    names |= {tensor.device.type for tensor in elsewhere}
    for tensor in elsewhere:
        grad = tensor.grad if tensor.is_leaf else None
        if grad is not None:
            tensor.grad = None
        tensor.data = tensor.data.to(device)
        if grad is not None:
            tensor.grad = grad.to(device)
    for item in held:
        for key, value in _kept(item):
            if _is_other(value, device):
                _put(item, key, device)
            elif isinstance(value, str) and value in names:
                _put(item, key, str(device))


def said_of_device(layer: Any, name: str | None) -> str | None:
    """Return where a layer is checked, if that is not where it is; None if it is."""
    there = sorted({str(tensor.device) for tensor in tensors(layer)})
    here = str(usable(name))
    if there in ([], [here]):
        return None if name is None else f"{here}: as you said"
    return f"{here}: a copy of the layer, which is on {', '.join(there)}"


def placed(value: Any, device: torch.device) -> Any:
    """Return a tensor on the device; anything else as it is."""
    return value.to(device) if isinstance(value, Tensor) else value


def _is_other(value: Any, device: torch.device) -> bool:
    return isinstance(value, torch.device) and value.type != device.type


def _kept(item: Any) -> list[tuple[Any, Any]]:
    """Return what an object keeps, with its key or name."""
    if issubclass(type(item), dict):
        return list(item.items())
    if issubclass(type(item), list):
        return list(enumerate(item))
    return [] if isinstance(item, Tensor) else list(attributes(item).items())


def _put(item: Any, key: Any, value: Any) -> None:
    if issubclass(type(item), (dict, list)):
        item[key] = value
        return
    with contextlib.suppress(AttributeError, TypeError):  # a read-only one stays
        object.__setattr__(item, key, value)


# --- precision ------------------------------------------------------------------------

LOW_PRECISION = frozenset({torch.float32, torch.float16, torch.bfloat16})
HALVES = frozenset({torch.float16, torch.bfloat16})
_TYPES = {
    "Float": torch.float32, "Half": torch.float16, "BFloat16": torch.bfloat16,
    "Char": torch.int8, "Short": torch.int16, "Int": torch.int32,
    "Long": torch.int64, "Byte": torch.uint8,
}  # fmt: skip
_TYPE_NAMES = {f"torch.{name}Tensor": dtype for name, dtype in _TYPES.items()}
_LEGACY_TYPE = type(torch.FloatTensor)
_NAMES_A_TYPE = frozenset({torch.dtype, str, _LEGACY_TYPE})
_NUMBERS = frozenset({int, float, bool, type(None)})
_SEQUENCES = frozenset({tuple, list})
INTEGER_DTYPES = frozenset(
    {torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8}
)


def dtype_of(layer: Any) -> torch.dtype:
    """Return the precision that a layer wants as written: its own, or float32."""
    if not isinstance(layer, torch.nn.Module):
        return torch.float32
    held = itertools.chain(layer.parameters(), layer.buffers())
    own = {each.dtype for each in held if each.is_floating_point()}
    return own.pop() if len(own) == 1 else torch.float32


def is_rounded(value: Any) -> bool:
    """Return whether float32 or less may have rounded an entry: halves are exact."""
    if not isinstance(value, Tensor) or value.dtype not in LOW_PRECISION:
        return False
    return bool(is_inexact(value.detach().double()).any())


def is_inexact(value: Tensor) -> Tensor:
    """Return which entries have more digits than a short binary fraction: 1/4096 is one."""
    return (value * 4096.0).frac() != 0.0


def called_roughly(
    func: Operation, name: str, args: Args, kwargs: Named, generator: torch.Generator
) -> Any:
    """Return what an operation makes of what float32 may have rounded.

    Each entry that it takes is off by another share of half a unit in its last place: what
    a call comes to then scatters as its rounding errors do (Parker, *Monte Carlo
    Arithmetic*, 1997), those inside a factorisation too, which are such errors of what is
    factorised. What is written into stays itself, and so does what is only looked at.
    """
    if _writes(name):
        return func(*args, **kwargs)
    near = _roughly(args, generator)
    result = func(*near, **_roughly(dict(kwargs), generator))
    parts = result if isinstance(result, tuple | list) else (result,)
    shown = [part for part in parts if isinstance(part, Tensor)]
    if any(part._is_view() or any(part is each for each in near) for part in shown):
        return func(*args, **kwargs)
    return result


def _roughly(value: Any, generator: torch.Generator) -> Any:
    """Return numbers of float64, also those in lists, off by as much as float32 rounds."""
    if type(value) in (tuple, list):
        return type(value)(_roughly(part, generator) for part in value)
    if type(value) is dict:
        return {name: _roughly(part, generator) for name, part in value.items()}
    if not isinstance(value, Tensor) or value.dtype is not torch.float64:
        return value
    share = torch.rand(value.shape, generator=generator, dtype=torch.float64) - 0.5
    return value * (1.0 + MACHINE_EPSILON["float32"] * share * is_inexact(value))


def promoted_call(
    func: Operation, name: str, args: Args, kwargs: Named
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return the call with every wish for low precision turned into one for float64."""
    if name in TO_LOW_PRECISION and args and isinstance(args[0], Tensor):
        return torch.Tensor.double, args[:1]
    keep = _writes(name)
    for index, value in enumerate(args):
        if isinstance(value, Tensor):
            if value.dtype in LOW_PRECISION and not keep:
                args = (*args[:index], value.double(), *args[index + 1 :])
        elif is_type_of(value, LOW_PRECISION):
            args = (*args[:index], torch.float64, *args[index + 1 :])
    for key, value in kwargs.items():
        if is_type_of(value, LOW_PRECISION):
            kwargs[key] = torch.float64
    return func, args


def is_low(values: Iterable[Any]) -> bool:
    """Return whether any of these has, or names, a low precision, however deep it lies.

    Asked at every operation, and nearly always in vain.
    """
    for value in values:
        kind = type(value)
        if kind in _NUMBERS:
            continue
        if kind is Tensor or isinstance(value, Tensor):
            if value.dtype is not torch.float64 and value.dtype in LOW_PRECISION:
                return True
        elif kind in _NAMES_A_TYPE:
            if is_type_of(value, LOW_PRECISION):
                return True
        elif kind in _SEQUENCES and is_low(value):
            return True
    return False


def asked_for(name: str, args: Args, kwargs: Named) -> torch.dtype | None:
    """Return the low precision that a call names, or None."""
    if name in TO_LOW_PRECISION:
        return getattr(torch, {"float": "float32", "half": "float16"}.get(name, name))  # type: ignore[no-any-return]  # a dtype
    for value in (*args, *kwargs.values()):
        if not isinstance(value, Tensor) and is_type_of(value, LOW_PRECISION):
            kind: Any = _TYPE_NAMES.get(value) if type(value) is str else value
            return getattr(kind, "dtype", kind)  # type: ignore[no-any-return]  # a dtype
    return None


def lowers(name: str, args: Args) -> bool:
    """Return whether a call turns the float64 tensor that it is given into another."""
    converts = name in TO_LOW_PRECISION or name in ("to", "type")
    return converts and isinstance(args[0], Tensor) and args[0].dtype == torch.float64


def _writes(name: str) -> bool:
    """Return whether a call changes a tensor it is given, which must stay the same one."""
    in_place = name.endswith("_") and not name.endswith("__")
    return in_place or name.startswith(("__i", "__set", "__get__"))


def is_type_of(wanted: Any, dtypes: frozenset[torch.dtype]) -> bool:
    """Return whether an argument names one of these dtypes, in any of torch's ways."""
    kind = type(wanted)
    if kind is torch.dtype:
        return wanted in dtypes
    if kind is str:
        return _TYPE_NAMES.get(wanted) in dtypes
    return kind is _LEGACY_TYPE and wanted.dtype in dtypes


def doubled(result: Any) -> Any:
    """Return the result with float32 tensors, which came past `promoted_call`, as float64."""
    if isinstance(result, Tensor):
        return result.double() if result.dtype in LOW_PRECISION else result
    if type(result) in (tuple, list):
        return type(result)(doubled(part) for part in result)
    return result

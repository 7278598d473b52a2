"""What a check could leave otherwise: of the process, of a layer, and of a folder."""

from __future__ import annotations

import gc
import logging
import os
import random
import signal
import sys
import threading
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

State = dict[str, Any]


def process() -> State:
    """Return the state of this process, by the names that acts say they touch."""
    hooks = torch.nn.modules.module
    places = (torch, Tensor, torch.linalg, nn.functional, nn.Module, __builtins__)
    return {
        "working folder": os.path.realpath("/proc/self/cwd"),
        "environment": dict(os.environ),
        "random numbers of torch": torch.get_rng_state().numpy().tobytes(),
        "random numbers of numpy": str(np.random.get_state()),
        "random numbers of Python": random.getstate(),
        "default dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "grad mode": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "threads of torch": torch.get_num_threads(),
        "anomaly mode": torch.is_anomaly_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warnings": list(warnings.filters),
        "path": list(sys.path),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "limits": (sys.getrecursionlimit(), sys.gettrace(), sys.getprofile(), gc.isenabled()),
        "signals": [signal.getsignal(s) for s in (2, 10, 14, 15)],
        "numpy": np.geterr(),
        "logging": (list(logging.root.handlers), logging.root.level),
        "threads": threading.active_count(),
        "files": len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0,
        "hooks": [dict(v) for k, v in sorted(vars(hooks).items()) if k.startswith("_global_")
            and isinstance(v, dict)],
        "modes": (torch._C._len_torch_function_stack(), torch._C._len_torch_dispatch_stack()),
        "torch": [
            (name, id(value))
            for place in places
            for name, value in (vars(place) if not isinstance(place, dict) else place).items()
            if callable(value) and _is_whole(value)
        ],
        "excepthooks": (sys.excepthook, sys.unraisablehook, threading.excepthook),
        "finders": (list(sys.meta_path), list(sys.path_hooks)),
    }  # fmt: skip


def _is_whole(value: Any) -> bool:
    """Return whether torch makes a function at once, and not when it is first asked for."""
    return not isinstance(value, type)


def layer(obj: Any) -> State:
    """Return all that a layer holds, flat, by the path to it."""
    found: State = {}
    kind = type(obj)
    if isinstance(obj, types.ModuleType):
        return {}
    _look(obj, "layer", found, set())
    found["class"] = sorted((k, id(v)) for k, v in vars(kind).items() if k[:2] != "__")
    return found


def _look(item: Any, path: str, found: State, seen: set[int]) -> None:
    if id(item) in seen or path.count(".") > 6:
        return
    seen.add(id(item))
    if isinstance(item, Tensor):
        found[path] = _of_tensor(item)
        return
    if type(item) in (int, float, str, bool, bytes, type(None)):
        found[path] = repr(item)
        return
    try:
        held = dict(object.__getattribute__(item, "__dict__"))
    except (AttributeError, TypeError, RuntimeError):
        held = {}
    if type(item) in (list, tuple):
        held |= dict(enumerate(item))
    elif type(item) is dict:
        held |= item
    found[f"{path} holds"] = (
        type(item).__name__,
        [(str(k), id(v)) for k, v in held.items()],
    )
    if isinstance(item, type) or (callable(item) and not isinstance(item, nn.Module)):
        return
    for key, value in held.items():
        _look(value, f"{path}.{key}", found, seen)


def _of_tensor(tensor: Tensor) -> Any:
    of_class = torch._C.DisableTorchFunctionSubclass()
    with of_class:
        whole = (str(tensor.dtype), tuple(tensor.shape), tensor.requires_grad)
        if tensor.is_meta or tensor.layout != torch.strided or tensor.is_quantized:
            return whole
        grad = tensor.grad if tensor.is_leaf else None
        values = tensor.detach().contiguous().cpu().reshape(-1).view(torch.uint8)
        return (*whole, values.numpy().tobytes(), None if grad is None else str(grad))


def files(root: Path) -> dict[str, bytes]:
    """Return the files below a folder but for those that Python caches, with their bytes."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def changed(
    before: State, after: State, but: frozenset[str] = frozenset()
) -> list[str]:
    """Return what is not as it was, by name."""
    names = [*before, *(name for name in after if name not in before)]
    return [
        name
        for name in names
        if name not in but
        and (name not in before or name not in after or before[name] != after[name])
    ]

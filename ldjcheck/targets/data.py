"""Files of the user's: samples to check a layer at, and weights to check it with."""

from __future__ import annotations

import inspect
import pickle
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldjcheck.errors import CannotCheckError
from ldjcheck.records import Layer
from ldjcheck.records.asked import Given

if TYPE_CHECKING:
    from torch import Tensor


_LISTED = 4  # names of tensors that are told


# --- samples --------------------------------------------------------------------------


def read_inputs(path: str | Path) -> Given:
    """Return the samples in a file: .pt or .pth of torch, .npy or .npz of NumPy.

    Raises:
        CannotCheckError: LDJ006, where there are none that can be read.
    """
    path = Path(path)
    try:
        if path.suffix in (".npy", ".npz"):
            import numpy as np

            content = np.load(path, allow_pickle=False)
            value = dict(content) if path.suffix == ".npz" else content
        else:
            value = _loaded(path)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable("LDJ006", path, error) from None
    try:
        return replace(given_inputs(value), written=repr(str(path)))
    except ValueError as error:
        message = f"{path} holds no inputs: {error}."
        raise CannotCheckError("LDJ006", message, _FORMS) from None


_FORMS = (
    "A tensor or array is wanted, (batch, *event); or several by the names of the",
    "arguments, as torch.save({'x': x, 'context': c}, FILE) and np.savez write them.",
)


def given_inputs(value: Any) -> Given:
    """Return samples from a tensor, an array, or several of them by their names.

    Raises:
        ValueError: they are no samples, or not equally many.
    """
    import torch

    named = value if isinstance(value, Mapping) else {None: value}
    if isinstance(value, (list, tuple)) and value:  # as of a dataset: x, then labels
        named = {None: value[0]}
    samples: dict[str | None, Tensor] = {}
    for name, each in named.items():
        try:
            tensor = torch.as_tensor(each).detach().cpu()
        except (TypeError, ValueError, RuntimeError):
            raise ValueError(f"{name or 'it'} is a {type(each).__name__}") from None
        if tensor.dim() == 0 or not len(tensor):
            raise ValueError(f"{name or 'it'} has no batch axis with samples")
        if tensor.is_complex():
            raise ValueError(f"{name or 'it'} holds complex numbers")
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name or 'it'} holds nan or inf")
        samples[name] = tensor.clone()
    if not samples:
        raise ValueError("nothing is in it")
    if len({len(each) for each in samples.values()}) > 1:
        counts = ", ".join(f"{name}: {len(each)}" for name, each in samples.items())
        raise ValueError(f"they are not equally many ({counts})")
    return Given(samples=samples)


# --- weights --------------------------------------------------------------------------


def with_weights(layer: Layer, weights: str | Path | Mapping[str, Any]) -> Layer:
    """Return the layer with the weights of a state dict, or of a file that holds one.

    A checkpoint is searched for the state dict, and that for the layer's own names, which
    may stand behind a prefix: `module.`, or the place of the layer in a model. The layer
    that is handed in stays as it is.

    Raises:
        CannotCheckError: LDJ001, where the weights are not the layer's.
    """
    import copy

    state = weights
    name, written = "the state dict", "weights"
    if not isinstance(weights, Mapping):
        name, written = Path(weights).name, repr(str(weights))
        state = _loaded(Path(weights))
    method = layer.obj.__name__ if inspect.ismethod(layer.obj) else None
    owner = layer.obj if method is None else layer.obj.__self__
    own = getattr(owner, "state_dict", None)
    if not callable(own) or not own():
        raise CannotCheckError(
            "LDJ001",
            f"{layer.name} has no weights that could be loaded.",
            (
                "Only torch.nn.Module objects with parameters or buffers have a state dict.",
            ),
        )
    wanted = dict(own())
    found, prefix = _fitting(state, wanted, layer, name)
    missing = [key for key in wanted if key not in found]

    def filled(obj: Any) -> Any:
        (obj if method is None else obj.__self__).load_state_dict(found, strict=False)
        return obj

    said = f"{len(found)} of {len(wanted)} tensors from {name}"
    said += f", behind `{prefix}`" if prefix else ""
    said += f"; not in it: {_listed(missing)}" if missing else ""
    copied = copy.deepcopy(owner)
    obj = filled(copied if method is None else getattr(copied, method))
    return replace(
        layer.becomes(obj, filled),
        inferred=(*layer.inferred, ("weights", said)),
        written=f"{layer.written}, weights={written}",
    )


def _fitting(
    state: Any, wanted: Mapping[str, Tensor], layer: Layer, name: str
) -> tuple[dict[str, Tensor], str]:
    """Return the layer's tensors out of what a file holds, and the prefix of their names.

    Raises:
        CannotCheckError: LDJ001, where none is found, or it is open which are meant.
    """
    best: tuple[dict[str, Tensor], str] = {}, ""
    tied: list[str] = []
    for held in _state_dicts(state):
        prefixes = Counter(
            key[: len(key) - len(own)]
            for key in held
            for own in wanted
            if key == own or key.endswith(f".{own}")
        )
        place = _place_in_model(layer.target)
        named = [p for p in prefixes if place and f".{p}".endswith(f".{place}")]
        for prefix in named or prefixes:
            found = {
                own: held[prefix + own]
                for own, value in wanted.items()
                if prefix + own in held and held[prefix + own].shape == value.shape
            }
            if len(found) > len(best[0]):
                best, tied = (found, prefix), []
            elif found and len(found) == len(best[0]) and prefix != best[1]:
                tied.append(prefix)
    found, prefix = best
    if not found:
        held_keys = [key for held in _state_dicts(state) for key in held]
        raise CannotCheckError(
            "LDJ001",
            f"{name} holds no weights of {layer.name}.",
            (
                f"The layer has: {_listed(list(wanted))}.",
                f"The file has: {_listed(held_keys)}." if held_keys else "It has none.",
                "Names or shapes differ: name the layer that was saved, built alike.",
            ),
        )
    if prefix and tied:
        raise CannotCheckError(
            "LDJ001",
            f"{name} holds weights for several layers like {layer.name}.",
            (
                f"They stand behind {_listed([prefix, *tied])}.",
                "Name the layer by its place in the model that was saved, as in",
                "  ldjcheck 'FILE.py:Flow().layers[0]' --weights FILE",
            ),
        )
    return found, prefix


def _place_in_model(target: str) -> str:
    """Return `layers.0.` for a target such as `flows.py:Flow().layers[0]`."""
    place = re.search(r"((?:\.[^\W\d]\w*|\[\d+\])+)\s*$", target.partition(":")[2])
    steps = re.findall(r"\w+", place[1]) if place else []
    return "".join(f"{step}." for step in steps)


def _state_dicts(value: Any, depth: int = 3) -> Iterator[dict[str, Tensor]]:
    """Yield the mappings of names to tensors that a checkpoint holds, outermost first."""
    import torch

    if not isinstance(value, Mapping):
        return
    tensors = {k: v for k, v in value.items() if isinstance(v, torch.Tensor)}
    if tensors:
        yield {str(key): each for key, each in tensors.items()}
    if depth:
        for inner in value.values():
            yield from _state_dicts(inner, depth - 1)


def _listed(names: list[str]) -> str:
    told = ", ".join(names[:_LISTED])
    return f"{told}, and {len(names) - _LISTED} more" if len(names) > _LISTED else told


def _loaded(path: Path) -> Any:
    """Return what torch saved in a file; nothing in it is run."""
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise CannotCheckError(
            "LDJ001",
            f"{path} holds more than tensors, and loading it would run its code.",
            (
                "Save a state dict instead of the whole model:",
                "  torch.save(model.state_dict(), FILE)",
            ),
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise _unreadable("LDJ001", path, error) from None


def _unreadable(code: str, path: Path, error: Exception) -> CannotCheckError:
    why = next(iter(str(error).splitlines()), type(error).__name__)
    return CannotCheckError(code, f"{path} cannot be read: {why}.")

"""Several tensors as one flat one, and back: the Jacobian has one input and one output."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ldjcheck.records import Shape


@dataclass(frozen=True, slots=True)
class Layout:
    """How several tensors stood side by side: in a sequence, or under these keys."""

    shapes: tuple[Shape, ...]  # of the events
    keys: tuple[Any, ...] | None = None

    @property
    def dims(self) -> int:
        """Entries of one sample."""
        return sum(math.prod(shape) for shape in self.shapes)

    def spread(self, flat: Tensor) -> Any:
        """Return the tensors that `(batch, dims)` holds, in a list or in a dict."""
        sizes = [math.prod(shape) for shape in self.shapes]
        parts = flat.reshape(len(flat), -1).split(sizes, dim=1)
        whole = [
            part.reshape(len(flat), *shape)
            for part, shape in zip(parts, self.shapes, strict=True)
        ]
        if self.keys is None:
            return whole
        return dict(zip(self.keys, whole, strict=True))


def gathered(value: Any) -> tuple[Any, Layout | None]:
    """Return several tensors of one batch as `(batch, dims)`, and how they stood.

    A tensor, and whatever is not several tensors, comes back as it is, with None.
    """
    keys = tuple(value) if isinstance(value, dict) else None
    held = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(held, (list, tuple)) or not held:
        return value, None
    if not all(isinstance(t, Tensor) and t.dim() for t in held):
        return value, None
    if len({len(t) for t in held}) != 1:
        return value, None
    if len(held) == 1 and keys is None:
        return held[0], None
    flat = torch.cat([t.reshape(len(t), -1) for t in held], dim=1)
    return flat, Layout(tuple(tuple(t.shape[1:]) for t in held), keys)

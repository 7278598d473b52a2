"""Names that somebody else asks for, and that a rewriter must leave: what calls a layer.

They are read from the conventions themselves, and from the classes that a layer is made of.
"""

from __future__ import annotations

import builtins
import keyword

import torch
from torch import nn

from ldjcheck.calling.parameter_names import (
    FORWARD_FLAGS,
    METHODS_OF_WAYS,
    REVERSE_FLAGS,
    SAMPLERS,
    SIGNS,
    asks_for_density,
    is_bound,
    is_count,
    is_density,
    is_density_of_x,
    is_total,
    unit_of_method,
)
from ldjcheck.calling.signature import INVERSE_METHODS
from ldjcheck.conventions import mode, pair
from ldjcheck.conventions.and_log_det import _BACK, _THERE

_FLAGS = {*REVERSE_FLAGS, *FORWARD_FLAGS, *SIGNS, *mode._NAMES, *pair._RECONSTRUCTING}
_OF_FREIA = {"rev", "jac", "c", "force_tuple_output", "dims_in", "dims_c"}
_WAYS = {
    *INVERSE_METHODS,
    *SAMPLERS,
    *METHODS_OF_WAYS,
    *sum(METHODS_OF_WAYS.values(), ()),
}
DECLARED = {"domain", "codomain", "event_dim", "conditions", "module_list", "bijective"}
"""Attributes by which a layer declares something, under torch's or FrEIA's names."""

ELSEWHERE = {
    *dir(torch.Tensor),
    *dir(nn.Linear(1, 1)),
    *dir(nn.Conv2d(1, 1, 1)),
    *dir(nn.Sequential()),
    *dir(torch.distributions.Normal(0.0, 1.0)),
    *dir(torch.distributions.transforms.AffineTransform(0.0, 1.0)),
    *dir(torch.Size), *dir(dict), *dir(str),
}  # fmt: skip
"""Attributes of objects that are no layers of a file."""

RESERVED = {*dir(builtins), *keyword.kwlist, "self", "cls"}


def is_fixed_argument(name: str, default: object) -> bool:
    """Return whether an argument of a method that is called from outside keeps its name."""
    if name in _FLAGS | _OF_FREIA or is_total(name) or is_density(name):
        return True
    return asks_for_density(name) or (name != "x" and is_count(name, default))


def is_fixed_method(name: str) -> bool:
    """Return whether a method of this name is called from outside."""
    if name.startswith("__") or name in _WAYS or name in ("forward", "cond"):
        return True
    if _THERE.match(name) or _BACK.match(name):
        return True
    public = not name.startswith("_")
    return public and (
        is_total(name) or is_bound(name) or unit_of_method(name) is not None
    )


def is_fixed_result(name: str) -> bool:
    """Return whether what is called so, kept by a layer or returned, is its ldj."""
    return is_total(name) or is_density_of_x(name) or is_density(name)

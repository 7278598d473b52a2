"""Calls that return a sample and how probable it is, told by what their source returns."""

from __future__ import annotations

import ast
import inspect
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ldjcheck.calling.parameter_names import SAMPLERS, is_density, is_total, unit_of
from ldjcheck.calling.results import (
    asks_base,
    made_of_densities,
    returned_alone,
    returned_expressions,
    returned_names,
)
from ldjcheck.holdings import looked_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OF_Q = re.compile(r"^(sum_|total_)?log_?q", re.IGNORECASE)
_SAMPLE = re.compile(
    r"^(z|x|y|samples?|latents?|theta|actions?)(s?$|_?[0-9kts]+$)", re.IGNORECASE
)
_PAIR = 2


class Places(NamedTuple):
    """Where, in what a call returns, its number for each sample stands, and the sample.

    `samples` are the places of what may be it, the most likely first. The number is a
    log-density, or else the ldj of the noise to the sample.
    """

    number: int
    samples: tuple[int, ...]
    is_density: bool


def places_of_sample(
    function: Callable[..., Any], layer: Any, *, counts: bool
) -> Places | None:
    """Return where sample and number are; None where they are not told by their names.

    Beside the sample may stand what it was decoded to, or its moments. What is asked for a
    count of samples, and for nothing else, returns a number beside them, whatever its name.
    """
    function = _called_through(function, layer)
    names, parts = returned_names(function), returned_expressions(function)
    made = made_of_densities(function)
    named = enumerate(zip(names, parts, strict=True))
    found = [i for i, (name, part) in named if _is_density(name, part, made)]
    is_ldj = False
    if not found and counts:
        totals = [i for i, name in enumerate(names) if is_total(name)]
        found = totals or ([_PAIR - 1] if len(parts) == _PAIR else [])
        is_ldj = bool(totals)
    if len(found) != 1:
        return None
    rest = [i for i in range(len(parts)) if i not in found]
    likely = [i for i in rest if _SAMPLE.match(names[i])]
    others = (i for i in rest if i not in likely)
    return Places(found[0], (*reversed(likely), *others), not is_ldj)


def samplers(layer: Any) -> Iterator[str]:
    """Yield the methods of a layer, or of a class, that return samples with their density."""
    for name in SAMPLERS:
        method = looked_up(layer, name)
        if inspect.isroutine(method) and places_of_sample(method, layer, counts=False):
            yield name


def _is_density(name: str, part: ast.expr, made: set[str]) -> bool:
    if isinstance(part, ast.UnaryOp):
        return False  # -log q is an ldj of learned noise
    if is_density(name) or bool(_OF_Q.match(name)) or unit_of(name) == "nats":
        return True
    while isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add | ast.Sub):
        part = part.left  # a sum that starts from a density: log_q0 - ldj
    if isinstance(part, ast.Name):
        return part.id in made or is_density(part.id) or bool(_OF_Q.match(part.id))
    return any(map(asks_base, ast.walk(part)))


def _called_through(function: Callable[..., Any], layer: Any) -> Callable[..., Any]:
    """Return the method whose answer a call hands on, as in `return self.sample(n)`."""
    returned = returned_alone(function)
    if len(returned) == 1 and isinstance(returned[0], ast.Call):
        inner = returned[0].func
        owner = getattr(layer, "__self__", layer)
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
            method = looked_up(owner, inner.attr)
            return method if callable(method) else function
    return function

"""Terms: what a piece of the map adds to the ldj, and how it is summed over one sample."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import sympy
import torch
from sympy import Add, Expr, Integer
from torch import Tensor

from ldjcheck.derivation.calculus.formulas import Formulas
from ldjcheck.derivation.calculus.printing import Printer
from ldjcheck.tape import Node

_MODULES = {"torch": "torch", "functional": "F", "math": "math"}

Per = Literal["entry", "place", "sample", "scalar"]
"""What a term stands for: one entry of a value, one matrix at a place, or a whole sample.

A `scalar` is one number of a sample that counts for each of its entries.
"""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Term:
    """log|det| of a piece of the map, as a formula; `end` is the value that it makes.

    `per` entry, it is summed over the entries of `end`. Per place, it is the logarithm of a
    determinant of `size` dims along `axis`, and counts at every place where that acts.
    """

    expression: Expr
    begin: Node
    end: Node
    # of one entry, where the term is the sum of its logs
    derivative: Expr | None = None
    why: str = ""  # what no derivative of one entry can say
    per: Per = "entry"
    size: int = 1
    axis: int = -1  # of `end`, along which such a matrix acts


@dataclass(frozen=True, slots=True)
class Summation:
    """How a formula's value becomes one number for each sample.

    `axes` are those of the value along which the formula does not vary: it counts as often
    as they are long. `varies` says whether it has a batch axis, `is_tensor` whether there
    is anything to be summed, `rank` is that of the formula's own value.
    """

    axes: tuple[int, ...]
    varies: bool
    rank: int
    of_rank: int  # of the value that is made
    is_summed: bool = True
    per_place: int = 1


def numeric(formulas: Formulas, expression: Expr) -> Any:
    """Return a formula's value on the tape: a tensor, or a plain number."""
    names = {symbol: f"v[{i}]" for i, symbol in enumerate(formulas.leaves)}
    values = [_plain(leaf.value) for leaf in formulas.leaves.values()]
    printer = Printer(names, formulas.numbers, _MODULES, formulas.varying)
    text = printer.text(expression)
    known = {"torch": torch, "F": torch.nn.functional, "math": math, "v": values}
    return eval(text, {"__builtins__": {"abs": abs}}, known)  # our own text


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.detach()
        return value.double() if value.is_floating_point() else value
    return value


def addends(formulas: Formulas, term: Term) -> list[tuple[Expr, Summation]]:
    """Return the parts of a term, each with how it is summed over a sample.

    A plain number beside what varies from entry to entry stays with it: the formula is
    then the one that a textbook has.

    Raises:
        ValueError: a part does not go with what is made.
    """
    found: list[tuple[Expr, Summation]] = []
    for part in _parts(term.expression):
        how = summation(formulas, term, part)
        if how.axes and how.varies is False and isinstance(part, sympy.Mul):
            parts = _parts(sympy.expand(part))
            found += [(each, summation(formulas, term, each)) for each in parts]
        else:
            found.append((part, how))
    whole = next((how for _, how in found if how.varies and not how.axes), None)
    if whole is None:
        return found
    return [(p, whole if p.is_number else how) for p, how in found]


def _parts(expression: Expr) -> list[Expr]:
    return [part for part in Add.make_args(expression) if part != 0]


def summation(formulas: Formulas, term: Term, part: Expr) -> Summation:
    """Return how one addend of a term is summed over a sample.

    Raises:
        ValueError: its shape does not go with what is made.
    """
    batch, event = formulas.trace.batch, formulas.trace.shape
    value = numeric(formulas, part)
    whole = tuple(term.end.value.shape)
    shape = tuple(value.shape) if isinstance(value, Tensor) else ()
    varies = bool(shape) and shape[0] == batch and batch > 1
    if term.per in ("sample", "scalar"):
        axes = tuple(range(1, len(whole))) if term.per == "scalar" else ()
        is_column = len(shape) > 1
        return Summation(axes, varies, len(shape), len(whole), is_summed=is_column)
    if term.per == "place":
        if len(shape) > 1 or (shape and not varies):
            raise ValueError("matrices of several kinds")
        return Summation((), varies, len(shape), len(whole), False, term.size)
    if len(shape) > len(whole):
        raise ValueError("a term of more axes than the value")
    aligned = (1,) * (len(whole) - len(shape)) + shape
    varies = varies and len(shape) == len(whole)
    is_whole = math.prod(whole[1:]) == math.prod(event)
    axes = tuple(
        axis
        for axis in range(1, len(whole))
        if aligned[axis] == 1 and (whole[axis] > 1 or (not shape and is_whole))
    )
    return Summation(axes, varies, len(shape), len(whole), is_summed=bool(shape))


def summed(term: Term, value: Any, how: Summation, batch: int) -> Tensor:
    """Return the sum of an addend over each sample, `(batch,)`, in nats."""
    whole = tuple(term.end.value.shape)
    number = torch.as_tensor(value, dtype=torch.float64)
    if how.varies and number.dim() > 1:
        number = number.flatten(1).sum(1)
    elif not how.varies:
        number = number.sum()
    count = math.prod(whole[axis] for axis in how.axes)
    if term.per == "place":
        count = math.prod(whole[1:]) // how.per_place
    return (number * count).expand(batch)


def logdet(formulas: Formulas, term: Term) -> Tensor:
    """Return what a term comes to for each sample, `(batch,)`, in nats.

    Raises:
        ValueError: an addend does not go with what is made.
    """
    batch = formulas.trace.batch
    total = torch.zeros(batch, dtype=torch.float64)
    together: dict[Summation, Expr] = {}
    for part, how in addends(formulas, term):
        together[how] = together.get(how, Integer(0)) + part
    for how, expression in together.items():
        total = total + summed(term, numeric(formulas, expression), how, batch)
    return total

"""Batch normalisation by running statistics: a scale per channel, the same at every place.

log|det J| = H * W * sum(log|weight| - log(running_var + eps) / 2)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy
from sympy import Expr

from ldjcheck.derivation.calculus.formulas import Formulas, NoFormulaError
from ldjcheck.derivation.calculus.matrices import Total
from ldjcheck.derivation.calculus.terms import Term
from ldjcheck.tape import Node
from ldjcheck.torch_ops import MOVES, plain_name

_NAMES = ("input", "running_mean", "running_var", "weight", "bias", "training",
          "momentum", "eps")  # fmt: skip
_WHY = "scales every channel by weight / sqrt(running_var + eps)"


def terms(formulas: Formulas, begin: Node, end: Node) -> Iterator[list[Term]]:
    """Yield the term of a step that normalises by running statistics.

    Raises:
        NoFormulaError: it does something else, or takes the statistics of the batch.
    """
    node = end
    while node is not begin and node.name in MOVES:
        node = node.args[0]
    if plain_name(node.name) != "batch_norm":
        raise NoFormulaError(end, f"`{plain_name(end.name)}` mixes the entries")
    given: dict[str, Any] = {
        **dict(zip(_NAMES, node.args, strict=False)),
        **node.kwargs,
    }
    variance, weight = given.get("running_var"), given.get("weight")
    if given.get("training") or not isinstance(variance, Node):
        raise NoFormulaError(node, "`batch_norm` takes the statistics of the batch")
    eps = formulas.number(node, _NAMES.index("eps"), float(given.get("eps", 1e-5)))
    scales: Expr = -sympy.log(formulas.symbol(variance) + eps) / 2
    if isinstance(weight, Node):
        scales += sympy.log(sympy.Abs(formulas.symbol(weight)))
    yield [
        Term(
            expression=Total(scales), begin=begin, end=end, why=_WHY, per="place",
            size=len(variance.value), axis=1,
        )
    ]  # fmt: skip

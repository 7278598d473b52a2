"""LDJ112: a derivative is taken after its step instead of before, or the reverse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.mistakes.catalogue.claim import Claim
from ldjcheck.mistakes.catalogue.page import Page
from ldjcheck.mistakes.catalogue.rule import Rule
from ldjcheck.mistakes.engine.kinds import OTHER_POINT
from ldjcheck.mistakes.rewriting import points

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Explanation


def _tell(e: Explanation) -> str:
    point = e.detail or "another point"
    return f"A term is evaluated at the wrong point: it belongs at {point}."


def _seen(e: Explanation) -> Iterator[str]:
    if e.detail:
        yield f"all numbers agree with the term taken at {e.detail}"


PAGE = Page(
    what="""
        The derivative is taken at the step's output instead of its input, or the
        reverse. Often `z` was overwritten before the line that needed the old one.
        """,
    rule="""
        y = f(x)   =>   log|det J| = sum log|f'(x_i)|,   f' at x, not at y
        For the sigmoid: log f'(x) = -x - 2*softplus(-x) = log y + log(1 - y).
        """,
    shows="""
        reported(x) = exact(f(x)) on every sample. Wrong nearly everywhere, right
        where x = f(x).
        """,
    wrong="""
        import torch
        from torch import nn
        from torch.nn.functional import softplus

        class Sigmoid(nn.Module):
            # Squeeze the real line into (0, 1).
            def forward(self, z):
                z = torch.sigmoid(z)
                ldj = (-z - 2 * softplus(-z)).sum(dim=1)
                return z, ldj
        """,
    right="""
        import torch
        from torch import nn
        from torch.nn.functional import softplus

        class Sigmoid(nn.Module):
            # Squeeze the real line into (0, 1).
            def forward(self, z):
                ldj = (-z - 2 * softplus(-z)).sum(dim=1)
                z = torch.sigmoid(z)
                return z, ldj
        """,
    costs="No formula: it depends on where the data lie.",
    confused=(
        ("LDJ116", "right in a region of inputs, not at a point"),
        ("LDJ120", "the formula fits at no point"),
    ),
)

RULE = Rule(
    code="LDJ112",
    name="evaluated-at-wrong-point",
    severity="error",
    summary="derivative taken at another point",
    page=PAGE,
    claims=(Claim(OTHER_POINT, mend=(points.other_names, points.other_order)),),
    tell=_tell,
    seen=_seen,
)

"""Typesets formulas as MathML, which browsers draw themselves: no script, no network.

An extension of Sphinx. Formulas stand in the sources as TeX, between dollars.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from latex2mathml.converter import convert

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_SMALL, _LARGE = "inline", "block"


def setup(app: Sphinx) -> dict[str, bool]:
    """Have formulas of HTML pages drawn here."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    app.config.html_math_renderer = "mathml"  # type: ignore[attr-defined]
    return {"parallel_read_safe": True}


def typeset(tex: str, display: str) -> str:
    """Return a formula with the spaces that TeX has around names of functions.

    There is a thin one between a function and what it is of, and before it; none where a
    bracket stands there, and none inside of bars.
    """
    drawn = convert(tex, display=display)
    for pattern, instead in _SPACES:
        drawn = pattern.sub(instead, drawn)
    return drawn


_THIN = '<mspace width="0.167em" />'
_NAMES = r"<mi>(?:log|ln|exp|det|sin|cos|tanh)</mi>"
_SPACES = (
    (re.compile(r'<mo movablelimits="true">det</mo>'), "<mi>det</mi>"),
    (re.compile(r"<mo([^>]*)>(?=&#x0007C;)"), r'<mo\1 lspace="0" rspace="0">'),
    (re.compile(rf"(?<!<msub>)(?<!<msup>)({_NAMES})(?=<m(?!o|row))"), rf"\1{_THIN}"),
    (re.compile(rf"(</(?:mi|mn|msub|msup)>)(?={_NAMES})"), rf"\1{_THIN}"),
    (re.compile(re.escape(_THIN * 2)), _THIN),
)


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(typeset(node.astext(), _SMALL))
    raise nodes.SkipNode


def _display(writer: Any, node: nodes.math_block) -> None:
    formula = typeset(node.astext(), _LARGE)
    writer.body.append(f'<div class="formula" tabindex="0">{formula}</div>')
    raise nodes.SkipNode

"""Typesets formulas as MathML, which browsers draw themselves: no script, no network.

An extension of Sphinx. Formulas stand in the sources as TeX, between dollars.
"""

from __future__ import annotations

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


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(convert(node.astext(), display=_SMALL))
    raise nodes.SkipNode


def _display(writer: Any, node: nodes.math_block) -> None:
    formula = convert(node.astext(), display=_LARGE)
    writer.body.append(f'<div class="formula" tabindex="0">{formula}</div>')
    raise nodes.SkipNode

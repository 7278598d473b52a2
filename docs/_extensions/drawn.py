"""Puts pictures into pages, drawn while the page is built: ```{drawn} name``` .

An extension of Sphinx. The pictures are functions of `drawings`, most of them of checks
that are run for them; the words under a picture are those inside of the directive.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from docutils import nodes
from drawings import DRAWINGS
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from typing import ClassVar

    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("drawn", Drawn)
    return {"parallel_read_safe": True}


class Drawn(SphinxDirective):
    """A figure: a picture by its name, and a caption."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        """Return the picture, inline, so that it takes the colours of the page."""
        name = self.arguments[0]
        if name not in DRAWINGS:
            raise self.error(f"there is no picture {name!r}")
        title = escape(" ".join(self.content), quote=True)
        svg = DRAWINGS[name](name)
        head = (
            f'<figure class="drawn"><div class="paper" role="img" aria-label="{title}">'
        )
        figure = nodes.container(classes=["drawn-figure"])
        figure += nodes.raw("", f"{head}{svg}</div><figcaption>", format="html")
        figure += self.parse_content_to_nodes()
        figure += nodes.raw("", "</figcaption></figure>", format="html")
        return [figure]

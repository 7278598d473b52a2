"""Figures in our own style, which show themselves in a notebook without pyplot."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from ldjcheck.report.pictures.palette import SETTINGS


@contextmanager
def own_style(more: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Draw in our style, and `more` of it, whatever the user's is; theirs stays."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        settings: Any = {**SETTINGS, **(more or {})}
        with matplotlib.rc_context(settings):
            yield


class ShownFigure(Figure):
    """A figure outside of pyplot: nothing global knows of it, nothing need close it."""

    def savefig(self, *where: Any, **how: Any) -> None:
        """Write the figure; what is drawn only now has the same style as all else."""
        with own_style():
            super().savefig(*where, **how)

    def _repr_png_(self) -> bytes:
        written = BytesIO()
        self.savefig(written, format="png", dpi=110, facecolor="white")
        return written.getvalue()

"""The colours and type of all pictures: told apart by everybody, and on paper.

Blue, vermilion and green are those of Okabe and Ito, which people with any colour vision
tell apart; hatching and labels say the same once more, for a black and white print.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of all text and lines; reports on a dark page put another in its place.
INK = "#1b1b1b"
FAINT = "#8a8a8a"
EXACT = "#0072b2"
REPORTED = "#d55e00"
MEASURED = "#009e73"
POSITIVE = (0.369, 0.235, 0.6)  # purple and orange: signs, not exact and reported
NEGATIVE = (0.8, 0.36, 0.0)
_FARTHEST = 1e30
HATCH = "////"
MINUS = "\N{MINUS SIGN}"
INFINITY = "\N{INFINITY}"
TIMES = "\N{MULTIPLICATION SIGN}"

SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.size": 11.0,
    "axes.titlesize": 11.0,
    "axes.labelsize": 11.0,
    "xtick.labelsize": 10.0,
    "ytick.labelsize": 10.0,
    "legend.fontsize": 10.0,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "legend.frameon": False,
    "hatch.linewidth": 1.0,
    "savefig.dpi": 160,
    "svg.hashsalt": "ldjcheck",  # the same picture is the same file
    "text.usetex": False,
    "text.parse_math": False,  # a user's name may hold a dollar
    "axes.unicode_minus": True,
}
"""What pictures are drawn with, whatever the user's own style is."""


def drawable(value: float | None) -> float:
    """Return a number that axes can hold: 0 for what is none, and none too far away."""
    if value is None or math.isnan(value):
        return 0.0
    return min(max(value, -_FARTHEST), _FARTHEST)


def plain(axes: Axes) -> None:
    """Take everything away that stands around a picture."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def zero_line(axes: Axes) -> None:
    """Draw where nothing is."""
    axes.axhline(0.0, color=INK, linewidth=0.8, zorder=1)

"""Settings of the documentation: `sphinx-build -W -b html docs docs/_build`."""

from __future__ import annotations

import sys
from pathlib import Path

import ldjcheck

sys.path.insert(0, str(Path(__file__).parent))  # for `mistake_pages`

project = "ldjcheck"
author = "The ldjcheck authors"
release = ldjcheck.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "mistake_pages",
]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "alabaster"
html_theme_options = {
    "description": "Is the log-determinant of your flow layer right?",
    "fixed_sidebar": True,
}
autodoc_typehints = "description"

"""Settings of the documentation: `sphinx-build -W -b html docs docs/_build`."""

from __future__ import annotations

import sys
from pathlib import Path

import ldjcheck

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "ldjcheck"
author = "The ldjcheck authors"
copyright = "The ldjcheck authors"
release = version = ldjcheck.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "console",
    "drawn",
    "mathml",
    "mistake_pages",
    "reference_pages",
]
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "architecture-rooms.md", "_extensions"]

html_theme = "furo"
html_title = "ldjcheck"
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {
        "color-brand-primary": "#0b57a4",
        "color-brand-content": "#0b57a4",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7db7f2",
        "color-brand-content": "#7db7f2",
    },
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_mock_imports = ["lightning"]  # an extra, of which only a base class is needed

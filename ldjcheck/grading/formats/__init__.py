"""What comes out of grading: one form a file, and the ordered register of all.

Adding one is one file with a `FORM`, and its line in `FORMS`.
"""

from __future__ import annotations

from ldjcheck.grading.formats import (
    csv,
    feedback,
    gradescope,
    html,
    json,
    nbgrader,
    otter,
)
from ldjcheck.grading.formats.form import Form

__all__ = ["FORMS", "USUAL", "Form"]

FORMS: tuple[Form, ...] = (
    csv.FORM,
    json.FORM,
    html.FORM,
    feedback.FORM,
    gradescope.FORM,
    nbgrader.FORM,
    otter.FORM,
)

USUAL = ("csv", "json", "html", "feedback")

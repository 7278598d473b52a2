"""`feedback`: a page of Markdown for each student."""

from __future__ import annotations

from collections.abc import Mapping

from ldjcheck.grading.feedback import feedback
from ldjcheck.grading.formats.form import Form
from ldjcheck.grading.overview import Overview


def render(overview: Overview) -> Mapping[str, str]:
    """Return each student's page by the name of the submission."""
    level = overview.rubric.feedback
    return {g.submission: feedback(g, level) for g in overview.grades.grades}


FORM = Form(name="feedback", file="feedback", render=render, suffix=".md")

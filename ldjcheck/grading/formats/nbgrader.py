"""`nbgrader`: the table that `nbgrader export` writes."""

from __future__ import annotations

from collections.abc import Mapping

from ldjcheck.grading.formats.form import Form
from ldjcheck.grading.formats.tables import table
from ldjcheck.grading.overview import Overview

_COLUMNS = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name",
    "email", "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip


def render(overview: Overview) -> Mapping[str, str]:
    """Return the table; the name of a submission stands for its student."""
    rows: list[list[object]] = [list(_COLUMNS)]
    for grade in overview.grades.grades:
        about = [overview.rubric.name, "", "", grade.submission, "", "", ""]
        rows.append([*about, grade.points, 0.0, grade.points, grade.possible])
    return {"": table(rows)}


FORM = Form(name="nbgrader", file="nbgrader.csv", render=render)

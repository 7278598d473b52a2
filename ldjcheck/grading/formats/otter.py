"""`otter`: a table in the form of otter's `final_grades.csv`."""

from __future__ import annotations

from collections.abc import Mapping

from ldjcheck.grading.formats.form import Form
from ldjcheck.grading.formats.tables import table
from ldjcheck.grading.overview import Overview


def render(overview: Overview) -> Mapping[str, str]:
    """Return the table: a column for each question, and the share that is right."""
    names = [exercise.name for exercise in overview.rubric.exercises]
    rows: list[list[object]] = [["file", *names, "total", "percent_correct"]]
    for grade in overview.grades.grades:
        share = grade.points / grade.possible if grade.possible else 0.0
        points = [each.points for each in grade.exercises]
        rows.append([grade.submission, *points, grade.points, share])
    return {"": table(rows)}


FORM = Form(name="otter", file="final_grades.csv", render=render)

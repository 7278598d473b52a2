"""`csv`: a line for each submission, a column for each layer."""

from __future__ import annotations

from collections.abc import Mapping

from ldjcheck.grading.formats.form import Form
from ldjcheck.grading.formats.tables import table
from ldjcheck.grading.overview import Overview


def render(overview: Overview) -> Mapping[str, str]:
    """Return the table of all points."""
    names = [exercise.name for exercise in overview.rubric.exercises]
    rows: list[list[object]] = [
        ["submission", "points", "possible", *names, "mistakes", "review"]
    ]
    for grade in overview.grades.grades:
        codes = dict.fromkeys(
            charge.cause.code for each in grade.exercises for charge in each.charges
        )
        rows.append(
            [
                grade.submission,
                grade.points,
                grade.possible,
                *(each.points for each in grade.exercises),
                " ".join(codes),
                "; ".join(filter(None, [grade.problem, *grade.review])),
            ]
        )
    return {"": table(rows)}


FORM = Form(name="csv", file="grades.csv", render=render)

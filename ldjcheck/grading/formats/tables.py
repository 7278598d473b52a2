"""Tables that a spreadsheet opens: all points (`csv`), and those of nbgrader and of otter.

A name that a student chose is never a formula.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from ldjcheck.grading.feedback import Form, Overview, codes_of

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_OF_NBGRADER = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name",
    "email", "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip


def _points(overview: Overview) -> Mapping[str, str]:
    """Return a line for each submission, a column for each layer."""
    names = [exercise.name for exercise in overview.rubric.exercises]
    rows: list[list[object]] = [
        ["submission", "points", "possible", *names, "mistakes", "review"]
    ]
    for grade in overview.grades.grades:
        codes = (code for each in grade.exercises for code in codes_of(each.outcome))
        points = [each.points for each in grade.exercises]
        review = "; ".join(filter(None, [grade.problem, *grade.review]))
        told = [*points, " ".join(dict.fromkeys(codes)), review]
        rows.append([grade.submission, grade.points, grade.possible, *told])
    return {"": _table(rows)}


def _of_nbgrader(overview: Overview) -> Mapping[str, str]:
    """Return what `nbgrader export` writes; a submission stands for its student."""
    rows: list[list[object]] = [list(_OF_NBGRADER)]
    for grade in overview.grades.grades:
        about = [overview.rubric.name, "", "", grade.submission, "", "", ""]
        rows.append([*about, grade.points, 0.0, grade.points, grade.possible])
    return {"": _table(rows)}


def _of_otter(overview: Overview) -> Mapping[str, str]:
    """Return `final_grades.csv`: a column for each question, and the share that is right."""
    names = [exercise.name for exercise in overview.rubric.exercises]
    rows: list[list[object]] = [["file", *names, "total", "percent_correct"]]
    for grade in overview.grades.grades:
        share = grade.points / grade.possible if grade.possible else 0.0
        points = [each.points for each in grade.exercises]
        rows.append([grade.submission, *points, grade.points, share])
    return {"": _table(rows)}


def _table(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as comma-separated values."""
    text = io.StringIO()
    table = (map(_cell, row) for row in rows)
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str):
        flat = " ".join(value.split())
        return f"'{flat}" if flat.startswith(_FORMULA) else flat
    return f"{value:.6g}" if isinstance(value, float) else value


CSV = Form(name="csv", file="grades.csv", render=_points)
NBGRADER = Form(name="nbgrader", file="nbgrader.csv", render=_of_nbgrader)
OTTER = Form(name="otter", file="final_grades.csv", render=_of_otter)

"""A file for each student: feedback as Markdown, and `results.json` of Gradescope.

Gradescope's is what its autograders write, which otter reads too:
https://gradescope-autograders.readthedocs.io/en/latest/specs/#output-format
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ldjcheck.grading.feedback import feedback, on_exercise
from ldjcheck.grading.overview import Form, Overview
from ldjcheck.grading.rubric import Feedback
from ldjcheck.grading.scoring import Grade


def _pages(overview: Overview) -> Mapping[str, str]:
    """Return each student's page by the name of the submission."""
    level = overview.rubric.feedback
    return {g.submission: feedback(g, level) for g in overview.grades.grades}


def _results(overview: Overview) -> Mapping[str, str]:
    """Return each submission's results by its name."""
    level = overview.rubric.feedback
    return {
        grade.submission: json.dumps(_result(grade, level), indent=2) + "\n"
        for grade in overview.grades.grades
    }


def _result(grade: Grade, level: Feedback) -> dict[str, Any]:
    """Return one submission's results; what is for the teacher stays out."""
    said = "" if grade.problem is None else f"It could not be read: {grade.problem}."
    return {
        "score": grade.points,
        "output": said,
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [
            {
                "name": each.exercise,
                "score": each.points,
                "max_score": each.possible,
                "status": "passed" if each.points == each.possible else "failed",
                "output": "\n".join(on_exercise(each, level)),
                "output_format": "md",
                "visibility": "visible",
            }
            for each in grade.exercises
        ],
    }


FEEDBACK = Form(name="feedback", file="feedback", render=_pages, suffix=".md")
GRADESCOPE = Form(name="gradescope", file="gradescope", render=_results, suffix=".json")

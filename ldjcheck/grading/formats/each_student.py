"""A file for each student: feedback as Markdown or HTML, and `results.json` of Gradescope.

Gradescope's is what its autograders write, which otter reads too:
https://gradescope-autograders.readthedocs.io/en/latest/specs/#output-format
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html import unescape
from textwrap import dedent
from typing import Any, get_args

from ldjcheck.grading.feedback import Form, Overview, feedback, on_exercise
from ldjcheck.grading.formats.html import template
from ldjcheck.grading.records import Written
from ldjcheck.grading.rubric import Feedback
from ldjcheck.grading.scoring import ExerciseGrade, Grade


def _pages(overview: Overview) -> Mapping[str, str]:
    """Return each student's page by the name of the submission."""
    level = overview.rubric.feedback
    return {g.submission: feedback(g, level) for g in overview.grades.grades}


def _html_pages(overview: Overview) -> Mapping[str, str]:
    """Return the same pages as HTML, with the student's own code where a mistake stands."""
    page = template("feedback.html.jinja")
    level = overview.rubric.feedback
    depth = get_args(Feedback).index(level)
    written = {each.submission: each.wrong for each in overview.marked}
    return {
        grade.submission: page.render(
            grade=grade,
            exercises=[
                (
                    each,
                    tuple(_parts(on_exercise(each, level, grade.exercises[:index]))),
                    tuple(_code(each, written[grade.submission], depth)),
                )
                for index, each in enumerate(grade.exercises)
            ],
        )
        for grade in overview.grades.grades
    }


def _parts(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what stands in lines of Markdown: `p` and a sentence, or `pre` and its lines."""
    code: list[str] = []
    is_fenced = False
    for line in (*lines, ""):
        is_fence = line.startswith("```")
        if not is_fence and (is_fenced or line.startswith("    ")):
            code.append(line if is_fenced else line[4:])
            continue
        is_fenced ^= is_fence
        if code:
            yield "pre", "\n".join(code)
            code = []
        if line and not is_fence:
            yield "p", unescape(re.sub(r"\\([\\`*_\[\]#|])", r"\1", line))


def _code(
    grade: ExerciseGrade, wrong: Sequence[Written], depth: int
) -> Iterator[tuple[str, list[tuple[int, str, bool]]]]:
    """Yield functions with a mistake in them; at the deepest level its line is marked."""
    errors = (cause for cause in grade.outcome.causes if cause.severity == "error")
    places = [cause.place for cause in errors if cause.place]
    for function in wrong if depth else ():
        at = function.file, function.cell, function.name
        own = [p.line for p in places if (p.file, p.cell, p.function) == at]
        if own:
            rows = enumerate(dedent(function.text).splitlines(), function.line)
            marked = own if depth >= len(get_args(Feedback)) - 1 else []
            yield function.file, [(n, text, n in marked) for n, text in rows]


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


PAGES = Form(name="pages", file="pages", render=_html_pages, suffix=".html")
FEEDBACK = Form(name="feedback", file="feedback", render=_pages, suffix=".md")
GRADESCOPE = Form(name="gradescope", file="gradescope", render=_results, suffix=".json")

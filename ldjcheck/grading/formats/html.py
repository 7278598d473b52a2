"""`html`: the teacher's overview, one file that needs nothing else.

Everything that comes from submissions is escaped, by the template engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from statistics import mean, median
from typing import TYPE_CHECKING, Any

from ldjcheck.grading.feedback import Form, Overview, codes_of, number

if TYPE_CHECKING:
    from jinja2 import Template

_BARS = 10
_STANDINGS = (
    ("right", "right"),
    ("wrong", "wrong"),
    ("unproven", "nothing shown"),
    ("absent", "not handed in"),
    ("broken", "does not run"),
    ("stopped", "stopped"),
    ("held", "to be looked at"),
)


def template(name: str) -> Template:
    """Return a template of this folder, which escapes what it is given."""
    from ldjcheck.report.html import views  # which loads jinja

    return views.template(name, __package__, number=number)


def render(overview: Overview) -> Mapping[str, str]:
    """Return the page."""
    page = template("overview.html.jinja")
    return {"": page.render(**_facts(overview))}


def _facts(overview: Overview) -> dict[str, Any]:
    grades = overview.grades
    points = [grade.points for grade in grades.grades]
    whole = max(1, len(points))
    return {
        "rubric": overview.rubric,
        "grades": grades,
        "mean": mean(points) if points else 0.0,
        "median": median(points) if points else 0.0,
        "bars": _bars(points, overview.rubric.points),
        "common": [(c, 100 * len(c.submissions) / whole) for c in overview.common],
        "layers": _layers(overview),
        "standings": dict(_STANDINGS),
        "codes_of": codes_of,
        "review": [grade for grade in grades.grades if grade.review],
        "alike": overview.alike,
        "enforced": overview.enforced.sentence(),
    }


def _bars(points: list[float], possible: float) -> list[tuple[str, int, float]]:
    """Return for each tenth of the points: what it is, how many, and how high."""
    size = possible / _BARS or 1.0
    counts = Counter(min(_BARS - 1, int(value / size)) for value in points)
    most = max(counts.values(), default=1)
    ends = [number(bar * size) for bar in range(_BARS + 1)]
    names = [f"{low} to {high}" for low, high in pairwise(ends)]
    return [(name, counts[n], 100 * counts[n] / most) for n, name in enumerate(names)]


def _layers(
    overview: Overview,
) -> list[tuple[str, float, float, list[tuple[str, int]]]]:
    """Return each layer with its mean, its points, and how submissions stand."""
    found = []
    for index, exercise in enumerate(overview.rubric.exercises):
        own = [grade.exercises[index] for grade in overview.grades.grades]
        counts = Counter[str](each.standing for each in own)
        told = [(word, counts[key]) for key, word in _STANDINGS if counts[key]]
        average = mean(each.points for each in own) if own else 0.0
        found.append((exercise.name, average, exercise.points, told))
    return found


FORM = Form(name="html", file="overview.html", render=render)

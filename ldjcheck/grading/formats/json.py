"""`json`: everything, `ldjcheck-grades-1`."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ldjcheck import __version__
from ldjcheck.grading.feedback import Form, Overview
from ldjcheck.grading.records import Sample
from ldjcheck.grading.scoring import ExerciseGrade, Grade

SCHEMA = "ldjcheck-grades-1"
_OF_SAMPLE = ("direction", "reported", "exact")


def render(overview: Overview) -> Mapping[str, str]:
    """Return the document; NaN and infinities are texts."""
    return {"": json.dumps(document(overview), indent=2, allow_nan=False) + "\n"}


def document(overview: Overview) -> dict[str, Any]:
    """Return all of a class as plain dicts and lists; durations are left out."""
    rubric, grades = overview.rubric, overview.grades
    return {
        "schema": SCHEMA,
        "tool": {"name": "ldjcheck", "version": __version__},
        "rubric": {
            "name": rubric.name,
            "points": rubric.points,
            "layers": [
                {"name": each.name, "expr": each.expr, "points": each.points}
                for each in rubric.exercises
            ],
        },
        "enforced": asdict(overview.enforced),
        "handout_faults": [asdict(fault) for fault in grades.faults],
        "asked_in_vain": list(grades.asked_in_vain),
        "common": [
            {"code": c.code, "name": c.name, "submissions": list(c.submissions)}
            for c in overview.common
        ],
        "alike": [
            {
                "function": group.name,
                "same": group.same,
                "submissions": [name for name, _ in group.members],
            }
            for group in overview.alike
        ],
        "submissions": [_submission(grade) for grade in grades.grades],
    }


def _submission(grade: Grade) -> dict[str, Any]:
    return {
        "name": grade.submission,
        "points": grade.points,
        "possible": grade.possible,
        "problem": grade.problem,
        "review": list(grade.review),
        "layers": [_layer(each) for each in grade.exercises],
    }


def _layer(grade: ExerciseGrade) -> dict[str, Any]:
    outcome, sample = grade.outcome, grade.outcome.sample
    return {
        "name": grade.exercise,
        "points": grade.points,
        "possible": grade.possible,
        "standing": grade.standing,
        "why": outcome.why,
        "file": outcome.file,
        "excused": grade.excused,
        "same_map": outcome.same_map,
        "sample": None if sample is None else _numbers(sample),
        "causes": [
            {
                "code": cause.code,
                "name": cause.name,
                "severity": cause.severity,
                "direction": cause.direction,
                "message": cause.message,
                "place": None if cause.place is None else asdict(cause.place),
                "confirmed": cause.confirmed,
                **_cost(grade, cause.code),
            }
            for cause in outcome.causes
        ],
    }


def _cost(grade: ExerciseGrade, code: str) -> dict[str, Any]:
    charge = next((c for c in grade.charges if c.cause.code == code), None)
    if charge is None:
        return {"cost": 0.0, "why_free": None}
    return {"cost": charge.points, "why_free": charge.why or None}


def _numbers(sample: Sample) -> dict[str, Any]:
    told = {name: getattr(sample, name) for name in _OF_SAMPLE}
    is_odd = {n for n, v in told.items() if type(v) is float and not math.isfinite(v)}
    return {n: str(v) if n in is_odd else v for n, v in told.items()}


FORM = Form(name="json", file="grades.json", render=render)

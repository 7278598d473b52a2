"""All that the forms draw: grades of a class, what it got wrong most, and what is alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ldjcheck.grading.records import Marked
from ldjcheck.grading.rubric import Rubric
from ldjcheck.grading.sandbox.measured import Enforced
from ldjcheck.grading.scoring import ClassGrades, grade_class
from ldjcheck.grading.similarity import Alike, alike
from ldjcheck.mistakes import rule_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """A mistake, and by how many submissions it was made."""

    code: str
    name: str
    summary: str
    submissions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A graded class."""

    grades: ClassGrades
    marked: tuple[Marked, ...]
    common: tuple[Common, ...]
    alike: tuple[Alike, ...]
    enforced: Enforced

    @property
    def rubric(self) -> Rubric:
        """What it was graded by."""
        return self.grades.rubric


def overview(marked: Sequence[Marked], rubric: Rubric, enforced: Enforced) -> Overview:
    """Return the overview of a class from the facts about its submissions."""
    return Overview(
        grades=grade_class(marked, rubric),
        marked=tuple(marked),
        common=_common(marked),
        alike=alike(marked),
        enforced=enforced,
    )


def _common(marked: Sequence[Marked]) -> tuple[Common, ...]:
    """Return the mistakes that were made, the most frequent first."""
    made: dict[str, dict[str, None]] = {}
    for each in marked:
        for outcome in each.outcomes:
            for cause in outcome.causes:
                if cause.severity in ("error", "warning"):
                    made.setdefault(cause.code, {})[each.submission] = None
    order = Counter({code: len(names) for code, names in made.items()})
    found = []
    for code, _ in sorted(order.items(), key=lambda item: (-item[1], item[0])):
        rule = rule_for(code)
        if rule is not None:
            found.append(
                Common(
                    code=code,
                    name=rule.name,
                    summary=rule.summary,
                    submissions=tuple(made[code]),
                )
            )
    return tuple(found)

"""All that the forms draw: grades of a class, what it got wrong most, and what is alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from ldjcheck.grading.records import Marked, Outcome, Written
from ldjcheck.grading.rubric import Rubric
from ldjcheck.grading.sandbox.measured import Enforced
from ldjcheck.grading.scoring import ClassGrades, grade_class
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form, by the name that `--format` takes.

    `render(overview)` returns texts: one, by the empty name, for all of a class, or one for
    each submission by its name. `file` is the usual file, or the usual folder; with
    `suffix` each submission's file in it.
    """

    name: str
    file: str
    render: Callable[[Overview], Mapping[str, str]]
    suffix: str = ""


def overview(marked: Sequence[Marked], rubric: Rubric, enforced: Enforced) -> Overview:
    """Return the overview of a class from the facts about its submissions."""
    return Overview(
        grades=grade_class(marked, rubric),
        marked=tuple(marked),
        common=_common(marked),
        alike=alike(marked),
        enforced=enforced,
    )


def codes_of(outcome: Outcome) -> list[str]:
    """Return the mistakes of a layer, as every form lists them."""
    return [c.code for c in outcome.causes if c.severity in ("error", "warning")]


def _common(marked: Sequence[Marked]) -> tuple[Common, ...]:
    """Return the mistakes that were made, the most frequent first."""
    made: dict[str, dict[str, None]] = {}
    for each in marked:
        for outcome in each.outcomes:
            for code in codes_of(outcome):
                made.setdefault(code, {})[each.submission] = None
    order = sorted(made, key=lambda code: (-len(made[code]), code))
    rules = filter(None, map(rule_for, order))
    return tuple(
        Common(
            code=r.code, name=r.name, summary=r.summary, submissions=tuple(made[r.code])
        )
        for r in rules
    )


_ALIKE = 0.93  # of the text
_SHORTEST = 40  # characters of a form: below, chance makes them equal
_MOST_FORMS = 300  # of one function that are compared with one another


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Functions of several submissions that are wrong and alike."""

    name: str
    members: tuple[tuple[str, Written], ...]  # submission, function
    same: bool  # all have one form


def alike(marked: Sequence[Marked]) -> tuple[Alike, ...]:
    """Return the groups of alike wrong functions, the largest first."""
    forms: dict[str, dict[str, list[tuple[str, Written]]]] = {}
    for each in marked:
        for function in each.wrong:
            if len(function.form) >= _SHORTEST:
                by_form = forms.setdefault(function.name, {})
                member = each.submission, function
                by_form.setdefault(function.form, []).append(member)
    groups = []
    for name, by_form in forms.items():
        for near in _near(list(by_form)):
            members = tuple(member for form in near for member in by_form[form])
            if len({submission for submission, _ in members}) > 1:
                groups.append(Alike(name=name, members=members, same=len(near) == 1))
    return tuple(sorted(groups, key=lambda g: (-len(g.members), g.name)))


def _near(forms: Sequence[str]) -> Iterator[list[str]]:
    """Yield forms in groups, each near to the first of its group."""
    groups: list[list[str]] = []
    for form in forms[:_MOST_FORMS]:
        home = next((g for g in groups if _is_near(g[0], form)), None)
        if home is None:
            groups.append([form])
        else:
            home.append(form)
    yield from groups


def _is_near(one: str, other: str) -> bool:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    quick = matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE
    return quick and matcher.ratio() >= _ALIKE

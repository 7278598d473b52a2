"""What is said of grades: a question to a student, an overview of a class to the teacher.

The level says how much a student is told: `hint` what does not agree and a question,
`place` the function too, `name` the mistake with its page, `fix` the line and the edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import get_args

from ldjcheck.classroom.lessons import hint_for
from ldjcheck.grading.records import Cause, Marked, Outcome, Written
from ldjcheck.grading.rubric import Feedback, Rubric
from ldjcheck.grading.sandbox.measured import Enforced
from ldjcheck.grading.scoring import ClassGrades, ExerciseGrade, Grade, grade_class
from ldjcheck.mistakes import rule_for

_LEVELS: tuple[str, ...] = get_args(Feedback)
_DIRECTIONS = {"forward": "on the way there", "inverse": "on the way back"}
_ESCAPED = {ord(sign): f"\\{sign}" for sign in "\\`*_[]#|"}
_ESCAPED |= {ord("<"): "&lt;", ord(">"): "&gt;"}


def feedback(grade: Grade, level: Feedback) -> str:
    """Return all that a student is told, as Markdown."""
    total = f"{number(grade.points)} of {number(grade.possible)} points"
    lines = [f"# {_plain(grade.submission)}: {total}", ""]
    if grade.problem is not None:
        lines += [f"Your submission could not be read: {_plain(grade.problem)}.", ""]
    for index, each in enumerate(grade.exercises):
        points = f"{number(each.points)} of {number(each.possible)}"
        lines += [f"## {_plain(each.exercise)}: {points}", ""]
        lines += [*on_exercise(each, level, grade.exercises[:index]), ""]
    return "\n".join(lines)


def on_exercise(
    grade: ExerciseGrade, level: Feedback, before: Sequence[ExerciseGrade] = ()
) -> list[str]:
    """Return the lines about one exercise; what was told `before` is told once."""
    outcome = grade.outcome
    lines = [_first(grade)]
    said = outcome.why, outcome.evidence
    for other in before if outcome.evidence else ():
        if (other.outcome.why, other.outcome.evidence) == said:
            return [f"As {_plain(other.exercise)}: {_plain(outcome.why).rstrip('.')}."]
    if outcome.standing in ("broken", "stopped", "absent"):
        return [*lines, *_fenced(outcome.evidence)]
    if outcome.standing == "wrong":
        lines += [*_numbers(outcome), *_again(outcome)]
    for cause in _shown(grade):
        lines += ["", *_on_cause(cause, level)]
    lines += [
        f"The mistake {charge.why.replace('counted', 'is counted')}: it costs nothing more."
        for charge in grade.charges
        if charge.why.startswith("counted")
    ]
    return lines


def _first(grade: ExerciseGrade) -> str:
    outcome = grade.outcome
    if grade.excused:
        return "Something in the handout is wrong here. It costs you nothing."
    why = _plain(outcome.why).rstrip(".")
    return {
        "right": "Right: the log-determinant is that of the map.",
        "wrong": "Something does not agree yet."
        if outcome.same_map is not False
        else "Your layer is another map than was asked for.",
        "unproven": "Nothing is shown: at the inputs tried, any log-determinant would do "
        "as well.",
        "absent": f"Not found: {why}.",
        "broken": f"It could not be run: {why}.",
        "stopped": f"It was stopped: {why}.",
        "held": "Your teacher will look at this one.",
    }[outcome.standing]


def _shown(grade: ExerciseGrade) -> Iterator[Cause]:
    """Yield the mistakes that are told: those that count, and of warnings those that cost."""
    excused = {c.cause.code for c in grade.charges if c.why == "the handout's"}
    costly = {charge.cause.code for charge in grade.charges if charge.points}
    for cause in grade.outcome.causes:
        counts = cause.severity in ("error", "unproven") or cause.code in costly
        if counts and cause.code not in excused:
            yield cause


def _numbers(outcome: Outcome) -> list[str]:
    sample = outcome.sample
    if sample is None or sample.reported is None:
        return []
    if abs(sample.reported - sample.exact) < 1e-4:  # another thing is wrong
        return []
    fed = f", [{', '.join(f'{each:.4g}' for each in sample.x)}]," if sample.x else ""
    return [
        f"For one input {_DIRECTIONS[sample.direction]}{fed} the Jacobian gives "
        f"{sample.exact:.4f}; it reports {sample.reported:.4f}."
    ]


def _again(outcome: Outcome) -> list[str]:
    """Return what to paste into Python to see two such numbers."""
    if outcome.again is None or outcome.sample is None:
        return []
    call = f"print({outcome.again}.sample({outcome.sample.direction!r}))"
    lines = (f"    {line}" for line in ("from ldjcheck import check", call))
    return ["", "Two such numbers, in Python beside your file:", "", *lines]


def _on_cause(cause: Cause, level: Feedback) -> list[str]:
    depth = _LEVELS.index(level)
    lines = [hint_for(cause.code)]
    place = cause.place
    if depth >= 1 and place is not None and place.function:
        lines.append(f"Look at `{place.function}`.")
    if depth >= 2:
        rule = rule_for(cause.code)
        told = "" if rule is None else f": {rule.summary}"
        lines.append(f"It is called {cause.name} ({cause.code}){told}.")
    if depth >= 3:
        lines.append(_with_code(cause.message))
        lines += [] if place is None else [f"At {place.words()}:"]
        rows = [row for e in cause.edits for row in (f"- {e.before}", f"+ {e.after}")]
        lines += _fenced(rows)
    return lines


def _fenced(rows: Sequence[str]) -> list[str]:
    if not rows:
        return []
    kept = [row.replace("```", "'''") for row in rows]
    return ["", "```text", *kept, "```"]


def _plain(text: str) -> str:
    """Return foreign text in which nothing means something to Markdown or to HTML."""
    return _plain_part(" ".join(text.split()))


def _plain_part(text: str) -> str:
    return text.translate(_ESCAPED)


def _with_code(text: str) -> str:
    """Return a sentence of ours, in which code stands between backticks as it does here."""
    outside, *rest = " ".join(text.split()).split("`")
    code, after = rest[::2], rest[1::2]
    if len(code) != len(after) or not all(code):
        return _plain(text)
    pairs = zip(code, after, strict=True)
    return _plain_part(outside) + "".join(f"`{c}`{_plain_part(a)}" for c, a in pairs)


def number(value: float) -> str:
    """Return points as one writes them: 2, 2.5."""
    return f"{value:.6g}"


# --- the class ------------------------------------------------------------------------


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

"""Wrong answers that are alike, side by side.

What is compared is code without names of its own, remarks and spacing, and only functions
that a mistake stands in. Alike is no more than alike: a lecture, a book or a common slip
explain it as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from ldjcheck.grading.records import Marked, Written

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
                by_form.setdefault(function.form, []).append(
                    (each.submission, function)
                )
    groups = []
    for name, by_form in forms.items():
        for near in _near(list(by_form)):
            members = [member for form in near for member in by_form[form]]
            if len({submission for submission, _ in members}) > 1:
                groups.append(
                    Alike(name=name, members=tuple(members), same=len(near) == 1)
                )
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

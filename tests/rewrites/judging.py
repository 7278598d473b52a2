"""What a check says of a subject, and of what it is rewritten into."""

from __future__ import annotations

import random
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

import ldjcheck

from .code import copied, read
from .kinds import KINDS
from .loading import built, loaded
from .same import are_same

if TYPE_CHECKING:
    from pathlib import Path

    from .subjects import Subject

OPEN = "LDJ405"  # a reading hangs on names alone, and both are shown


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The status of a check, its first finding's code, and the lines of the subject."""

    status: str
    code: str | None
    lines: frozenset[int] | None
    shape: tuple[int, ...] | None = None
    convention: str | None = None

    def __str__(self) -> str:
        where = "" if self.lines is None else f" line {', '.join(map(str, self.lines))}"
        return f"{self.status} {self.code or ''}{where}".replace("  ", " ").strip()


@dataclass(frozen=True, kw_only=True)
class Row:
    """One rewrite: `state` is same, changed, open (LDJ405), dropped, or none (it cannot)."""

    subject: str
    kind: str
    state: str
    before: str = ""
    after: str = ""
    text: str = ""

    def __str__(self) -> str:
        return f"{self.kind}, {self.subject}: {self.before} -> {self.after}"


def compare_rewrite(subject: Subject, kind: str, folder: Path) -> Row:
    """Return whether a subject is judged alike when it is rewritten in one way."""
    code = copied(read(subject.text, subject.target))
    try:
        is_done = KINDS[kind](code, random.Random(f"{subject.name} {kind}"))
    except (KeyError, IndexError, ValueError):
        is_done = False
    if not is_done:
        return Row(subject=subject.name, kind=kind, state="none")
    text, lines = code.text(), code.lines()
    before = _of_subject(subject, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            module = loaded(text, folder)
            old = built(loaded(subject.text, folder), subject.target)
            is_same = are_same(old, built(module, code.target), before.shape or (6,))
        except Exception as error:
            return _row(subject, kind, "dropped", before, repr(error), text)
        if not is_same:
            return _row(subject, kind, "dropped", before, "another function", text)
        after = _answer(module, code.target, subject.options, lines)
    return _row(subject, kind, compare_answers(before, after), before, after, text)


def _row(
    subject: Subject, kind: str, state: str, before: Answer, after: object, text: str
) -> Row:
    return Row(
        subject=subject.name,
        kind=kind,
        state=state,
        before=str(before),
        after=str(after),
        text=text,
    )


def compare_answers(before: Answer, after: Answer) -> str:
    """Return `same`, `changed`, or `open` where one of them says that names decide."""
    if OPEN in (before.code, after.code):
        return "open"
    if (before.status, before.code) != (after.status, after.code):
        return "changed"
    if before.lines is None or after.lines is None:
        return "same" if before.lines == after.lines else "changed"
    return "same" if before.lines & after.lines else "changed"


_ANSWERS: dict[str, Answer] = {}


def _of_subject(subject: Subject, folder: Path) -> Answer:
    if subject.name in _ANSWERS:
        return _ANSWERS[subject.name]
    module = loaded(subject.text, folder)
    numbers = range(1, subject.text.count("\n") + 2)
    own = {number: frozenset({number}) for number in numbers}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = _answer(module, subject.target, subject.options, own)
    _ANSWERS[subject.name] = answer
    return answer


def _answer(
    module: Any, target: str, options: dict[str, Any], lines: dict[int, frozenset[int]]
) -> Answer:
    torch.set_num_threads(1)
    try:
        result = ldjcheck.check(built(module, target), pictures=False, **options).result
    except Exception as error:  # a fault of ldjcheck's own
        return Answer(status=f"crash {error!r}", code=None, lines=None)
    first = next(iter(result.findings), None)
    place = first.location if first else None
    here = place is not None and place.file.endswith(f"{module.__name__}.py")
    shape = next((c.shape for c in result.checks if c.shape is not None), None)
    return Answer(
        status=result.status,
        code=first.code if first else None,
        lines=lines.get(place.line, frozenset()) if place and here else None,
        shape=shape if isinstance(shape, tuple) else None,
        convention=result.convention,
    )

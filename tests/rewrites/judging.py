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


class Judge:
    """Checks subjects and what they are rewritten into, each subject once.

    Files are written into `folder`, and stay there: a check reads a layer's source.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: dict[tuple[str, str], Answer] = {}

    def compare_rewrite(self, subject: Subject, kind: str) -> Row:
        """Return whether a subject is judged alike when it is rewritten in one way."""
        code = copied(read(subject.text, subject.target))
        if not KINDS[kind](code, random.Random(f"{subject.name} {kind}")):
            return Row(subject=subject.name, kind=kind, state="none")
        text, lines = code.text(), code.lines()
        before = self._of(subject)
        module = loaded(text, self.folder)
        old = built(loaded(subject.text, self.folder), subject.target)
        if are_same(old, built(module, code.target), before.shape):
            after = _answer(module, code.target, subject.options, lines)
            state = compare_answers(before, after)
        else:
            state, after = "dropped", None
        return Row(
            subject=subject.name,
            kind=kind,
            state=state,
            before=str(before),
            after=str(after),
            text=text,
        )

    def _of(self, subject: Subject) -> Answer:
        key = subject.name, subject.text  # several twins have one title
        if key not in self.answers:
            module = loaded(subject.text, self.folder)
            numbers = range(1, subject.text.count("\n") + 2)
            own = {number: frozenset({number}) for number in numbers}
            answer = _answer(module, subject.target, subject.options, own)
            self.answers[key] = answer
        return self.answers[key]


def compare_answers(before: Answer, after: Answer) -> str:
    """Return `same`, `changed`, or `open` where one of them says that names decide."""
    if OPEN in (before.code, after.code):
        return "open"
    if (before.status, before.code) != (after.status, after.code):
        return "changed"
    if before.lines is None or after.lines is None:
        return "same" if before.lines == after.lines else "changed"
    return "same" if before.lines & after.lines else "changed"


def _answer(
    module: Any, target: str, options: dict[str, Any], lines: dict[int, frozenset[int]]
) -> Answer:
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = ldjcheck.check(built(module, target), pictures=False, **options)
    result = report.result
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

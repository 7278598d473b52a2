"""Whether an answer is right: looked up where it is a word, run where it is code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldjcheck.checking import measure_layer
from ldjcheck.classroom.animal import load
from ldjcheck.classroom.lessons import hint_for
from ldjcheck.classroom.quiz.question import FILE, NAME, Question, examine
from ldjcheck.errors import CannotCheckError
from ldjcheck.records import Layer
from ldjcheck.tracebacks import message_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether an answer is right, and what to say of it."""

    is_right: bool
    said: str


def on_verdict(question: Question, word: str) -> Answer:
    """Return whether `right` or `wrong` is right."""
    says_wrong = word.lower().startswith("w")
    truth = "wrong" if question.is_wrong else "right"
    if says_wrong == question.is_wrong:
        return Answer(True, f"Yes, it is {truth}.")
    return Answer(False, f"No, it is {truth}.")


def on_line(question: Question, line: int) -> Answer:
    """Return whether the mistake stands in a line."""
    if line in question.lines:
        return Answer(True, f"Yes, line {line}.")
    lines = " or ".join(map(str, sorted(question.lines)))
    return Answer(False, f"Not there: look at line {lines}.")


def on_edit(question: Question, line: int, text: str) -> Answer:
    """Return whether a line, put in the place of another, makes the layer right."""
    rows = question.text.splitlines()
    old = rows[line - 1]
    margin = old[: len(old) - len(old.lstrip())]
    rows[line - 1] = margin + text.strip()
    new = "\n".join(rows) + "\n"
    try:
        report = examine(new, question.shape, question.options)
    except SyntaxError as error:
        return Answer(False, f"That is no Python: {error.msg}.")
    except Exception as error:  # the player's own code
        return Answer(False, f"It raises {type(error).__name__}: {message_of(error)}.")
    if report.status != "pass":
        first = next((f.message for f in report.findings), "it still does not agree.")
        return Answer(False, f"Run, and not right yet: {first}")
    if not _is_same_map(new, question):
        return Answer(
            False, "Run: the ldj is right now, and belongs to another map than before."
        )
    return Answer(True, "Run, and right: every sample agrees.")


def _is_same_map(text: str, question: Question) -> bool:
    ours, theirs = (_output(each, question) for each in (text, question.right))
    if ours is None or theirs is None:
        return True  # nothing to compare
    from ldjcheck.numerics.closeness import same

    return same(ours, theirs)


def _output(text: str, question: Question) -> Tensor | None:
    import torch

    from ldjcheck.options.keywords import asked

    torch.manual_seed(0)
    layer = Layer(target=NAME, name=NAME, obj=load(text, NAME, FILE)())
    options = asked({"shape": question.shape, **dict(question.options)})
    try:
        measured = measure_layer(layer, options).measured
    except CannotCheckError:
        return None
    side = measured[0].forward
    return side.said.y


def hints(question: Question) -> tuple[str, ...]:
    """Return hints, each of which says more than the one before."""
    told = [hint_for(question.code)]
    if question.sample is not None:
        direction, exact, reported = question.sample
        told.append(
            f"For one input, {direction}, the Jacobian gives {exact:+.4f} and the layer "
            f"says {reported:+.4f}."
        )
    where = " and ".join(f"`{name}`" for name in question.functions)
    if where:
        told.append(f"Look at {where}.")
    elif not question.is_wrong:
        told.append("No line needs a change.")
    return tuple(told)

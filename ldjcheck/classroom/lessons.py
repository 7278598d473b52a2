"""The lessons of `ldjcheck demo`, in the order in which they are best taught."""

import re
from dataclasses import dataclass
from difflib import get_close_matches

from ldjcheck.classroom import parts
from ldjcheck.mistakes import Rule, rule_for
from ldjcheck.records import Shape

WIDTH = 80  # columns of a lesson

_UNSAID = {"a", "and", "be", "is", "no", "the", "what", "when", "which", "where", "how"}
_ANY = "Compare your ldj with the Jacobian of your map on an input of two entries."


@dataclass(frozen=True, slots=True)
class Lesson:
    """A mistake, and the layer of the zoo that shows it on an input of a few dims.

    Without a layer the lesson is the command on the page of the mistake. `more` says
    what to look at, in a sentence for students.
    """

    code: str
    animal: str = ""
    shape: Shape = ()
    more: str = ""


@dataclass(frozen=True, slots=True)
class Topic:
    """Lessons that belong together."""

    title: str
    lessons: tuple[Lesson, ...]


def _topic(text: str) -> Topic:
    """Return the topic of a text: its title, and a line for each lesson."""
    title, *lines = text.splitlines()
    return Topic(title, tuple(map(_lesson, lines)))


def _lesson(line: str) -> Lesson:
    about, _, more = line.partition(": ")
    code, *layer = about.split()
    if not layer:
        return Lesson(code)
    animal, sizes = layer
    return Lesson(code, animal, tuple(map(int, sizes.split(","))), more)


TOPICS: tuple[Topic, ...] = tuple(map(_topic, parts("lessons.txt")))


def lesson_on(code: str) -> Lesson | None:
    """Return the lesson on a mistake, or None."""
    return next(
        (lesson for t in TOPICS for lesson in t.lessons if lesson.code == code), None
    )


def after(code: str) -> Lesson | None:
    """Return the lesson that comes next."""
    lessons = [lesson for topic in TOPICS for lesson in topic.lessons]
    places = [n for n, lesson in enumerate(lessons) if lesson.code == code]
    return lessons[places[0] + 1] if places and places[0] + 1 < len(lessons) else None


def title(rule: Rule) -> str:
    """Return the first line of the lesson on a mistake."""
    left, right = f"{rule.code}  {rule.name}", f"demo · {rule.topic}"
    return left + right.rjust(WIDTH - len(left))


def read_on(rule: Rule) -> list[str]:
    """Return the lines that say where to read of a mistake, and which lesson comes next."""
    lines = [f"  Read:    ldjcheck explain {rule.code}"]
    follows = after(rule.code)
    following = None if follows is None else rule_for(follows.code)
    if following is not None:
        lines.append(f"  Next:    ldjcheck demo {following.name}")
    return lines


def hint_for(code: str) -> str:
    """Return the question that leads to a mistake, and does not give it away."""
    rule = rule_for(code)
    return (rule and rule.page.question) or _ANY


def codes_about(topic: str | None) -> tuple[str, ...]:
    """Return the codes of a topic: words of its title, a code or a name; None: all.

    Raises:
        ValueError: there is no such topic; the text lists those that there are.
    """
    if topic is None:
        return tuple(lesson.code for each in TOPICS for lesson in each.lessons)
    rule = rule_for(topic)
    if rule is not None:
        return (rule.code,)
    wanted = _words(topic)
    for each in TOPICS:
        if wanted and all(_is_in(word, _words(each.title)) for word in wanted):
            return tuple(lesson.code for lesson in each.lessons)
    titles = "\n".join(f"  {each.title}" for each in TOPICS)
    raise ValueError(
        f"There is no topic {topic!r}. Give a word of one of these, or a code or name:\n"
        f"{titles}"
    )


def _words(text: str) -> list[str]:
    return [w for w in re.findall(r"[a-z]+", text.lower()) if w not in _UNSAID]


def _is_in(word: str, words: list[str]) -> bool:
    return any(each.startswith(word) for each in words) or bool(
        get_close_matches(word, words, n=1, cutoff=0.8)
    )


# --- the lesson on deriving an ldj --------------------------------------------------------

COMMAND = "ldjcheck derive flow.py:Dequantization --shape 1,4,4"

SOURCE = """\
import math

import torch
from torch import nn


class Dequantization(nn.Module):
    # Integers to real numbers: noise, the unit interval, a logit.
    def __init__(self, quants=256, alpha=0.05):
        super().__init__()
        self.quants = quants
        self.alpha = alpha

    def forward(self, x):
        z = (x + torch.rand_like(x)) / self.quants
        z = z * (1 - self.alpha) + 0.5 * self.alpha
        return torch.log(z) - torch.log(1 - z)
"""

WHY = (
    "A determinant of a diagonal matrix is the product of its diagonal, so its "
    "logarithm is a sum with one addend for each of the D = C * H * W dims.",
    "Dividing by quants puts the same 1 / quants at every place of the diagonal. In "
    "code that is one number, which no sum runs over: the count has to be written, "
    "log(quants) times the number of dims. So it is with 1 - alpha.",
    "The logit has another derivative at every entry. Its logarithms are a tensor of D "
    "entries for each sample, and the sum over these does the counting: one more "
    "factor D would count them twice.",
)

"""Which mistakes a word means: a topic of the lessons, one mistake, or all."""

from __future__ import annotations

import re
from difflib import get_close_matches

from ldjcheck.classroom.lessons import TOPICS
from ldjcheck.mistakes import rule_for

_UNSAID = {"a", "and", "be", "is", "no", "the", "what", "when", "which", "where", "how"}


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


def title_of(code: str) -> str:
    """Return the title of the topic that a mistake belongs to."""
    for topic in TOPICS:
        if any(lesson.code == code for lesson in topic.lessons):
            return topic.title
    return ""


def _words(text: str) -> list[str]:
    return [w for w in re.findall(r"[a-z]+", text.lower()) if w not in _UNSAID]


def _is_in(word: str, words: list[str]) -> bool:
    return any(each.startswith(word) for each in words) or bool(
        get_close_matches(word, words, n=1, cutoff=0.8)
    )

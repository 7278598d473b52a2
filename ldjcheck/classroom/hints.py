"""One question for each mistake: it leads to the answer and does not give it away."""

from __future__ import annotations

from ldjcheck.mistakes import rule_for

_ANY = "Compare your ldj with the Jacobian of your map on an input of two entries."


def hint_for(code: str) -> str:
    """Return the question that leads to a mistake."""
    rule = rule_for(code)
    return (rule and rule.page.question) or _ANY

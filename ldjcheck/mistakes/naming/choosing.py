"""Which rules a user means by codes, beginnings of codes, and names."""

from __future__ import annotations

import re
from difflib import get_close_matches

from ldjcheck.mistakes import RULES


def codes_for(text: str) -> tuple[str, ...]:
    """Return the codes that `text` stands for: `LDJ101`, `LDJ2`, `sign-flipped`, ....

    Several are separated by commas.

    Raises:
        ValueError: one of them is no rule; the text says what it may have been.
    """
    words = {w.lower(): r.code for r in RULES for w in (r.code, r.name)}
    found: list[str] = []
    for word in text.split(","):
        wanted = word.strip().lower().replace("_", "-")
        if wanted in words:
            found.append(words[wanted])
            continue
        group = [r.code for r in RULES if r.code.lower().startswith(wanted)]
        if not re.fullmatch(r"ldj\d{0,2}", wanted) or not group:
            raise ValueError(_hint(wanted))
        found += group
    return tuple(dict.fromkeys(found))


def ignorable_codes_for(text: str) -> tuple[str, ...]:
    """Return the same for rules that may be ignored.

    Raises:
        ValueError: also where it says that nothing was checked (LDJ0xx).
    """
    codes = codes_for(text)
    kept = tuple(code for code in codes if not code.startswith("LDJ0"))
    if not kept:
        raise ValueError(f"{codes[0]} says that nothing was checked.")
    return kept


def _hint(wanted: str) -> str:
    shown = {w.lower(): w for r in RULES for w in (r.code, r.name)}
    near = get_close_matches(wanted, shown, n=9, cutoff=0.7)
    # A wrong letter is likelier than one that has moved.
    near.sort(key=lambda w: sum(a != b for a, b in zip(w, wanted, strict=False)))
    if not near:  # a single word of a name is what people remember
        near = [word for word in shown if wanted and wanted in word.split("-")][:2]
    if near:
        return f"did you mean {' or '.join(shown[word] for word in near[:2])}?"
    return "`ldjcheck codes` lists all."

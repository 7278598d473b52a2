"""What a page about one mistake says: `ldjcheck explain` and the docs both draw it.

A page shows its mistake in code, wrong and right, or, where no layer could make it, in a
command and what that prints. The tests run whatever a page shows. The layers are written
down once, in a text with marks: `-` stands before lines of the wrong one, `+` before those
of the right one, and a space, or nothing, before those of both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from inspect import cleandoc
from typing import Literal

from ldjcheck.records import Shape


def twin(text: str, mark: Literal["-", "+"]) -> str:
    """Return the wrong layer of a text, `-`, or the right one, `+`."""
    return "\n".join(
        line[1:] for line in text.splitlines() if line[:1] in (mark, " ", "")
    )


Kind = Literal["prose", "maths", "python", "console"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A file `flow.py`, a command run beside it, and lines of what the command prints.

    The lines stand in the report in this order; `...` stands for others between them.
    """

    source: str
    command: str
    prints: str

    def __post_init__(self) -> None:
        _clean(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page. What a mistake does not have is empty, and its heading is left out.

    `layers` are a wrong and a right one, complete and built without arguments, in one text
    with marks (see `twins`); at `shape`, where one is given, the check tells them apart.
    `bits` is what the wrong one costs.
    """

    what: str  # what it is, in a few sentences
    rule: str = ""  # the rule in maths, and the reason
    shows: str = ""  # how it shows in numbers
    layers: str = ""
    shape: Shape | None = None
    example: Example | None = None
    todo: str = ""
    costs: str = ""  # a formula in bits per dimension
    bits: float | None = None
    question: str = ""  # it leads to the mistake, and does not give it away
    confused: tuple[tuple[str, str], ...] = ()  # codes, and what tells them apart

    def __post_init__(self) -> None:
        _clean(self)

    @property
    def wrong(self) -> str:
        """The layer that has the mistake."""
        return twin(self.layers, "-")

    @property
    def right(self) -> str:
        """The same layer without it."""
        return twin(self.layers, "+")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    heading: str
    body: str
    kind: Kind


def sections(page: Page) -> tuple[Section, ...]:
    """Return the sections of a page in their order, but for what it is confused with."""
    drawn = (
        Section("The rule", page.rule, "maths"),
        Section("How it shows", page.shows, "prose"),
        Section("Wrong", page.wrong, "python"),
        Section("Right", page.right, "python"),
        Section("Try it", _try_it(page), "console"),
        *_sections_of(page.example),
        Section("What to do", page.todo, "prose"),
        Section("What it costs", _costs(page), "prose"),
    )
    return tuple(section for section in drawn if section.body)


def _sections_of(example: Example | None) -> tuple[Section, ...]:
    if example is None:
        return ()
    run = f"$ {example.command}\n{example.prints}"
    return (
        Section("For example", f"# flow.py\n{example.source}", "python"),
        Section("You see", run, "console"),
    )


def _try_it(page: Page) -> str:
    """Return the command that checks the layers of a page, saved to a file."""
    if not page.wrong:
        return ""
    return f"# save either layer as flow.py\n$ {_check_of(page)}"


def shown_by(page: Page) -> tuple[str, str]:
    """Return what to save as `flow.py`, and the command that then shows the mistake."""
    if page.example is not None:
        return page.example.source, page.example.command
    return page.wrong, _check_of(page)


def _check_of(page: Page) -> str:
    name = re.findall(r"^class (\w+)", page.wrong, flags=re.MULTILINE)[-1]
    shape = "" if page.shape is None else f" --shape {_sizes(page.shape)}"
    return f"ldjcheck flow.py:{name}{shape}"


def _costs(page: Page) -> str:
    if page.bits is None:
        return page.costs
    at = "" if page.shape is None else f" at shape {_sizes(page.shape)}"
    return f"{page.costs}\nThe wrong layer above is off by {page.bits:.3g}{at}."


def _sizes(shape: Shape) -> str:
    return ",".join(map(str, shape))


def _clean(record: Page | Example) -> None:
    """Take the indentation away that the texts have in their source files."""
    for field in fields(record):
        text = getattr(record, field.name)
        if isinstance(text, str) and text.startswith("\n"):  # else it is clean already
            object.__setattr__(record, field.name, cleandoc(text))

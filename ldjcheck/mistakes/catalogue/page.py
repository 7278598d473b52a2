"""What a page about one mistake says: `ldjcheck explain` and the docs both draw it.

A page shows its mistake in code, wrong and right, or, where no layer could make it, in a
command and what that prints. The tests run whatever a page shows. The layers are written
down once, in a text with marks: `-` stands before lines of the wrong one, `+` before those
of the right one, and a space, or nothing, before those of both.

It is the docstring of the mistake's file: behind the line with the code stands what the
mistake is, and behind each heading what is indented under it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from textwrap import dedent
from typing import Literal

from ldjcheck.records import Shape


def twin(text: str, mark: Literal["-", "+"]) -> str:
    """Return the wrong layer of a text, `-`, or the right one, `+`."""
    return "\n".join(
        line[1:] for line in text.splitlines() if line[:1] in (mark, " ", "")
    )


_HEADING = re.compile(r"^(\S.*):\n(?= {4})", re.MULTILINE)
Kind = Literal["prose", "maths", "python", "console"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A file `flow.py`, a command run beside it, and lines of what the command prints.

    The lines stand in the report in this order; `...` stands for others between them.
    """

    source: str
    command: str
    prints: str


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

    @classmethod
    def read(
        cls,
        docstring: str | None,
        *,
        shape: Shape | None = None,
        bits: float | None = None,
    ) -> Page:
        """Return the page that a docstring is; an empty one where Python dropped it."""
        first, *parts = _HEADING.split(docstring or "")
        bodies = (dedent(part).strip("\n") for part in parts[1::2])
        under = defaultdict(str, zip(parts[::2], bodies, strict=True))
        example = Example(
            source=under["For example"], command=under["Run"], prints=under["You see"]
        )
        confused = (
            line.partition(": ") for line in under["Easily confused with"].splitlines()
        )
        return cls(
            what=first.partition("\n")[2].strip(),
            rule=under["The rule"],
            shows=under["How it shows"],
            layers=under["Wrong (-) and right (+)"],
            shape=shape,
            example=example if example.command else None,
            todo=under["What to do"],
            costs=under["What it costs"],
            bits=bits,
            question=" ".join(under["Question"].splitlines()),
            confused=tuple((code, text) for code, _, text in confused),
        )

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

"""What is checked again and again: how it is built, and what is known of it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

GROUPS = ("zoo", "field", "flows", "twins")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One layer or flow; `build` draws its parameters from torch's generator.

    `code` is the finding that a wrong one gets, None for a right one, "unproven" for what
    can be neither proved nor refuted; `ties` are codes that may stand in its place where
    they say so. `place` is the file and line of a planted mistake.
    """

    group: str
    name: str
    build: Callable[[], Any]
    options: dict[str, Any] = field(default_factory=dict)
    code: str | None = None
    ties: tuple[str, ...] = ()
    place: tuple[str, int] | None = None

    @property
    def id(self) -> str:
        return f"{self.group}: {self.name}"

    @property
    def is_wrong(self) -> bool:
        """Whether something is wrong with it, by what is known."""
        return self.code not in (None, "unproven")


@dataclass(frozen=True)
class Whole:
    """A whole flow, as the users of a library build it, and its wrong twin.

    `build` puts further layers between those of the flow. `wrong` makes the one that the
    twin gets; `marked` is the class whose source has a line that ends in `# wrong`, and
    `code` names the mistake in it.
    """

    build: Callable[..., Any]
    wrong: Callable[[], Any]
    marked: type
    code: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, int]:
        """The file and the line of the planted mistake."""
        lines, first = inspect.getsourcelines(self.marked)
        (at,) = [n for n, line in enumerate(lines) if line.rstrip().endswith("# wrong")]
        return str(Path(inspect.getsourcefile(self.marked) or "")), first + at

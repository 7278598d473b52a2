"""What a form of the results is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ldjcheck.grading.overview import Overview


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form, by the name that `--format` takes.

    `render(overview)` returns texts: one, by the empty name, for all of a class, or one for
    each submission by its name. `file` is the usual file, or the usual folder; with
    `suffix` each submission's file in it.
    """

    name: str
    file: str
    render: Callable[[Overview], Mapping[str, str]]
    suffix: str = ""

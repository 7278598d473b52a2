"""The layers whose edits are judged: zoo, pages, examples, bug reports, and students'."""

from __future__ import annotations

import importlib.util
import linecache
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from bug_reports.reports import REPORTS

import ldjcheck
from edits import students
from edits.judge import places
from ldjcheck.classroom.zoo import ANIMALS
from ldjcheck.mistakes import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from edits.judge import Place

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = ("coupling_mistakes.py", "dequantization_mistakes.py")


@dataclass(frozen=True, slots=True)
class Subject:
    """A wrong layer, how it is built, and how it is checked."""

    name: str
    build: Callable[[], Any]
    flags: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one subject: the edit that was offered, and where it was judged."""

    name: str
    status: str
    offered: str  # verified, suggested, or nothing
    diff: str = ""
    places: tuple[Place, ...] = ()

    @property
    def wrong(self) -> tuple[Place, ...]:
        return tuple(place for place in self.places if not place.is_right)

    @property
    def verdict(self) -> str:
        if self.offered != "verified":
            return self.offered or "none"
        if not self.places:
            return "not judged"
        return "wrong" if self.wrong else "right"


def judged(subject: Subject) -> Judged:
    """Return what a check offers for a layer, and what the Jacobian says of it."""
    torch.manual_seed(0)
    flags = dict(subject.flags)
    report = ldjcheck.check(subject.build(), pictures=False, **flags)
    fixes = [f.fix for f in report.findings if f.fix is not None]
    verified = [fix for fix in fixes if fix.applicability == "verified"]
    if not verified:
        offered = "suggested" if fixes else ""
        return Judged(subject.name, report.status, offered)
    edits = tuple(dict.fromkeys(e for fix in verified for e in fix.edits))
    diff = "\n".join(f"- {e.before.strip()}\n+ {e.after.strip()}" for e in edits)
    found = tuple(places(subject.build, edits, flags))
    return Judged(subject.name, report.status, "verified", diff, found)


def judged_by_name(name: str) -> Judged:
    """Return the same of the subject of that name, in a process of its own."""
    torch.set_num_threads(1)
    return judged(next(subject for subject in subjects() if subject.name == name))


def subjects() -> Iterator[Subject]:
    """Yield all wrong layers that are known here, in one order."""
    for animal in ANIMALS:
        if animal.code is not None:
            flags = {"shape": animal.shape, **dict(animal.options)}
            yield Subject(f"zoo {animal.name}", animal.layer, flags)
    for rule in RULES:
        if rule.page.wrong:
            made = _last_class(rule.page.wrong, rule.name)
            yield Subject(f"page {rule.name}", made, {"shape": rule.page.shape})
    for name in FILES:
        yield from _of_file(name)
    for report in REPORTS:
        if report.says != "pass":
            yield Subject(f"report {report.thread}", report.layer, report.flags)
    for layer, flags in students.WRONG:
        yield Subject(f"student {layer.__name__}", layer, flags)


def _of_file(name: str) -> Iterator[Subject]:
    sys.path.insert(0, str(EXAMPLES))
    try:
        spec = importlib.util.spec_from_file_location(Path(name).stem, EXAMPLES / name)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(EXAMPLES))
    for kind in vars(module).values():
        if isinstance(kind, type) and kind.__module__ == module.__name__:
            yield Subject(f"example {name}:{kind.__name__}", kind, {})


def _last_class(source: str, name: str) -> Callable[[], Any]:
    """Return the last class that a snippet defines, its lines known to Python."""
    file = f"<the page {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    namespace: dict[str, Any] = {"__name__": f"page_{name.replace('-', '_')}"}
    exec(compile(source, file, "exec"), namespace)
    made = namespace[re.findall(r"^class (\w+)", source, re.MULTILINE)[-1]]
    assert isinstance(made, type)
    return made

"""Planting every mistake that a layer has room for, and the matrix of what is caught.

Nothing is written: the code of one function is exchanged in memory while a planted
mistake is checked, and put back. A slip counts as a mistake where the ldj comes out
otherwise than before and the map does not, whatever the check then says about it. One
that changes no number at all may be harmless, or a mistake at other shapes: it is said.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Literal

from ldjcheck.checking import check_layer, measure_layer
from ldjcheck.classroom.judging import built
from ldjcheck.classroom.slips import Slip, slips
from ldjcheck.classroom.zoo import animal_called
from ldjcheck.mistakes.rewriting.sites import Site, real_file
from ldjcheck.numerics.closeness import same
from ldjcheck.records import (
    Layer,
    LedgerLine,
    Location,
    Measurement,
    Options,
    Result,
    Status,
)
from ldjcheck.report.blocks.layout import (
    columns,
    one_line,
    shorten,
    shorten_middle,
    wrap,
)
from ldjcheck.revision import Live, Replacement, first_line
from ldjcheck.tape.frames import shown_file
from ldjcheck.tracing import trace_calls

_WIDTH = 80
_TEXT = 22
_SAID = {"fail": "yes", "unproven": "unproven", "pass": "remark"}
_SILENT = 4  # so many are named


def draw(tests: list[Selftest]) -> str:
    """Return the matrices of all layers, and what they come to."""
    blocks = [_matrix(test) for test in tests]
    planted = sum(len(test.planted) for test in tests)
    caught = sum(test.caught for test in tests)
    if planted:
        what = "mistake" if planted == 1 else "mistakes"
        text = (
            f"{caught} of {planted} planted {what} would have been caught at these "
            "shapes."
        )
        blocks.append(text)
    return "\n\n".join(blocks)


def _matrix(test: Selftest) -> str:
    right = f"{test.caught} of {len(test.planted)} caught" if test.planted else "-"
    at = f", shape {test.shape}" if test.shape else ""
    room = _WIDTH - len(right) - 2
    left = shorten_middle(one_line(f"{test.layer}{at}"), room)
    title = left + right.rjust(_WIDTH - len(left))
    if test.why is not None:
        said = wrap(f"nothing planted: {test.why}", _WIDTH, "  ", "  ")
        return "\n".join([title, *said, *_silent(test)])
    lines = [*_rows(test), *_silent(test)]
    return "\n".join([title, *(shorten(line, _WIDTH) for line in lines)])


def _rows(test: Selftest) -> list[str]:
    """Return a row for each planted mistake, under its file where there are several."""
    rows: list[tuple[str, ...]] = [
        ("line", "planted", "as", "caught", "named", "points at")
    ]
    rows += [_row(each) for each in test.planted]
    head, *body = [f"  {line}" for line in columns(rows)]
    files = [each.slip.file for each in test.planted]
    if len(set(files)) < 2:
        return [head, *body]
    lines, above = [head], ""
    for file, line in zip(files, body, strict=True):
        if file != above:
            lines.append(f"  {shorten_middle(shown_file(file), _WIDTH - 2)}")
        lines.append(line)
        above = file
    return lines


def _row(each: Planted) -> tuple[str, ...]:
    slip = each.slip
    if each.place is None:
        place = "-"
    elif each.place == (slip.file, slip.line):
        place = "that line"
    elif each.place[0] == slip.file:
        place = f"line {each.place[1]}"
    else:
        place = f"{os.path.basename(each.place[0])}:{each.place[1]}"
    return (
        str(slip.line),
        slip.what,
        shorten(one_line(slip.text), _TEXT),
        _SAID[each.status] if each.caught else "NO",
        each.code or "-",
        place,
    )


def _silent(test: Selftest) -> list[str]:
    """Return what could not be seen: slips that leave every number as it was."""
    if not test.silent:
        return []
    count = len(test.silent)
    slips, change, they = "slip", "changes", "it is a mistake"
    if count > 1:
        slips, change, they = "slips", "change", "they are mistakes"
    names = [f"line {slip.line} {slip.what}" for slip in test.silent[:_SILENT]]
    rest = [f"{count - _SILENT} more"] * (count > _SILENT)
    said = (
        f"{count} {slips} more {change} no number at these shapes: if {they}, no check "
        f"could show it here: {', '.join([*names, *rest])}"
    )
    return wrap(said, _WIDTH, "  ", "  ")


# --- planting -------------------------------------------------------------------------

BUNDLED = ("Scaling", "SequenceNorm", "ChunkCoupling", "GlowBlock", "LearnedKnees")
"""Layers of the zoo, one of each convention: for a selftest without a target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One planted mistake, and what the check said."""

    slip: Slip
    status: Status
    caught: bool  # also by a warning or a note, where the check passes
    code: str | None
    place: tuple[str, int] | None  # the file and line that the finding points at


@dataclass(frozen=True, slots=True, kw_only=True)
class Selftest:
    """A layer, how it is as it stands, and all mistakes that were planted in it."""

    layer: str
    shape: str
    status: Status
    why: str | None = None  # why nothing was planted
    planted: tuple[Planted, ...] = ()
    silent: tuple[Slip, ...] = ()  # slips that change no number at these shapes

    @property
    def caught(self) -> int:
        """How many of the planted mistakes were caught."""
        return sum(each.caught for each in self.planted)


def plant_all(layer: Layer, options: Options) -> Selftest:
    """Return what becomes of every mistake that fits into a layer's own source."""
    checked = check_layer(layer, replace(options, ledger=True))
    shape = next((str(c.shape) for c in checked.checks if c.shape is not None), "")
    about = Selftest(layer=layer.name, shape=shape, status=checked.status)
    if checked.status != "pass":
        messages = (finding.message for finding in checked.findings)
        first = next(messages, "see the check itself")
        why = f"the layer does not pass as it stands: {first}"
        return replace(about, why=why)
    before, called = _heard(layer, options)
    sites = list(_sites(checked, layer, called))
    if not sites:
        return replace(about, why="no statement of its own makes its ldj")
    live = Live(list(dict.fromkeys(site.source.file for site in sites)))
    known = {finding.code for finding in checked.findings}
    planting = _Planting(live, layer, options, before, known)
    every: dict[tuple[Replacement, ...], Slip] = {}
    for slip in (slip for site in sites for slip in slips(site)):
        every.setdefault(slip.replacements, slip)
    for slip in every.values():
        planting.plant(slip)
    return replace(
        about,
        planted=tuple(planting.planted),
        silent=tuple(planting.silent),
        why=None if planting.planted else "no slip changes its ldj and leaves its map",
    )


def bundled_tests(options: Options) -> list[Selftest]:
    """Return the selftests of all bundled layers."""
    tests = []
    for name in BUNDLED:
        animal = animal_called(name)
        layer = Layer(target=name, name=f"{name}()", obj=built(animal.layer))
        shape = ((None, animal.shape or ()),)
        tests.append(plant_all(layer, replace(options, shape=shape)))
    return tests


def _heard(
    layer: Layer, options: Options
) -> tuple[Measurement, set[tuple[str, str, int]]]:
    """Return a measurement, and the functions that ran: file, name and first line."""
    called = set()

    def hears(frame: FrameType, event: str, result: object) -> None:
        code = frame.f_code
        called.add((code.co_filename, code.co_name, code.co_firstlineno))

    with trace_calls(hears):
        return measure_layer(layer, options), called


def _sites(
    result: Result, layer: Layer, called: Container[tuple[str, str, int]]
) -> Iterator[Site]:
    """Yield the statements that may serve the ldj, in their order.

    They stand in the functions that ran, of the layer's file and of those where the
    ledger knows of terms. What moves the map alone, by the ledger, is left out; what is
    returned may be both.
    """
    lines = dict.fromkeys(map(_place, result.ledger))
    serving = {_place(e) for e in result.ledger if e.reported is not None}
    files = dict.fromkeys(file for file, _ in (*serving, *lines, *_home(layer)))
    live = Live(sorted(files))
    for file, source in live.sources.items():
        found: dict[tuple[int, int], ast.stmt] = {}
        for function in source.functions:
            name = getattr(function, "name", "<lambda>")
            if (file, name, first_line(function)) not in called:
                continue
            for statement in ast.walk(function):
                if isinstance(statement, ast.Assign | ast.AugAssign | ast.Return):
                    here = file, statement.lineno
                    returns = isinstance(statement, ast.Return)
                    if returns or here in serving or here not in lines:
                        found[statement.lineno, statement.col_offset] = statement
        for _, statement in sorted(found.items(), key=lambda item: item[0]):
            if live.is_running(file, statement):
                yield Site(source, statement, 0.0)


def _home(layer: Layer) -> list[tuple[str, int]]:
    """Return the file in which the layer's class is written, if there is one."""
    code = getattr(getattr(type(layer.obj), "forward", layer.obj), "__code__", None)
    return [] if code is None else [(code.co_filename, code.co_firstlineno)]


def _place(entry: LedgerLine) -> tuple[str, int]:
    """Return the file as it was loaded, and the line in it, of a ledger's entry."""
    at = Location(file=entry.file, line=entry.line, cell=entry.cell)
    return real_file(at), entry.line


@dataclass(eq=False, slots=True)
class _Planting:
    """Plants slips one at a time, and keeps what became of them.

    `known` are the findings of the layer as it stands: another one is told apart.
    """

    live: Live
    layer: Layer
    options: Options
    before: Measurement
    known: Container[str]
    planted: list[Planted] = field(default_factory=list)
    silent: list[Slip] = field(default_factory=list)
    _numbers: list[Measurement] = field(default_factory=list)  # of what is planted
    _of_the_map: set[tuple[str, int, int]] = field(default_factory=set)

    def plant(self, slip: Slip) -> None:
        """Note how a slip fares; one that raises is none: nobody would train with it."""
        if slip.part in self._of_the_map:
            return
        try:
            with self.live.edited(slip.replacements):
                after = measure_layer(self.layer, self.options)
                change = _change(after, self.before)
                if change == "map":
                    self._of_the_map.add(slip.part)
                elif change is None or (
                    change == "ldj" and all(_change(after, n) for n in self._numbers)
                ):
                    result = check_layer(self.layer, self.options)
                    self._note(slip, result, None if change is None else after)
        except Exception:
            # It cannot be planted here, or breaks what is asked of any layer, as `eval()`.
            return

    def _note(self, slip: Slip, result: Result, numbers: Measurement | None) -> None:
        """Note what the check says; without numbers of its own a slip may be harmless.

        What a layer does with the total of others shows in no number of its own.
        """
        if result.status == "error":
            return
        first = next((f for f in result.findings if f.code not in self.known), None)
        if numbers is not None:
            self._numbers.append(numbers)
        elif result.status == "pass":
            self.silent.append(slip)
            return
        place = None if first is None else first.location
        found = Planted(
            slip=slip,
            status=result.status,
            caught=result.status != "pass" or first is not None,
            code=None if first is None else first.code,
            place=None if place is None else (real_file(place), place.line),
        )
        self.planted.append(found)


def _change(
    after: Measurement, before: Measurement
) -> Literal["fails", "map", "ldj"] | None:
    """Return what differs: that a direction raises, the map, else the ldj, or nothing."""
    differs: Literal["ldj"] | None = None
    for now, then in zip(after.measured, before.measured, strict=False):
        for one, other in zip(now.both, then.both, strict=True):
            if one.answered != other.answered:
                return "fails"
            if not one.answered:
                continue
            if not same(one.y, other.y):
                return "map"
            is_alike = same(one.said.ldj, other.said.ldj)
            if one.said.form != other.said.form or not is_alike:
                differs = "ldj"
    return differs

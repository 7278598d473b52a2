"""A mistake shown live: one small input, its Jacobian, two numbers, and why they part."""

from __future__ import annotations

import inspect
import math
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ldjcheck.checking import measure_layer
from ldjcheck.classroom.judging import built, examine
from ldjcheck.mistakes import rule_for
from ldjcheck.records import Layer, Options, Side
from ldjcheck.report import Style
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks import finding as about
from ldjcheck.report.blocks.layout import shorten, wrap
from ldjcheck.report.blocks.ledger import ledger

if TYPE_CHECKING:
    from ldjcheck.classroom.animal import Animal
    from ldjcheck.classroom.lessons import Lesson
    from ldjcheck.mistakes import Rule
    from ldjcheck.records import Check, Direction, Finding, Measurement, Result
    from ldjcheck.report import Report

_PLAIN = Style(color=False, verbosity=0)
_WIDTH = _PLAIN.width
_SOURCE_LINES = 24
_MOST_DIMS = 6
_MEANS = {"differences": "by central differences", "preimage": "at the preimage"}

Block = list[str]


def narrate(rule: Rule, lesson: Lesson, animal: Animal) -> str:
    """Return the lesson on one mistake as text of at most 80 columns."""
    animal = replace(animal, shape=lesson.shape)
    report = examine(animal)
    finding = next((f for f in report.findings if f.code == rule.code), None)
    direction: Direction = (finding and finding.direction) or "forward"
    side = _side(_measured(animal), report.result, direction)
    blocks = [
        [title(rule)],
        *_layer(animal),
        *_input(side),
        *_numbers(report.result, side, direction),
        *_why(report.result, finding, direction),
        *_twin(animal, direction),
        _next(animal, lesson, rule),
    ]
    lines = "\n\n".join("\n".join(block) for block in blocks if block).splitlines()
    return "\n".join(shorten(line.rstrip(), _WIDTH) for line in lines)


def title(rule: Rule) -> str:
    """Return the first line of a lesson."""
    left, right = f"{rule.code}  {rule.name}", f"demo · {rule.topic}"
    return left + right.rjust(_WIDTH - len(left))


def _measured(animal: Animal) -> Measurement:
    chosen = dict(animal.options)
    chosen["shape"] = ((None, animal.shape or ()),)
    layer = Layer(target=animal.name, name=f"{animal.name}()", obj=built(animal.layer))
    return measure_layer(layer, Options(**chosen))


def _side(
    measurement: Measurement, result: Result, direction: Direction
) -> Side | None:
    """Return the run whose first sample is the one that the report shows first."""
    check = _check(result, direction)
    shown = check.samples[0] if check is not None and check.samples else None
    sides = [each.of(direction) for each in measurement.measured]
    sides = [side for side in sides if side.answered]
    for side in sides:
        exact = None if side.exact.ldj is None else float(side.exact.ldj[0])
        if shown is not None and exact is not None and math.isclose(exact, shown.exact):
            return side
    return next(iter(sides), None)


def _check(result: Result, direction: Direction) -> Check | None:
    return next(
        (c for c in result.checks if (c.name, c.direction) == ("ldj", direction)), None
    )


def _layer(animal: Animal) -> list[Block]:
    says = wrap(f"{animal.name}: {animal.what}", _WIDTH, "  ", "  ")
    return [says, [f"    {line}" for line in source_of(animal.layer)]]


def source_of(layer: Any) -> Block:
    """Return the methods that a class writes itself, without those it inherits."""
    methods = [m for m in vars(layer).values() if inspect.isfunction(m)]
    if not methods:
        methods = [layer.__mro__[1].forward]
    if len(methods) > 1:
        methods = [m for m in methods if m.__name__ != "__init__"] or methods
    lines: Block = []
    for method in methods:
        text = textwrap.dedent(inspect.getsource(method)).rstrip()
        lines += text.splitlines()
    if len(lines) > _SOURCE_LINES:
        lines = [*lines[:_SOURCE_LINES], "..."]
    return lines


def _input(side: Side | None) -> list[Block]:
    """Return one input, what comes out, and the Jacobian between the two."""
    if side is None:
        return []
    x, y = side.x[0].flatten().tolist(), side.y[0].flatten().tolist()
    names = ("in", "out")
    lines = ["  One input, and what comes out"]
    if side.exact.wrt == "noise":
        lines[0] += "; the noise is what is mapped"
    for name, values in zip(names, (x, y), strict=True):
        shown = "".join(f"{value:+10.4f}" for value in values[:_MOST_DIMS])
        lines.append(f"    {name:4}{shown}")
    blocks = [lines]
    if side.exact.jacobian is not None and side.exact.jacobian.shape[2] <= _MOST_DIMS:
        matrix = side.exact.jacobian[0].tolist()
        source = "noise" if side.exact.wrt == "noise" else "in"
        how = _MEANS.get(side.exact.method or "", "by automatic differentiation")
        lines = [f"  Its Jacobian, d out / d {source}, {how}"]
        lines += ["    " + "".join(map(_entry, row)) for row in matrix]
        blocks.append(lines)
    return blocks


def _entry(value: float) -> str:
    return f"{'0':>10}" if value == 0 else f"{value:10.4f}"


def _numbers(result: Result, side: Side | None, direction: Direction) -> list[Block]:
    """Return exact and reported ldj of that input, number by number."""
    if side is None or side.exact.ldj is None:
        return []
    exact = float(side.exact.ldj[0])
    reported = None if side.said.ldj is None else float(side.said.ldj[0])
    number = figures.for_pairs([(reported, exact)])
    gap = None if reported is None else reported - exact
    way = "" if direction == "forward" else f", {direction}"
    # A matrix that is not square has no determinant: what stands in is the exact ldj.
    of = "log|det J|" if side.dims == side.y[0].numel() else "ldj       "
    lines = [
        f"  The volume{way}",
        f"    exact      {of} = {number(exact)}",
        f"    reported   ldj        = {number(reported)}",
        f"    difference            = {figures.difference(gap)}",
    ]
    if reported is None and side.said.ldj_shape is not None:
        lines[2] = f"    reported   a tensor of shape {side.said.ldj_shape}"
        lines = lines[:3]
    check = _check(result, direction)
    split = () if check is None else check.dimensions
    blocks = [lines]
    if split and any(d.reported is not None for d in split) and len(split) <= 8:
        pairs = figures.for_pairs((d.reported, d.exact) for d in split)
        lines = ["  Dim by dim      " + "".join(f"{d.index:>9}" for d in split)]
        for name in ("exact", "reported"):
            values = "".join(f"{pairs(getattr(d, name)):>9}" for d in split)
            lines.append(f"    {name:14}{values}")
        blocks.append(lines)
    return blocks


def _why(result: Result, finding: Finding | None, direction: Direction) -> list[Block]:
    if finding is None:
        return [["  (The check did not find this mistake.)"]]
    blocks = [wrap(f"ldjcheck says: {finding.message}", _WIDTH, "  ", "  ")]
    steps = [line for line in result.ledger if line.direction == direction]
    if steps:
        place = finding.location
        marked = set() if place is None else {(place.file, place.cell, place.line)}
        blocks.append(ledger(steps, marked, _PLAIN))
    elif finding.location is not None:
        blocks.append(about.place(finding.location, True, _PLAIN))
    blocks.append(about.reasons(finding, _PLAIN))
    if finding.fix is not None:
        blocks.append(about.fix(finding.fix, finding.location, _PLAIN))
    if finding.bits_per_dim is not None:
        blocks.append(about.cost(finding.bits_per_dim, _PLAIN))
    return blocks


def _twin(animal: Animal, direction: Direction) -> list[Block]:
    """Return what the same layer without the mistake says."""
    if animal.twin is None:
        return []
    plain = replace(animal, options=())
    report: Report = examine(plain, animal.twin)
    check = _check(report.result, direction)
    name = animal.twin.__name__
    lines = [f"  Its sound twin, {name}: {report.status.upper()}"]
    if check is not None and check.samples:
        sample = check.samples[0]
        number = figures.for_samples([sample])
        gap = figures.difference(sample.difference)
        said = f"difference {gap}" if figures.is_wrong(sample) else "they agree"
        lines.append(
            f"    exact {number(sample.exact)}   reported {number(sample.reported)}"
            f"   {said}"
        )
    return [lines]


def _next(animal: Animal, lesson: Lesson, rule: Rule) -> Block:
    from ldjcheck.classroom.lessons import after

    shape = ",".join(map(str, lesson.shape))
    module = animal.layer.__module__
    lines = wrap(lesson.more, _WIDTH, "  Look at: ", "  ") if lesson.more else []
    lines.append(f"  Read:    ldjcheck explain {rule.code}")
    follows = after(rule.code)
    following = None if follows is None else rule_for(follows.code)
    if following is not None:
        lines.append(f"  Next:    ldjcheck demo {following.name}")
    options = "".join(f" --{name} {value}" for name, value in animal.options)
    lines.append("  Check it yourself:")
    lines.append(f"    ldjcheck {module}:{animal.name} \\")
    lines.append(f"      --shape {shape}{options}")
    return lines

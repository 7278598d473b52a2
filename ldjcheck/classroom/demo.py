"""A mistake shown live: one small input, its Jacobian, two numbers, and why they part."""

import math
from dataclasses import replace
from difflib import SequenceMatcher

from ldjcheck.checking import measure_layer
from ldjcheck.classroom.judging import built, examine
from ldjcheck.classroom.lessons import Lesson, read_on, title
from ldjcheck.classroom.zoo import Animal, load
from ldjcheck.mistakes import Rule
from ldjcheck.records import (
    Check,
    Direction,
    Finding,
    Layer,
    Measurement,
    Options,
    Result,
    Shape,
    Side,
)
from ldjcheck.report import Style
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks import finding as about
from ldjcheck.report.blocks.layout import shorten, wrap
from ldjcheck.report.blocks.ledger import ledger

FILE = "flow.py"  # what a layer stands in, as it is told

_PLAIN = Style(color=False, verbosity=0)
_WIDTH = _PLAIN.width
_MOST_DIMS = 6
_MEANS = {"differences": "by central differences", "preimage": "at the preimage"}

Block = list[str]


def narrate(rule: Rule, lesson: Lesson, animal: Animal) -> str:
    """Return the lesson on one mistake as text of at most 80 columns."""
    kind = load(animal.file(), animal.name, FILE)
    animal = replace(animal, shape=lesson.shape)
    report = examine(animal, kind)
    finding = next((f for f in report.findings if f.code == rule.code), None)
    direction: Direction = (finding and finding.direction) or "forward"
    side = _side(_measured(animal, kind, direction), report.result, direction)
    blocks = [
        [title(rule)],
        *_layer(animal),
        *_input(side),
        *_numbers(report.result, side, direction),
        *_why(report.result, finding, direction),
        *_twin(animal, finding, direction),
        _next(animal, lesson, rule),
    ]
    lines = "\n\n".join("\n".join(block) for block in blocks if block).splitlines()
    return "\n".join(shorten(line.rstrip(), _WIDTH) for line in lines)


def _measured(animal: Animal, kind: type, direction: Direction) -> Measurement:
    chosen = dict(animal.options, direction=direction)
    chosen["shape"] = ((None, animal.shape or ()),)
    layer = Layer(target=animal.name, name=f"{animal.name}()", obj=built(kind))
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
    """Return what a layer does, and its lines with the numbers of its file."""
    says = wrap(f"{animal.name}: {animal.what}", _WIDTH, "  ", "  ")
    lines = enumerate(_own_lines(animal), animal.first)
    return [says, [f"{number:3} {line}" for number, line in lines]]


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
    gap = None if reported is None else figures.difference(reported - exact)
    check = _check(result, direction)
    allowed = check.samples[0].allowed if check is not None and check.samples else 0.0
    if reported is not None and 0 < abs(reported - exact) <= allowed:
        gap = "0, up to rounding"
    way = "" if direction == "forward" else f", {direction}"
    # A matrix that is not square has no determinant: what stands in is the exact ldj.
    of = "log|det J|" if side.dims == side.y[0].numel() else "ldj       "
    lines = [
        f"  The volume{way}",
        f"    exact      {of} = {number(exact)}",
        f"    reported   ldj        = {number(reported)}",
        f"    difference            = {gap or '-'}",
    ]
    if reported is None and side.said.ldj_shape is not None:
        lines[2] = f"    reported   a tensor of shape {side.said.ldj_shape}"
        lines = lines[:3]
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


def _own_lines(animal: Animal, name: str | None = None) -> list[str]:
    """Return the lines of a layer's class, and of a base where it has one."""
    return animal.file(name).splitlines()[animal.first - 1 :]


def _twin(animal: Animal, finding: Finding | None, direction: Direction) -> list[Block]:
    """Return what the same layer without the mistake says, and what it has instead."""
    if animal.twin is None:
        return []
    is_mended = finding is not None and finding.fix is not None
    blocks = [] if is_mended or not animal.whole else _instead(animal, animal.twin)
    plain = replace(animal, options=())
    report = examine(plain, animal.twin.layer)
    check = _check(report.result, direction)
    lines = [f"  Its sound twin, {animal.twin.name}: {report.status.upper()}"]
    if check is not None and check.samples:
        sample = check.samples[0]
        number = figures.for_samples([sample])
        gap = figures.difference(sample.difference)
        said = f"difference {gap}" if figures.is_wrong(sample) else "they agree"
        lines.append(
            f"    exact {number(sample.exact)}   reported {number(sample.reported)}"
            f"   {said}"
        )
    return [*blocks, lines]


def _instead(animal: Animal, twin: Animal) -> list[Block]:
    """Return the lines in which the twin is another, where no fix was found."""
    ours, theirs = _own_lines(animal), _own_lines(twin, animal.name)
    lines = ["  What is right in their place"]
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    for what, start, stop, first, last in matcher.get_opcodes():
        if what != "equal":
            rows = enumerate(ours[start:stop], animal.first + start)
            lines += [f"{number:3} - {row[4:]}" for number, row in rows]
            lines += [f"    + {row[4:]}" for row in theirs[first:last]]
    return [lines]


def _next(animal: Animal, lesson: Lesson, rule: Rule) -> Block:
    lines = wrap(lesson.more, _WIDTH, "  Look at: ", "  ") if lesson.more else []
    lines += read_on(rule)
    lines.append("  Check it yourself:")
    lines.append(f"    ldjcheck demo {rule.name} --file {FILE}")
    lines.append(f"    {command_for(animal, lesson.shape, FILE)}")
    return lines


def command_for(animal: Animal, sizes: Shape, file: str) -> str:
    """Return the command that checks a layer in a file at a size."""
    shape = ",".join(map(str, sizes))
    options = "".join(f" --{name} {value}" for name, value in animal.options)
    return f"ldjcheck {file}:{animal.name} --shape {shape}{options}"


def files_of(animal: Animal) -> dict[str, str]:
    """Return the texts of a layer and of its twin without the mistake, by their names."""
    return {each.name: each.file() for each in (animal, animal.twin) if each}

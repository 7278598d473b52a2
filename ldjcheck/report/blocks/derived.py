"""What `derive` found: the ldj line by line, why each line is so, and the edit."""

from ldjcheck.records import Derived, Direction, Result
from ldjcheck.records.result import DerivedStep, Obstacle
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks import finding as about
from ldjcheck.report.blocks.finding import Block
from ldjcheck.report.blocks.layout import in_file, one_line, shorten_middle, wrap
from ldjcheck.report.blocks.title import head
from ldjcheck.report.style import Style

_MARGIN = "    "


def blocks(result: Result, derived: Derived, style: Style) -> list[Block]:
    """Return the title, the steps of each direction, what was in the way, and the edit."""
    found: list[Block] = [head(result, style)]
    stopped = {each.direction for each in derived.obstacles}
    is_flat = derived.applicability != "none" and "forward" not in stopped
    for direction in ("forward", "inverse"):
        steps = [s for s in derived.steps if s.direction == direction]
        if steps:
            found.append(_steps(steps, direction, style))
        elif direction == "forward" and is_flat:
            text = "forward: no step changes the volume, so the ldj is 0."
            found.append(wrap(text, style.width, "  ", "  "))
        there = [each for each in derived.obstacles if each.direction == direction]
        found += [_obstacle(each, style) for each in there]
    found.append(_verdict(derived, style))
    if derived.edits:
        found.append(_edits(derived, style))
    return found


def _steps(steps: list[DerivedStep], direction: Direction, style: Style) -> Block:
    """Return the statements of the map, each with its term and the reason."""
    lines = [style.paint(f"  {direction}, step by step", bold=True)]
    place: tuple[str, int | None] | None = None
    last: tuple[int, str] | None = None
    for step in steps:
        if (step.file, step.cell) != place:
            place = step.file, step.cell
            lines.append(_MARGIN + shorten_middle(in_file(*place), 60))
        if (step.line, step.text) != last:
            last = step.line, step.text
            head = f"{_MARGIN}{step.line:>4}  "
            lines += wrap(one_line(step.text), style.width, head, " " * len(head))
        margin = f"{_MARGIN}      "
        lines += [
            style.paint(row, "green")
            for row in wrap(step.term, style.width, margin + "+ ", margin + "    ")
        ]
        why = one_line(step.why).removeprefix(f"line {step.line} ")
        lines += wrap(f"it {why}", style.width, margin + "  ", margin + "  ")
    return lines


def _obstacle(obstacle: Obstacle, style: Style) -> Block:
    """Return which step has no closed form, and what is to be had instead."""
    text = f"{obstacle.direction}: no closed form that I know: {obstacle.why}."
    lines = wrap(text, style.width, "  ", "  ")
    if obstacle.location is not None:
        lines += about.place(obstacle.location, True, style)
    lines += wrap(f"Instead: {obstacle.instead}.", style.width, "  ", "  ")
    return lines


def _verdict(derived: Derived, style: Style) -> Block:
    """Return whether the derived lines were run, and what came of it."""
    if derived.applicability == "none":
        return []
    if derived.applicability == "suggested":
        text = "Not verified, so --fix does not write it. When it was run:"
        lines = wrap(text, style.width, "  ", "  ")
        for doubt in derived.doubts:
            lines += wrap(one_line(doubt), style.width, "    ", "      ")
        return lines
    size = figures.size(derived.residual_after or 0.0)
    text = (
        "Run at shapes, inputs and parameters that nothing was derived from: "
        f"it agrees with the exact value to {size}."
    )
    if derived.is_right:
        text += " So does the layer's own ldj; there is nothing to edit."
    return wrap(text, style.width, "  ", "  ")


def _edits(derived: Derived, style: Style) -> Block:
    """Return the edit as a diff, file by file."""
    title_ = "Edit" if derived.applicability == "verified" else "Edit (not verified)"
    title = style.paint(f"  {title_}", bold=True)
    return [title, *about.edits(derived.edits, None, style)]

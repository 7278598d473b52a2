"""Draw the rooms of the package on their floors, from the imports as they stand.

Run from the repository root: `python docs/architecture_drawing.py`. A test draws it again
and is red where the page has not followed the code.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "ldjcheck"
PICTURE = HERE / "architecture.svg"
TABLE = HERE / "architecture-rooms.md"
FACADE = "ldjcheck"  # the package itself hands names of higher floors on, lazily

Rooms = dict[str, set[str]]  # a room, and those from which it imports

WIDTH, HEIGHT, GAP, MARGIN = 168, 58, 14, 20
STEP = HEIGHT + 46
PER_ROW = 5


def modules() -> dict[str, Path]:
    """Return the dotted name and the file of every module of the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(p for p in parts if p != "__init__")] = path
    return found


def room_of(module: str) -> str:
    """Return the room in which a module stands: a folder of the package, or a file."""
    return [*module.split("."), FACADE][1]


def imported(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """Yield our own modules that a file imports, wherever in it that stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(FACADE):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else str(node.module)


def rooms() -> Rooms:
    """Return every room with the rooms from which it imports."""
    known = modules()
    found: Rooms = defaultdict(set)
    for module, path in known.items():
        room = room_of(module)
        if module == FACADE:
            continue
        found[room] |= {room_of(name) for name in imported(path, known)}
        found[room] -= {room, FACADE}
    return {room: found[room] & found.keys() for room in sorted(found)}


def floors(of: Rooms) -> list[list[str]]:
    """Return the rooms from the ground up: each stands above all that it imports.

    Raises:
        ValueError: rooms import one another in a circle.
    """
    left, built, done = dict(of), [], set[str]()
    while left:
        floor = [room for room, below in left.items() if below <= done]
        if not floor:
            raise ValueError(f"a circle among {sorted(left)}")
        built.append(floor)
        done |= set(floor)
        left = {room: below for room, below in left.items() if room not in done}
    return built


def purpose(room: str) -> str:
    """Return the first line of what a room says that it is for."""
    folder = PACKAGE / room
    file = folder / "__init__.py" if folder.is_dir() else PACKAGE / f"{room}.py"
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return said.splitlines()[0]


def needed(of: Rooms) -> Iterator[tuple[str, str]]:
    """Yield the imports between rooms that no others imply."""
    for room, below in of.items():
        for other in sorted(below):
            if not any(other in _all_below(of, via) for via in below - {other}):
                yield room, other


def _all_below(of: Rooms, room: str) -> set[str]:
    found: set[str] = set()
    waiting = [room]
    while waiting:
        new = of[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def picture(of: Rooms) -> str:
    """Return the drawing as SVG: the ground below, the faces above."""
    rows = [
        floor[i : i + PER_ROW]
        for floor in floors(of)
        for i in range(0, len(floor), PER_ROW)
    ][::-1]
    width = 2 * MARGIN + PER_ROW * (WIDTH + GAP) - GAP
    height = 2 * MARGIN + len(rows) * STEP - (STEP - HEIGHT)
    at = {}
    for y, row in enumerate(rows):
        left = (width - len(row) * (WIDTH + GAP) + GAP) / 2
        for x, room in enumerate(row):
            at[room] = left + x * (WIDTH + GAP), MARGIN + y * STEP
    lines = "\n".join(_arrow(at[a], at[b]) for a, b in needed(of))
    boxes = "\n".join(_box(room, *at[room]) for room in at)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" role="img" aria-label="The rooms of ldjcheck">\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n'
        f"{lines}\n{boxes}\n</svg>\n"
    )


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    x1, y1 = start[0] + WIDTH / 2, start[1] + HEIGHT
    x2, y2 = end[0] + WIDTH / 2, end[1]
    bend = (y2 - y1) / 2
    curve = f"M{x1:g} {y1:g} C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2:g}"
    return f'<path d="{curve}" fill="none" stroke="#b8c0cc" stroke-width="1.2"/>'


def _box(room: str, x: float, y: float) -> str:
    words = [
        f'<text x="{x + WIDTH / 2:g}" y="{y + 34 + 11 * i:g}" font-size="8.5" '
        f'text-anchor="middle" fill="#475569">{escape(line)}</text>'
        for i, line in enumerate(wrap(purpose(room), 36, max_lines=2, placeholder=" …"))
    ]
    return "\n".join(
        [
            f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" '
            f'fill="#f1f5f9" stroke="#334155"/>',
            f'<text x="{x + WIDTH / 2:g}" y="{y + 19:g}" font-size="13" '
            f'font-weight="600" text-anchor="middle" fill="#0f172a">{room}</text>',
            *words,
        ]
    )


def table(of: Rooms) -> str:
    """Return the rooms as a table in Markdown, from the faces down."""
    built = floors(of)
    lines = ["| floor | room | what it is for | imports |", "| --- | --- | --- | --- |"]
    for number, floor in reversed(list(enumerate(built))):
        for room in floor:
            nearest = ", ".join(f"`{b}`" for a, b in needed(of) if a == room)
            said = purpose(room).replace("|", "\\|")
            lines.append(f"| {number} | `{room}` | {said} | {nearest} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the picture and the table."""
    of = rooms()
    PICTURE.write_text(picture(of), encoding="utf-8")
    TABLE.write_text(table(of), encoding="utf-8")


if __name__ == "__main__":
    main()

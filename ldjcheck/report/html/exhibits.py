"""What a page shows beside its numbers: pictures, and the ledger beside the source."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ldjcheck.records import Direction, LedgerLine, Result
from ldjcheck.records.portrait import Excerpt
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks.layout import in_file, outdented, printable
from ldjcheck.report.pictures import contents
from ldjcheck.report.pictures.contents import Contents, contents_of

_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Drawing:
    """One picture: its title, its caption, and the SVG, which is safe to be placed."""

    title: str
    caption: str
    svg: str
    is_wide: bool = False


@dataclass(frozen=True, slots=True)
class Drawings:
    """Pictures of all samples, then those of each sample by itself.

    `note` says what could not be drawn, and what to do about it.
    """

    common: tuple[Drawing, ...]
    by_sample: tuple[tuple[int, tuple[Drawing, ...]], ...]
    note: str | None = None


def drawings_of(result: Result, direction: Direction, name: str) -> Drawings | None:
    """Return the pictures of one direction; None where there is nothing to draw."""
    found = contents_of(result, direction)
    if found is None:
        return None
    try:
        by_sample = [
            (sample, tuple(_of_sample(found, sample, f"{name}{sample}")))
            for sample in _samples(found)
        ]
        common = tuple(_of_all(found, name))
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        return Drawings((), (), contents.NO_LIBRARY)
    drawn = tuple((sample, each) for sample, each in by_sample if each)
    return Drawings(common, drawn, contents.no_volume_note(found))


def _samples(found: Contents) -> list[int]:
    known = {m.sample for m in found.matrices} | (
        {0} if found.exact_parts(0) else set()
    )
    return sorted(known)[:_SAMPLES]


def _of_all(found: Contents, name: str) -> Iterator[Drawing]:
    from ldjcheck.report.pictures.vector import law_svg, samples_svg, sublayers_svg

    svg = samples_svg(found, f"{name}s")
    pairs = {(sample.exact, sample.reported) for sample in found.samples}
    if svg is not None and len(pairs) > 1:  # alike, their numbers say as much
        yield Drawing("Exact and reported", contents.samples_caption(found), svg)
    svg = sublayers_svg(found, f"{name}p")
    if svg is not None:
        caption = contents.sublayers_caption(found)
        yield Drawing("Sublayer by sublayer", caption, svg)
    if found.law is not None:
        svg = law_svg(found.law, f"{name}l")
        title = f"The difference over {found.law.over}"
        yield Drawing(title, contents.law_caption(found.law), svg)


def _of_sample(found: Contents, sample: int, name: str) -> Iterator[Drawing]:
    from ldjcheck.report.pictures.vector import dims_svg, jacobian_svg, volume_svg

    svg = jacobian_svg(found, sample, f"{name}j")
    if svg is not None:
        title = f"The Jacobian, {contents.sample_title(found, sample)}"
        yield Drawing(title, contents.jacobian_caption(found), svg)
    svg = dims_svg(found, sample, f"{name}d")
    if svg is not None:
        yield Drawing("Dim by dim", contents.dims_caption(found, sample), svg)
    svg = volume_svg(found, sample, f"{name}v")
    if svg is not None:
        caption = contents.volume_caption(found, sample)
        yield Drawing("The volume", caption, svg, is_wide=True)


# --- the ledger beside the source -----------------------------------------------------

Place = tuple[str, int | None]

_MOST = 24  # lines of a short ledger
_AROUND = 6  # lines shown before and after a blamed one of a longer one


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One line of the source. `ran` says in which place of the order it ran, or places."""

    number: int
    text: str
    ran: str
    exact: str
    reported: str
    is_blamed: bool
    order: int = 0  # the first place in the order; 0: it did nothing


@dataclass(frozen=True, slots=True)
class SourceView:
    """Some lines of one file, in the order of the file."""

    file: str
    rows: tuple[SourceRow, ...]


def lines_as_run(sources: Sequence[SourceView]) -> tuple[SourceRow, ...]:
    """Return the lines that did something, or are blamed, in the order in which they ran.

    Of very many those around the blamed ones.
    """
    told = [row for each in sources for row in each.rows if row.order or row.is_blamed]
    rows = sorted(told, key=lambda row: row.order or math.inf)
    if len(rows) <= _MOST:
        return tuple(rows)
    near = [index for index, row in enumerate(rows) if row.is_blamed] or [0]
    return tuple(
        row
        for index, row in enumerate(rows)
        if min(abs(index - other) for other in near) <= _AROUND
    )


def sources_of(result: Result, direction: Direction) -> tuple[SourceView, ...]:
    """Return the functions that one direction ran through, with what each line did.

    Where the source is not there, its executed lines stand alone.
    """
    ledger = [line for line in result.ledger if line.direction == direction]
    blamed: dict[Place, set[int]] = {}
    for finding in result.findings:
        place = finding.location
        grave = finding.severity == "error" and finding.direction in (direction, None)
        if place is not None and grave:
            blamed.setdefault((place.file, place.cell), set()).add(place.line)
    wanted: dict[Place, list[tuple[int, LedgerLine]]] = {}
    for order, line in enumerate(ledger, 1):
        wanted.setdefault((line.file, line.cell), []).append((order, line))
    for each in blamed:
        wanted.setdefault(each, [])
    excerpts = () if result.portrait is None else result.portrait.excerpts
    return tuple(
        view
        for place, lines in wanted.items()
        for view in _views(place, lines, blamed.get(place, set()), excerpts)
    )


def _views(
    place: Place,
    lines: Sequence[tuple[int, LedgerLine]],
    blamed: set[int],
    excerpts: Sequence[Excerpt],
) -> Iterator[SourceView]:
    name = in_file(*place)
    told = {line.line for _, line in lines} | blamed
    shown: set[int] = set()
    for excerpt in excerpts:
        numbers = range(excerpt.start, excerpt.start + len(excerpt.lines))
        if (excerpt.file, excerpt.cell) != place or not told.intersection(numbers):
            continue
        shown.update(numbers)
        texts = zip(numbers, outdented(excerpt.lines), strict=True)
        rows = [_row(n, text, lines, n in blamed) for n, text in texts]
        yield SourceView(name, tuple(rows))
    left = {line.line: line.text for _, line in lines if line.line not in shown}
    if left:
        rows = [_row(n, left[n], lines, n in blamed) for n in sorted(left)]
        yield SourceView(name, tuple(rows))


def _row(
    number: int, text: str, lines: Sequence[tuple[int, LedgerLine]], is_blamed: bool
) -> SourceRow:
    own = [(order, line) for order, line in lines if line.line == number]
    ran = [str(order) for order, _ in own]
    return SourceRow(
        number=number,
        text=printable(text),
        ran=", ".join(ran) if len(ran) < 4 else f"{ran[0]}, ... {ran[-1]}",
        exact=_sum([line.exact for _, line in own]),
        reported=_sum([line.reported for _, line in own]),
        is_blamed=is_blamed,
        order=own[0][0] if own else 0,
    )


def _sum(amounts: Sequence[float | None]) -> str:
    known = [amount for amount in amounts if amount is not None]
    return figures.step(sum(known)) if known else ""

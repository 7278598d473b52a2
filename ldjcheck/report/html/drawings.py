"""The pictures of one direction, with what is said under each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ldjcheck.records import Direction, Result
from ldjcheck.report.pictures import contents
from ldjcheck.report.pictures.contents import Contents, contents_of

_SAMPLES = 3
MISSING = "Pictures need matplotlib: pip install 'ldjcheck[plot]'"


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
        return Drawings((), (), MISSING)
    drawn = tuple((sample, each) for sample, each in by_sample if each)
    return Drawings(common, drawn, contents.no_volume_note(found))


def _samples(found: Contents) -> list[int]:
    known = {m.sample for m in found.matrices} | (
        {0} if found.exact_parts(0) else set()
    )
    return sorted(known)[:_SAMPLES]


def _of_all(found: Contents, name: str) -> Iterator[Drawing]:
    from ldjcheck.report.pictures.vector import law_svg, samples_svg

    svg = samples_svg(found, f"{name}s")
    pairs = {(sample.exact, sample.reported) for sample in found.samples}
    if svg is not None and len(pairs) > 1:  # alike, their numbers say as much
        yield Drawing("Exact and reported", contents.samples_caption(found), svg)
    if found.law is not None:
        svg = law_svg(found.law, f"{name}l")
        yield Drawing("The difference over dims", contents.law_caption(found.law), svg)


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

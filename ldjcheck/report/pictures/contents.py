"""Which pictures a result has, and what is said under each: words, not yet drawings."""

import math
from dataclasses import dataclass

from ldjcheck.records import Check, Direction, Law, Result, Sample
from ldjcheck.records.portrait import GridImage, JacobianMatrix, Portrait
from ldjcheck.records.result import SublayerLine
from ldjcheck.report.blocks import figures
from ldjcheck.report.blocks.layout import one_line
from ldjcheck.report.blocks.title import gravest
from ldjcheck.report.pictures.heatmap import STRUCTURES
from ldjcheck.report.pictures.palette import MINUS

MOST_PARTS = 24  # dims, or sublayers, up to which each has bars of its own
NO_LIBRARY = "Pictures need matplotlib: pip install 'ldjcheck[plot]'"
PLANE = 2  # dims of the maps whose volume can be drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What there is to draw of one direction of a result."""

    direction: Direction
    check: Check
    matrices: tuple[JacobianMatrix, ...]
    grid: GridImage | None
    law: Law | None
    sublayers: tuple[SublayerLine, ...] = ()

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples whose numbers can be drawn."""
        return tuple(s for s in self.check.samples if math.isfinite(s.exact))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing at all."""
        return not (self.samples or self.matrices or self.grid or self.law)

    def matrix(self, sample: int) -> JacobianMatrix | None:
        """Return the Jacobian of one sample."""
        return next((m for m in self.matrices if m.sample == sample), None)

    def exact_parts(self, sample: int) -> tuple[float, ...]:
        """Return each dim's part of the exact ldj of one sample; nothing if unknown."""
        if sample == 0 and self.check.dimensions:
            return tuple(each.exact for each in self.check.dimensions)
        found = self.matrix(sample)
        return () if found is None else found.shares

    def reported_parts(self, sample: int) -> tuple[float, ...] | None:
        """Return each dim's part of what was reported; None where it cannot be split."""
        if sample or not self.check.dimensions:
            return None
        parts = [each.reported for each in self.check.dimensions]
        known = [part for part in parts if part is not None]
        return tuple(known) if len(known) == len(parts) else None


def directions_of(result: Result) -> tuple[Direction, ...]:
    """Return the directions of which there is something to draw, that of the verdict first."""
    found: tuple[Direction, ...] = ("forward", "inverse")
    main = gravest(result)
    if main is not None and main.direction == "inverse":
        found = "inverse", "forward"
    return tuple(each for each in found if contents_of(result, each) is not None)


def contents_of(result: Result, direction: Direction) -> Contents | None:
    """Return what there is to draw of one direction, or None."""
    checks = [c for c in result.checks if c.name == "ldj" and c.direction == direction]
    if not checks:
        return None
    portrait = result.portrait or Portrait()
    laws = (f.law for f in result.findings if f.direction == direction)
    grids = (g for g in portrait.grids if g.direction == direction and g.cells)
    parts = tuple(s for s in result.sublayers if s.direction == direction)
    found = Contents(
        direction=direction,
        check=checks[0],
        matrices=tuple(m for m in portrait.jacobians if m.direction == direction),
        grid=next(grids, None),
        law=next((x for x in laws if x is not None and len(x.points) > 1), None),
        sublayers=parts if 1 < len(parts) <= MOST_PARTS else (),
    )
    return None if found.is_empty else found


# --- captions -------------------------------------------------------------------------


def sample_title(contents: Contents, sample: int) -> str:
    """Return what stands above the Jacobian of one sample."""
    said = next((s for s in contents.samples if s.index == sample), None)
    if said is None:
        return f"sample {sample}"
    told = f"{said.exact + 0.0:+.4g}" if said.exact else "0"
    return f"sample {sample}: log|det J| = {told}".replace("-", MINUS)


def jacobian_caption(contents: Contents) -> str:
    """Return what the pictures of the Jacobian show."""
    first = contents.matrices[0]
    told = (
        "Row i, column j: how far output i moves when input j does. "
        f"No colour is an exact zero; purple is positive, orange ({MINUS}) negative."
    )
    if first.block > 1:
        told += (
            f" Each square stands for {first.block} by {first.block} entries, by the "
            "largest of them."
        )
    structure = contents.check.structure
    meaning = "" if structure is None else STRUCTURES.get(structure, "")
    if first.dims_in != first.dims_out:
        meaning = (
            f"{first.dims_in} dims go in and {first.dims_out} come out: such a Jacobian "
            "has no determinant."
        )
    return f"{told} {meaning}".strip()


def samples_caption(contents: Contents) -> str:
    """Return what the bars of the samples show."""
    wrong = [s for s in contents.samples if figures.is_wrong(s)]
    told = "Exact is log|det J|, reported is what the layer says."
    if not wrong:
        return f"{told} They agree, as closely as rounding lets them."
    values = [s.difference for s in wrong if s.difference is not None]
    if len(values) > 1 and max(values) - min(values) <= 1e-6 * max(map(abs, values)):
        return f"{told} They differ by the same amount in every sample."
    return f"{told} They differ where a number stands above the bars."


def dims_caption(contents: Contents, sample: int) -> str:
    """Return what the bars of the dims show."""
    told = f"How sample {sample} splits: the parts of all dims add up to its ldj."
    if contents.reported_parts(sample) is None:
        return f"{told} What the layer reports cannot be split over the dims."
    return told


def sublayers_caption(contents: Contents) -> str:
    """Return what the bars of the sublayers show."""
    wrong = [name_of(each) for each in contents.sublayers if each.is_wrong]
    told = "How sample 0 splits: what each sublayer adds."
    return f"{told} Wrong: {', '.join(wrong)}." if wrong else told


def name_of(part: SublayerLine) -> str:
    """Return how a sublayer is written, or what the flow is that does the rest."""
    return one_line(part.sublayer or part.type)


def law_caption(law: Law) -> str:
    """Return what the points of a law show."""
    return (
        "The layer at several sizes. At each the difference is "
        f"{' '.join(law.expression.split())}."
    )


def volume_caption(contents: Contents, sample: int) -> str:
    """Return what the volume picture shows, and whether the ldj tells the truth."""
    cells = () if contents.grid is None else contents.grid.cells
    cell = next((c for c in cells if c.sample == sample), None)
    said = next((s for s in contents.samples if s.index == sample), None)
    told = (
        "The map moves the grid, and the green square with it. The cell that is measured "
        "is a tiny square at the cross: its area by the shoelace formula, after over "
        "before, no derivative."
    )
    if cell is None or said is None:
        return told
    if said.reported is None:
        return f"{told} It grows by exp(exact)."
    if not figures.is_wrong(said):
        return f"{told} It grows by what the layer reports: the ldj tells the truth."
    return f"{told} It grows by exp(exact), and not by what the layer reports."


def no_volume_note(contents: Contents) -> str | None:
    """Return why there is no volume picture and how to get one; None where there is."""
    shape = contents.check.shape
    if contents.grid is not None or not shape or contents.check.dims == PLANE:
        return None
    sizes = ",".join(["1"] * (len(shape) - 1) + [str(PLANE)])
    return f"The volume can be drawn of two dims: shape {sizes}, if the layer takes it."

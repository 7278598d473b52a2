"""What is kept of a check for pictures of it: Jacobians, the image of a grid, the source.

A grid costs calls of the layer, three for a direction at the most, and only maps of two
dims have one. Everything else was measured already.
"""

import ast
import linecache
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ldjcheck.records import Check, Comparison, Measurement, Probe, Result, Side
from ldjcheck.records.portrait import Excerpt, GridImage, JacobianMatrix, Portrait
from ldjcheck.revision import first_line
from ldjcheck.running.bench import Bench
from ldjcheck.tracebacks import cell_file

_MOST = 200  # lines of one function; of a longer one, those around what is spoken of
_AROUND = 8


def excerpts_of(result: Result) -> tuple[Excerpt, ...]:
    """Return the functions that hold the lines of a result, in the order of the ledger."""
    wanted: dict[tuple[str, int | None], list[int]] = {}
    for line in result.ledger:
        wanted.setdefault((line.file, line.cell), []).append(line.line)
    for finding in result.findings:
        place = finding.location
        if place is not None:
            wanted.setdefault((place.file, place.cell), []).append(place.line)
    return tuple(
        Excerpt(file=file, cell=cell, start=first, lines=tuple(lines[first - 1 : last]))
        for (file, cell), numbers in wanted.items()
        if (lines := _lines(file, cell))
        for first, last in _spans(lines, numbers)
    )


def _lines(file: str, cell: int | None) -> list[str]:
    names = [file, os.path.abspath(file)]
    for name in names if cell is None else [cell_file(each, cell) for each in names]:
        lines = linecache.getlines(name)
        if lines:
            return [line.rstrip("\n") for line in lines]
    return []


def _spans(lines: Sequence[str], numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and last line of each function that holds one of the lines."""
    functions = _functions("\n".join(lines) + "\n")
    spans = set()
    for number in numbers:
        around = [span for span in functions if span[0] <= number <= span[1]]
        first, last = max(around) if around else (number, number)
        if last - first > _MOST:
            first, last = max(first, number - _AROUND), min(last, number + _AROUND)
        spans.add((first, min(last, len(lines))))
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], last)
        else:
            merged.append((first, last))
    yield from (span for span in merged if span[0] <= len(lines))


def _functions(source: str) -> list[tuple[int, int]]:
    """Return where functions begin and end; none where the source is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # a cell with magics, a null byte
        return []
    return [
        (first_line(node), node.end_lineno)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno is not None
    ]


# --- Jacobians ------------------------------------------------------------------------

_SAMPLES = 3
_SIDE = 64  # rows and columns that a picture can show


def jacobians_of(comparison: Comparison) -> tuple[JacobianMatrix, ...]:
    """Return J of the first samples of both directions, at the numbers that are shown."""
    return tuple(
        matrix
        for verdict in comparison.verdicts
        if (shown := shown_side(verdict.check, comparison.measurement)) is not None
        for matrix in _matrices(shown[1])
    )


def shown_side(check: Check, measurement: Measurement) -> tuple[Probe, Side] | None:
    """Return the configuration whose numbers a check shows, and what was measured there."""
    shown = [sample.exact for sample in check.samples]
    for each in measurement.measured:
        side = each.forward if check.direction == "forward" else each.inverse
        if not side.answered:
            continue
        exact = [] if side.exact.ldj is None else side.exact.ldj.tolist()
        if tuple(side.x.shape[1:]) == check.shape and repr(exact) == repr(shown):
            return each.probe, side
    return None


def _matrices(side: Side) -> Iterator[JacobianMatrix]:
    if side.exact.jacobian is None or not bool(
        torch.isfinite(side.exact.jacobian).all()
    ):
        return
    for sample, matrix in enumerate(side.exact.jacobian[:_SAMPLES]):
        dims_out, dims_in = matrix.shape
        block = -(-max(dims_out, dims_in) // _SIDE)
        shares = (
            ()
            if side.exact.shares is None
            else tuple(side.exact.shares[sample].tolist())
        )
        yield JacobianMatrix(
            direction=side.direction,
            sample=sample,
            dims_out=dims_out,
            dims_in=dims_in,
            rows=tuple(map(tuple, pooled(matrix, block).tolist())),
            block=block,
            shares=shares,
        )


def pooled(matrix: Tensor, block: int) -> Tensor:
    """Return of each block of `block` by `block` entries the one that is largest in size.

    Blocks at the lower and right edge are smaller where the sides are no multiples.
    """
    if block == 1:
        return matrix
    down, across = (-size % block for size in matrix.shape)
    wide = torch.nn.functional.pad(matrix, (0, across, 0, down))
    rows, columns = wide.shape[0] // block, wide.shape[1] // block
    blocks = wide.reshape(rows, block, columns, block).transpose(1, 2)
    flat = blocks.reshape(rows, columns, block * block)
    return flat.gather(2, flat.abs().argmax(2, keepdim=True))[..., 0]


def with_portrait(result: Result, bench: Bench, comparison: Comparison) -> Result:
    """Return the result with what pictures of it are drawn from, where any are wanted.

    What cannot be had is left out.
    """
    if not comparison.measurement.options.pictures:
        return result
    portrait = Portrait(
        jacobians=jacobians_of(comparison),
        grids=_grids(bench, comparison),
        excerpts=excerpts_of(result),
    )
    return replace(result, portrait=portrait)


def _grids(bench: Bench, comparison: Comparison) -> tuple[GridImage, ...]:
    from ldjcheck.portrait.grids import PLANE, grid_image

    found = []
    for verdict in comparison.verdicts:
        shown = shown_side(verdict.check, comparison.measurement)
        if (
            shown is None
            or shown[1].x[0].numel() != PLANE
            or verdict.behaviour.coupling
        ):
            continue
        image = grid_image(bench, *shown)
        found += [] if image is None else [image]
    return tuple(found)

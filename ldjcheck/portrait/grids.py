"""Where a map of two dims takes a grid, and a small cell around each sample.

The area of a small cell grows by |det J|: what an ldj says can be measured with a ruler.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ldjcheck.numerics.closeness import same
from ldjcheck.records import Calls, Domain, Probe, Side
from ldjcheck.records.portrait import Cell, GridImage, Path
from ldjcheck.running.bench import Bench
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import LayerRaisedError, UnexpectedReturnError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner

PLANE = 2  # the dims of a map whose picture is a grid

_LINES = 11  # in each direction
_SPACING = 1.0 / (_LINES - 1)
_ALONG = 31  # points of a line
_EDGE = 8  # points along a side of a larger square
_SMALL = 1e-3  # the side of a small cell, over that of the grid
_HALF_WIDTH = 2.5  # of a grid on the real numbers: nearly all that is usually drawn
_INSET = 0.02  # how far a grid stays away from the ends of an interval
_LEAST = 1e-3  # of a cell's wanted side: what is smaller says nothing
_CORNERS = ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))
_SAME = 1e-6  # relative: the map that is drawn is the one that was measured
_PATIENCE = 4  # times the operations of a call as it was measured


def grid_image(bench: Bench, probe: Probe, side: Side) -> GridImage | None:
    """Return the image of a grid under the map that was measured; None if it has none.

    The points are one batch. Where the layer does not take it, or makes something else of
    the samples that are in it than before, there is no picture rather than a wrong one.
    """
    if side.exact.rounding_seen:
        return None  # the way back rounds: a small cell becomes one point
    try:
        return _image(bench, probe, side)
    except (LayerRaisedError, UnexpectedReturnError):
        return None


def _image(bench: Bench, probe: Probe, side: Side) -> GridImage | None:
    runner, x, _ = bench.ready(probe)
    if side.direction == "inverse" and bench.calls.forward is not None:
        runner.run("forward", x, Frozen())  # how its parts lie, and what it hands on
    frozen = Frozen()
    base = runner.run(side.direction, side.x, frozen)
    own = _noise(frozen, side) if side.exact.wrt == "noise" else side.x
    if own is None or base.y.shape != side.y.shape:
        return None
    at = own.detach().double().reshape(len(side.x), PLANE)
    is_shared = not (bench.options.context or runner.handed)
    samples = len(at) if is_shared and side.exact.wrt == "input" else 1
    low, high = _box(at, _plane(at, bench.calls, probe, side))
    lines = _lines(low, high)
    small = [_square(point, _sides(point, low, high, _SMALL)) for point in at[:samples]]
    large = [_ring(point, _sides(point, low, high, _SPACING)) for point in at[:samples]]
    points = torch.cat([at[:samples], *small, *large, lines.reshape(-1, PLANE)])
    images = _mapped(runner, side, points, _PATIENCE * (100 + base.operations))
    if images is None or not same(
        images[:samples], side.y[:samples].reshape(images[:samples].shape), _SAME
    ):
        return None
    _, *parts = images.split(
        [samples, *map(len, small), *map(len, large), lines.shape[0] * lines.shape[1]]
    )
    cells = tuple(
        Cell(
            sample=index,
            before=_path(small[index]),
            after=_path(parts[index]),
            outline=_path(large[index]),
            outline_after=_path(parts[samples + index]),
        )
        for index in range(samples)
        if bool(torch.isfinite(parts[index]).all())
    )
    return GridImage(
        direction=side.direction,
        lines=tuple(map(_path, lines)),
        lines_after=tuple(map(_path, parts[-1].reshape(lines.shape))),
        cells=cells,
        of_noise=side.exact.wrt == "noise",
    )


# --- where the map is run -------------------------------------------------------------


def _mapped(runner: Runner, side: Side, points: Tensor, patience: int) -> Tensor | None:
    """Return the images `(n, 2)` of points `(n, 2)`, under the map of the first sample."""
    many = replace(
        runner,
        kwargs=_of_first(runner.kwargs, side, len(points)),
        handed=_of_first(runner.handed, side, len(points)),
    )
    event = side.x.shape[1:]
    frozen = Frozen()
    if side.exact.wrt == "noise":
        x = side.x[:1].expand(len(points), *event).clone()
        many.run(side.direction, x, frozen, Manner(patience=patience))
        drawn = _entering(frozen, side, len(points))
        if drawn is None:
            return None
        like = frozen.draws[drawn]
        frozen.draws[drawn] = points.reshape(like.shape).to(like.dtype)
    else:
        x = points.reshape(len(points), *event).to(side.x.dtype)
    with torch.no_grad():
        y = many.run(side.direction, x, frozen, Manner(patience=patience)).y
    fits = y.dim() and y.numel() == points.numel() and len(y) == len(points)
    return y.detach().double().reshape(len(points), PLANE) if fits else None


def _of_first(given: Mapping[str, Any], side: Side, count: int) -> dict[str, Any]:
    """Return arguments whose rows belong to samples with the first row for every point."""
    batch = len(side.x)
    return {
        name: value[:1].expand(count, *value.shape[1:]).clone()
        if isinstance(value, Tensor) and value.dim() and len(value) == batch
        else value
        for name, value in given.items()
    }


def _noise(frozen: Frozen, side: Side) -> Tensor | None:
    """Return the noise of the samples, `(batch, *event)`, where one draw is all of it."""
    index = _entering(frozen, side, len(side.x))
    return None if index is None else frozen.draws[index]


def _entering(frozen: Frozen, side: Side, count: int) -> int | None:
    fitting = [
        index
        for index, drawn in enumerate(frozen.draws)
        if drawn.is_floating_point() and drawn.numel() == PLANE * count
    ]
    return fitting[0] if len(fitting) == 1 and side.direction == "forward" else None


# --- which points are mapped ------------------------------------------------------------


def _plane(at: Tensor, calls: Calls, probe: Probe, side: Side) -> Domain | None:
    """Return where the points of a grid may be; None where only the samples tell."""
    if side.exact.wrt == "noise":
        is_uniform = bool(((at >= 0) & (at <= 1)).all())
        return Domain(kind="unit") if is_uniform else Domain(kind="real")
    if side.direction == "forward":
        return probe.domain
    return None if calls.inverse is None else calls.inverse.domain


def _box(at: Tensor, domain: Domain | None) -> tuple[Tensor, Tensor]:
    """Return two corners of a rectangle with the samples inside it."""
    low, high = at.amin(0), at.amax(0)
    if domain is None:
        margin = 0.3 * (high - low).clamp_min(1e-3 * (1 + at.abs().amax(0)))
        return low - margin, high + margin
    if domain.kind == "real":
        return (low - 0.5).clamp_max(-_HALF_WIDTH), (high + 0.5).clamp_min(_HALF_WIDTH)
    if domain.kind == "positive":
        return torch.minimum(0.5 * low, torch.full_like(low, 0.1)), 1.2 * high
    is_unit = domain.kind == "unit"
    first, last = (0.0, 1.0) if is_unit else (domain.low or 0.0, domain.high or 0.0)
    inset = _INSET * (last - first)
    return low.clamp_max(first + inset), high.clamp_min(last - inset)


def _sides(point: Tensor, low: Tensor, high: Tensor, share: float) -> Tensor:
    """Return the sides of a cell, made smaller where it would leave the rectangle."""
    room = 1.9 * torch.minimum(point - low, high - point)
    wanted = share * (high - low)
    part = float((room / wanted).min())
    return wanted * min(1.0, part) if part > _LEAST else wanted


def _square(point: Tensor, sides: Tensor) -> Tensor:
    return point + torch.tensor(_CORNERS, dtype=point.dtype) * sides


def _ring(point: Tensor, sides: Tensor) -> Tensor:
    """Return points along the edge of a rectangle, once around."""
    corners = _square(point, sides)
    steps = torch.arange(_EDGE, dtype=point.dtype)[:, None] / _EDGE
    following = corners.roll(-1, 0)
    return torch.cat(
        [a + steps * (b - a) for a, b in zip(corners, following, strict=True)]
    )


def _lines(low: Tensor, high: Tensor) -> Tensor:
    """Return lines of both directions, `(lines, points, 2)`."""
    across = torch.linspace(0, 1, _LINES, dtype=low.dtype)
    along = torch.linspace(0, 1, _ALONG, dtype=low.dtype)
    u, v = torch.meshgrid(across, along, indexing="ij")
    unit = torch.cat([torch.stack([u, v], 2), torch.stack([v, u], 2)])
    return low + unit * (high - low)


def _path(points: Tensor) -> Path:
    return tuple((float(x), float(y)) for x, y in points.tolist())

"""The configurations at which a layer is measured: shapes, batches, draws and regions.

A mistake must have nowhere to hide: several draws of the parameters, inputs near, usual,
far and of one sign, other sizes where the layer takes them, and batches that differ from
every size, so that no two counts coincide.
"""

import math
from dataclasses import replace

from ldjcheck.records import Domain, Options, Probe, Shape
from ldjcheck.records.words import Region

_REGIONS: tuple[Region, ...] = ("usual", "near", "far", "plus", "minus")
_DEFAULT_BATCH = 3
_OF_FEW = (_DEFAULT_BATCH, 5, 7, 11)
_OF_MANY_DIMS = (2, 4, 5, 7, 11)
MANY = 512  # dims from which on each sample more costs seconds
MEASURED = 2  # further shapes, beside the one that is shown


def choose_batch(wanted: int, shape: Shape) -> int:
    """Return the batch size: the one asked for, unless the default meets an axis of 3.

    Of many dims fewer samples do.
    """
    if wanted != _DEFAULT_BATCH:
        return wanted
    sizes = _OF_MANY_DIMS if math.prod(shape) >= MANY else _OF_FEW
    return next(size for size in sizes if size not in shape)


def plan_probes(
    shape: Shape,
    others: tuple[Shape, ...],
    domain: Domain,
    options: Options,
    *,
    has_parameters: bool,
) -> tuple[Probe, ...]:
    """Return the configurations, the one that the report shows first.

    `others` are further shapes that the layer takes. Without parameters, or when they are
    to stay as they are, the draw is 0 throughout.
    """
    moved = has_parameters and options.params == "random"
    probes = []
    # A mistake that other parameters show is shown by events of few dims as well.
    again = 1 if others and math.prod(shape) >= MANY else 2
    shapes = (shape, *(shape,) * again, *others[:MEASURED])
    for index, at in enumerate(shapes):
        batch = choose_batch(options.batch, at)
        if index % 2:
            more = range(batch + 1 + batch % 2, batch + 12, 2)
            batch = next(b for b in more if b not in at)
        probes.append(
            Probe(
                shape=at,
                batch=batch,
                domain=domain,
                region=_REGIONS[index % len(_REGIONS)],
                draw=_draw(options, index if at == shape else 0) if moved else 0,
                scale=options.params_scale,
                seed=options.seed + index,
            )
        )
    return tuple(probes)


def plan_investigation(
    shape: Shape,
    others: tuple[Shape, ...],
    domain: Domain,
    options: Options,
    *,
    has_parameters: bool,
) -> tuple[Probe, ...]:
    """Return further configurations that tell one mistake from another.

    Small and large parameters, orientations turned around, a large batch and the smallest
    of the shapes not yet seen: each breaks another coincidence of counts and signs.
    """
    smallest = sorted(others[MEASURED:] or others[-1:], key=math.prod)[:1]
    moved = has_parameters and options.params == "random"
    parameters: list[tuple[Shape, int, Region, float, bool]] = [
        (shape, options.batch + 1, "usual", 0.5, False),
        (shape, options.batch + 3, "usual", 2.0, False),
        (shape, options.batch + 1, "usual", 1.0, True),
    ]
    plans: list[tuple[Shape, int, Region, float, bool]] = [
        (shape, 13 if math.prod(shape) < MANY else 7, "far", 1.0, False),
        *(parameters if moved else ()),
        *((other, options.batch + 3, "usual", 1.0, False) for other in smallest),
    ]
    investigation = [
        Probe(
            shape=at,
            batch=batch if batch not in at else batch + 7,
            domain=domain,
            region=region,
            draw=_draw(options, 49 + index if at == shape else 0) if moved else 0,
            scale=options.params_scale * factor,
            seed=options.seed + 50 + index,
            reflected=reflected and moved,
        )
        for index, (at, batch, region, factor, reflected) in enumerate(plans)
    ]
    nudged = replace(
        investigation[0], batch=choose_batch(options.batch, shape), nudged=True
    )
    return (*investigation, nudged)


def _draw(options: Options, index: int) -> int:
    """Return the number of a draw of parameters.

    Other sizes have the first: what a difference does over sizes can then be read off.
    """
    return options.seed * 100 + index + 1


def plan_as_built(probe: Probe) -> tuple[Probe, ...]:
    """Return the same configuration with the parameters as built, where they are moved."""
    return (replace(probe, draw=0),) if probe.draw else ()

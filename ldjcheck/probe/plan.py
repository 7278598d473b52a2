"""The configurations at which a layer is measured: shapes, batches, draws and regions.

A mistake must have nowhere to hide: several draws of the parameters, inputs near, usual,
far and of one sign, other sizes where the layer takes them, and batches that differ from
every size, so that no two counts coincide.
"""

from __future__ import annotations

from ldjcheck.records import Config, Domain, Options, Region, Shape

_REGIONS: tuple[Region, ...] = ("usual", "near", "far", "plus", "minus")
_DEFAULT_BATCH = 3


def choose_batch(wanted: int, shape: Shape) -> int:
    """Return the batch size: the one asked for, unless the default meets an axis of 3."""
    if wanted != _DEFAULT_BATCH or wanted not in shape:
        return wanted
    return next(size for size in (5, 7, 11) if size not in shape)


def plan_configs(
    shape: Shape,
    others: tuple[Shape, ...],
    domain: Domain,
    options: Options,
    *,
    has_parameters: bool,
) -> tuple[Config, ...]:
    """Return the configurations, the one that the report shows first.

    `others` are further shapes that the layer takes. Without parameters, or when they are
    to stay as they are, the draw is 0 throughout.
    """
    moved = has_parameters and options.params == "random"
    configs = []
    shapes = (shape, shape, shape, *others[:2])
    for index, at in enumerate(shapes):
        batch = choose_batch(options.batch, at)
        if index and batch == options.batch:
            batch = choose_batch(options.batch + 2 * (index % 2), at)
        configs.append(
            Config(
                shape=at,
                batch=batch,
                domain=domain,
                region=_REGIONS[index % len(_REGIONS)],
                draw=options.seed * 100 + index + 1 if moved else 0,
                scale=options.params_scale,
                seed=options.seed + index,
            )
        )
    return tuple(configs)

"""`torch.distributions.Transform`: the ldj by a separate method, per event.

`log_abs_det_jacobian(x, y)` has one entry per event of `event_dim` trailing axes, so a
transform with `event_dim` 0 rightly returns one number per element. Caches are defeated:
every direction is run on tensors that the transform has never seen.
"""

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor
from torch.distributions import constraints
from torch.distributions.transforms import StackTransform, Transform

from ldjcheck.calling.convention import Convention
from ldjcheck.records import CallFunction, Calls, Domain, Kwargs, Returned, Way


def _itself(layer: Transform, /, **_: Any) -> Transform:
    return layer


def transform_call(
    built: Callable[..., Transform], *, back: bool = False, late: bool = False
) -> CallFunction:
    """Return a call of the transform that a layer is built into, given its contexts."""

    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        return run_transform(built(layer, **kwargs), x, back=back, late=late)

    return call


_THERE = transform_call(_itself)
_LATE = transform_call(_itself, late=True)
_BACK = transform_call(_itself, back=True)


def transform_calls(
    layer: Transform,
    name: str,
    why: str,
    there: CallFunction = _THERE,
    back: CallFunction = _BACK,
) -> Calls:
    """Return how a transform is called; `why` says how it was recognised.

    A layer that is none itself is built into one by the calls `there` and `back`.
    """
    codomain = _attribute(layer, "codomain")
    return Calls(
        convention=name,
        signature="t(x) -> y; t.log_abs_det_jacobian(x, y)",
        forward=Way(
            call=there,
            late=_LATE if there is _THERE else None,
            event_dim=_event_dim(layer, "domain"),
            domain=declared_domain(_attribute(layer, "domain")),
            domain_derived=hasattr(layer, "parts") or hasattr(layer, "transforms"),
        ),
        inverse=Way(
            call=back,
            event_dim=_event_dim(layer, "codomain"),
            derived=True,
            domain=declared_domain(codomain),
        ),
        inferred=(("convention", f"{name}: {why}"),),
    )


def _attribute(layer: Transform, name: str) -> Any:
    try:
        return getattr(layer, name)
    except (NotImplementedError, AttributeError):
        return None


def _event_dim(layer: Transform, side: str) -> int | None:
    """Return how many trailing axes one ldj entry covers: the event of what goes in.

    None where it is not declared. A stack declares the axis that it stacks along as part of
    the event, and reports one entry per part all the same.
    """
    if isinstance(layer, StackTransform):
        return max(_event_dim(part, side) or 0 for part in layer.transforms)
    dims: object = getattr(_attribute(layer, side), "event_dim", None)
    dims = getattr(layer, "event_dim", None) if dims is None else dims
    return dims if isinstance(dims, int) else None  # text or the like declares nothing


def _recognise(layer: Any) -> Iterator[Calls]:
    if not isinstance(layer, Transform):
        return
    calls = transform_calls(
        layer, CONVENTION.name, "it is a torch.distributions.Transform"
    )
    yield calls
    if calls.forward is not None and calls.forward.event_dim is None:
        yield calls.elementwise()


def run_transform(
    transform: Transform, x: Tensor, *, back: bool, late: bool
) -> Returned:
    """Return what a transform, or its inverse, makes of x, and how far an event goes.

    With `late`, it is called at another input before it is asked for the ldj of x.
    """
    there = getattr(transform, "inv", None) if back else transform
    if there is None:  # what only looks like a transform may have none
        raise NotImplementedError("there is no inverse")
    try:
        y = there(x)
    except KeyError as error:
        if not back or not _remembers(transform):
            raise
        # Such a transform knows the way back from what it has just computed, and only so.
        raise NotImplementedError(f"there is no inverse but a cache: {error}") from None
    if late:
        there(x.flip(0))
    return Returned(
        y=y,
        ldj=there.log_abs_det_jacobian(x, y),
        event_dim=_event_dim(transform, "codomain" if back else "domain"),
    )


def _remembers(transform: Transform) -> bool:
    """Return whether a transform, or one of its parts, keeps what it computed last."""
    parts: Any = getattr(transform, "parts", ()) or getattr(transform, "transforms", ())
    return bool(getattr(transform, "_cache_size", 0)) or any(map(_remembers, parts))


def declared_domain(constraint: Any) -> Domain | None:
    """Return the domain that a constraint declares; None when it is a special one."""
    if constraint is None:
        return None
    while isinstance(constraint, constraints.independent):
        constraint = constraint.base_constraint
    if constraint in (constraints.real, constraints.real_vector):
        return Domain(kind="real")
    if isinstance(constraint, (constraints.interval, constraints.half_open_interval)):
        low, high = float(constraint.lower_bound), float(constraint.upper_bound)
        if (low, high) == (0.0, 1.0):
            return Domain(kind="unit")
        return Domain(kind="interval", low=low, high=high)
    if isinstance(constraint, (constraints.greater_than, constraints.greater_than_eq)):
        if float(constraint.lower_bound) == 0.0:
            return Domain(kind="positive")
        return Domain(kind="interval", low=float(constraint.lower_bound), high=None)
    return None


CONVENTION = Convention(
    name="transform",
    summary="torch.distributions.Transform: t(x), t.log_abs_det_jacobian(x, y), t.inv",
    recognise=_recognise,
)

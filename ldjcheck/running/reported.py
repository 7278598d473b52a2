"""The ldj as a layer hands it back, brought to one number per sample."""

from typing import Any

import torch
from torch import Tensor

from ldjcheck.records import Calls, Shape
from ldjcheck.running.placement import LOW_PRECISION

Reported = tuple[Tensor | None, Tensor | None, str | None]
"""The ldj, `(batch,)`, its parts by dim, and how its form breaks the promise."""


def reported_of(
    raw: Any,
    start: Tensor | None,
    x: Tensor,
    calls: Calls,
    event_dim: int | None,
    *,
    spread: bool,
) -> Reported:
    """Return what the call says about `x`, `(batch, *event)`, in nats.

    `start` is the running total that went in, or None. With an `event_dim` the promise is
    one entry per event of so many trailing axes. A column, `(batch, 1)`, is one number per
    sample all the same, whatever is promised; where it is `spread`, it stands for every
    entry of a sample, as do other axes of size one.
    """
    if raw is None:
        return None, None, None
    batch = x.shape[0]
    ldj = torch.as_tensor(raw, dtype=None if isinstance(raw, Tensor) else x.dtype)
    if ldj.is_complex():
        return None, None, "the ldj is made of complex numbers"
    if ldj.dtype in LOW_PRECISION and x.dtype == torch.float64:
        ldj = ldj.double()
    if start is not None:
        return _beyond(ldj, start, x, calls, spread=spread)
    ldj = ldj if calls.sign == 1 else -ldj
    if event_dim is not None:
        return _per_event(ldj, x, event_dim, spread=spread)
    if spread and (entries := spread_over(ldj, x)) is not None:
        return entries.sum(1), entries, _form(ldj, batch)
    if ldj.shape == (batch,):
        return ldj, None, None
    if ldj.numel() == 1 and batch > 1:
        return ldj.reshape(1).expand(batch), None, None
    if calls.column and ldj.dim() > 1 and ldj.shape in ((batch, 1), (*x.shape[:-1], 1)):
        return ldj.reshape(batch, -1).sum(1), None, None
    if calls.custom is not None and ldj.dim() > 1 and len(ldj) == batch:
        return ldj.reshape(batch, -1).sum(1), None, None
    form = _form(ldj, batch)
    if ldj.numel() == batch:
        return ldj.reshape(batch), None, form
    if ldj.shape == (batch, batch) and batch not in x.shape[1:] and _met(ldj):
        return ldj.diagonal(), None, form  # where a sample meets itself
    if ldj.dim() and len(ldj) == batch:
        return ldj.reshape(batch, -1).sum(1), None, form
    if _is_of_any_sample(ldj, x):
        return ldj.sum().expand(batch), None, form
    return None, None, form


def _form(ldj: Tensor, batch: int) -> str:
    return f"the ldj has shape {tuple(ldj.shape)}, not ({batch},)"


def spread_over(ldj: Tensor, x: Tensor) -> Tensor | None:
    """Return the entries, `(batch, dims)`, that numbers with axes of size one stand for.

    None where they are no such: they have the rank of x, or are a column, `(batch, 1)`.
    """
    if not may_be_spread(tuple(ldj.shape), tuple(x.shape)):
        return None
    if ldj.dim() != x.dim():
        ldj = ldj.reshape(len(x), *(1,) * (x.dim() - 1))
    return ldj.expand(x.shape).reshape(len(x), -1)


def may_be_spread(shape: Shape, over: Shape) -> bool:
    """Return whether an ldj of such a shape may stand for more entries than it has."""
    if shape == (over[0], 1):
        return shape != over
    alike = len(shape) == len(over) > 1 and shape != over
    return alike and all(
        own in (1, size) for own, size in zip(shape, over, strict=True)
    )


def _met(ldj: Tensor) -> bool:
    """Return whether a column met a row: entries are sums, or products, of one of each.

    Where all rows are alike they may be the parts of one event, for any sample.
    """
    if not ldj.is_floating_point() or not torch.isfinite(ldj).all():
        return False
    m, near = ldj.detach().double(), 1e3 * torch.finfo(ldj.dtype).eps
    scale = float(m.abs().max())
    if ((m - m[:1]).abs() <= near * scale).all():
        return False
    added = m + m[0, 0] - m[:1] - m[:, :1]
    multiplied = m * m[0, 0] - m[:1] * m[:, :1]
    return bool(
        (added.abs() <= near * scale).all()
        or (multiplied.abs() <= near * scale**2).all()
    )


def _is_of_any_sample(ldj: Tensor, x: Tensor) -> bool:
    """Return whether these are entries of one event, as in `(1, C, 1, 1)`, for all alike."""
    lead = (1,) * (x.dim() - ldj.dim())
    pairs = zip((*lead, *ldj.shape), x.shape, strict=False)
    return ldj.dim() <= x.dim() and all(own in (1, size) for own, size in pairs)


def _beyond(
    ldj: Tensor, start: Tensor, x: Tensor, calls: Calls, *, spread: bool
) -> Reported:
    """Return what a call added to the running total that went in.

    What was added as a column, `(batch, 1)`, to a row gives `(batch, batch)`: every sample
    met every total, and what each row has beyond them is that sample's ldj. Entries with
    axes of size one, `(1, C, 1, 1)`, meet them on their last axis.
    """
    if ldj.shape == start.shape:
        return (calls.sign * (ldj - start)).reshape(len(start)), None, None
    form = (
        f"an incoming ldj of shape {tuple(start.shape)} came back with shape "
        f"{tuple(ldj.shape)}"
    )
    batch = len(start)
    if ldj.numel() == 1 and batch > 1:
        # a number of all samples' own: no total is in it
        return (calls.sign * (ldj.reshape(1) - start)).reshape(batch), None, None
    if start.shape != (batch,) or batch < 2 or ldj.dim() < 2:
        return None, None, form
    added = _added(ldj, start)
    if added is None:
        return None, None, form
    added = calls.sign * added
    if spread and (entries := spread_over(added, x)) is not None:
        return entries.sum(1), entries, form
    if len(added) == batch:
        return added.reshape(batch, -1).sum(1), None, form
    return added.sum().expand(batch), None, form


def _added(ldj: Tensor, start: Tensor) -> Tensor | None:
    """Return what was added to totals, `(batch,)`, that came back in another shape."""
    batch = len(start)
    rows = start.reshape(batch, *(1,) * (ldj.dim() - 1))
    if ldj.shape == (1, batch):
        return (ldj - start).T
    if ldj.shape == (batch, batch):
        for added in (ldj - start, (ldj - rows).T):
            if _is_alike(added):
                return added[:, :1]
        return None
    if len(ldj) == batch:  # entries of one event are left, each with the total
        return ldj - rows
    if ldj.shape[-1] == batch and _is_alike(ldj - start):
        return (ldj - start)[..., :1]
    return None


def _is_alike(added: Tensor) -> bool:
    """Return whether all along the last axis are one number."""
    return torch.allclose(added, added[..., :1].expand_as(added), equal_nan=True)


def _per_event(ldj: Tensor, x: Tensor, event_dim: int, *, spread: bool) -> Reported:
    """Sum a transform's ldj, one entry per event, over the rest of the sample."""
    batch = len(x)
    promised = x.shape[: max(1, x.dim() - event_dim)]
    if ldj.shape == (batch, 1) != x.shape and not spread:
        return ldj.reshape(batch), None, None
    try:
        over = ldj.expand(promised)
    except RuntimeError:
        form = (
            f"the ldj has shape {tuple(ldj.shape)}, which does not fit one entry per "
            f"event, {tuple(promised)}"
        )
        if ldj.shape[: len(promised)] == promised:  # entries of one event are left
            return ldj.reshape(batch, -1).sum(1), None, form
        if spread and (entries := spread_over(ldj, x)) is not None:
            return entries.sum(1), entries, form
        return (ldj if ldj.shape == (batch,) else None), None, form
    per_sample = over.reshape(batch, -1)
    shares = per_sample if event_dim == 0 else None
    return per_sample.sum(1), shares, None

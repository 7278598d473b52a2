"""The ldj as a layer hands it back, brought to one number per sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ldjcheck.running.precision import LOW_PRECISION

if TYPE_CHECKING:
    from ldjcheck.records import Calls

Reported = tuple[Tensor | None, Tensor | None, str | None]
"""The ldj, `(batch,)`, its parts by dim, and how its form breaks the promise."""


def reported_of(
    raw: Any, start: Tensor | None, x: Tensor, calls: Calls, event_dim: int | None
) -> Reported:
    """Return what the call says about `x`, `(batch, *event)`, in nats.

    `start` is the running total that went in, or None. With an `event_dim` the promise is
    one entry per event of so many trailing axes.
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
        return _beyond(ldj, start, calls)
    ldj = ldj if calls.sign == 1 else -ldj
    if event_dim is not None:
        return _per_event(ldj, x, event_dim)
    if ldj.shape == (batch,):
        return ldj, None, None
    if ldj.numel() == 1 and batch > 1:
        return ldj.reshape(1).expand(batch), None, None
    if calls.column and ldj.dim() > 1 and ldj.shape in ((batch, 1), (*x.shape[:-1], 1)):
        return ldj.reshape(batch, -1).sum(1), None, None
    form = f"the ldj has shape {tuple(ldj.shape)}, not ({batch},)"
    if ldj.numel() == batch:
        return ldj.reshape(batch), None, form
    if ldj.shape == (batch, batch) and batch not in x.shape[1:] and _met(ldj):
        return ldj.diagonal(), None, form  # where a sample meets itself
    if ldj.dim() and len(ldj) == batch:
        return ldj.reshape(batch, -1).sum(1), None, form
    if _is_of_any_sample(ldj, x):
        return ldj.sum().expand(batch), None, form
    return None, None, form


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


def _beyond(ldj: Tensor, start: Tensor, calls: Calls) -> Reported:
    """Return what a call added to the running total that went in.

    What was added as a column, `(batch, 1)`, to a row gives `(batch, batch)`: every sample
    met every total, and what each row has beyond them is that sample's ldj.
    """
    if ldj.shape == start.shape:
        return (calls.sign * (ldj - start)).reshape(len(start)), None, None
    form = (
        f"an incoming ldj of shape {tuple(start.shape)} came back with shape "
        f"{tuple(ldj.shape)}"
    )
    batch = len(start)
    if (
        ldj.numel() == 1 and batch > 1
    ):  # a number of all samples' own: no total is in it
        return (calls.sign * (ldj.reshape(1) - start)).reshape(batch), None, None
    if start.shape != (batch,) or batch < 2 or ldj.dim() < 2:
        return None, None, form
    if ldj.shape == (1, batch):
        ldj = ldj.T
    if ldj.shape == (batch, batch):
        for added in (ldj - start, (ldj - start[:, None]).T):
            if torch.allclose(added, added[:, :1].expand_as(added), equal_nan=True):
                return calls.sign * added[:, 0], None, form
    elif len(ldj) == batch:  # entries of one event are left, each with the total
        over = ldj.reshape(batch, -1) - start[:, None]
        return calls.sign * over.sum(1), None, form
    return None, None, form


def _per_event(ldj: Tensor, x: Tensor, event_dim: int) -> Reported:
    """Sum a transform's ldj, one entry per event, over the rest of the sample."""
    promised = x.shape[: max(1, x.dim() - event_dim)]
    try:
        spread = ldj.expand(promised)
    except RuntimeError:
        form = (
            f"the ldj has shape {tuple(ldj.shape)}, which does not fit one entry per "
            f"event, {tuple(promised)}"
        )
        if ldj.shape[: len(promised)] == promised:  # entries of one event are left
            return ldj.reshape(len(x), -1).sum(1), None, form
        return None, None, form
    per_sample = spread.reshape(len(x), -1)
    shares = per_sample if event_dim == 0 else None
    return per_sample.sum(1), shares, None

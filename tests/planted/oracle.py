"""The field test's own oracle: call a layer, move its parameters, know its exact ldj.

Deliberately small and deliberately not ldjcheck's: reverse-mode Jacobian of the whole
batch in float64, one `slogdet` per sample.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .case import Case, Shape


@contextmanager
def double() -> Iterator[None]:
    """Make float64 the default dtype for a while, so that layers are born in it."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def draw_inputs(case: Case, shape: Shape, batch: int, seed: int) -> Tensor:
    """Return inputs `(batch, *shape)` inside the case's domain."""
    generator = torch.Generator().manual_seed(1000 + seed)
    uniform = torch.rand((batch, *shape), generator=generator)
    kind, *ends = case.domain.split(":")
    if kind == "real":
        return case.spread * torch.randn((batch, *shape), generator=generator)
    if kind == "unit":
        return 0.05 + 0.9 * uniform
    if kind == "positive":
        return 0.2 + 2.0 * uniform
    low, high = float(ends[0]), float(ends[1])
    if kind == "int":
        return (low + (high + 1 - low) * uniform).floor()
    return low + (high - low) * (0.05 + 0.9 * uniform)


def move_parameters(layer: Any, scale: float, seed: int) -> None:
    """Add `scale` times standard normal noise to everything that can be trained."""
    if not isinstance(layer, torch.nn.Module):
        return
    generator = torch.Generator().manual_seed(2000 + seed)
    with torch.no_grad():
        for parameter in layer.parameters():
            if parameter.requires_grad:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter += scale * noise


def seed_everything(seed: int) -> None:
    """Seed torch's generator, and numpy's, from which FrEIA draws permutations."""
    torch.manual_seed(seed)
    np.random.seed(seed)


def prepare(case: Case, shape: Shape, seed: int) -> Any:
    """Return the case's layer: built, warmed up by one call, its parameters moved.

    Layers that copy a module into a closure (zuko's) are built around an owner; the
    owner is what is moved.
    """
    seed_everything(seed)
    layer = case.build(shape)
    owner = layer
    if hasattr(layer, "meta") and hasattr(layer.meta, "func"):
        owner = layer.meta.func.__self__
    if isinstance(owner, torch.nn.Module):
        owner.double().eval()  # FrEIA makes some weights with torch.FloatTensor
    if case.warm_up:
        with torch.no_grad():
            call(case, layer, draw_inputs(case, shape, 16, seed + 77))
    move_parameters(owner, case.scale, seed)
    return layer


def call(
    case: Case, layer: Any, x: Tensor, inverse: bool = False, seed: int = 0
) -> tuple[Tensor, Any]:
    """Return the output and the ldj as the layer hands it back, unreduced.

    The incoming ldj of accumulating layers is zero, their noise the same at each call.
    """
    torch.manual_seed(3000 + seed)
    x = x.clone()
    if case.style == "pair":
        return layer.inverse(x) if inverse else layer(x)
    if case.style == "pair-reverse":
        return layer(x, reverse=inverse)
    if case.style == "accumulate":
        return layer(x, torch.zeros(len(x)), reverse=inverse)
    if case.style == "freia":
        (y,), ldj = layer((x,), rev=inverse)
        return y, ldj
    if case.style == "freia-sequence":
        return layer(x, rev=inverse)
    transform = layer.inv if inverse else layer
    y = transform(x)
    return y, transform.log_abs_det_jacobian(x, y)


def call_again(case: Case, layer: Any, x: Tensor) -> Tensor | None:
    """Return the ldj of a transform's second way to say it, zuko's `call_and_ladj`."""
    if case.library != "zuko":
        return None
    ldj: Tensor = layer.call_and_ladj(x.clone())[1]
    return ldj


def per_sample(ldj: Any, batch: int, elementwise: bool) -> Tensor:
    """Return a right layer's ldj as `(batch,)`, whatever shape its project promises."""
    value = torch.as_tensor(ldj, dtype=torch.float64)
    if elementwise and value.dim() > 1:
        value = value.flatten(1).sum(1)
    return value.expand(batch) if value.numel() == 1 else value.reshape(batch)


def exact_ldj(
    case: Case, layer: Any, x: Tensor, inverse: bool = False, seed: int = 0
) -> Tensor:
    """Return log|det dy/dx| of every sample, `(batch,)`, in nats."""
    batch = len(x)

    def outputs(values: Tensor) -> Tensor:
        return call(case, layer, values, inverse, seed)[0].reshape(batch, -1)

    jacobian = torch.autograd.functional.jacobian(outputs, x)
    rows = []
    for i in range(batch):
        block = jacobian[i, :, i].reshape(jacobian.shape[1], -1)
        rows.append(torch.linalg.slogdet(block)[1])
        jacobian[i, :, i] = 0
    if jacobian.abs().max() > 0:
        raise ValueError(f"{case.id}: samples are coupled")
    return torch.stack(rows).detach()

"""Flow layers in a row that nobody adds up: `nn.Sequential`, `nn.ModuleList`, a list.

Each is called by its own convention, the output goes to the next, and the ldjs are added.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ldjcheck.calling.convention import Convention
from ldjcheck.records import CallFunction, Calls, Domain, Kwargs, Returned, Way


def _recognise(layer: Any) -> Iterator[Calls]:
    if not _is_plain_row(layer):
        return
    ways: list[tuple[Calls, ...]] = []
    for part in layer:
        ways.append(_ways(part))
        if not ways[-1]:
            return
    invertible = all(any(calls.inverse for calls in each) for each in ways)
    names = dict.fromkeys(each[0].convention for each in ways)
    yield Calls(
        convention=CONVENTION.name,
        signature=f"f[0](x), f[1](...), ...: {', '.join(names)}",
        forward=Way(call=_call(back=False), domain=_domain(ways[0][0].forward)),
        inverse=Way(call=_call(back=True), domain=_domain(ways[-1][0].inverse))
        if invertible
        else None,
        inferred=CONVENTION.says(f"{len(ways)} layers in a row, added up"),
    )


def _is_plain_row(layer: Any) -> bool:
    if isinstance(layer, nn.Sequential):
        return type(layer).forward is nn.Sequential.forward and len(layer) > 0
    return isinstance(layer, (nn.ModuleList, list, tuple)) and len(layer) > 0


def _domain(way: Way | None) -> Domain | None:
    return None if way is None else way.domain


def _ways(part: Any) -> tuple[Calls, ...]:
    from ldjcheck.conventions import recognise_conventions

    try:
        return recognise_conventions(part)
    except RecursionError:  # it holds itself, and so is no row
        return ()


def _call(*, back: bool) -> CallFunction:
    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        total: Any = 0.0
        z: Any = x
        for part in reversed(layer) if back else layer:
            returned = _run(part, z, kwargs, back=back)
            if returned.ldj is None:
                return Returned(y=returned.y, ldj=None, bare=True)
            z, total = returned.y, total + returned.ldj
        return Returned(y=z, ldj=total)

    return call


def _run(part: Any, x: Tensor, kwargs: Kwargs, *, back: bool) -> Returned:
    """Return what the first convention makes of x by which the layer reports an ldj."""
    returned = Returned(y=x, ldj=None)
    for calls in _ways(part):
        way = calls.inverse if back else calls.forward
        if way is None:
            continue
        start = x.new_zeros((len(x), 1) if calls.column else len(x))
        returned = way.call(part, x, start if calls.accumulates else None, kwargs)
        if returned.ldj is not None:
            return _of_samples(returned, calls, x)
    return returned


def _of_samples(returned: Returned, calls: Calls, x: Tensor) -> Returned:
    """Return the ldj with one entry per sample, where the convention has more."""
    ldj = returned.ldj
    if isinstance(ldj, Tensor) and ldj.dim():
        if returned.event_dim is not None:
            ldj = torch.broadcast_to(
                ldj, x.shape[: max(1, x.dim() - returned.event_dim)]
            )
            ldj = ldj.reshape(len(x), -1).sum(1)
        elif calls.column and ldj.shape == (len(x), 1):
            ldj = ldj[:, 0]
        ldj = calls.sign * ldj
    return Returned(y=returned.y, ldj=ldj)


CONVENTION = Convention(
    name="sequence",
    summary="nn.Sequential, nn.ModuleList or a list of layers, each by its own convention",
    recognise=_recognise,
)

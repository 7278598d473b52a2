"""FrEIA modules: tuples of tensors in and out, `m((x,), rev=False, jac=True)`.

The log-det may be a tensor, a float, a NumPy number or None. A whole INN in FrEIA takes
and returns a bare tensor and is then a pair with `rev`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ldjcheck.conventions.convention import Convention, call_signature
from ldjcheck.records import CallFunction, Calls, Returned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor


def _recognise(layer: Any) -> Iterator[Calls]:
    signature = call_signature(layer)
    if signature is None or not {"rev", "jac"} <= set(signature.names):
        return
    yield Calls(
        convention=CONVENTION.name,
        signature="m((x,), rev=False, jac=True) -> (y,), ldj",
        forward=_call(rev=False),
        inverse=_call(rev=True),
        one_number=True,
        extra_names=("c",) if "c" in signature.names else (),
        inferred=(("convention", f"{CONVENTION.name}: it takes rev and jac"),),
    )


def _call(*, rev: bool) -> CallFunction:
    def call(
        layer: Any, x: Tensor, start: Tensor | None, kwargs: Mapping[str, Any]
    ) -> Returned:
        named = dict(kwargs)
        if "c" in named and not isinstance(named["c"], (tuple, list)):
            named["c"] = (named["c"],)
        several = isinstance(x, (tuple, list))
        given = x if several or _takes_bare_tensor(layer) else (x,)
        y, ldj = layer(given, rev=rev, jac=True, **named)
        alone = isinstance(y, (tuple, list)) and len(y) == 1
        return Returned(y=y[0] if alone else y, ldj=ldj)

    return call


def _takes_bare_tensor(layer: Any) -> bool:
    """Whole INNs name their input in the singular or unpack tuples themselves."""
    signature = call_signature(layer)
    return signature is not None and "force_tuple_output" in signature.names


CONVENTION = Convention(
    name="freia",
    summary="m((x,), rev=False, jac=True) -> (y,), ldj: FrEIA modules and INNs",
    recognise=_recognise,
)

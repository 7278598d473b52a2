"""FrEIA modules: tuples of tensors in and out, `m((x,), rev=False, jac=True)`.

The log-det may be a tensor, a float, a NumPy number or None. A whole INN in FrEIA takes
and returns a bare tensor and is then a pair with `rev`. Of several conditions, each goes by
its place, as `c0`, `c1`.
"""

import re
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from ldjcheck.calling.convention import Convention
from ldjcheck.calling.signature import call_signature
from ldjcheck.object_graph import looked_up
from ldjcheck.records import CallFunction, Calls, Kwargs, Returned, Shape, Way

_PLACE = re.compile(r"c\d+")  # one condition of several


def _recognise(layer: Any) -> Iterator[Calls]:
    signature = call_signature(layer)
    if signature is None or not {"rev", "jac"} <= set(signature.names):
        return
    conditions = _conditions(layer)
    several = tuple((f"c{i}", shape) for i, shape in enumerate(conditions))
    several = several if len(several) > 1 else ()
    alone = ("c",) if "c" in signature.names else ()
    yield Calls(
        convention=CONVENTION.name,
        signature="m((x,), rev=False, jac=True) -> (y,), ldj",
        forward=Way(call=_call(rev=False)),
        inverse=Way(call=_call(rev=True)),
        one_number=True,
        extra_names=tuple(name for name, _ in several) or alone,
        context_shapes=several,
        inferred=CONVENTION.says("it takes rev and jac"),
    )


def _conditions(layer: Any) -> list[Shape]:
    """Return the shapes of the conditions that a layer declares, in their order.

    A sequence has them by the places that its layers look them up at.
    """
    places = looked_up(layer, "conditions")
    parts = looked_up(layer, "module_list")
    declared: dict[int, Any] = {}
    try:
        if places is None or parts is None:
            declared = dict(enumerate(looked_up(layer, "dims_c") or ()))
        else:
            for place, part in zip(places, parts, strict=True):
                if place is not None:
                    declared.setdefault(place, part.dims_c[0])
        return [tuple(declared[i]) for i in range(len(declared))]
    except (TypeError, ValueError, LookupError, AttributeError):
        return []  # not declared as FrEIA does


def _call(*, rev: bool) -> CallFunction:
    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        numbered = sorted(name for name in kwargs if _PLACE.fullmatch(name))
        named = {k: v for k, v in kwargs.items() if k not in numbered}
        if numbered:
            named["c"] = tuple(kwargs[f"c{i}"] for i in range(len(numbered)))
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

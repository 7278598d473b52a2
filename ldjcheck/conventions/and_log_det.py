"""Layers with a method for both: `forward_and_log_det(x) -> (y, ldj)`, and its inverse.

The names of distrax and its like: `transform_and_log_det`, `inverse_and_log_det`. Where
they end in `log_det_jacobian` the projects keep the ldj as a column, `(batch, 1)`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ldjcheck.conventions.convention import Convention, method_names, signature_of
from ldjcheck.conventions.ways import method_call
from ldjcheck.records import Calls

if TYPE_CHECKING:
    from collections.abc import Iterator

_LDJ = r"(log_?(abs_?)?det(_?jac(obian)?)?|log_?jac(obian)?|ladj|ldj)s?$"
_THERE = re.compile(r"^(forward|transform|call|apply|encode|bijection)_and_" + _LDJ)
_BACK = re.compile(r"^(inverse|inverse_transform|backward|invert|decode)_and_" + _LDJ)


def _recognise(layer: Any) -> Iterator[Calls]:
    names = method_names(layer)
    there = next(filter(_THERE.match, names), None)
    back = next(filter(_BACK.match, names), None)
    if there is None:
        return
    signature = signature_of(getattr(layer, there))
    if signature is None or not signature.names:
        return
    shown = f"f.{there}(x) -> y, ldj"
    yield Calls(
        convention=CONVENTION.name,
        signature=shown if back is None else f"{shown}; way back: .{back}()",
        forward=method_call(there),
        inverse=None if back is None else method_call(back),
        column=there.endswith("jacobian"),
        context_names=signature.contexts(),
        extra_names=signature.extras(),
        inferred=(("convention", f"{CONVENTION.name}: it has {there}()"),),
    )


CONVENTION = Convention(
    name="and-log-det",
    summary="f.forward_and_log_det(x) -> y, ldj; f.inverse_and_log_det(y) -> x, ldj",
    recognise=_recognise,
)

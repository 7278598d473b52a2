"""Layers with a method for both: `forward_and_log_det(x) -> (y, ldj)`, and its inverse.

The names of distrax and its like: `transform_and_log_det`, `inverse_and_log_det`. Where
they end in `log_det_jacobian` the projects keep the ldj as a column, `(batch, 1)`.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ldjcheck.calling.convention import Convention, by_methods
from ldjcheck.calling.signature import method_names
from ldjcheck.records import Calls

_LDJ = r"(log_?(abs_?)?det(_?jac(obian)?)?|log_?jac(obian)?|ladj|ldj)s?$"
_THERE = re.compile(r"^(forward|transform|call|apply|encode|bijection)_and_" + _LDJ)
_BACK = re.compile(r"^(inverse|inverse_transform|backward|invert|decode)_and_" + _LDJ)


def _recognise(layer: Any) -> Iterator[Calls]:
    names = method_names(layer)
    there = next(filter(_THERE.match, names), None)
    back = next(filter(_BACK.match, names), None)
    if there is None:
        return
    calls = by_methods(CONVENTION.name, layer, there, back)
    if calls is not None:
        yield replace(calls, column=there.endswith("jacobian"))


CONVENTION = Convention(
    name="and-log-det",
    summary="f.forward_and_log_det(x) -> y, ldj; f.inverse_and_log_det(y) -> x, ldj",
    recognise=_recognise,
)

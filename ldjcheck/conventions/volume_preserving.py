"""Layers that return y alone, or y and None, because they keep volume: additive couplings.

They have no ldj to report: it is 0. Whether that is so for all parameters decides a trial
with parameters that were moved; whoever stretches says nothing of its ldj, and follows
another convention.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor

from ldjcheck.calling.convention import Convention
from ldjcheck.calling.parameter_names import is_total
from ldjcheck.calling.signature import method_names
from ldjcheck.calling.stated_returns import volume_kept
from ldjcheck.records import Calls, Returned


def _recognise(layer: Any) -> Iterator[Calls]:
    found = volume_kept(
        layer, CONVENTION.name, _read, where="volume is kept", because="it keeps volume"
    )
    if found is None:
        return
    signature, calls = found
    if any(map(is_total, (*method_names(layer), *signature.required))):
        return  # it says its ldj elsewhere, or that it has none
    yield replace(calls, one_number=True, extra_names=signature.extras())


def _read(x: Any, y: Any) -> Returned:
    if isinstance(y, tuple) and len(y) == 2 and y[1] is None:
        y = y[0]
    said = 0.0 if isinstance(y, Tensor) else None
    return Returned(y=y, ldj=said, bare=said is None)


CONVENTION = Convention(
    name="volume-preserving",
    summary="f(x, reverse=False) -> y alone: it keeps volume, and its ldj is 0",
    recognise=_recognise,
)

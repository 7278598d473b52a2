"""How a layer is called when only its map counts: whatever it says of its ldj, if at all."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.distributions.transforms import Transform

from ldjcheck.calling.convention import answer_of
from ldjcheck.calling.signature import WayFlag, call_signature, inverse_method
from ldjcheck.conventions import recognise_conventions
from ldjcheck.errors import CannotCheckError
from ldjcheck.records import Calls, Layer, Options
from ldjcheck.settling.subject import Subject, settle_layer


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSubject:
    """How a map is called, and by which convention the derived ldj is to be handed back.

    `is_silent` says that the layer has no ldj so far.
    """

    subject: Subject
    promised: Calls
    is_silent: bool


def settle_map(layer: Layer, options: Options) -> MapSubject:
    """Return how the layer's map is called, at which sizes, and what its ldj would be.

    Raises:
        CannotCheckError: no way of calling it works.
    """
    try:
        subject = settle_layer(layer, options)
        return MapSubject(
            subject=subject, promised=subject.bench.calls, is_silent=False
        )
    except CannotCheckError:
        if options.adapter is not None or options.convention != "auto":
            raise
        found = _promised(layer.obj)
        if found is None:
            raise
        subject = settle_layer(layer, replace(options, adapter=Bare()))
        subject.inferred["convention"] = (
            "it returns y alone, and is to return the ldj too"
        )
        return MapSubject(subject=subject, promised=found, is_silent=True)


def _promised(layer: Any) -> Calls | None:
    """Return how a layer is called that returns y alone so far, once it returns a pair."""
    name = "transform" if isinstance(layer, Transform) else "pair"
    return next(iter(recognise_conventions(layer, name)), None)


class Bare:
    """Calls a layer that returns y alone, and says zero for its ldj."""

    def forward(self, layer: Any, x: Tensor, **kwargs: Any) -> tuple[Any, Tensor]:
        """Return y, and a zero for each sample."""
        if isinstance(layer, Transform):
            return layer(x), torch.zeros(len(x))
        flag = _flag(layer)
        y = answer_of(layer, None, x, flag.forward if flag else {}, kwargs)
        return y, torch.zeros(len(x))

    def inverse(self, layer: Any, y: Tensor, **kwargs: Any) -> tuple[Any, Tensor]:
        """Return x, and a zero for each sample.

        Raises:
            NotImplementedError: there is no way back.
        """
        if isinstance(layer, Transform):
            return layer.inv(y), torch.zeros(len(y))
        flag, method = _flag(layer), inverse_method(layer)
        if flag is None and method is None:
            raise NotImplementedError("there is no way back")
        way, fixed = (method, {}) if flag is None else (None, flag.inverse)
        return answer_of(layer, way, y, fixed, kwargs), torch.zeros(len(y))


def _flag(layer: Any) -> WayFlag | None:
    signature = call_signature(layer)
    return None if signature is None else signature.way_flag()

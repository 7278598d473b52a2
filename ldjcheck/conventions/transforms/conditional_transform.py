"""Conditional transforms in pyro's style: `layer.condition(context)` is a Transform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor
from torch.distributions.transforms import Transform

from ldjcheck.calling.convention import Convention
from ldjcheck.calling.signature import method_names, signature_of
from ldjcheck.conventions.transforms.transform import run_transform
from ldjcheck.holdings import held_transform
from ldjcheck.records import CallFunction, Calls, Returned, Way


def _recognise(layer: Any) -> Iterator[Calls]:
    if isinstance(layer, Transform) or "condition" not in method_names(layer):
        return
    signature = signature_of(layer.condition)
    if signature is None or len(signature.required) != 1:
        return
    (context,) = signature.required
    yield Calls(
        convention=CONVENTION.name,
        signature=f"t = f.condition({context}); t(x); t.log_abs_det_jacobian(x, y)",
        forward=Way(call=_call(context, back=False)),
        inverse=Way(call=_call(context, back=True)),
        context_names=(context,),
        inferred=(
            (
                "convention",
                f"{CONVENTION.name}: condition({context}) gives a transform",
            ),
        ),
    )


def _call(context: str, *, back: bool) -> CallFunction:
    def call(
        layer: Any, x: Tensor, start: Tensor | None, kwargs: Mapping[str, Any]
    ) -> Returned:
        others = {name: value for name, value in kwargs.items() if name != context}
        given = [kwargs[context]] if context in kwargs else []
        built = layer.condition(*given, **others)
        if not isinstance(built, Transform):  # a distribution, given the context
            built = held_transform(built)
        return run_transform(built, x, back=back)

    return call


CONVENTION = Convention(
    name="conditional-transform",
    summary="f.condition(context) -> torch.distributions.Transform, as in pyro",
    recognise=_recognise,
)

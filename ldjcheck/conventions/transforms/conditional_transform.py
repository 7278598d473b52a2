"""Conditional transforms in pyro's style: `layer.condition(context)` is a Transform."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from torch.distributions.transforms import Transform

from ldjcheck.calling.convention import Convention
from ldjcheck.calling.signature import method_names, signature_of
from ldjcheck.conventions.transforms.transform import transform_call
from ldjcheck.object_graph import held_transform
from ldjcheck.records import Calls, Way


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
        forward=Way(call=transform_call(partial(_built, context))),
        inverse=Way(call=transform_call(partial(_built, context), back=True)),
        context_names=(context,),
        inferred=CONVENTION.says(f"condition({context}) gives a transform"),
    )


def _built(context: str, layer: Any, /, **contexts: Any) -> Any:
    given = [contexts.pop(context)] if context in contexts else []
    built = layer.condition(*given, **contexts)
    # it may be a distribution, given the context
    return built if isinstance(built, Transform) else held_transform(built)


CONVENTION = Convention(
    name="conditional-transform",
    summary="f.condition(context) -> torch.distributions.Transform, as in pyro",
    recognise=_recognise,
)

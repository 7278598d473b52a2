"""Layers that have a method for each way: `encode(x)`, `decode(z)`.

Both return a pair, as a call would. What they are called is all that tells them, so a layer
whose call may return a pair is left to other conventions. A model's call returns its loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ldjcheck.calling.convention import Convention
from ldjcheck.calling.results import returns_one_thing
from ldjcheck.calling.signature import call_signature, caller, method_names
from ldjcheck.calling.ways import by_methods

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Calls

_METHODS = {
    "encode": ("decode",),
    "transform": ("inverse_transform", "inverse", "untransform", "invert"),
    "forward_transform": ("inverse_transform", "backward_transform"),
    "forward_pass": ("inverse_pass", "reverse_pass", "backward_pass"),
    "fwd": ("bwd", "inv", "rev"),
    "f": ("g", "f_inv", "finv", "inv", "inverse", "f_inverse", "inverse_f"),
    "flow": ("inverse_flow", "reverse_flow", "unflow"),
    "apply": ("invert", "inverse", "apply_inverse"),
    "infer": ("generate",),
    "inference": ("generation",),
    "normalize": ("denormalize", "unnormalize"),
    "to_latent": ("from_latent", "to_data"),
    "to_base": ("from_base", "to_data"),
    "to_z": ("to_x", "from_z"),
    "x_to_z": ("z_to_x",),
}
"""Method names, met in the wild, of the way there, and of the ways back that go with it."""


def _recognise(layer: Any) -> Iterator[Calls]:
    signature = call_signature(layer)
    if isinstance(layer, type):
        return
    if (
        signature is not None
        and signature.names
        and not returns_one_thing(caller(layer))
    ):
        return
    own = method_names(layer)
    for there, ways_back in _METHODS.items():
        if there not in own:
            continue
        back = next((name for name in ways_back if name in own), None)
        calls = by_methods(CONVENTION.name, layer, there, back)
        if calls is not None:
            yield calls


CONVENTION = Convention(
    name="two-methods",
    summary="f.encode(x) -> z, ldj; f.decode(z) -> x, ldj: where a call gives no ldj",
    recognise=_recognise,
)

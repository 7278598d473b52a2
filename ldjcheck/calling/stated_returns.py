"""What a call's source says that it returns: y alone, as its ldj is 0, or a sample."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from ldjcheck.calling.convention import answer_of, only_call
from ldjcheck.calling.parameter_names import SAMPLERS, is_density, is_total, unit_of
from ldjcheck.calling.results import (
    asks_base,
    made_of_densities,
    returned_alone,
    returned_by_key,
    returned_expressions,
    returned_names,
)
from ldjcheck.calling.signature import (
    Signature,
    call_signature,
    inverse_method,
    method_names,
)
from ldjcheck.object_graph import looked_up, owner_of
from ldjcheck.records import CallFunction, Calls, Kwargs, Returned, Way

Says = Callable[[Any, Any], Returned]
"""From an input, and all that came back, to what a call says of its ldj."""


def volume_kept(
    layer: Any, convention: str, says: Says, *, where: str, because: str
) -> tuple[Signature, Calls] | None:
    """Return a call that returns y alone, and its signature; None without a way back.

    What has no way back may be anything. `where` completes the signature that is shown,
    `because` the sentence that says why this convention was chosen.
    """
    signature = call_signature(layer)
    if signature is None or not signature.names:
        return None
    flag = signature.way_flag()
    method = inverse_method(layer)
    if flag is None and method is None:
        return None
    there = flag.forward if flag else {}
    return signature, Calls(
        convention=convention,
        signature=signature.show(f"y, where {where}"),
        forward=Way(call=_call(None, there, says), asks=only_call(there)),
        inverse=Way(
            call=_call(None if flag else method, flag.inverse if flag else {}, says)
        ),
        keeps_volume=True,
        context_names=signature.contexts(),
        inferred=(("convention", f"{convention}: {because}, and reports no ldj"),),
    )


def _call(way: str | None, fixed: Mapping[str, Any], says: Says) -> CallFunction:
    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        return says(x, answer_of(layer, way, x, fixed, kwargs))

    return call


# --- samples --------------------------------------------------------------------------

Key = int | str

_OF_Q = re.compile(r"^(sum_|total_)?log_?q", re.IGNORECASE)
_NO_DENSITY = re.compile(
    r"neg|nll|entropy|kl|elbo|loss|cost|bpd|energy|reward|value|ratio|^p(rob|df|_|$)",
    re.IGNORECASE,
)
_SAMPLE = re.compile(
    r"^(z|x|y|samples?|latents?|theta|actions?)(s?$|_?[0-9kts]+$)", re.IGNORECASE
)
_DRAWN = {"randn", "randn_like", "rsample", "sample", "normal", "normal_"}
_PAIR = 2
_KEEPS = {"sum", "squeeze", "view", "reshape", "flatten", "unsqueeze", "squeeze_"}
"""Methods that leave a density one, or sum it up."""


class Places(NamedTuple):
    """Where, in what a call returns, its number for each sample stands, and the sample.

    Each is an index, or a key where things are returned by their names. `samples` are those
    of what may be the sample, the most likely first. The number is so many `times` a
    log-density: once, or -1 times of what is called an nll; 0 times where it is the ldj of
    the noise to the sample.
    """

    number: Key
    samples: tuple[Key, ...]
    times: int


def places_of_sample(
    function: Callable[..., Any], layer: Any, *, counts: bool
) -> Places | None:
    """Return where sample and number are; None where they are not told by their names.

    Beside the sample may stand what it was decoded to, or its moments. What is asked for a
    count of samples, and for nothing else, returns a number beside them, whatever its name.
    """
    function = _called_through(function, layer)
    parts: dict[Key, tuple[str, ast.expr]] = {
        key: (key, part) for key, part in returned_by_key(function).items()
    }
    if not parts:
        names, written = returned_names(function), returned_expressions(function)
        parts = dict(enumerate(zip(names, written, strict=True)))
    made = made_of_densities(function)
    found = [key for key, named in parts.items() if _is_density(*named, made)]
    times = 1
    if not found:
        found = [key for key, (name, _) in parts.items() if unit_of(name) == "-nats"]
        times = -1
    if not found and counts:
        totals = [key for key, (name, _) in parts.items() if is_total(name)]
        last = [*parts][-1:] if len(parts) == _PAIR else []
        others = [key for key in last if not _NO_DENSITY.search(parts[key][0])]
        found, times = totals or others, 0 if totals else 1
    if len(found) > 1:  # beside log q of a draw may stand its log-density elsewhere
        found = [key for key in found if _OF_Q.match(parts[key][0])]
    if len(found) != 1:
        return None
    rest = [key for key in parts if key not in found]
    likely = [key for key in rest if _SAMPLE.match(parts[key][0])]
    others = [key for key in rest if key not in likely]
    # a flow starts at z0, wherever that is returned
    ends = likely[::-1]
    ends.sort(key=lambda key: parts[key][0].endswith("0"))
    return Places(found[0], (*ends, *others), times)


def item_of(results: Any, key: Key) -> Any:
    """Return what stands at a place of what a call returned."""
    if isinstance(key, int) or isinstance(results, Mapping):
        return results[key]
    return getattr(results, key)


def samplers(layer: Any) -> Iterator[str]:
    """Yield the methods of a layer, or of a class, that return samples with their density.

    Those of usual names first, then others that draw.
    """
    kind = layer if isinstance(layer, type) else type(layer)
    for name in dict.fromkeys((*SAMPLERS, *method_names(kind))):
        method = looked_up(layer, name)
        if not inspect.isroutine(method) or name == "forward":
            continue
        named = getattr(getattr(method, "__code__", None), "co_names", ())
        may_draw = name in SAMPLERS or not _DRAWN.isdisjoint(named)
        if may_draw and places_of_sample(method, layer, counts=False):
            yield name


def _is_density(name: str, part: ast.expr, made: set[str]) -> bool:
    if isinstance(part, ast.UnaryOp) or _NO_DENSITY.search(name):
        return False  # -log q is an ldj of learned noise
    if is_density(name) or bool(_OF_Q.match(name)) or unit_of(name) == "nats":
        return True
    part = _bare(part)
    while isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add | ast.Sub):
        part = _bare(part.left)  # a sum that starts from a density: log_q0 - ldj
    if isinstance(part, ast.Name):
        told = part.id in made or is_density(part.id) or bool(_OF_Q.match(part.id))
        return told and not _NO_DENSITY.search(part.id)
    called = getattr(part, "func", None)  # a method, as `self._logp`
    return is_density(getattr(called, "attr", "")) or asks_base(part)


def _bare(part: ast.expr) -> ast.expr:
    """Return what is summed, or given another shape: `lp` of `lp.sum(-1)[:, None]`."""
    while True:
        called = part.func if isinstance(part, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in _KEEPS:
            part = called.value
        elif isinstance(part, ast.Subscript) and "None" in ast.unparse(part.slice):
            part = part.value
        else:
            return part


def _called_through(function: Callable[..., Any], layer: Any) -> Callable[..., Any]:
    """Return the method whose answer a call hands on, as in `return self.sample(n)`."""
    returned = returned_alone(function)
    called = returned[0] if len(returned) == 1 else None
    inner = called.func if isinstance(called, ast.Call) else None
    if not isinstance(inner, ast.Attribute):
        return function
    owner = owner_of(layer)
    if isinstance(inner.value, ast.Name):
        method = looked_up(owner, inner.attr)
    elif ast.unparse(inner.value) == "super()":
        bases = (vars(kind).get(inner.attr) for kind in type(owner).__mro__[1:])
        method = next(filter(callable, bases), None)
    else:
        return function
    return method if callable(method) else function

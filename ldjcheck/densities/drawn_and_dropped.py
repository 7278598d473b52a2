"""What enters or leaves a model on its way: what it draws, and what it cuts off."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ldjcheck.densities.written import Memory
from ldjcheck.records import Location
from ldjcheck.tape import ancestors, dependents, location_of
from ldjcheck.tape.frames import is_given_a_number
from ldjcheck.tape.recorder import Recorder
from ldjcheck.torch_ops import RANDOM, SHAPES, SPLIT
from ldjcheck.tracing import Args, Named, Operation, Operations

_HALF_LOG_2PI = math.log(2 * math.pi) / 2


class Draw(NamedTuple):
    """One random tensor, and the log-density of its entries, of the same shape, in nats.

    None where that is not known: of whole numbers, and of a gamma law. So are the `moments`
    of its entries, which are drawn apart: their mean and variance. What is `tempered` may
    be scaled by a number that a caller gives.
    """

    value: Tensor
    log_density: Tensor | None
    moments: tuple[Tensor, Tensor] | None
    tempered: bool


class Draws(Operations):
    """Hears what is drawn; normal, uniform and exponential densities are known."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Draw] = []

    def operate(self, name: str, func: Operation, args: Args, named: Named) -> Any:
        """Return what is drawn, and note it."""
        drawn = func(*args, **named)
        if name in RANDOM and isinstance(drawn, Tensor):
            density = None
            with torch._C.DisableTorchFunction():  # no part of what the layer does
                if drawn.is_floating_point():
                    density = _log_density(name, args, named, drawn.double())
                moments = _moments(name, args, named, drawn.double())
            known = None if density is None else density.expand(drawn.shape)
            self.heard.append(Draw(drawn, known, moments, is_given_a_number()))
        return drawn


def _log_density(
    name: str, args: tuple[Any, ...], named: Mapping[str, Any], drawn: Tensor
) -> Tensor | None:
    """Return the log-density of each entry that an operation of torch has drawn."""
    in_place = name.endswith("_")
    given = args[1:] if in_place else args

    def parameter(place: int, key: str, default: float) -> Any:
        return given[place] if len(given) > place else named.get(key, default)

    if name in ("randn", "randn_like"):
        return _normal(drawn, 0.0, 1.0)
    if name in ("normal", "normal_"):
        return _normal(drawn, parameter(0, "mean", 0.0), parameter(1, "std", 1.0))
    if name in ("rand", "rand_like"):
        return torch.zeros_like(drawn)
    if name == "uniform_":
        low, high = parameter(0, "from", 0.0), parameter(1, "to", 1.0)
        return torch.full_like(drawn, -math.log(high - low))
    if name == "exponential_":
        rate = parameter(0, "lambd", 1.0)
        of_rate: Tensor = math.log(rate) - rate * drawn
        return of_rate
    return None


def _moments(
    name: str, args: tuple[Any, ...], named: Mapping[str, Any], drawn: Tensor
) -> tuple[Tensor, Tensor] | None:
    """Return mean and variance of each entry that an operation of torch has drawn."""
    if name in ("randn", "randn_like"):
        mean, variance = 0.0, 1.0
    elif name in ("rand", "rand_like"):
        mean, variance = 0.5, 1 / 12
    elif name in ("randint", "randint_like"):
        given = [a for a in args if isinstance(a, int)]
        if not 0 < len(given) < 3 or named.keys() & {"low", "high"}:
            return None
        low, high = given if len(given) == 2 else (0, given[0])
        mean, variance = (low + high - 1) / 2, ((high - low) ** 2 - 1) / 12
    elif name == "bernoulli" and args and not isinstance(args[-1], float):
        share: Tensor = args[0].double()
        return share.expand(drawn.shape), (share * (1 - share)).expand(drawn.shape)
    else:
        return None
    return torch.full_like(drawn, mean), torch.full_like(drawn, variance)


def _normal(drawn: Tensor, mean: Any, deviation: Any) -> Tensor:
    scale = torch.as_tensor(deviation, dtype=drawn.dtype)
    off: Tensor = (drawn - mean) / scale
    return -(off**2) / 2 - scale.log() - _HALF_LOG_2PI


# --- what is cut off ------------------------------------------------------------------

_CUTS = frozenset({"__getitem__", "narrow", "select", "index_select"})


class LeftBehind(NamedTuple):
    """What is cut off, and where that is written, of what leaves last."""

    parts: list[Tensor]
    place: Location | None


def left_behind(
    heard: Recorder, x: Tensor, parts: Sequence[Tensor], lacking: int, memory: Memory
) -> LeftBehind | None:
    """Return what a model cuts off on its way to z and then forgets, if it is all it lacks.

    None where it is copied from x as it came, which may be a condition; or where all of it
    lies between 0 and 1: a uniform density is 1 there, and its log adds nothing.
    """
    source = heard.find(x)
    ends = [node for part in parts if (node := heard.find(part)) is not None]
    if source is None or not ends:
        return None
    of_z = ancestors(*ends)
    used = {parent for node in heard.nodes for parent in node.parents}
    depending = dependents(heard.nodes, source)
    live = heard.living()
    found: list[Tensor] = []
    place: Location | None = None
    for node in heard.nodes:
        is_cut = node.name in SPLIT or node.name in _CUTS
        if not is_cut or node in used or node not in depending or node not in live:
            continue
        value = node.value
        is_of_batch = value.dim() > 0 and len(value) == len(x)
        if not is_of_batch or not any(parent in of_z for parent in node.parents):
            continue
        made = (ancestors(node) & depending) - {source}
        if all(each.name in SHAPES or each.name in SPLIT for each in made):
            return None
        memory.is_unbounded |= bool(((value < 0) | (value > 1)).any())
        found.append(live[node])
        place = location_of(node.place)
    whole = sum(each[0].numel() for each in found) == lacking
    return LeftBehind(found, place) if whole and memory.is_unbounded else None

"""What a model cuts off on its way to z, and gives no density."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from ldjcheck.records import Location
from ldjcheck.tape import ancestors, dependents, location_of
from ldjcheck.tape.recorder import Recorder
from ldjcheck.torch_ops import SHAPES, SPLIT

if TYPE_CHECKING:
    from ldjcheck.densities.written import Memory

_CUTS = frozenset({"__getitem__", "narrow", "select", "index_select"})


class LeftBehind(NamedTuple):
    """What is cut off, and where that is written, of what leaves last."""

    parts: list[Tensor]
    place: Location | None


def left_behind(
    heard: Recorder,
    x: Tensor,
    parts: Sequence[Tensor],
    lacking: int,
    memory: Memory,
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

"""Where the samples of a batch meet: the statement at which companions first matter."""

from __future__ import annotations

import torch

from ldjcheck.numerics.closeness import same
from ldjcheck.records import Location, Side
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.manner import Manner
from ldjcheck.running.runner import Runner
from ldjcheck.tape import Node, location_of
from ldjcheck.tape.recorder import Recorder


def where_samples_meet(runner: Runner, side: Side) -> Location | None:
    """Return the statement that makes a sample depend on its companions.

    Two recordings differ in the companions alone. The first value of the kept sample that
    moves shows that they have met; what it was computed from, where.
    """
    x, batch = side.x, len(side.x)
    try:
        here = _recorded(runner, side, x)
        there = _recorded(runner, side, torch.cat([x[:1], x[:-1]]))
    except FailedCallError:
        return None
    if [n.name for n in here] != [n.name for n in there]:
        return None
    moved = {
        a for a, b in zip(here, there, strict=True) if _moves(a, b, batch) is not False
    }
    for node, other in zip(here, there, strict=True):
        if node.function is not None and _moves(node, other, batch):
            return location_of(_reduction(node, moved, batch).place)
    return None


def _recorded(runner: Runner, side: Side, x: torch.Tensor) -> list[Node]:
    recorder = Recorder()
    runner.run(side.direction, x, Frozen(), Manner(recorder=recorder))
    recorder.forget()
    return recorder.nodes


def _moves(a: Node, b: Node, batch: int) -> bool | None:
    """Return whether the kept sample's rows differ; None: a value of all samples does."""
    if a.value.shape != b.value.shape:
        return False
    p, q = a.value.detach().double(), b.value.detach().double()
    if a.value.dim() and len(a.value) % batch == 0 and len(a.value):
        rows = len(a.value) // batch
        return not same(p[:rows], q[:rows])
    return False if same(p, q) else None


def _reduction(node: Node, moved: set[Node], batch: int) -> Node:
    """Return where all samples were made one, among what a value was computed from."""
    while True:
        parents = [p for p in node.parents if p in moved and p.function is not None]
        common = [p for p in parents if not _has_rows(p, batch)]
        if not common:
            return node
        node = common[0]


def _has_rows(node: Node, batch: int) -> bool:
    return bool(node.value.dim()) and len(node.value) % batch == 0

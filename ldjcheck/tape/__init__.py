"""A tape: what a layer computed, operation by operation, and how to run it again."""

from ldjcheck.tape.frames import (
    file_of,
    has_line,
    is_in_code,
    location_of,
    returned_at,
    shown_file,
    stands_in,
)
from ldjcheck.tape.node import (
    Node,
    Place,
    ancestors,
    in_order,
    is_differentiable,
    users_among,
)
from ldjcheck.tape.replay import Edge, dependents, descendants, evaluate, rerun
from ldjcheck.tape.trace import Call, FlowParts, Part, Step, Trace

__all__ = [
    "Call", "Edge", "FlowParts", "Node", "Part", "Place", "Step", "Trace",
    "ancestors", "dependents", "descendants", "evaluate", "file_of", "has_line",
    "in_order", "is_differentiable", "is_in_code", "location_of", "rerun",
    "returned_at", "shown_file", "stands_in", "users_among",
]  # fmt: skip

"""How one call of a layer is run, beside its input: what is seen through, what looks on."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ldjcheck.running.observers.side_effects import Cuts, Watch
from ldjcheck.tape.recorder import Recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How one call is run. As it is built, nothing is seen through and nothing looks on.

    Args:
        see_detach: make `detach`, `.data` and `no_grad` transparent to derivatives.
        see_rounding: make rounding add a constant, so that its derivative is one.
        patience: the number of operations after which a call counts as endless.
        recorder: writes the operations down.
        cuts: notes where gradients are cut, and may pass them on there.
        writes: notes what is written into what the call was given.
        rounding: draws by how much each result is off, as it would be in float32.
    """

    see_detach: bool = False
    see_rounding: bool = False
    patience: float = float("inf")
    recorder: Recorder | None = None
    cuts: Cuts | None = None
    writes: Watch | None = None
    rounding: torch.Generator | None = None

    def begin(self, given: Tensor, total: Tensor | None) -> None:
        """Tell what looks on which tensors the call is about to be given."""
        if self.recorder is not None:
            self.recorder.source(given, "input")
            if total is not None:
                self.recorder.source(total, "incoming")
        if self.writes is not None:
            self.writes.begin(input=given, incoming=total)

    @property
    def onlooker(self) -> AbstractContextManager[object]:
        """What looks on outside of the guard, if anything does."""
        return self.recorder or self.cuts or contextlib.nullcontext()

    @property
    def needs_gradients(self) -> bool:
        """Whether what looks on has nothing to see in a call without gradients."""
        return self.recorder is not None or self.cuts is not None

    @property
    def without_gradients(self) -> Manner:
        """The same for a call in which autograd takes no part."""
        return replace(self, see_detach=False, recorder=None, cuts=None)


PLAIN = Manner()

"""What a model says of each sample, where it says the mean over the batch.

That is what is minimised, and no mistake. On the tape of the call stands what the mean is
taken of, and what is done with it afterwards: done with each sample's own number, it is
what the model would have said of that sample, from the very same draws of noise.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ldjcheck.tape import Node, ancestors, dependents, evaluate, in_order
from ldjcheck.tape.recorder import Recorder

_SAME = 1e-9  # relative


def before_the_mean(heard: Recorder, said: Tensor, batch: int) -> Tensor | None:
    """Return what is said of each sample, `(batch,)`; None where no mean is taken of it.

    The operations after the mean are run again, and recorded where the tape is running.
    """
    end = heard.find(said)
    if end is None:
        return None
    order = in_order(ancestors(end))
    live = heard.living()
    values: dict[Node, Tensor] = {}
    for node in order:
        inner = node.args[0] if node.name == "mean" and node.args else None
        if not isinstance(inner, Node) or inner not in live:
            continue
        if inner.value.shape == (batch,) and node.value.numel() == 1:
            values[node] = live[inner]
    after: set[Node] = set()
    for mean in values:
        after |= dependents(order, mean) - {mean}
    for node in in_order(after):
        values[node] = evaluate(node, lambda n: values.get(n, live.get(n, n.value)))
    found = values.get(end)
    if found is None or found.shape != (batch,):
        return None
    average, whole = found.detach().mean(), said.detach().reshape(())
    same = torch.isclose(average, whole, rtol=_SAME, atol=_SAME)
    return found if bool(same) else None

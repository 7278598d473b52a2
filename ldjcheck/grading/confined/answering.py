"""In the confined process: a layer that is called when it is asked, and nothing judged.

What goes out are numbers. Whether they belong together is worked out by whoever asked, in
a process that no submission can reach.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ldjcheck.calling.domains import describe, draw
from ldjcheck.errors import CannotCheckError
from ldjcheck.grading.confined import Channel
from ldjcheck.options.keywords import asked
from ldjcheck.records import Layer, Options
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import LayerRaisedError, UnexpectedReturnError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner
from ldjcheck.running.snapshot.isolation import undisturbed
from ldjcheck.settling.subject import Subject, settle_layer
from ldjcheck.targets import load_layer, load_source, parse_target
from ldjcheck.targets.expression import evaluate

_SCALE = 0.3


def answer(channel: Channel, arguments: Mapping[str, Any]) -> None:
    """Load a layer, say how it is called, and answer questions until there are no more."""
    try:
        with undisturbed():
            layer, options = loaded(arguments)
            answering = _Answering(settle_layer(layer, options))
            channel.send(answering.about())
    except CannotCheckError as error:
        channel.send({"fault": fault_of(error)})
        return
    while (question := channel.receive()) is not None:
        channel.send(answering.reply(question))


def loaded(arguments: Mapping[str, Any]) -> tuple[Layer, Options]:
    """Return the layer of a `target`, and the options of its `keywords`.

    Raises:
        CannotCheckError: it cannot be loaded or built.
    """
    torch.manual_seed(arguments["seed"])
    target = parse_target(arguments["target"])
    keywords = dict(arguments["keywords"])
    typed = keywords.pop("kwarg", {})
    source = load_source(target, list(typed.values()))
    layer = load_layer(target, source)
    kwarg = {name: evaluate(expr, source) for name, expr in typed.items()}
    return layer, asked({**keywords, "kwarg": kwarg, "seed": arguments["seed"]})


def fault_of(error: CannotCheckError) -> dict[str, Any]:
    """Return why a layer cannot be checked, as it is sent."""
    return {
        "code": error.code,
        "message": error.message,
        "evidence": list(error.evidence)[:40],
    }


class _Answering:
    """One layer as it was settled, and the copy of it that is called at present."""

    def __init__(self, subject: Subject) -> None:
        self._bench = subject.bench
        self._frozen: dict[str, Frozen] = {}
        self._runner: Runner  # from the first set up on

    def about(self) -> dict[str, Any]:
        """Return how the layer is called, and at what size."""
        calls = self._bench.calls
        ways = {"forward": calls.forward, "inverse": calls.inverse}
        return {
            "shape": list(self._bench.shape),
            "domain": describe(self._bench.domain),
            "directions": [name for name, call in ways.items() if call is not None],
            "tracked": calls.inverse is None or calls.inverse.tracked,
            "promoted": self._bench.promote,
        }

    def reply(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one question, or what the layer raised."""
        try:
            with undisturbed():
                return _QUESTIONS[question["ask"]](self, question)
        except (LayerRaisedError, UnexpectedReturnError) as error:
            return {"raised": str(error)[:2000]}

    def _set_up(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Take a fresh copy with parameters moved by a draw; say which they are."""
        bench, batch = self._bench, question["batch"]
        generator = torch.Generator().manual_seed(question["draw"])
        x = draw(bench.domain, bench.shape, batch, "usual", generator)
        self._frozen.clear()
        self._runner = replace(bench, batch=batch).runner(
            warm_up=x if bench.promote else x.float(),
            draw=question["draw"],
            scale=_SCALE,
            seed=question["draw"],
        )
        return {"state": {n: t.tolist() for n, t in _state(self._runner.layer).items()}}

    def _load(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Give parameters and buffers these values; say what does not fit."""
        own, state = _state(self._runner.layer), question["state"]
        if odd := sorted(own.keys() ^ state.keys()):
            return {"odd": odd}
        given = {n: torch.tensor(state[n], dtype=t.dtype) for n, t in own.items()}
        odd = [n for n, tensor in given.items() if tensor.shape != own[n].shape]
        if not odd:
            with torch.no_grad():
                for name, tensor in own.items():
                    tensor.copy_(given[name])
        return {"odd": odd}

    def _run(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Call the layer; what it draws is the same each time under one `key`."""
        frozen = self._frozen.setdefault(question["key"], Frozen())
        x = torch.tensor(question["x"], dtype=torch.float64)
        x = x if self._bench.promote else x.float()
        if (noise := question.get("noise")) is not None:
            _renew(frozen, torch.tensor(noise, dtype=torch.float64))
        manner = Manner(see_rounding=question.get("through", False))
        outcome = self._runner.run(question["direction"], x, frozen, manner)
        # the first noise that is as large as the input
        drawn = next((each for each in frozen.draws if _fits(each, x)), None)
        return {
            "y": outcome.y.detach().double().tolist(),
            "ldj": None if outcome.reported is None
            else outcome.reported.detach().double().tolist(),
            "form": outcome.form,
            "noise": None if drawn is None else drawn.double().tolist(),
        }  # fmt: skip


_QUESTIONS = {
    "set up": _Answering._set_up,
    "load": _Answering._load,
    "run": _Answering._run,
}


def _state(layer: Any) -> dict[str, Tensor]:
    """Return the parameters and buffers of real numbers by their names."""
    if not isinstance(layer, torch.nn.Module):
        return {}
    every = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
    return {n: t.detach() for n, t in every.items() if t.is_floating_point()}


def _renew(frozen: Frozen, noise: Tensor) -> None:
    for index, drawn in enumerate(frozen.draws):
        if _fits(drawn, noise):
            frozen.draws[index] = noise.reshape(drawn.shape).to(drawn.dtype)
            return


def _fits(drawn: Tensor, x: Tensor) -> bool:
    return drawn.is_floating_point() and drawn.numel() == x.numel()

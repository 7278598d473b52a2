"""Layers that look up their input in a dict, as a batch comes from a loader."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Batch = dict[str, Tensor]


class Scaling(nn.Module):
    """Scales one half by what a net makes of the other, and counts a share of that."""

    def __init__(self, share: float = 1.0) -> None:
        super().__init__()
        self.net = nn.Linear(2, 4)
        self.share = share

    def scaled(self, x: Tensor, context: Tensor | float = 0.0) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        s, t = self.net(a + context).chunk(2, 1)
        return torch.cat([a, b * s.exp() + t], 1), self.share * s.sum(1)

    def unscaled(self, y: Tensor) -> tuple[Tensor, Tensor]:
        a, b = y.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        return torch.cat([a, (b - t) * (-s).exp()], 1), -self.share * s.sum(1)


class Pair(Scaling):
    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self.scaled(batch["x"])

    def inverse(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self.unscaled(batch["y"])


class Plain(Scaling):
    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self.scaled(batch["x"])

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.unscaled(y)


class WrittenInto(Scaling):
    """Hands back the dict that it was given, a context in it."""

    def forward(self, data: Batch) -> Batch:
        image, label = data["image"], data["label"]
        data["image"], data["ldj"] = self.scaled(image, label)
        return data


class Total(Scaling):
    def forward(self, state: Batch, reverse: bool = False) -> Batch:
        total = state.get("logdet")
        y, ldj = (self.unscaled if reverse else self.scaled)(state["x"])
        return {"x": y, "logdet": total + ldj}


class Weight(Scaling):
    """What it adds to is a total, whatever that is called."""

    def forward(self, conf: Batch) -> Batch:
        x, weight = conf["pos"], conf["log_w"]
        y, change = self.scaled(x)
        return {"pos": y, "log_w": weight + change}


LAYERS: tuple[Any, ...] = (Pair, Plain, WrittenInto, Total, Weight)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("layer", LAYERS)
def test_what_a_layer_looks_up_is_put_there(layer: Any) -> None:
    report = ldjcheck.check(layer())
    assert (report.status, report.result.convention) == ("pass", "keys"), report
    back = next(check for check in report.checks if check.direction == "inverse")
    assert (back.status == "pass") is (layer not in (WrittenInto, Weight))


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_and_a_mistake_in_it_is_found(layer: Any) -> None:
    assert ldjcheck.check(layer(0.5)).findings[0].code == "LDJ114"


class TwoHalves(Scaling):
    """Moves both of what it is given: the second is no context."""

    def forward(self, state: Batch) -> Batch:
        x, v = state["x"], state["v"]
        s, t = self.net(x).chunk(2, 1)
        v = v * s.exp() + t
        return {"x": x, "v": v, "ldj": self.share * s.sum(1)}


def test_what_comes_back_as_another_is_no_context() -> None:
    assert ldjcheck.check(TwoHalves()).status == "error"


class HandsItsConditionOn(nn.Module):
    """Encodes to a record with an ldj, and decodes to one without; both hold the condition."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.net, self.sign = nn.Linear(5, 8), sign

    def moved(self, cond: Tensor) -> tuple[Tensor, Tensor]:
        log_s, t = self.net(cond).chunk(2, 1)
        return torch.tanh(log_s), t

    def encode(self, x: Tensor, cond: Tensor) -> dict[str, Tensor]:
        log_s, t = self.moved(cond)
        ldj = self.sign * log_s.sum(1)
        return {"x": x * log_s.exp() + t, "cond": cond, "logdet": ldj}

    def decode(self, z: Tensor, cond: Tensor) -> dict[str, Tensor]:
        log_s, t = self.moved(cond)
        return {"x": (z - t) * torch.exp(-log_s), "cond": cond}


@pytest.mark.parametrize("seed", range(3))
def test_what_goes_on_beside_x_is_no_part_of_the_way_back(seed: int) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(HandsItsConditionOn(), seed=seed)
    assert report.status == "pass", report
    assert "round trip" in str(report)
    wrong = ldjcheck.check(HandsItsConditionOn(-1.0), seed=seed)
    assert wrong.findings[0].code == "LDJ104", wrong


class OfABatch(HandsItsConditionOn):
    """Both ways are methods that take the batch whole."""

    def encode(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:  # type: ignore[override]
        return super().encode(batch["x"], batch["cond"])

    def decode(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:  # type: ignore[override]
        return super().decode(batch["x"], batch["cond"])


@pytest.mark.parametrize("seed", range(3))
def test_methods_too_look_up_their_input(seed: int) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(OfABatch(), shape=(4,), seed=seed)
    assert report.status == "pass", report
    assert "round trip" in str(report)
    wrong = ldjcheck.check(OfABatch(-1.0), shape=(4,), seed=seed)
    assert wrong.findings[0].code == "LDJ104", wrong

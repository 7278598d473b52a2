"""Copies made from a blueprint are those that `deepcopy` makes, or there is no blueprint."""

from __future__ import annotations

import copy
import itertools
import threading
import types
from typing import Any

import numpy as np
import pytest
import torch
from small_layers import Affine, Curve
from torch import Tensor, nn
from torch.distributions.transforms import ExpTransform

import ldjcheck
from ldjcheck.object_graph import tensors
from ldjcheck.running.snapshot.blueprint import Blueprint, NoBlueprintError, Still
from ldjcheck.running.snapshot.isolation import copied


class Rich(nn.Module):
    """A flow that keeps a little of everything that layers keep."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList([Affine(), Curve()])
        self.tied = self.parts[0].log_scale
        self.register_buffer("steps", torch.arange(3))
        self.hidden = [Affine(), {"array": np.ones(2), "number": np.float32(0.5)}]
        self.dtype, self.activation = torch.float64, torch.tanh
        self.generator = np.random.default_rng(0)
        self.kind = type(self)
        self.cache: dict[str, Tensor] = {"result": self.tied * 2.0}
        self.own = self.forward

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for part in self.parts:
            x, ldj = part(x)
            total = total + ldj
        return x, total


def of(layer: Any) -> Any:
    return Blueprint(layer).copy()[0]


class Halves(nn.Module):
    """A flow whose halves are views of one parameter, and of one buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = nn.Parameter(torch.arange(4.0))
        self.register_buffer("all", torch.arange(4.0))
        self.first, self.last = self.all[:2], self.all[2:]
        self.lonely = torch.arange(9.0)[3:5]


def test_what_shares_memory_shares_it_in_a_copy() -> None:
    layer = Halves()
    twin = of(layer)
    with torch.no_grad():
        twin.all += 1.0
        twin.whole += 1.0
    assert twin.first.tolist() == [1.0, 2.0]
    assert twin.last.tolist() == [3.0, 4.0]
    assert twin.lonely.tolist() == [3.0, 4.0]
    assert layer.all.tolist() == layer.whole.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_a_copy_gives_the_same_numbers() -> None:
    layer, x = Rich(), torch.randn(3, 4)
    for there, here in zip(of(layer)(x), layer(x), strict=True):
        assert torch.equal(there, here)


def test_a_copy_holds_what_deepcopy_holds() -> None:
    layer = Rich()
    made, known = of(layer), copy.deepcopy(layer.state_dict())
    assert {n: v.tolist() for n, v in made.state_dict().items()} == {
        n: v.tolist() for n, v in known.items()
    }
    assert made.kind is Rich
    assert made.activation is torch.tanh
    assert made.dtype is torch.float64
    assert made.hidden[1]["number"] == np.float32(0.5)
    assert made.generator.random() == np.random.default_rng(0).random()


def test_nothing_that_a_copy_does_reaches_another() -> None:
    layer = Rich()
    before = layer.tied.tolist()
    blueprint = Blueprint(layer)
    first, second = blueprint.copy()[0], blueprint.copy()[0]
    with torch.no_grad():
        first.tied.add_(1.0)
    first.hidden[1]["array"] += 1.0
    first.cache.clear()
    assert layer.tied.tolist() == second.tied.tolist() == before
    assert second.hidden[1]["array"].tolist() == [1.0, 1.0]
    assert "result" in second.cache


def test_what_is_one_object_stays_one() -> None:
    made = of(Rich())
    assert made.tied is made.parts[0].log_scale
    assert made.own.__self__ is made


def test_tensors_that_share_memory_still_do() -> None:
    layer = nn.Module()
    layer.whole = torch.zeros(4)
    layer.half = layer.whole[:2]
    made = of(layer)
    made.whole += 1.0
    assert made.half.tolist() == [1.0, 1.0]
    assert layer.half.tolist() == [0.0, 0.0]


def test_what_followed_tensors_became_is_told() -> None:
    layer = Rich()
    made, (tied,) = Blueprint(layer).copy([layer.tied])
    assert tied is made.tied
    assert tied is not layer.tied


def test_a_method_that_was_put_in_its_place_stays_there() -> None:
    def doubled(self: Affine, x: Tensor) -> tuple[Tensor, Tensor]:
        return 2.0 * x, x.new_zeros(len(x))

    layer: Any = Affine()
    layer.forward = types.MethodType(doubled, layer)
    made = of(layer)
    assert made(torch.ones(1, 4))[0].tolist() == [[2.0] * 4]
    assert made.forward.__self__ is made


class CopiedItsOwnWay(Affine):
    def __deepcopy__(self, memo: dict[int, Any]) -> CopiedItsOwnWay:
        return CopiedItsOwnWay()


class OfATensorWithMore(Affine):
    def __init__(self) -> None:
        super().__init__()
        self.log_scale.owner = self


class OfAClosure:
    def __init__(self) -> None:
        scale = torch.ones(4, requires_grad=True)
        self.map = lambda x: x * scale


def test_a_layer_with_its_own_way_of_being_copied_has_no_blueprint() -> None:
    with pytest.raises(NoBlueprintError):
        Blueprint(CopiedItsOwnWay())


def test_a_tensor_that_holds_the_layer_leaves_it_to_deepcopy() -> None:
    with pytest.raises(NoBlueprintError):
        Blueprint(OfATensorWithMore())


def test_state_in_a_closure_leaves_it_to_deepcopy() -> None:
    with pytest.raises(NoBlueprintError):
        Blueprint(OfAClosure())


WEIGHT = torch.tensor([0.5, -0.2, 0.1])
SETTINGS = {"log_scale": torch.tensor([0.4, 0.1, -0.3])}


def by_a_default(x: Tensor, w: Tensor = WEIGHT) -> tuple[Tensor, Tensor]:
    return x * w.exp(), w.sum().expand(len(x))


def by_a_keyword(x: Tensor, *, given: Any = SETTINGS) -> tuple[Tensor, Tensor]:
    log_scale = given["log_scale"]
    return x * log_scale.exp(), log_scale.sum().expand(len(x))


@pytest.mark.parametrize("layer", [by_a_default, by_a_keyword])
def test_a_function_is_copied_with_the_tensors_that_it_takes_by_default(
    layer: Any,
) -> None:
    twin = copied(layer)
    own, other = tensors(layer), tensors(twin)
    assert own
    assert not {*map(id, own)} & {*map(id, other)}
    assert ldjcheck.check(layer).status == "pass"
    assert own[0].dtype == torch.float32


def test_a_copy_of_an_inverted_transform_does_not_forget_what_it_inverts() -> None:
    # Whether its own copying does, and a blueprint with it, is up to who patched torch.
    inverted = ExpTransform().inv
    try:
        twin = of(inverted)
    except NoBlueprintError:
        twin = copied(inverted)
    assert twin is not inverted
    assert twin(torch.tensor(1.0)) == 0.0


def test_what_cannot_be_written_down_has_no_blueprint() -> None:
    layer = Affine()
    layer.lines = (line for line in ())
    with pytest.raises(NoBlueprintError):
        Blueprint(layer)


class Counting(Affine):
    """A flow that keeps a count where no attribute shows it."""

    def __init__(self) -> None:
        super().__init__()
        self.count = itertools.count()


CHANGES: dict[str, Any] = {
    "a parameter": lambda rich: rich.tied.data.add_(1.0),
    "a buffer": lambda rich: rich.steps.add_(1),
    "an array": lambda rich: rich.hidden[1]["array"].__setitem__(0, 2.0),
    "a number": lambda rich: rich.hidden[1].update(number=1.0),
    "an attribute": lambda rich: setattr(rich, "seen", True),
    "a mode": lambda rich: rich.eval(),
    "an equal tensor": lambda rich: setattr(rich, "steps", rich.steps.clone()),
    "a generator": lambda rich: rich.generator.random(),
    "a function": lambda rich: setattr(rich, "activation", torch.sigmoid),
    "a type": lambda rich: setattr(rich, "dtype", torch.float32),
    "a cache": lambda rich: rich.cache.update(result=rich.tied * 2.0),
    "what is no state": lambda rich: setattr(rich, "lock", threading.Lock()),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_layer_is_not_what_it_was_once_anything_changes(what: str) -> None:
    rich = Rich()
    still = Still(rich)
    assert still.holds_for(rich)
    rich(torch.randn(3, 4))
    assert still.holds_for(rich)
    CHANGES[what](rich)
    assert not still.holds_for(rich)


def test_a_count_that_no_attribute_shows_is_state() -> None:
    layer = Counting()
    still = Still(layer)
    next(layer.count)
    assert not still.holds_for(layer)


class Once(Affine):
    """A flow that can be written down so many times only."""

    left = 3

    def __getstate__(self) -> dict[str, Any]:
        type(self).left -= 1
        if type(self).left < 0:
            raise RuntimeError("not again")
        return self.__dict__


def test_what_can_not_be_written_down_any_more_is_not_known_to_be_the_same() -> None:
    layer = Once()
    Once.left = 0
    still = Still(layer)
    Once.left = 1
    assert not still.holds_for(layer)

"""A layer as it is, where it is used: the user's own samples, contexts and weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.errors import CannotCheckError
from ldjcheck.records import Layer
from ldjcheck.targets.data import read_inputs, with_weights

if TYPE_CHECKING:
    from pathlib import Path


class BentBeyondFive(nn.Module):
    """Its ldj is that of the middle, and forgets how it bends far out."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = 2 * x + (x - 5).clamp_min(0)
        return y, torch.full((len(x),), x.shape[1] * math.log(2))


class ScaledByContext(nn.Module):
    """Divides by a context that must be above zero."""

    def forward(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        if not bool((context > 0).all()):
            raise ValueError("a width is above zero")
        return x / context, -context.log().sum(dim=1)


class Cubed(nn.Module):
    """Its ldj tells which input, and which context, it was called with."""

    def forward(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        y = x.pow(3) * context.exp()
        return y, (math.log(3) + 2 * x.abs().log() + context).sum(dim=1)


class Affine(nn.Module):
    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(dims))
        self.shift = nn.Parameter(torch.zeros(dims))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = self.log_scale.sum().expand(len(x))
        return x * self.log_scale.exp() + self.shift, ldj


class Flow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Affine(), Affine()])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x, one = self.layers[0](x)
        x, two = self.layers[1](x)
        return x, one + two


def trained() -> Flow:
    flow = Flow()
    with torch.no_grad():
        for number, parameter in enumerate(flow.parameters(), 1):
            parameter.fill_(0.1 * number)
    return flow


@pytest.mark.slow
def test_a_layer_is_asked_where_it_is_used_and_nowhere_else() -> None:
    inside, beyond = torch.rand(40, 3) * 4, 6 + torch.rand(40, 3)
    assert ldjcheck.check(BentBeyondFive(), inputs=inside).status == "pass"
    assert ldjcheck.check(BentBeyondFive(), inputs=beyond).status == "fail"


def test_the_samples_say_the_shape_and_parameters_stay() -> None:
    flow = trained()
    report = ldjcheck.check(flow.layers[0], inputs=torch.randn(20, 3))
    assert report.status == "pass", report
    assert report.checks[0].shape == (3,)
    assert report.checks[0].samples[0].exact == pytest.approx(
        0.3
    )  # 3 dims, log scale 0.1
    assert report.result.inferred["inputs"] == "20 samples, as you gave them"
    assert "20 samples, as you gave them" in str(report)


def test_fewer_samples_than_a_batch_are_taken_again() -> None:
    assert ldjcheck.check(trained(), inputs=torch.randn(2, 3)).status == "pass"


def test_contexts_come_with_their_own_rows() -> None:
    x, context = 1 + torch.rand(50, 3), torch.randn(50, 3)
    report = ldjcheck.check(Cubed(), inputs={"x": x, "context": context})
    assert report.status == "pass", report
    together = Cubed()(x.double(), context.double())[1].tolist()
    for sample in report.checks[0].samples:
        assert any(math.isclose(sample.exact, each) for each in together)


def test_a_context_lives_where_it_is_said_to() -> None:
    def checked(context: Any) -> ldjcheck.Report:
        return ldjcheck.check(ScaledByContext(), shape=3, context={"context": context})

    assert checked("3:positive").status == "pass"
    assert checked(3).status == "error"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (torch.tensor(1.0), "no batch axis"),
        (torch.tensor([[math.nan]]), "holds nan or inf"),
        (torch.ones(2, 2, dtype=torch.complex64), "holds complex numbers"),
        ({"x": torch.ones(2, 1), "c": torch.ones(3, 1)}, "not equally many"),
        ({}, "nothing is in it"),
        ("data.pt", "it is a str"),
    ],
)
def test_what_are_no_samples_is_refused(given: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ldjcheck.check(Affine(), inputs=given)


def test_samples_are_read_from_each_kind_of_file(tmp_path: Path) -> None:
    x = torch.randn(4, 3)
    torch.save(x, tmp_path / "x.pt")
    torch.save({"x": x, "c": 2 * x}, tmp_path / "xc.pt")
    np.save(tmp_path / "x.npy", x.numpy())
    np.savez(tmp_path / "xc.npz", x=x.numpy(), c=2 * x.numpy())
    for name in ("x.pt", "x.npy"):
        assert torch.equal(read_inputs(tmp_path / name).samples[None], x)
    for name in ("xc.pt", "xc.npz"):
        assert torch.equal(read_inputs(tmp_path / name).samples["c"], 2 * x)


@pytest.mark.parametrize(
    "packed",
    [
        lambda state: state,
        lambda state: {"epoch": 3, "state_dict": state},
        lambda state: {"model": {f"module.{k}": v for k, v in state.items()}},
    ],
)
def test_weights_are_found_in_a_checkpoint(packed: object, tmp_path: Path) -> None:
    torch.save(packed(trained().state_dict()), tmp_path / "flow.pt")
    flow = Flow()
    report = ldjcheck.check(flow, shape=3, weights=tmp_path / "flow.pt")
    assert report.status == "pass", report
    assert report.checks[0].samples[0].exact == pytest.approx(0.3 + 0.9)
    assert report.result.inferred["weights"].startswith("4 of 4 tensors from ")
    assert not flow.layers[0].log_scale.detach().any()  # the user's stays as it was


def loaded(target: str, layer: nn.Module, weights: object) -> Layer:
    return with_weights(Layer(target=target, name=target, obj=layer), weights)


def test_a_part_gets_the_weights_of_its_place_in_the_model() -> None:
    state = trained().state_dict()
    part = loaded("flows.py:Flow().layers[1]", Affine(), state)
    assert torch.equal(part.obj.shift, state["layers.1.shift"])
    with pytest.raises(CannotCheckError, match="weights for several layers"):
        loaded("flows.py:Affine", Affine(), state)


def test_what_is_missing_is_said() -> None:
    state = {"log_scale": torch.ones(3)}
    (said,) = (why for what, why in loaded("a:A", Affine(), state).inferred)
    assert said == "1 of 2 tensors from the state dict; not in it: shift"


def test_weights_of_another_layer_are_refused() -> None:
    with pytest.raises(CannotCheckError, match="holds no weights of a:A"):
        loaded("a:A", Affine(5), Affine(3).state_dict())


def test_a_file_that_would_run_code_is_not_loaded(tmp_path: Path) -> None:
    torch.save(trained(), tmp_path / "whole.pt")
    report = ldjcheck.check(Flow(), shape=3, weights=tmp_path / "whole.pt")
    assert report.status == "error"
    assert "would run its code" in report.findings[0].message
    assert "torch.save(model.state_dict(), FILE)" in str(report)

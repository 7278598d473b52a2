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


@pytest.mark.parametrize("name", [None, "x"])
def test_samples_go_to_what_a_flow_holds_where_its_own_call_takes_the_context_alone(
    name: str | None,
) -> None:
    flows = pytest.importorskip("zuko").flows
    flow = flows.MAF(4, context=2, transforms=1, hidden_features=[8])
    given = {name: torch.randn(8, 4), "c": torch.randn(8, 2)}
    report = ldjcheck.check(flow, inputs=given)
    assert report.status == "pass"
    assert report.checks[0].shape == (4,)


def test_a_context_lives_where_it_is_said_to() -> None:
    def checked(context: Any) -> ldjcheck.Report:
        return ldjcheck.check(ScaledByContext(), shape=3, context={"context": context})

    assert checked("3:positive").status == "pass"
    assert checked(3).status == "error"


SEEN: list[tuple[int, ...]] = []
"""The shapes of the events that the layers below were called with."""


class OntoSphere(nn.Module):
    """Wrong: the volume of a sphere is not that of the space around it."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        SEEN.append(tuple(x.shape[1:]))
        r = x.norm(dim=1, keepdim=True)
        return x / r, -x.shape[1] * r.log().sum(1)


class AroundTheAxis(nn.Module):
    """Turns a sphere, and insists on its points."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        SEEN.append(tuple(x.shape[1:]))
        if not torch.allclose(x.norm(dim=1), x.new_ones(len(x)), atol=1e-4):
            raise ValueError("not on the sphere")
        turned = [0.6 * x[:, 0] - 0.8 * x[:, 1], 0.8 * x[:, 0] + 0.6 * x[:, 1], x[:, 2]]
        return torch.stack(turned, dim=1), x.new_zeros(len(x))


class Logit(nn.Module):
    """Of numbers between 0 and 1, and of no others."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        SEEN.append(tuple(x.shape[1:]))
        ldj = -x.log() - (-x).log1p()
        return x.log() - (-x).log1p(), ldj.flatten(1).sum(1)


class SumOfTheLastAxis(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        SEEN.append(tuple(x.shape[1:]))
        return 2 * x, torch.full_like(x, math.log(2)).sum(-1)


class Split(nn.Module):
    """Leaves half of the channels to a normal density, the integral of which is one."""

    def forward(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        SEEN.append(tuple(z.shape[1:]))
        if reverse:
            left = torch.randn_like(z)
            return torch.cat([z, left], dim=1), ldj - self.density(left)
        z, left = z.chunk(2, dim=1)
        return z, ldj + self.density(left)

    def density(self, left: Tensor) -> Tensor:
        logs = -0.5 * left**2 - 0.5 * math.log(2 * math.pi)
        return logs.flatten(1).sum(1)


def on_a_sphere(count: int) -> Tensor:
    x = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    return x / x.norm(dim=1, keepdim=True)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("layer", "inputs", "status"),
    [
        (OntoSphere, on_a_sphere(8), "fail"),
        (AroundTheAxis, on_a_sphere(8), "pass"),
        (Logit, torch.rand(6, 4), "pass"),
        (Logit, 5 + torch.rand(6, 4), "fail"),
        (SumOfTheLastAxis, torch.randn(6, 3), "pass"),
        (Split, torch.randn(3, 2, 9, 9), "unproven"),  # so many dims are not integrated
    ],
)
def test_no_other_size_than_that_of_the_samples_is_tried(
    layer: type[nn.Module], inputs: Tensor, status: str
) -> None:
    SEEN.clear()
    report = ldjcheck.check(layer(), inputs=inputs, pictures=False)
    assert report.status == status, report
    given = tuple(inputs.shape[1:])
    assert {each for each in SEEN if each != (1, 9, 9)} == {
        given
    }  # what the split keeps


class SumOfColumns(nn.Module):
    """Takes vectors, of one entry as well."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.sinh(), x.cosh().log().sum(dim=1)


class SumOfAllAxes(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.sinh(), x.cosh().log().reshape(len(x), -1).sum(dim=1)


def test_one_number_per_sample_has_no_axis_unless_the_layer_asks_for_one() -> None:
    numbers = torch.linspace(-1, 1, 7)
    for layer, shape in ((SumOfAllAxes(), ()), (SumOfColumns(), (1,))):
        report = ldjcheck.check(layer, inputs=numbers)
        assert report.status == "pass", report
        assert report.checks[0].shape == shape
        column = "in a column" in report.result.inferred["shape"]
        assert column == bool(shape)
    report = ldjcheck.check(SumOfTheLastAxis(), inputs=numbers)  # over the batch
    assert [f.code for f in report.findings] == ["LDJ106"]


class Looked(nn.Module):
    """Adds noise as wide as a table says, in which it looks up whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.widths = nn.Embedding(5, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        width = self.widths(x).squeeze(-1)
        return x + width.exp() * torch.rand(x.shape, dtype=width.dtype), width.sum(1)


class LookedAndHalved(Looked):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, ldj = super().forward(x)
        return y, ldj / 2


@pytest.mark.slow
def test_whole_numbers_are_taken_as_they_are() -> None:
    whole = torch.arange(20).remainder(5).reshape(5, 4)
    assert ldjcheck.check(Looked(), inputs=whole).status == "pass"
    assert ldjcheck.check(LookedAndHalved(), inputs=whole).status == "fail"
    assert ldjcheck.check(SumOfColumns(), inputs=whole).status == "pass"
    (finding,) = ldjcheck.check(Looked(), inputs=whole.float()).findings
    assert finding.code == "LDJ005"


class ByLabel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.log_scales = nn.Embedding(3, 4)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        log_scale = self.log_scales(y)
        return x * log_scale.exp(), log_scale.sum(1)


class BothWays(Affine):
    """Its way back has an argument that is named as labels are."""

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        ldj = -self.log_scale.sum().expand(len(y))
        return (y - self.shift) * (-self.log_scale).exp(), ldj


def test_labels_go_beside_the_input_where_they_are_taken_and_are_left_out_elsewhere() -> (
    None
):
    given = {"x": torch.randn(6, 4), "y": torch.arange(6).remainder(3)}
    report = ldjcheck.check(ByLabel(), inputs=given)
    assert report.status == "pass", report
    assert "input y" not in report.result.inferred
    both = BothWays(4)
    nn.init.constant_(both.log_scale, 0.3)
    report = ldjcheck.check(both, inputs=given)
    assert report.status == "pass", report
    assert report.result.inferred["input y"] == "not taken, so left out"


class Radial(nn.Module):
    """Stretches by the radius; the way back has no slope at the origin."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        r = x.norm(dim=1, keepdim=True)
        return x * r.pow(0.5), (math.log(1.5) + 0.5 * x.shape[1] * r.log()).squeeze(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        r = y.norm(dim=1, keepdim=True).pow(2 / 3)
        ldj = (-math.log(1.5) - 0.5 * y.shape[1] * r.log()).squeeze(1)
        return y * r.pow(-0.5), ldj


def test_a_sample_at_which_there_is_no_slope_ends_no_check() -> None:
    around = torch.randn(6, 3)
    assert ldjcheck.check(Radial(), inputs=around).status == "pass"
    around[2] = 0
    report = ldjcheck.check(Radial(), inputs=around)
    assert report.status != "pass", report


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (torch.tensor(1.0), "no batch axis"),
        (torch.tensor([[math.nan]]), "holds nan or inf"),
        (torch.ones(2, 2, dtype=torch.complex64), "holds complex numbers"),
        ({"x": torch.ones(2, 1), "c": torch.ones(3, 1)}, "not equally many"),
        ({}, "nothing is in it"),
        ("data.pt", "data.pt cannot be read"),
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


def test_a_method_gets_the_weights_of_its_object_wherever_it_was_built() -> None:
    state, flow = trained().state_dict(), Flow()
    method = loaded("flows.py:make(2).forward", flow.forward, state).obj
    assert method.__name__ == "forward"
    assert method.__self__.state_dict().keys() == state.keys()
    assert torch.equal(method.__self__.layers[1].shift, state["layers.1.shift"])
    assert not flow.layers[1].shift.detach().any()


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

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.records import Layer, Options
from ldjcheck.search import repeated

if TYPE_CHECKING:
    from collections.abc import Iterator


class Affine(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor([0.3, -0.2, 0.7]))
        self.register_buffer("shift", torch.zeros(3))
        self.plain = [torch.ones(3)]
        self.device: Any = self.shift.device
        self.name = str(self.device)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        one = torch.ones(3, device=self.device) * self.plain[0].to(self.name)
        return (
            one * x * self.log_scale.exp() + self.shift,
            self.log_scale.sum().expand(len(x)),
        )


class Doubled(Affine):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, ldj = super().forward(x)
        return y, 2 * ldj


@pytest.fixture
def made_elsewhere() -> Iterator[None]:
    torch.set_default_device("meta")
    yield
    torch.set_default_device(None)


def test_tensors_that_a_layer_makes_on_its_own_device_are_made_where_it_is() -> None:
    layer = Affine()
    layer.device = torch.device("cuda:3")
    assert ldjcheck.check(layer, shape=(3,)).status == "pass"
    assert layer.device == torch.device("cuda:3")


def test_a_layer_without_numbers_is_told_so() -> None:
    report = ldjcheck.check(Affine().to("meta"), shape=(3,))
    assert (report.status, report.findings[0].code) == ("error", "LDJ006")
    assert "holds no numbers" in report.findings[0].message


@pytest.mark.parametrize("device", ["meta", "xpu:7"])
def test_a_device_that_takes_no_numbers_is_told_so(device: str) -> None:
    report = ldjcheck.check(Affine(), shape=(3,), device=device)
    assert report.status == "error"
    assert report.findings[0].message == f"No input can be put on the device {device}."


def test_what_is_no_device_is_refused() -> None:
    with pytest.raises(ValueError, match="device='gpu': torch has no such device"):
        ldjcheck.check(Affine(), device="gpu")


def test_the_device_that_was_asked_for_is_reported() -> None:
    report = ldjcheck.check(Affine(), shape=(3,), device="cpu")
    assert report.status == "pass"
    assert report.result.inferred["device"] == "cpu: as you said"


@pytest.mark.usefixtures("made_elsewhere")
def test_a_program_that_makes_its_tensors_elsewhere_is_no_obstacle() -> None:
    layer = Affine.__new__(Affine)
    with torch.device("cpu"):
        layer.__init__()  # type: ignore[misc]  # made under another default
    assert ldjcheck.check(layer, shape=(3,)).status == "pass"
    assert torch.empty(0).is_meta


def test_a_probe_is_repeated_on_its_device() -> None:
    layer = Layer(target="f.py:L", name="L", obj=object(), rebuild=object)
    assert repeated(layer, Options(device="cuda")) == "ldjcheck f.py:L --device cuda"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
@pytest.mark.parametrize("device", [None, "cuda"])
def test_layers_on_an_accelerator_are_judged_as_on_the_cpu(device: str | None) -> None:
    right = ldjcheck.check(Affine().to("cuda"), shape=(3,), device=device)
    wrong = ldjcheck.check(Doubled().to("cuda"), shape=(3,), device=device)
    assert (right.status, wrong.findings[0].code) == ("pass", "LDJ114")
    assert "device" in right.result.inferred

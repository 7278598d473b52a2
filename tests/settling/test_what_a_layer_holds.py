"""Whatever else a layer holds or returns, it is checked, or told why it is not."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.calling.signature import method_names


class Holds(nn.Module):
    """Scales each dim, and holds something besides that it does not use."""

    def __init__(self, held: Any) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(3))
        self.held = held

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))


HELD = {
    "expanded": torch.zeros(1).expand(5),
    "overlapping": torch.randn(4).unfold(0, 2, 1),
    "sparse": torch.eye(3).to_sparse(),
    "complex": torch.randn(3, dtype=torch.complex64),
    "quantized": torch.quantize_per_tensor(torch.randn(3), 0.1, 0, torch.qint8),
    "nested": torch.nested.nested_tensor([torch.randn(2), torch.randn(3)]),
    "empty": torch.zeros(0),
    "lost": torch.full((2,), float("nan")),
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("what", HELD)
def test_a_tensor_of_any_kind_may_be_held(what: str) -> None:
    assert ldjcheck.check(Holds(HELD[what])).status == "pass"


def test_a_layer_that_was_never_called_may_have_no_parameters_yet() -> None:
    (finding,) = ldjcheck.check(Holds(nn.LazyLinear(4))).findings
    assert finding.code == "LDJ006"
    assert finding.message == (
        "The first call of Holds() makes its parameters, and there was none."
    )


def test_complex_log_determinants_are_told_as_such() -> None:
    """As the sum of the logs of the eigenvalues is: it has a real part."""

    class Eigenvalues(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([[1.0, 2.0], [-1.0, 0.5]]))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            ldj = torch.linalg.eigvals(self.weight).log().sum()
            return x @ self.weight, ldj.expand(len(x))

    (finding,) = ldjcheck.check(Eigenvalues()).findings
    assert finding.code == "LDJ199"
    assert finding.message == "The ldj is made of complex numbers."


def test_nested_outputs_are_told_as_such() -> None:
    class Ragged(Holds):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            y, ldj = super().forward(x)
            return torch.nested.nested_tensor(list(y)), ldj

    (finding,) = ldjcheck.check(Ragged(None)).findings
    assert finding.code == "LDJ004"
    assert any("nested tensors" in line for line in finding.evidence)


class Remembers(Holds):
    """Computes a property when it is first asked, and keeps it."""

    @functools.cached_property
    def condition_number(self) -> Tensor:
        raise AssertionError("nobody asked for this")


def test_what_a_layer_computes_when_it_is_asked_is_not_asked_for() -> None:
    layer = Remembers(None)
    assert "condition_number" not in method_names(layer)
    assert {"forward", "__init__"} <= set(method_names(layer))
    assert ldjcheck.check(layer).status == "pass"

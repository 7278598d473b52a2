"""The bundled examples, held against the Jacobian: first by hand, then by ldjcheck."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from command import ldjcheck_in
from torch import Tensor, nn
from torch.autograd.functional import jacobian

import ldjcheck

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

EXAMPLES = Path(__file__).parents[2] / "examples"
BATCH = 3


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"example_{name}", EXAMPLES / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def exact(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return log|det df/dx| per sample, from the blocks of the batch's Jacobian."""
    dims = x[0].numel()
    blocks = jacobian(f, x).reshape(len(x), dims, len(x), dims)
    return torch.stack(
        [torch.linalg.slogdet(blocks[b, :, b]).logabsdet for b in range(len(x))]
    )


@pytest.mark.slow
def test_a_trained_flow_is_checked_as_it_is_and_where_it_is_used(
    tmp_path: Path,
) -> None:
    script = EXAMPLES / "trained_flow.py"
    subprocess.run([sys.executable, str(script)], cwd=tmp_path, check=True)
    module = example("trained_flow")
    given = {
        "weights": tmp_path / "trained.pt",
        "inputs": np.load(tmp_path / "points.npy"),
    }
    report = ldjcheck.check(module.Flow(), **given)
    assert report.status == "pass", report
    assert "512 samples, as you gave them" in str(report)
    assert report.result.inferred["weights"].startswith("8 of 8 tensors from ")
    wrong = ldjcheck.check(module.ForgetsTheSecond(), **given)
    assert (wrong.status, wrong.findings[0].code) == ("fail", "LDJ110")


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def start() -> Tensor:
    return torch.tensor([0.5, -2.0, 3.0], dtype=torch.float64)


def moved(layer: nn.Module) -> nn.Module:
    """Return the layer in float64, with its parameters off their initial values."""
    torch.manual_seed(7)
    layer.double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return layer


def close(a: Tensor, b: Tensor, atol: float = 1e-12) -> bool:
    return torch.allclose(a.double(), b.double(), rtol=0, atol=atol)


# --- dequantization -----------------------------------------------------------

dequantization = example("dequantization")
slips = example("dequantization_mistakes")
SHAPE = (2, 4, 5)
DIMS = math.prod(SHAPE)


def forward_difference(layer: nn.Module) -> Tensor:
    """Return reported - exact of the way to the real line, within float32's error."""
    x = torch.randint(0, 256, (BATCH, *SHAPE))
    with torch.random.fork_rng():
        torch.manual_seed(2)
        _, total = layer(x, start())
    torch.manual_seed(2)
    u = torch.rand(x.shape)

    def by_hand(u: Tensor) -> Tensor:
        s = (1 - layer.alpha) * (x + u) / 256 + layer.alpha / 2
        return torch.log(s) - torch.log(1 - s)

    return total - start() - exact(by_hand, u.double())


def inverse_difference(layer: nn.Module) -> Tensor:
    """Return reported - exact of the way back, in float64, the rounding left out."""
    z = torch.randn(BATCH, *SHAPE, dtype=torch.float64)
    _, total = layer(z, start(), reverse=True)

    def by_hand(z: Tensor) -> Tensor:
        return (torch.sigmoid(z) - layer.alpha / 2) / (1 - layer.alpha) * 256

    return total - start() - exact(by_hand, z)


def test_dequantization_reports_the_exact_ldj_both_ways() -> None:
    layer = dequantization.Dequantization()
    assert forward_difference(layer).abs().max() < 1e-3  # float32 is hard-coded
    assert inverse_difference(layer).abs().max() < 1e-10


def test_dequantization_gives_every_whole_number_back() -> None:
    layer = dequantization.Dequantization()
    x = torch.arange(256).view(1, 1, 16, 16)
    z, forward = layer(x, torch.zeros(1))
    back, total = layer(z, forward.clone(), reverse=True)
    assert back.dtype == torch.int32
    assert torch.equal(back.long(), x)
    assert total.abs().max() < 1e-2


def test_the_ldj_that_is_passed_in_is_changed_in_place() -> None:
    ldj = torch.zeros(BATCH)
    _, total = dequantization.Dequantization()(torch.zeros(BATCH, *SHAPE), ldj)
    assert total is ldj


def test_no_dims_factor_loses_the_same_amount_in_both_directions() -> None:
    layer = slips.NoDimsFactor()
    lost = torch.full((BATCH,), (DIMS - 1) * math.log(256), dtype=torch.float64)
    assert close(forward_difference(layer), lost, atol=1e-3)
    assert close(inverse_difference(layer), -lost, atol=1e-10)


def test_logit_sign_is_wrong_on_the_way_to_the_real_line_only() -> None:
    layer = slips.LogitSign()
    assert forward_difference(layer).abs().min() > 10
    assert inverse_difference(layer).abs().max() < 1e-10


def test_inverse_without_alpha_is_off_by_less_than_float32_resolves() -> None:
    layer = slips.InverseWithoutAlpha()
    kept = torch.full((BATCH,), DIMS * math.log(1 - 1e-5), dtype=torch.float64)
    assert forward_difference(layer).abs().max() < 1e-3
    assert close(inverse_difference(layer), kept)
    assert inverse_difference(layer).abs().max() > 1e-4


# --- accumulators ---------------------------------------------------------------

coupling = example("coupling")
flipped = example("coupling_mistakes").FlippedSign
ACCUMULATORS = {
    "masks": (coupling.make_masked_coupling, (2, 4, 5)),
    "chunks": (coupling.make_chunk_coupling, (8,)),
    "flipped": (flipped, (2, 4, 5)),
}


@pytest.mark.parametrize("name", ACCUMULATORS)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "inverse"])
def test_coupling_layers_report_the_exact_ldj(name: str, reverse: bool) -> None:
    make, shape = ACCUMULATORS[name]
    layer = moved(make())
    x = torch.randn(BATCH, *shape, dtype=torch.float64)
    _, total = layer(x, start(), reverse=reverse)

    def f(x: Tensor) -> Tensor:
        return layer(x, torch.zeros(len(x), dtype=x.dtype), reverse=reverse)[0]

    truth = exact(f, x)
    assert truth.abs().min() > 1e-3
    assert close(total - start(), -truth if name == "flipped" else truth)


@pytest.mark.parametrize("name", ACCUMULATORS)
def test_coupling_layers_invert_and_their_two_ldj_cancel(name: str) -> None:
    make, shape = ACCUMULATORS[name]
    layer = moved(make())
    x = torch.randn(BATCH, *shape, dtype=torch.float64)
    y, total = layer(x, start())
    back, total = layer(y, total, reverse=True)
    assert close(back, x)
    assert close(total, start())


@pytest.mark.parametrize("name", ACCUMULATORS)
def test_coupling_layers_start_as_the_identity(name: str) -> None:
    make, shape = ACCUMULATORS[name]
    x = torch.randn(BATCH, *shape)
    y, total = make()(x, torch.zeros(BATCH))
    assert torch.equal(y, x)
    assert torch.equal(total, torch.zeros(BATCH))


def test_a_checkerboard_has_no_equal_neighbours() -> None:
    mask = coupling.checkerboard_mask(4, 5)[0, 0]
    assert torch.all(mask[1:] != mask[:-1])
    assert torch.all(mask[:, 1:] != mask[:, :-1])
    assert torch.equal(coupling.checkerboard_mask(4, 5, invert=True)[0, 0], 1 - mask)


# --- pairs ------------------------------------------------------------------------


def test_actnorm_reports_the_exact_ldj_both_ways() -> None:
    layer = example("actnorm").ActNorm().double()
    x = 3 + 5 * torch.randn(BATCH, 2, 4, 5, dtype=torch.float64)
    layer(x)
    y, ldj = moved(layer)(x)
    back, inverse = layer.inverse(y)
    assert close(back, x)
    assert close(ldj, exact(lambda x: layer(x)[0], x))
    assert close(inverse, exact(lambda y: layer.inverse(y)[0], y))


def test_actnorm_is_set_by_its_first_batch_and_by_no_other() -> None:
    layer = example("actnorm").ActNorm().double()
    x = 3 + 5 * torch.randn(BATCH, 2, 4, 5, dtype=torch.float64)
    y, _ = layer(x)
    assert close(y.mean(dim=(0, 2, 3)), torch.zeros(2))
    assert close(y.std(dim=(0, 2, 3)), torch.ones(2), atol=1e-6)
    again, _ = layer(x + 100)
    assert close(again, y + 100 * layer.log_scale.exp())


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "inverse"])
def test_convolution_reports_the_exact_ldj(reverse: bool) -> None:
    layer = moved(example("convolution").InvertibleConvolution())
    x = torch.randn(BATCH, 4, 2, 5, dtype=torch.float64)
    _, ldj = layer(x, reverse=reverse)
    truth = exact(lambda x: layer(x, reverse=reverse)[0], x)
    assert truth.abs().min() > 1e-3
    assert close(ldj, truth)


def test_convolution_inverts() -> None:
    layer = moved(example("convolution").InvertibleConvolution())
    x = torch.randn(BATCH, 4, 2, 5, dtype=torch.float64)
    assert close(layer(layer(x)[0], reverse=True)[0], x)


def test_increasing_reports_the_exact_ldj_both_ways() -> None:
    transform = example("transforms").Increasing()
    x = torch.randn(BATCH, 6, dtype=torch.float64)
    y = transform(x)
    assert torch.all(transform.codomain.check(y))
    assert not torch.any(transform.codomain.check(y.flip(-1)))
    assert close(transform.inv(y), x)
    assert close(transform.log_abs_det_jacobian(x, y), exact(transform, x))
    back = transform.inv.log_abs_det_jacobian(y, x)
    assert close(back, exact(transform.inv, y))


# --- and what ldjcheck says about them -----------------------------------------------


def checked(*targets: str, options: tuple[str, ...] = ()) -> tuple[int, dict[str, Any]]:
    """Return the exit status and, by target, the results of one call of ldjcheck."""
    process = ldjcheck_in(EXAMPLES, *targets, *options, "--format", "json")
    results = json.loads(process.stdout)["results"]
    return process.returncode, {result["target"]: result for result in results}


def differences(result: dict[str, Any], direction: str) -> list[float]:
    return [
        abs(sample["difference"])
        for check in result["checks"]
        if (check["name"], check["direction"]) == ("ldj", direction)
        for sample in check["samples"]
    ]


@pytest.mark.slow
def test_ldjcheck_passes_the_right_ones_in_both_directions() -> None:
    status, results = checked(
        "dequantization.py:Dequantization",
        "coupling.py:make_masked_coupling()",
        "coupling.py:make_chunk_coupling()",
        "actnorm.py:ActNorm",
        "convolution.py:InvertibleConvolution",
        "transforms.py:Increasing",
    )
    assert status == 0
    for target, result in results.items():
        assert result["status"] == "pass", target
        for direction in ("forward", "inverse"):
            found = differences(result, direction)
            assert found, target
            assert max(found) < 1e-10, target


WRONG = {
    "dequantization_mistakes.py:NoDimsFactor": {"forward", "inverse"},
    "dequantization_mistakes.py:LogitSign": {"forward"},
    "dequantization_mistakes.py:InverseWithoutAlpha": {"inverse"},
    "coupling_mistakes.py:FlippedSign": {"forward", "inverse"},
}


@pytest.mark.slow
def test_ldjcheck_fails_the_wrong_ones_in_the_wrong_direction_only() -> None:
    status, results = checked(*WRONG)
    assert status == 1
    for target, directions in WRONG.items():
        result = results[target]
        assert result["status"] == "fail", target
        found = {f["direction"] for f in result["findings"] if f["severity"] == "error"}
        assert found == directions, target
        for direction in {"forward", "inverse"} - directions:
            assert max(differences(result, direction)) < 1e-10, target


def test_ldjcheck_proves_nothing_about_a_coupling_layer_as_it_is_built() -> None:
    target = "coupling_mistakes.py:FlippedSign"
    status, results = checked(target, options=("--params", "as-is"))
    assert status == 3
    assert results[target]["status"] == "unproven"

"""The ledger: lines in the order they ran, and totals that are the truth."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Transform, constraints

import ldjcheck
from mistakes.diagnosis.test_flows_and_ties import flow
from mistakes.diagnosis.written import build

EXAMPLES = Path(__file__).parents[3] / "examples"


def example(module: str, name: str) -> Any:
    path = EXAMPLES / f"{module}.py"
    spec = importlib.util.spec_from_file_location(f"ledger_{module}", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return getattr(loaded, name)()


def ledger(report: ldjcheck.Report, direction: str) -> list[dict[str, Any]]:
    result = report.to_dict()["results"][0]
    return [line for line in result["ledger"] if line["direction"] == direction]


def assert_totals(report: ldjcheck.Report, direction: str) -> list[dict[str, Any]]:
    """Hold the running totals against the oracle's number and the reported one."""
    lines = ledger(report, direction)
    assert lines
    exact = reported = 0.0
    for line in lines:
        exact += line["exact"] or 0.0
        reported += line["reported"] or 0.0
        assert line["exact_total"] == pytest.approx(exact, abs=1e-9)
        assert line["reported_total"] == pytest.approx(reported, abs=1e-9)
    result = report.to_dict()["results"][0]
    check = next(
        c
        for c in result["checks"]
        if c["name"] == "ldj" and c["direction"] == direction
    )
    first = check["samples"][0]
    assert exact == pytest.approx(first["exact"], rel=1e-6)
    assert reported == pytest.approx(first["reported"], rel=1e-6)
    return lines


class TwoInputs(nn.Module):
    """Scales two inputs, and hands back a column."""

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ldj = a[0].numel() * math.log(2) + b[0].numel() * math.log(3)
        return a * 2, b * 3, torch.full((len(a), 1), ldj)


@pytest.mark.slow
def test_what_is_made_of_several_outputs_stands_where_they_were_made() -> None:
    report = ldjcheck.check(TwoInputs(), shape={"a": (2, 2), "b": (3,)})
    lines = assert_totals(report, "forward")
    assert {Path(line["file"]).name for line in lines} == {Path(__file__).name}


@pytest.mark.slow
def test_the_dequantization_ledger_tells_the_lines_as_they_ran() -> None:
    layer = example("dequantization_mistakes", "NoDimsFactor")
    report = ldjcheck.check(layer, shape=(1, 4, 4))
    lines = assert_totals(report, "forward")
    texts = [line["text"] for line in lines]
    wanted = [
        "z = (z + torch.rand_like(z)) / self.quants",
        "ldj -= np.log(self.quants)",
        "z = z * (1 - self.alpha) + 0.5 * self.alpha",
        "ldj += np.log(1 - self.alpha) * np.prod(z.shape[1:])",
        "ldj += (-torch.log(z) - torch.log(1 - z)).flatten(1).sum(dim=1)",
        "z = torch.log(z) - torch.log(1 - z)",
    ]
    assert texts == wanted
    by_text = dict(zip(texts, lines, strict=True))
    assert by_text[wanted[0]]["exact"] == pytest.approx(-16 * math.log(256))
    assert by_text[wanted[1]]["reported"] == pytest.approx(-math.log(256))
    assert by_text[wanted[2]]["exact"] == pytest.approx(16 * math.log(1 - 1e-5))
    assert by_text[wanted[3]]["reported"] == pytest.approx(16 * math.log(1 - 1e-5))
    assert by_text[wanted[4]]["reported"] == pytest.approx(by_text[wanted[5]]["exact"])
    assert_totals(report, "inverse")


@pytest.mark.slow
def test_a_flow_of_three_tells_its_sublayers_in_order(tmp_path: Path) -> None:
    report = ldjcheck.check(flow({"couple"}, tmp_path), shape=(4,), direction="forward")
    lines = assert_totals(report, "forward")
    terms = [line["text"] for line in lines if line["reported"]]
    assert [text.split("# ")[-1] for text in terms] == ["stretch", "bend", "couple"]
    # the first two balance; only then do the totals part
    bent = next(i for i, line in enumerate(lines) if "sinh" in line["text"])
    at = lines[bent]
    assert at["exact_total"] == pytest.approx(at["reported_total"])


LAYERS = {
    "several terms on a line": """
        y = torch.sinh(3.0 * x)
        ldj = torch.log(torch.cosh(3.0 * x)).sum(1) + math.log(3.0)
        return y, ldj
    """,
    "numbers of NumPy": """
        y = np.float64(3.0) * x
        ldj = torch.zeros(len(x)) + np.log(3.0)
        return y, ldj
    """,
    "a loop over a list": """
        logs = []
        for factor in (2.0, 3.0, 0.7):
            x = x * factor
            logs.append(math.log(factor) * torch.ones(len(x)))
        return x, sum(logs)
    """,
    "a mask": """
        mask = torch.tensor([1.0, 0.0, 1.0, 0.0])
        y = x * torch.exp(0.5 * x.new_tensor([0.0, 1.0, 0.0, 1.0]))
        ldj = (0.5 * mask * torch.ones_like(x)).sum(1) * 0.5
        return y, ldj
    """,
    "chunk and cat": """
        a, b = x.chunk(2, dim=1)
        y = torch.cat([torch.sinh(a), torch.exp(b)], dim=1)
        logs = torch.cat([torch.log(torch.cosh(a)), 2 * b], dim=1)
        return y, logs.sum(1)
    """,
    "in place": """
        ldj = torch.zeros(len(x))
        y = x.clone()
        y[:, 0] *= 3.0
        ldj += math.log(3.0)
        y.exp_()
        ldj += x.sum(1)
        return y, ldj
    """,
}


@pytest.mark.thinned(8)
@pytest.mark.parametrize("body", LAYERS.values(), ids=LAYERS.keys())
def test_totals_hold_however_the_sum_is_written(body: str, tmp_path: Path) -> None:
    lines = ["class Layer(nn.Module):", "    def forward(self, x):"]
    layer = build([*lines, *body.strip("\n").splitlines()], tmp_path)
    report = ldjcheck.check(layer, shape=(4,))
    assert report.status == "fail"
    assert_totals(report, "forward")


CONVENTIONS = {
    "accumulator": """
class Layer(nn.Module):
    def forward(self, z, ldj, reverse=False):
        if reverse:
            z = torch.log(z)
            return z, ldj + z.sum(1)
        ldj = ldj - z.sum(1)
        return torch.exp(z), ldj
""",
    "pair": """
class Layer(nn.Module):
    def forward(self, x):
        return torch.exp(x), -x.sum(1)

    def inverse(self, y):
        x = torch.log(y)
        return x, x.sum(1)
""",
    "separate calls": """
class Layer(Transform):
    domain = constraints.independent(constraints.real, 1)
    codomain = constraints.independent(constraints.positive, 1)
    bijective = True

    def _call(self, x):
        return torch.exp(x)

    def _inverse(self, y):
        return torch.log(y)

    def log_abs_det_jacobian(self, x, y):
        return -x.sum(-1)
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("text", CONVENTIONS.values(), ids=CONVENTIONS.keys())
def test_totals_hold_in_every_convention_and_both_directions(
    text: str, tmp_path: Path
) -> None:
    report = ldjcheck.check(build(text.splitlines(), tmp_path), shape=(3,))
    assert_totals(report, "forward")
    if report.checks[1].status == "fail":
        assert_totals(report, "inverse")


# Code that cannot be seen


@torch.jit.script
def hidden(x: Tensor) -> Tensor:
    return torch.sinh(x) * 2.0


class Scripted(nn.Module):
    def forward(self, x: Tensor) -> Any:
        return hidden(torch.tanh(x)), -torch.log(torch.cosh(x)).sum(1)


class Sinh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.sinh(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * torch.cosh(ctx.saved_tensors[0])


class Custom(nn.Module):
    def forward(self, x: Tensor) -> Any:
        return Sinh.apply(x), 0.3 * torch.log(torch.cosh(x)).sum(1)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    "layer",
    [Scripted, Custom],
)
def test_a_ledger_of_hidden_code_is_dropped_or_still_true(
    layer: type[nn.Module],
) -> None:
    report = ldjcheck.check(layer(), shape=(3,))
    assert report.status == "fail"
    if ledger(report, "forward"):
        assert_totals(report, "forward")
    else:
        first = report.findings[0]
        assert any("no line ledger" in line for line in first.evidence), first


# The dequantization variants, as a student meets them


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "NoDimsFactor",
            [
                ("LDJ101", "forward", "ldj -= np.log(self.quants)", "log(self.quants)"),
                ("LDJ101", "inverse", "ldj += np.log(self.quants)", "log(self.quants)"),
            ],
        ),
        (
            "LogitSign",
            [
                (
                    "LDJ104",
                    "forward",
                    "ldj -= (-torch.log(z) - torch.log(1 - z)).flatten(1).sum(dim=1)",
                    "sign",
                )
            ],
        ),
        (
            "InverseWithoutAlpha",
            [
                (
                    "LDJ110",
                    "inverse",
                    "z = (z - 0.5 * self.alpha) / (1 - self.alpha)",
                    "log(1 - self.alpha)",
                )
            ],
        ),
    ],
)
def test_a_dequantization_variant_is_told_by_name_line_and_operand(
    name: str, expected: list[tuple[str, str, str, str]]
) -> None:
    layer = example("dequantization_mistakes", name)
    report = ldjcheck.check(layer, shape=(1, 4, 4))
    errors = [f for f in report.findings if f.severity == "error"]
    assert len(errors) == len(expected)
    for finding, (code, direction, text, words) in zip(errors, expected, strict=True):
        assert (finding.code, finding.direction) == (code, direction)
        assert finding.location is not None
        assert finding.location.text == text
        assert words in finding.message


class Tripled(Transform):
    """Its map and its ldj are methods of their own, which the library calls."""

    domain = codomain = constraints.real
    bijective = True

    def _call(self, x: Tensor) -> Tensor:
        return 3 * x

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.zeros_like(x)


class NegatedColumn(nn.Module):
    """The sum keeps its axis, and a minus follows it."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s = self.log_s * torch.ones_like(x)
        return x * torch.exp(-s), -s.sum(1, keepdim=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "code", "text"),
    [
        (Tripled(), "LDJ119", "return torch.zeros_like(x)"),
        (
            NegatedColumn(),
            "LDJ201",
            "return x * torch.exp(-s), -s.sum(1, keepdim=True)",
        ),
    ],
)
def test_the_line_that_is_blamed_is_where_the_ldj_is_made(
    layer: Any, code: str, text: str
) -> None:
    first = ldjcheck.check(layer, shape=(3,)).findings[0]
    assert first.code == code
    assert first.location is not None
    assert first.location.text == text

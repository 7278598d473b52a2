"""`ldjcheck.check`: its options, its promises, and what two runs have in common."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_layers import Affine, Coupling, Curve, Pair
from torch import Tensor, nn
from torch.distributions import constraints

import ldjcheck

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class Noisy(nn.Module):
    """y = x + u with fresh noise, which must not make two runs differ."""

    def forward(self, x: Tensor) -> Pair:
        return 2 * (x + torch.rand_like(x)), x.shape[1] * torch.tensor(
            2.0
        ).log().expand(len(x))


class Flipped(Coupling):
    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y, -ldj


def document(layer: Any, **options: Any) -> dict[str, Any]:
    """Return the JSON document of a check, times taken out."""
    found = json.loads(json.dumps(ldjcheck.check(layer, **options).to_dict()))
    found["run"].pop("seconds")
    for result in found["results"]:
        result.pop("seconds")
    return found


@pytest.mark.thinned(5)
@pytest.mark.parametrize("layer", [Affine, Coupling, Curve, Noisy, Flipped])
@pytest.mark.parametrize("seed", [0, 3])
def test_one_seed_gives_one_document(layer: type[nn.Module], seed: int) -> None:
    first = document(layer(), shape=(4,), seed=seed)
    torch.rand(5)  # the state of the caller's generators plays no part
    assert document(layer(), shape=(4,), seed=seed) == first


def test_another_seed_probes_other_points_and_comes_to_the_same() -> None:
    first, second = (document(Coupling(), shape=(4,), seed=seed) for seed in (0, 1))
    samples = [d["results"][0]["checks"][0]["samples"] for d in (first, second)]
    assert samples[0] != samples[1]
    assert first["results"][0]["status"] == second["results"][0]["status"] == "pass"


@pytest.mark.thinned(4)
@pytest.mark.parametrize("search", [0, 5])
@pytest.mark.parametrize("seed", [2**32 - 1, 2**32 - 60])
def test_the_largest_seeds_are_seeds_like_others(seed: int, search: int) -> None:
    report = ldjcheck.check(Affine(), shape=(4,), seed=seed, search=search)
    assert report.status == "pass"


@pytest.mark.slow
def test_one_seed_gives_one_document_in_another_process_too() -> None:
    script = (
        f"import sys, json; sys.path.insert(0, {str(EXAMPLES)!r})\n"
        "import ldjcheck, dequantization\n"
        "d = ldjcheck.check(dequantization.Dequantization(), shape=(1, 2, 2)).to_dict()\n"
        "d['run'].pop('seconds'); d['results'][0].pop('seconds')\n"
        "print(json.dumps(d))\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert json.loads(runs[0])["results"][0]["status"] == "pass"


@pytest.mark.parametrize(
    ("layer", "code"), [(Affine(), 0), (Flipped(), 1), (lambda x: 1 / 0, 2)]
)
def test_the_report_says_how_the_command_line_would_exit(layer: Any, code: int) -> None:
    assert document(layer, shape=(4,))["run"]["exit_code"] == code


def test_an_option_that_does_not_exist_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="tolerance"):
        ldjcheck.check(Affine(), tolerance=1e-3)


def test_a_domain_that_does_not_exist_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="half-line"):
        ldjcheck.check(Affine(), domain="half-line")


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ({"convention": "pari"}, r"convention='pari': did you mean pair\?"),
        ({"convention": "f(x)"}, "'->' is missing"),
        ({"direction": "back"}, "direction='back': it is one of 'both', 'forward'"),
        ({"dtype": "float32"}, "'float64', 'as-written'"),
        ({"kind": "layer"}, "'bijection'"),
        ({"batch": 0}, "batch=0: it is a whole number of at least 1"),
        ({"batch": 2.0}, "whole number"),
        ({"seed": 2**32}, "from 0 to 4294967295"),
        ({"params_scale": 0}, "finite number above 0"),
        ({"atol": -1.0}, "atol=-1.0: it is a finite number of at least 0"),
        ({"shape": (4, 0)}, "without the batch"),
        ({"shape": "4"}, "without the batch"),
        ({"context": 5}, "a mapping of names to shapes"),
        ({"domain": "int:a:b"}, "is no domain"),
        ({"domain": (0, 1)}, r"domain=\(0, 1\): it is a text, such as 'unit'"),
        ({"domain": constraints.simplex}, "it is a text, such as 'unit'"),
        ({"kwarg": "scale=2"}, "a mapping of names to values"),
        ({"convention": None}, "a name, or a description"),
        ({"select": 5}, "it lists codes or names"),
        ({"ignore": [("LDJ205", "why")]}, "it lists codes or names"),
        ({"strict": "no"}, "strict='no': it is True or False"),
        ({"jacobian": 3}, "jacobian=3: it is a function of f and x"),
        ({"select": "sing-flipped"}, r"did you mean sign-flipped\?$"),
        ({"ignore": {"LDJ205": " "}}, "give the reason"),
        ({"context": {"ctx": (5,)}}, "takes no argument 'ctx'"),
        ({"kwarg": {1: 2}}, "a mapping of names to values"),
        ({"context": {1: 2}}, "a mapping of names to shapes"),
        ({"kwarg": {"z": 1}}, "takes no argument 'z'"),
    ],
)
def test_an_option_that_makes_no_sense_is_told_at_once(
    option: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        ldjcheck.check(Affine(), **option)


@pytest.mark.slow
def test_one_size_and_one_word_stand_for_themselves() -> None:
    report = ldjcheck.check(Flipped(), shape=4, ignore="sign-flipped")
    assert report.status == "pass"
    assert ldjcheck.check(Flipped(), shape=4, select="LDJ2").status == "pass"


@pytest.mark.parametrize(
    ("constraint", "name"),
    [
        (constraints.unit_interval, "unit"),
        (constraints.independent(constraints.positive, 1), "positive"),
        (constraints.interval(-1.0, 2.0), "interval:-1:2"),
    ],
)
def test_a_domain_may_be_a_constraint(constraint: Any, name: str) -> None:
    report = ldjcheck.check(Affine(), shape=4, domain=constraint)
    assert report.result.inferred["domain"].startswith(f"{name}: ")


def test_nothing_selected_and_nothing_ignored_may_be_none() -> None:
    assert document(Affine(), shape=4, select=None, ignore=None) == document(
        Affine(), shape=4
    )


def test_a_class_is_to_be_built_and_a_text_is_a_target() -> None:
    (of_class,) = ldjcheck.check(Affine).findings
    (of_text,) = ldjcheck.check("flow.py:Affine").findings
    assert (of_class.code, of_class.evidence) == (
        "LDJ003",
        ("Give one that is built, as in Affine(...).",),
    )
    (to_derive,) = ldjcheck.derive("flow.py:Affine").findings
    assert (of_text.code, of_text.message) == ("LDJ001", "There is no file flow.py.")
    assert to_derive.code == "LDJ001"


def test_modules_are_imported_from_where_they_were_before_a_text_was_checked() -> None:
    before = list(sys.path)
    report = ldjcheck.check(f"{EXAMPLES / 'actnorm.py'}:ActNorm")
    assert report.status != "error"
    assert sys.path == before


def test_the_oracle_alone_gives_sign_and_logarithm() -> None:
    x = torch.randn(3, 2, 2, dtype=torch.float64)
    sign, ldj = ldjcheck.exact_ldj(lambda v: v.flip(-1) * 3, x)
    assert sign.tolist() == [1.0, 1.0, 1.0]
    assert ldj.tolist() == pytest.approx([4 * math.log(3)] * 3)
    assert ldjcheck.exact_ldj(lambda v: -v, x[:, 0, :1])[0].tolist() == [-1.0] * 3


@pytest.mark.parametrize(
    ("f", "x", "told"),
    [
        (lambda x: x[:, :1], torch.zeros(2, 3), "3 dims to 1"),
        (lambda x: 2 * x.detach(), torch.zeros(2, 3), "does not go through f"),
        (lambda x: 2 * x, torch.zeros(2, 3).long(), "no batch of real numbers"),
        (lambda x: 2 * x, torch.tensor(1.0), "no batch of real numbers"),
        (lambda x: 2 * x, torch.zeros(0, 3), "holds no number"),
    ],
)
def test_the_oracle_says_what_it_cannot_do(f: Any, x: Tensor, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ldjcheck.exact_ldj(f, x)


@pytest.mark.parametrize(
    ("f", "x", "told"),
    [
        (Affine(), torch.zeros(2, 4), r"pass `lambda x: layer\(x\)\[0\]`"),
        (lambda x: None, torch.zeros(2, 4), "f returns a NoneType, not a tensor"),
        (lambda x: 2 * x, torch.zeros(2, 4).numpy(), "x is a ndarray, not a tensor"),
    ],
)
def test_the_oracle_takes_and_wants_tensors(f: Any, x: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        ldjcheck.exact_ldj(f, x)


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_the_oracle_differentiates_where_gradients_are_off(off: Any) -> None:
    with off():
        _, ldj = ldjcheck.exact_ldj(lambda v: 2 * v, torch.ones(2, 3))
    assert ldj.tolist() == pytest.approx([3 * math.log(2)] * 2)


class Raises(nn.Module):
    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()
        self.error = error

    def forward(self, x: Tensor) -> Pair:
        raise self.error("the layer's own fault")


@pytest.mark.parametrize(
    "error",
    [ValueError, RuntimeError, AssertionError, KeyError, SystemExit, GeneratorExit],
)
def test_no_mistake_of_the_layer_is_raised(error: type[BaseException]) -> None:
    report = ldjcheck.check(Raises(error), shape=(4,))
    evidence = "\n".join(report.findings[0].evidence)
    assert report.status == "error"
    assert report.findings[0].code == "LDJ005"
    assert "the layer's own fault" in evidence
    assert "raise self.error" in evidence, "the user's line is shown"
    assert "ldjcheck" + "/running" not in evidence, "and none of ours"


class TakenOffFirst(Affine):
    """What a context adds before the map is taken off before it is undone, too."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Pair:
        return super().forward(x if context is None else x + context.mean())

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Pair:
        return super().inverse(y if context is None else y - context.mean())


def test_the_way_back_alone_is_asked_where_it_does_not_undo_the_map() -> None:
    report = ldjcheck.check(
        TakenOffFirst(), direction="inverse", shape=4, context={"context": 2}
    )
    statuses = {(c.name, c.direction): c.status for c in report.checks}
    assert statuses["ldj", "forward"] == "not-available"
    assert report.findings[0].code == "LDJ301"


class WithExit(Affine):
    def initialize(self, x: Tensor) -> None:
        raise SystemExit("the data are elsewhere")

    def forward(self, x: Tensor) -> Pair:
        if not hasattr(self, "scale"):
            raise RuntimeError("call initialize first")
        return super().forward(x)


def test_an_exit_where_a_layer_is_started_is_a_mistake_of_it() -> None:
    assert ldjcheck.check(WithExit(), shape=(4,)).findings[0].code == "LDJ005"


@dataclass
class Listed(nn.Module):
    """A data class compares by what it holds, and so has no hash: torch needs one."""

    factor: float = 2.0

    def __post_init__(self) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Pair:
        return self.factor * x, math.log(self.factor) * torch.full((len(x),), 4.0)


def test_a_module_that_torch_cannot_list_is_told_how_to_be_one() -> None:
    of_method = ldjcheck.check(Listed().forward, shape=(4,))
    assert of_method.findings[0].code == "LDJ005"
    (finding,) = ldjcheck.check(Listed(), shape=(4,)).findings
    assert finding.code == "LDJ005"
    assert "unhashable" in finding.message
    assert "@dataclass(eq=False)" in finding.evidence[-1]


class Disguised(Affine):
    """It stands for another object, as a proxy does, and calls itself by its class."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        return dict


class Homeless(Affine):
    """Its class was made by a program, and no module holds it."""

    __module__ = None  # type: ignore[assignment]


class Reluctant(Affine):
    def __getattr__(self, name: str) -> Any:
        if name in ("_parameters", "_modules", "_buffers", "log_scale", "shift"):
            return super().__getattr__(name)
        raise RuntimeError(f"{name}: not yet fitted")


@pytest.mark.parametrize("kind", [Disguised, Homeless])
def test_what_a_class_says_of_itself_is_no_obstacle(kind: type[Affine]) -> None:
    report = ldjcheck.check(kind(), shape=(4,))
    assert report.status == "pass", report


def test_attributes_that_raise_are_the_layers_own_fault() -> None:
    assert ldjcheck.check(Reluctant(), shape=(4,)).findings[0].code == "LDJ005"


class Fickle(Affine):
    """From its n-th call on, it returns something else."""

    def __init__(self, first: int, other: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.first, self.other = first, other
        self.calls: list[int] = []

    def __deepcopy__(self, memo: Any) -> Fickle:
        raise TypeError("there is one of it")

    def forward(self, x: Tensor) -> Any:
        y, ldj = super().forward(x)
        self.calls.append(0)
        return (y, ldj) if len(self.calls) < self.first else self.other(y, ldj)


OTHERS: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "more rows": lambda y, ldj: (torch.cat([y, y]), ldj),
    "nothing": lambda y, ldj: (torch.empty(0), torch.empty(0)),
    "no ldj": lambda y, ldj: y,
    "one number": lambda y, ldj: (y.sum(), ldj),
    "one axis": lambda y, ldj: (y.flatten(), ldj),
    "None": lambda y, ldj: None,
}


@pytest.mark.thinned(4)
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("first", [2, 3, 7])
def test_what_returns_something_else_later_on_does_not_pass(
    first: int, other: str
) -> None:
    report = ldjcheck.check(Fickle(first, OTHERS[other]), shape=(4,))
    assert report.status in ("error", "fail", "unproven"), report


def test_one_number_for_all_samples_is_no_output_for_each() -> None:
    report = ldjcheck.check(lambda x: (x.sum(), x.sum(1)), shape=(4,))
    assert report.status in ("error", "fail"), report


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.uint8, torch.float8_e4m3fn, torch.quint8]
)
def test_numbers_of_eight_bits_are_numbers(dtype: torch.dtype) -> None:
    def layer(x: Tensor) -> Pair:
        y = x.detach().float()
        whole = dtype is torch.quint8
        y = torch.quantize_per_tensor(y, 0.1, 0, dtype) if whole else y.to(dtype)
        return y, torch.zeros(len(x))

    report = ldjcheck.check(layer, shape=(4,))
    assert report.status in ("fail", "unproven", "error"), report


class Module(nn.Module):
    """A whole model: what its trainer and its properties need is not there yet."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = Curve()

    @property
    def trainer(self) -> None:
        raise RuntimeError("not attached to a trainer")

    context_shape = parameters_shape = transform = domain = trainer

    def log_prob(self, x: Tensor, h: Tensor) -> Tensor:
        return self.flow(x)[1] + h.sum(1)


class Called(Module):
    def forward(self, x: Tensor, h: Tensor) -> Pair:
        raise ValueError("h is too small")


@pytest.mark.slow
def test_a_property_that_raises_is_no_obstacle() -> None:
    assert ldjcheck.check(Called()).findings[0].code in ("LDJ005", "LDJ006")


@pytest.mark.slow
def test_a_model_that_is_not_called_is_told_what_could_be_checked() -> None:
    (finding,) = ldjcheck.check(Module()).findings
    assert finding.code == "LDJ004"
    assert finding.evidence[-2:] == (
        "To check a part of it, name that: Module().flow",
        "To check its log_prob, say that it is a model: kind='model'",
    )


@pytest.mark.parametrize("thing", [None, 3, b"layer", [], object()])
def test_what_is_no_layer_is_said_to_be_none(thing: Any) -> None:
    report = ldjcheck.check(thing, shape=(4,))
    assert report.status == "error"
    assert report.findings[0].code == "LDJ004"


@pytest.mark.parametrize("output", [None, "y", 3.0, (None, None), ("y", 1.0), ()])
def test_what_comes_back_may_be_anything(output: Any) -> None:
    report = ldjcheck.check(lambda x: output, shape=(4,))
    assert report.status == "error"
    assert report.findings[0].code == "LDJ004"


def test_too_many_dims_are_refused_with_their_cost() -> None:
    report = ldjcheck.check(Curve(), shape=(3, 64, 64))
    assert report.status == "error"
    assert report.findings[0].code == "LDJ007"
    assert "12288" in report.findings[0].message
    assert any("shape=" in line for line in report.findings[0].evidence)
    assert ldjcheck.check(Curve(), shape=(9,), dims_limit=8).status == "error"
    assert ldjcheck.check(Curve(), shape=(9,), dims_limit=9).status == "pass"


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.integers(1, 5).map(lambda n: 2 * n), st.integers(1, 6), st.floats(-1.5, 1.5))
def test_a_planted_difference_is_reported_to_the_digit(
    dims: int, batch: int, off: float
) -> None:
    class Off(Coupling):
        def forward(self, x: Tensor) -> Pair:
            y, ldj = super().forward(x)
            return y, ldj + off

    report = ldjcheck.check(Off(dims), shape=(dims,), batch=batch)
    assert report.checks[0].shape == (dims,)
    for sample in report.checks[0].samples:
        assert sample.difference == pytest.approx(off, abs=1e-11)
    assert (report.status == "pass") == (abs(off) <= 1e-8) or abs(off) < 1e-6


def test_batch_and_shape_are_those_that_were_asked_for() -> None:
    report = ldjcheck.check(Coupling(6), shape=(6,), batch=4)
    assert len(report.checks[0].samples) == 4
    assert report.checks[0].dims == 6


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_the_mode_is_that_of_the_copy(mode: str) -> None:
    class Scaled(nn.Module):
        def forward(self, x: Tensor) -> Pair:
            scale = torch.tensor(2.0 if self.training else 3.0)
            return x * scale, x.shape[1] * scale.log().expand(len(x))

    report = ldjcheck.check(Scaled(), shape=(4,), mode=mode)
    scale = torch.tensor(2.0 if mode == "train" else 3.0, dtype=torch.float64)
    assert report.status == "pass"
    assert report.checks[0].samples[0].exact == pytest.approx(float(4 * scale.log()))


def test_the_scale_of_the_moves_can_be_chosen() -> None:
    def spread_of(scale: float) -> float:
        report = ldjcheck.check(Affine(), shape=(4,), params_scale=scale)
        built = float(Affine().log_scale.sum())
        return abs(report.checks[0].samples[0].exact - built)

    assert spread_of(0.001) < 0.01 < spread_of(1.0)


class ForgotInit(torch.nn.Module):
    def __init__(self) -> None:
        self.log_scale = torch.nn.Parameter(torch.zeros(3))


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (lambda x: ForgotInit(), "super().__init__() in its __init__"),
        (
            lambda x: _raised("mat1 and mat2 must have the same dtype"),
            "give it dtype=x.dtype",
        ),
        (
            lambda x: _raised("Torch not compiled with CUDA enabled"),
            "make tensors where the input is, device=x.device",
        ),
    ],
)
def test_a_frequent_slip_is_answered_in_a_sentence(call: Any, advice: str) -> None:
    class Slips(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            call(x)
            return x, x.sum(dim=1)

    report = ldjcheck.check(Slips(), shape=(3,), params="as-is")
    told = "\n".join(line for f in report.findings for line in f.evidence)
    assert advice in told, report


@pytest.mark.skipif(torch.cuda.is_available(), reason="here CUDA is no slip")
@pytest.mark.parametrize("shape", [None, (3,)])
def test_a_tensor_of_cuda_where_there_is_none_is_the_slip(shape: Any) -> None:
    class OnCuda(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            scale = torch.full((x.shape[1],), 2.0).to("cuda")
            return x * scale, scale.log().sum().expand(len(x))

    (finding,) = ldjcheck.check(OnCuda(), shape=shape).findings
    # not compiled with CUDA, or no driver found, as torch was built
    assert re.match("The layer raised .*(CUDA|NVIDIA)", finding.message)
    assert "There is no CUDA here: make tensors where the input is" in str(finding)
    assert "shape=" not in str(finding)


def test_a_layer_that_makes_its_parameters_in_the_first_call_is_called_once_before() -> (
    None
):
    class Lazy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.LazyLinear(4)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.linear(x), self.linear.weight.det().abs().log().expand(len(x))

    (finding,) = ldjcheck.check(Lazy()).findings
    assert "Call it once before, with a batch" in finding.evidence[0]
    called = Lazy()
    called(torch.zeros(2, 4))
    assert ldjcheck.check(called).status == "pass"


def _raised(message: str) -> None:
    raise AssertionError(message)

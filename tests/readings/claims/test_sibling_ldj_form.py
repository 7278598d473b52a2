"""A column, or an entry per dim: a slip, unless the source has agreed on it."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from typing import TYPE_CHECKING

import pytest
import torch
from command import ldjcheck_in
from torch import Tensor, nn
from torch.nn import functional as F

import ldjcheck

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "import torch\nfrom torch import nn\n"

ENTRIES = """
class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(torch.zeros(4))
    def forward(self, x):
        return x * self.s.exp(), self.s.expand_as(x)
    def inverse(self, y):
        return y / self.s.exp(), -self.s.expand_as(y)
"""

SINH_BY_ENTRY = """
class Sinh(nn.Module):
    def forward(self, x):
        return x.sinh(), x.cosh().log()
"""

SINH_SUMMED = SINH_BY_ENTRY.replace(".log()", ".log().sum(dim=1)")

COLUMN = """
class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(torch.zeros(3))
    def forward(self, x):
        return x * self.s.exp(), (self.s + 0 * x).sum(dim=1, keepdim=True)
"""

FLOW = """
class Flow(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = nn.ModuleList([Scale(), Scale()])
    def forward(self, x):
        total = START
        for step in self.steps:
            x, ldj = step(x)
            total = total + ldj
        return x, total RETURNED
"""

METHOD = """
class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(torch.zeros(3))
    def forward(self, x):
        return x * self.s.exp()
    def log_det(self, x):
        return self.s.expand_as(x)
"""

DENSITY = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = Scale()
    def log_prob(self, x):
        z = self.scale(x)
        normal = torch.distributions.Normal(0.0, 1.0)
        return (normal.log_prob(z) SIGN self.scale.log_det(x)).sum(dim=1)
"""

SIZED = """
class Model(nn.Module):
    def __init__(self, count, size):
        super().__init__()
        self.scales = nn.ModuleList([Scale() for _ in range(count)])
        self.shift = nn.Parameter(torch.zeros(size))
    def forward(self, x):
        total = 0
        for scale in self.scales:
            x, ldj = scale(x + self.shift)
            total = total + ldj
        return x, total
    def log_prob(self, x):
        z, ldj = self(x)
        return (torch.distributions.Normal(0.0, 1.0).log_prob(z) SIGN ldj).sum(dim=1)
"""

CHAIN = """
class Chain(nn.Module):
    def __init__(self, steps):
        super().__init__()
        self.steps = nn.ModuleList(steps)
    def forward(self, x):
        total = 0
        for step in self.steps:
            x, ldj = step(x)
            total = total + ldj.sum(dim=1)
        return x, total
"""

COUNTED = """
class Deep(nn.Module):
    def __init__(self, steps):
        super().__init__()
        self.steps = steps
        self.scale = nn.Parameter(torch.tensor(0.2))
    def forward(self, x):
        if not self.steps:
            return x, x.new_zeros(len(x))
        return x * self.scale.exp(), self.scale * x[0].numel() * x.new_ones(len(x))
"""

TOTALS = """
class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(torch.zeros(3))
    def forward(self, z, ldj):
        return z * self.s.exp(), ldj + (self.s + 0 * z).sum(dim=1, keepdim=True)

class Other(Scale):
    def forward(self, z, ldj):
        return z * self.s.exp(), ldj + (self.s + 0 * z).sum(dim=1, keepdim=True)
"""


PARTS = """
class Shear(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.w = nn.Parameter(torch.full((3, 3), w))
    def forward(self, x):
        return x + torch.tanh(x) @ self.w.tril(-1).T, x.new_zeros(len(x), 1)

class Chain(nn.Sequential):
    def forward(self, x):
        total = 0
        for step in self:
            x, ldj = step(x)
            total = total + ldj
        return x, total
"""


def scale_of(text: str, folder: Path, made: str = "Scale()") -> ldjcheck.Report:
    """Return what is said of the `Scale` of a source, or of what is made there."""
    name = f"source_{abs(hash(text))}"
    file = folder / f"{name}.py"
    file.write_text(HEAD + text)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return ldjcheck.check(eval(made, vars(module)))


AGREED = {
    "entries, as its neighbour": (ENTRIES + SINH_BY_ENTRY, "LDJ202"),
    "a column, its flow right": (
        COLUMN + FLOW.replace("START", "0").replace("RETURNED", ".squeeze(1)"),
        "LDJ201",
    ),
    "entries, a model of some size right": (
        ENTRIES + SIZED.replace("SIGN", "+"),
        "LDJ202",
    ),
    "entries, a chain of layers right": (ENTRIES + CHAIN, "LDJ202"),
    "a method, its density right": (METHOD + DENSITY.replace("SIGN", "+"), "LDJ202"),
}

NOT_AGREED = {
    "entries alone": (ENTRIES, "LDJ202"),
    "entries, its neighbour summed": (ENTRIES + SINH_SUMMED, "LDJ202"),
    "entries, a class that only counts its layers right": (
        ENTRIES + COUNTED,
        "LDJ202",
    ),
    "entries, a model of some size wrong": (
        ENTRIES + SIZED.replace("SIGN", "-"),
        "LDJ202",
    ),
    "a column, its flow wrong": (
        COLUMN + FLOW.replace("START", "torch.zeros(len(x))").replace("RETURNED", ""),
        "LDJ201",
    ),
    "a method, its density wrong": (METHOD + DENSITY.replace("SIGN", "-"), "LDJ202"),
    "a running total, all alike": (TOTALS, "LDJ201"),
}


@pytest.mark.thinned(6)
@pytest.mark.parametrize(("text", "code"), AGREED.values(), ids=AGREED)
def test_what_a_source_agrees_on_passes_with_a_note(
    text: str, code: str, tmp_path: Path
) -> None:
    report = scale_of(text, tmp_path)
    assert report.status == "pass", report
    found = {f.code: f.severity for f in report.findings}
    assert found[code] == "note", report


@pytest.mark.thinned(6)
@pytest.mark.parametrize(("text", "code"), NOT_AGREED.values(), ids=NOT_AGREED)
def test_what_it_does_not_agree_on_is_an_error(
    text: str, code: str, tmp_path: Path
) -> None:
    report = scale_of(text, tmp_path)
    assert report.status == "fail", report
    assert code in {f.code for f in report.findings if f.severity == "error"}


@pytest.mark.parametrize(
    ("made", "status"),
    [
        ("Chain(Scale(), Shear(0.5), Scale())", "pass"),
        ("Chain(Scale(), Scale())", "fail"),
    ],
)
def test_parts_of_several_classes_agree_and_those_of_one_may_have_its_slip(
    made: str, status: str, tmp_path: Path
) -> None:
    report = scale_of(COLUMN + PARTS, tmp_path, made)
    assert report.status == status, report
    assert [f.code for f in report.findings] == ["LDJ201"]


@pytest.mark.slow
def test_the_error_says_which_callers_are_right(tmp_path: Path) -> None:
    told = str(scale_of(ENTRIES, tmp_path)).split()
    assert "for a caller that sums it" in " ".join(told)


BASE = """
class Bijection(nn.Module):
    def __init__(self, x_shape):
        super().__init__()
        self.x_shape = x_shape
    def forward(self, x):
        assert tuple(x.shape[1:]) == self.x_shape
        return self.to_z(x)

class Shift(Bijection):
    def to_z(self, x):
        return x + 1, torch.zeros(SHIFTED)
"""

SCALE = """
from flows_of_one_base.bijection import Bijection

class Scale(Bijection):
    def __init__(self, x_shape, start):
        super().__init__(x_shape)
        self.s = nn.Parameter(torch.full(x_shape, start))
    def to_z(self, x):
        return x * self.s.exp(), (self.s + 0 * x).sum(dim=1, keepdim=True)
"""


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("shifted", "status"), [("(len(x), 1)", "pass"), ("(len(x),)", "fail")]
)
def test_classes_of_one_base_agree_across_a_package(
    shifted: str, status: str, tmp_path: Path
) -> None:
    folder = tmp_path / "flows_of_one_base"
    folder.mkdir()
    (folder / "__init__.py").touch()
    base = HEAD + BASE.replace("(SHIFTED)", shifted)
    (folder / "bijection.py").write_text(base, encoding="utf-8")
    (folder / "scale.py").write_text(HEAD + SCALE, encoding="utf-8")
    done = ldjcheck_in(tmp_path, "flows_of_one_base/scale.py:Scale((4,), 0.3)")
    assert status.upper() in done.stdout.splitlines()[0], done.stdout


OWN_DENSITY = (
    METHOD.replace("return self.s.expand", "return FACTOR * self.s.expand")
    + """
    def compute_ll(self, x):
        z = self.forward(x)
        normal = torch.distributions.Normal(0.0, 1.0)
        return (normal.log_prob(z) + self.log_det(x)).SUM, z
"""
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("factor", "summed", "code"),
    [("1", "sum(dim=1)", 0), ("2", "sum(dim=1)", 1), ("1", "mean(dim=1)", 1)],
)
def test_a_layer_s_own_density_may_sum_what_its_method_returns(
    factor: str, summed: str, code: int, tmp_path: Path
) -> None:
    source = OWN_DENSITY.replace("FACTOR", factor).replace("SUM", summed)
    (tmp_path / "layers.py").write_text(HEAD + source, encoding="utf-8")
    assert ldjcheck_in(tmp_path, "layers.py:Scale").returncode == code


OF_ENTRIES = """
class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_gamma = nn.Parameter(torch.zeros(3))
        self.log_std = nn.Parameter(torch.zeros(3))
    def forward(self, x):
        x_hat = x * torch.exp(-self.log_std)
        y = self.log_gamma.exp() * x_hat
        slopes = WRITTEN
        return y, slopes.expand_as(x)
class Flow(nn.Module):
    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList([Norm(), Norm()])
    def forward(self, x):
        total = 0
        for norm in self.norms:
            x, slopes = norm(x)
            total = total + slopes
        return x, total
    def log_prob(self, x):
        z, slopes = self.forward(x)
        return torch.sum(torch.distributions.Normal(0, 1).log_prob(z) + slopes, dim=1)
"""
FORGOTTEN = OF_ENTRIES.replace("WRITTEN", "-1.0 * self.log_std")


@pytest.mark.slow
def test_what_sums_wrong_entries_tells_that_they_are_entries_all_the_same(
    tmp_path: Path,
) -> None:
    """The one mistake is told, with an edit that reads as what stands there."""
    (tmp_path / "layers.py").write_text(HEAD + FORGOTTEN, encoding="utf-8")
    done = ldjcheck_in(tmp_path, "layers.py:Flow", "--format", "json")
    (result,) = json.loads(done.stdout)["results"]
    codes = {f["code"]: f["severity"] for f in result["findings"]}
    assert codes == {"LDJ110": "error", "LDJ202": "note"}, done.stdout
    (fix,) = (f["fix"] for f in result["findings"] if f["code"] == "LDJ110")
    assert "slopes = -1.0 * self.log_std + self.log_gamma" in str(fix), fix


@pytest.mark.slow
def test_a_layer_whose_ldj_is_an_expression_of_entries_hands_back_the_sum_instead(
    tmp_path: Path,
) -> None:
    (tmp_path / "layers.py").write_text(HEAD + FORGOTTEN, encoding="utf-8")
    ldjcheck_in(tmp_path, "layers.py:Norm", "--fix")
    assert ldjcheck_in(tmp_path, "layers.py:Norm").returncode == 0
    assert "return y, (" not in (tmp_path / "layers.py").read_text(encoding="utf-8")


class OnTheCube(nn.Module):
    """Returns an entry per dim, and has a density whose base no one reads."""

    times = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor([0.5, -0.2, 0.3]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        u = x.logit() * self.log_scale.exp()
        slope = F.logsigmoid(u) + F.logsigmoid(-u) - x.log() - (1 - x).log()
        return u.sigmoid(), self.log_scale + slope

    def log_prob(self, x: Tensor) -> Tensor:
        z, entries = self(x)
        base = (math.log(6) + z.log() + (1 - z).log()).sum(-1)  # Beta(2, 2)
        return base + self.times * entries.sum(-1)


@pytest.mark.parametrize(
    ("times", "status"),
    [
        (1.0, "pass"),
        pytest.param(0.5, "fail", marks=pytest.mark.slow),
        pytest.param(-1.0, "fail", marks=pytest.mark.slow),
    ],
)
def test_entries_are_a_custom_where_a_density_counts_each_once(
    times: float, status: str
) -> None:
    layer = OnTheCube()
    layer.times = times
    assert ldjcheck.check(layer, shape=(3,), domain="unit").status == status


FUNCTIONS = """
import math
import torch

def stretch(x, rate):
    y = torch.sinh(x * rate)
    return y, 0.5 * torch.log1p(y**2) + torch.log(rate)

def {name}(x, rate):
    y, ldj = stretch(x, rate)
    return {counted} - 0.5 * len(x) * torch.log(y.var())

def report(x):
    raise SystemExit(stretch(x, 1.0))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "counted", "code"),
    [
        ("fitted", "ldj.sum()", None),
        ("fitted", "-ldj.sum()", None),
        ("log_likelihood", "ldj.sum()", None),
        ("fitted", "ldj.mean()", "LDJ202"),
        ("log_likelihood", "-ldj.sum()", "LDJ202"),
        ("fitted", "0.5 * ldj.sum()", "LDJ202"),
    ],
)
def test_entries_of_a_function_are_a_custom_where_a_caller_counts_each_once(
    name: str, counted: str, code: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "powers.py"
    file.write_text(FUNCTIONS.format(name=name, counted=counted))
    report = ldjcheck.check(f"{file}:stretch")
    assert report.status == ("pass" if code is None else "fail"), report
    codes = [f.code for f in report.findings if f.severity == "error"]
    assert codes == ([] if code is None else [code])

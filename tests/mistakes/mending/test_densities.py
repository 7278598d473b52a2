"""A split whose number is no log-density of what it drops gets the edit that makes it one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import ldjcheck
from mistakes.mending.layers import loaded, mended, written

if TYPE_CHECKING:
    from pathlib import Path

_SPLIT = """
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 4)

    def forward(self, x, ldj):
        kept, dropped = x.chunk(2, dim=1)
        mean, log_std = self.net(kept).chunk(2, dim=1)
        z = (dropped - mean) * torch.exp(-log_std)
        log_p = LOG_P
        return kept, ldj + REDUCED
"""
_CONSTANT = "0.5 * math.log(2 * math.pi)"
SPLITS = {
    "its scale": (f"-0.5 * z**2 - {_CONSTANT}", "log_p.sum(1)", "- log_std"),
    "its constant": ("-0.5 * z**2 - log_std", "log_p.sum(1)", f"- {_CONSTANT}"),
    "the sum": (
        f"-0.5 * z**2 - log_std - {_CONSTANT}",
        "log_p.mean(1)",
        "log_p.sum(1)",
    ),
}


@pytest.mark.thinned(3)
@pytest.mark.parametrize("name", SPLITS)
def test_a_learned_prior_gets_what_it_lacks(name: str, tmp_path: Path) -> None:
    log_p, reduced, expected = SPLITS[name]
    text = _SPLIT.replace("LOG_P", log_p).replace("REDUCED", reduced)
    path = written(text, tmp_path)
    found = ldjcheck.check(loaded(path), shape=(4,)).findings[0]
    assert found.code == ("LDJ105" if name == "the sum" else "LDJ501")
    assert found.fix is not None
    (edit,) = found.fix.edits
    assert edit.after.endswith(expected)
    report = ldjcheck.check(loaded(mended(path, found.fix)), shape=(4,))
    assert report.status == "pass", report


_MODEL = """
def normal(z):
    return (-0.5 * (z**2 + math.log(2 * math.pi))).flatten(1).sum(1)


class Scale(nn.Module):
    def __init__(self, dims):
        super().__init__()
        self.log_s = nn.Parameter(torch.randn(dims) * 0.3)

    def forward(self, x):
        d = 1 - torch.tanh(x) ** 2 + self.log_s.exp()
        return torch.tanh(x) + x * self.log_s.exp(), d.log().sum(1)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.prior = torch.distributions.Normal(0.0, 1.0)
        self.first, self.second = Scale(5), Scale(3)

    def log_prob(self, x):
        z, ldj = self.first(x)
        CUT
        z, more = self.second(z)
        SAID
"""
LEFT = {
    "called": (
        "z, left = z.split([3, 2], 1)",
        "return normal(z) + ldj + more",
        "return normal(z) + normal(left) + ldj + more",
    ),
    "asked, thrown away": (
        "z, _ = z.split([3, 2], 1)",
        "return ldj + more + self.prior.log_prob(z).sum(1)",
        "return ldj + more + self.prior.log_prob(z).sum(1) + "
        "self.prior.log_prob(dropped).sum(1)",
    ),
    "taken off": (
        "left, z = z[:, 3:], z[:, :3]",
        "return -(0.5 * (z**2 + math.log(2 * math.pi)).sum(1) - ldj - more)",
        "return -(0.5 * (z**2 + math.log(2 * math.pi)).sum(1) + "
        "0.5 * (left**2 + math.log(2 * math.pi)).sum(1) - ldj - more)",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LEFT)
def test_what_a_model_splits_off_gets_the_density_that_the_rest_has(
    name: str, tmp_path: Path
) -> None:
    cut, said, expected = LEFT[name]
    path = written(_MODEL.replace("CUT", cut).replace("SAID", said), tmp_path)
    found = ldjcheck.check(loaded(path), shape=(5,), kind="model").findings[0]
    assert found.code == "LDJ501"
    assert found.location is not None
    assert found.fix is not None
    assert found.location.text == found.fix.edits[0].before.strip()
    assert found.fix.edits[-1].before.strip() == said
    assert found.fix.edits[-1].after.strip() == expected
    fixed = loaded(mended(path, found.fix))
    report = ldjcheck.check(fixed, shape=(5,), kind="model")
    assert report.status == "pass", report


ISOTROPIC = """
class Base(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.mean = nn.Parameter(torch.randn(dim))
    def log_prob(self, z):
        log_norm = -0.5 * math.log(2 * math.pi)
        return log_norm - 0.5 * ((z - self.mean) ** 2).sum(-1)
class Flow(nn.Module):
    def __init__(self, dim=3):
        super().__init__()
        self.base = Base(dim)
        self.a = nn.Parameter(0.3 * torch.randn(dim))
    def log_prob(self, x):
        return self.base.log_prob(x * self.a.exp()) + self.a.sum()
"""


def test_the_constant_of_a_normal_density_is_counted_once_for_each_dim(
    tmp_path: Path,
) -> None:
    head = "import math\nimport torch\nfrom torch import nn\n"
    (tmp_path / "bases.py").write_text(head + ISOTROPIC, encoding="utf-8")
    report = ldjcheck.check(f"{tmp_path / 'bases.py'}:Flow")
    (finding,) = [f for f in report.findings if f.severity == "error"]
    assert (finding.code, finding.location and finding.location.line) == ("LDJ501", 11)
    assert finding.fix is not None
    (edit,) = finding.fix.edits
    assert edit.after.strip() == "log_norm = -0.5 * self.dim * math.log(2 * math.pi)"

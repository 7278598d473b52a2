"""Only the target's own sources are blamed, and no installed file is ever written."""

from __future__ import annotations

import hashlib
import linecache
import os
import re
from typing import TYPE_CHECKING

import pytest
from command import ldjcheck_in

from ldjcheck.records import Edit, Fix
from ldjcheck.revision.disk import write_fixes
from ldjcheck.tracebacks import is_own, nearest_own, package_of

if TYPE_CHECKING:
    from pathlib import Path

LIBRARY = """\
import torch
from torch import nn


def mean_over_dims(terms):
    total = terms.mean(dim=1)
    return total


class Squash(nn.Module):
    def forward(self, x):
        ldj = 2 * torch.log(torch.cosh(x))
        return torch.sinh(x), ldj.sum(dim=1)
"""
FLOW = """\
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "{folder}"))

import torch
from flowkit import Squash, mean_over_dims
from torch import nn


class Averaged(nn.Module):
    def forward(self, x):
        ldj = mean_over_dims(torch.log(torch.cosh(x)))
        return torch.sinh(x), ldj


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.squash = Squash()

    def forward(self, x):
        y, ldj = self.squash(x)
        return y, ldj
"""
DEEDS = """\
import torch


def doubled(x):
    x.mul_(2.0)
    return torch.sinh(x)


def cut(numbers):
    fixed = numbers.detach()
    return fixed


def total(terms):
    return terms.sum()


def leaky(x):
    return torch.where(x > 0, x, 0.5 * x)
"""
DOING = """\
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "{folder}"))

import torch
from flowkit import deeds
from torch import nn


class Writes(nn.Module):
    def forward(self, x):
        ldj = torch.log(2 * torch.cosh(2 * x)).flatten(1).sum(1)
        y = deeds.doubled(x)
        return y, ldj


class Cuts(nn.Module):
    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        total = deeds.cut(self.s).sum()
        return x * self.s.exp(), total.expand(len(x))


class Totals(nn.Module):
    def forward(self, x):
        ldj = deeds.total(torch.log(torch.cosh(x)))
        return torch.sinh(x), ldj


class Forgets(nn.Module):
    def forward(self, x):
        y = deeds.leaky(x)
        return y, torch.zeros(len(x))
"""
FOLDERS = (".venv/lib/python3.11/site-packages", "lib/dist-packages")


def checksums(folder: Path) -> dict[str, str]:
    """Return the checksum of every file, by its path; what Python compiled left out."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.py"))
    }


def project(folder: Path, packages: str) -> None:
    installed = folder / packages / "flowkit"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text(LIBRARY)
    (folder / "flow.py").write_text(FLOW.format(folder=packages))


@pytest.mark.slow
@pytest.mark.parametrize("packages", FOLDERS)
@pytest.mark.parametrize(
    ("layer", "line"), [("Averaged", "mean_over_dims"), ("Twice", "self.squash(x)")]
)
def test_a_mistake_in_a_library_is_mended_where_it_is_called(
    layer: str, line: str, packages: str, tmp_path: Path
) -> None:
    project(tmp_path, packages)
    before = checksums(tmp_path)
    ran = ldjcheck_in(tmp_path, f"flow.py:{layer}", "--shape", "4", "--fix")
    assert ran.returncode == 1, ran
    blamed = re.findall(r"^ +\d+ > .*", ran.stdout, re.MULTILINE)
    assert any(line in row for row in blamed), ran.stdout
    assert "--> flow.py" in ran.stdout
    after = checksums(tmp_path)
    assert [name for name in after if after[name] != before[name]] == ["flow.py"]
    assert ran.stderr.splitlines()[-1] == "Check again to see the layer pass."
    assert ldjcheck_in(tmp_path, f"flow.py:{layer}", "--shape", "4").returncode == 0


@pytest.mark.slow
def test_whatever_a_library_does_is_blamed_where_it_is_called(tmp_path: Path) -> None:
    """Writes into the input, cuts of gradients, sums over the batch, a term that it lacks."""
    project(tmp_path, FOLDERS[0])
    (tmp_path / FOLDERS[0] / "flowkit" / "deeds.py").write_text(DEEDS)
    (tmp_path / "flow.py").write_text(DOING.format(folder=FOLDERS[0]))
    before = checksums(tmp_path)
    ran = ldjcheck_in(tmp_path, "flow.py", "--shape", "3", "--format=concise", "--fix")
    lines = DOING.format(folder=FOLDERS[0]).splitlines()
    told = re.findall(r"^(.*):(\d+):\d+: (LDJ\d+)", ran.stdout, re.MULTILINE)
    blamed = {
        code: lines[int(line) - 1] for file, line, code in told if file == "flow.py"
    }
    assert len(blamed) == len(told) == 4, ran
    for code, call in (("LDJ206", "doubled"), ("LDJ210", "cut"), ("LDJ106", "total")):
        assert f"deeds.{call}(" in blamed[code], code
    assert "Checked again: flow.py:Writes does not pass: LDJ206\n" in ran.stderr
    after = checksums(tmp_path)
    assert [name for name in after if after[name] != before[name]] == ["flow.py"]


def test_a_layer_of_a_library_is_shown_its_edit_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    project(tmp_path, FOLDERS[0])
    before = checksums(tmp_path)
    target = f"{FOLDERS[0]}/flowkit/__init__.py:Squash"
    ran = ldjcheck_in(tmp_path, target, "--shape", "4", "--fix")
    assert "+  ldj = torch.log(torch.cosh(x))\n" in ran.stdout, ran
    assert "it is part of the installed package flowkit" in ran.stderr
    assert checksums(tmp_path) == before


def test_a_file_of_the_standard_library_is_refused() -> None:
    line = linecache.getline(os.__file__, 1).rstrip("\n")
    edit = Edit(file=os.__file__, line=1, before=line, after=f"{line} ")
    fix = Fix(applicability="verified", residual_after=0.0, edits=(edit,))
    (refused,) = write_fixes([fix], 1e12)
    assert refused.refused is not None
    assert refused.refused.startswith("it is part of the standard library")


def test_a_link_to_an_installed_file_is_refused(tmp_path: Path) -> None:
    project(tmp_path, FOLDERS[0])
    installed = tmp_path / FOLDERS[0] / "flowkit" / "__init__.py"
    (tmp_path / "mine.py").symlink_to(installed)
    before = checksums(tmp_path)
    ran = ldjcheck_in(tmp_path, "mine.py:Squash", "--shape", "4", "--fix")
    assert ran.returncode == 1, ran
    assert "it is part of the installed package flowkit" in ran.stderr
    assert checksums(tmp_path) == before


def test_an_installed_file_is_own_to_its_own_package_alone(tmp_path: Path) -> None:
    packages = tmp_path / FOLDERS[0]
    one, other = (str(packages / name / "a.py") for name in ("one", "other"))
    beside = str(packages / "one" / "deep" / "b.py")
    mine, far = str(tmp_path / "flow.py"), str(tmp_path.parent / "elsewhere" / "f.py")
    assert package_of(one) == "one"
    assert package_of(mine) == ""
    assert is_own(beside, one)
    assert not is_own(other, one)
    assert not is_own(one, mine)
    assert not is_own(mine, one)
    assert is_own(str(tmp_path / "deep" / "c.py"), mine)
    assert not is_own(far, mine)


def test_of_lines_that_call_each_other_the_nearest_own_is_meant(tmp_path: Path) -> None:
    mine, helper = (str(tmp_path / name) for name in ("flow.py", "terms.py"))
    inside = str(tmp_path / FOLDERS[0] / "flowkit" / "sums.py")
    assert nearest_own((inside, helper, mine)) == 1
    assert nearest_own((helper, inside, mine)) == 0
    assert nearest_own((inside, os.__file__)) == 1

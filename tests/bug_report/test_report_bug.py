"""`ldjcheck report-bug`: the text to paste, its source as small as shows the verdict."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest
from command import Ran, ldjcheck_in

EXAMPLES = Path(__file__).parents[2] / "examples"
SCALE = '''
"""A file with more than the layer."""
import torch

UNNEEDED = 3


class Scale(torch.nn.Module):
    """Doubles, and counts the wrong way round."""

    def forward(self, x):
        y = 2 * x  # as said
        return y, torch.full((len(x),), -x.shape[1] * 0.6931471805599453).to(x)
'''


def pasted_source(ran: Ran) -> str:
    (source,) = re.findall(r"^```python\n(.*?)^```$", ran.stdout, re.DOTALL | re.M)
    return source


def written(folder: Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_it_prints_versions_command_verdict_and_a_smaller_source(
    tmp_path: Path,
) -> None:
    (tmp_path / "scale.py").write_text(SCALE)
    before = written(tmp_path)
    ran = ldjcheck_in(
        tmp_path, "report-bug", "scale.py:Scale", "--shape", "2", "--limit", "300"
    )
    assert ran.returncode == 0, ran.stderr
    assert re.match(r"ldjcheck \S+, torch \S+, numpy \S+, Python 3\S+, ", ran.stdout)
    assert "\n$ ldjcheck scale.py:Scale --shape 2\n" in ran.stdout
    assert "FAIL  LDJ104 sign-flipped" in ran.stdout
    assert "scale.py, shrunk from 13 lines to 7:" in ran.stdout
    source = pasted_source(ran)
    assert "UNNEEDED" not in source
    assert "Doubles" not in source
    assert written(tmp_path) == before
    # what is pasted shows the same
    (tmp_path / "pasted.py").write_text(source)
    again = ldjcheck_in(tmp_path, "pasted.py:Scale", "--shape", "2", "-q")
    assert "FAIL  LDJ104" in again.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "verdict", "gone", "kept"),
    [
        ("first_layer.py:Coupling", "FAIL  LDJ104", "def inverse", "ldj = -s.sum"),
        ("coupling_mistakes.py:FlippedSign", "FAIL  LDJ104", "zeros_", "ldj -= a.sum"),
        ("actnorm.py:ActNorm", "PASS", "Return", "def inverse"),
    ],
)
def test_examples_shrink_to_what_keeps_their_verdict(
    target: str, verdict: str, gone: str, kept: str, tmp_path: Path
) -> None:
    ran = ldjcheck_in(EXAMPLES, "report-bug", target, "--limit", "400")
    assert verdict in ran.stdout
    source = pasted_source(ran)
    assert gone not in source
    assert kept in source
    name, _, _ = target.partition(":")
    (tmp_path / name).write_text(source)
    again = ldjcheck_in(tmp_path, target, "-q")
    assert verdict in again.stdout


@pytest.mark.slow
def test_without_time_the_whole_source_is_shown(tmp_path: Path) -> None:
    (tmp_path / "scale.py").write_text(SCALE)
    ran = ldjcheck_in(tmp_path, "report-bug", "scale.py:Scale", "--limit=0.001")
    assert "\n$ ldjcheck scale.py:Scale\n" in ran.stdout
    assert "scale.py, all of it so far: the time was over:" in ran.stdout
    assert pasted_source(ran) == SCALE


def test_a_file_beside_it_is_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "scale.py").write_text(SCALE)
    (tmp_path / "flows.py").write_text("from scale import Scale\n")
    ran = ldjcheck_in(tmp_path, "report-bug", "flows:Scale", "--limit=0.001")
    assert "It imports scale.py, which I add below" in ran.stdout


def test_what_raises_keeps_its_message_and_names_no_folder_of_the_user(
    tmp_path: Path,
) -> None:
    text = dedent(
        """
        import torch

        class Raises(torch.nn.Module):
            def forward(self, x):
                if x.dim() == 0:
                    raise RuntimeError("another one")
                raise RuntimeError("no such thing")
        """
    )
    (tmp_path / "raises.py").write_text(text)
    ran = ldjcheck_in(tmp_path, "report-bug", "raises.py:Raises", "--shape", "2")
    assert ran.returncode == 2
    assert "LDJ005 layer-raised" in ran.stdout
    assert "another one" not in ran.stdout
    assert "raise RuntimeError('no such thing')" in pasted_source(ran)
    assert str(tmp_path) not in ran.stdout


def test_a_layer_that_hangs_is_reported_as_it_stands(tmp_path: Path) -> None:
    text = dedent(
        """
        import torch

        class Hangs(torch.nn.Module):
            def forward(self, x):
                while True:
                    pass
        """
    )
    (tmp_path / "hangs.py").write_text(text)
    ran = ldjcheck_in(tmp_path, "report-bug", "hangs.py:Hangs", "--timeout", "1")
    assert ran.returncode == 2
    assert "no answer within 1 seconds" in ran.stdout
    assert pasted_source(ran) == text


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("nothing.py:Scale", "LDJ001 source-not-found"),
        ("torch.distributions:Nothing", "LDJ002 name-not-found"),
    ],
)
def test_what_cannot_be_found_is_told(target: str, told: str, tmp_path: Path) -> None:
    ran = ldjcheck_in(tmp_path, "report-bug", target)
    assert ran.returncode == 2
    assert told in ran.stdout
    assert "```python" not in ran.stdout


def test_one_layer_is_to_be_named(tmp_path: Path) -> None:
    (tmp_path / "scale.py").write_text(SCALE)
    ran = ldjcheck_in(tmp_path, "report-bug", "scale.py")
    assert ran.returncode == 2
    assert "Name one layer of it: scale.py:LAYER" in ran.stderr

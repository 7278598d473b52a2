"""Settings in `pyproject.toml`: every option, the command line first, errors by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pytest

from ldjcheck.cli.commands.check import check
from ldjcheck.cli.options import CHECK_OPTIONS, Silences, silences_of
from ldjcheck.records import Context, Domain, Suppression

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.ldjcheck]\n{text}\n")


def parsed(*arguments: str) -> dict[str, Any]:
    with check.make_context("check", ["flows.py:A", *arguments]) as ctx:
        return ctx.params


def silences() -> Silences:
    with check.make_context("check", ["flows.py:A"]) as ctx:
        return silences_of(ctx)


def refused(folder: Path, text: str) -> str:
    write(folder, text)
    with pytest.raises(click.UsageError) as caught:
        parsed()
    return caught.value.message.replace(str(folder), "")


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("seed = 7", "seed", 7),
        ("shape = [1, 4, 4]", "shape", ((None, (1, 4, 4)),)),
        ('shape = "1,4,4"', "shape", ((None, (1, 4, 4)),)),
        ("shape = { x = [1, 4, 4] }", "shape", (("x", (1, 4, 4)),)),
        ("context = { c = 5 }", "context", (Context("c", (5,)),)),
        (
            'context = ["c=5", "d=2,2"]',
            "context",
            (Context("c", (5,)), Context("d", (2, 2))),
        ),
        ('kwarg = { scale = "2 * n" }', "kwarg", (("scale", "2 * n"),)),
        ('domain = "positive"', "domain", Domain(kind="positive")),
        ('params = "as-is"', "params", "as-is"),
        ("params-scale = 0.5", "params_scale", 0.5),
        ("params_scale = 1", "params_scale", 1.0),
        ("atol = 1e-9", "atol", 1e-9),
        ("strict = true", "strict", True),
        ("verbose = true", "verbose", True),
        ('select = ["LDJ101", "sign-flipped"]', "select", (("LDJ101",), ("LDJ104",))),
        ("timeout = 5", "timeout", 5.0),
        ('color = "never"', "color", "never"),
    ],
)
def test_an_option_takes_its_value_from_the_file(
    folder: Path, line: str, name: str, value: object
) -> None:
    write(folder, line)
    assert parsed()[name] == value


def test_formats_can_be_several(folder: Path) -> None:
    write(folder, 'format = ["text", "json=out.json"]')
    assert [(f.name, file and file.name) for f, file in parsed()["format"]] == [
        ("text", None),
        ("json", "out.json"),
    ]


def test_the_command_line_wins(folder: Path) -> None:
    write(folder, 'seed = 7\nshape = [3]\nformat = "json"')
    params = parsed("--seed", "1", "--shape", "2,2", "--format", "text")
    assert params["seed"] == 1
    assert params["shape"] == ((None, (2, 2)),)
    assert [f.name for f, _ in params["format"]] == ["text"]


def test_the_nearest_file_with_such_a_table_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "seed = 7")
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    monkeypatch.chdir(inner)
    assert parsed()["seed"] == 7
    write(inner, "seed = 8")
    assert parsed()["seed"] == 8


@pytest.mark.parametrize("text", ["tool = 3", "[tool]\nldjcheck = 3"])
def test_a_file_with_no_such_table_says_nothing(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text)
    assert parsed()["seed"] == 0


def test_a_folder_that_is_gone_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(click.UsageError, match="folder is gone"):
        parsed()


@pytest.mark.parametrize("option", CHECK_OPTIONS, ids=lambda option: option.opts[-1])
def test_every_option_is_a_known_setting(folder: Path, option: click.Option) -> None:
    key = option.opts[-1].removeprefix("--")
    assert "no such setting" not in refused(folder, f"{key} = 1979-05-27")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sed = 3", "sed: there is no such setting; did you mean seed?"),
        ('seed = "a"', "seed: 'a' is not a whole number."),
        ("batch = true", "batch: True is not a whole number."),
        ("seed = -1", "seed: -1 is not in the range 0<=x<=4294967295."),
        ("strict = 1", "strict: 1 is not true or false."),
        ("fix = true", "fix: type it each time: files are then written."),
        ("diff = true", "diff: type it each time: it goes with --fix."),
        ("direction = 3", "direction: '3' is not one of 'both', 'forward', 'inverse'."),
        (
            'shape = "a"',
            "shape: 'a' is not an event shape such as 1,4,4 (a named input: x=1,4,4).",
        ),
        (
            'convention = "accumulater"',
            "convention: 'accumulater' is not a convention: did you mean accumulator?",
        ),
        (
            'select = "mean-not-sun"',
            "select: 'mean-not-sun' is not a code or the name of a mistake: did you mean "
            "mean-not-sum?",
        ),
        (
            'ignore = ["LDJ205"]',
            "ignore: write a table, each entry with its reason: "
            'LDJ205 = "why".',
        ),
        (
            "ignore = { LDJ205 = ' ' }",
            'ignore.LDJ205: give the reason: LDJ205 = "why".',
        ),
        (
            "ignore = { sing-flipped = 'why' }",
            "ignore.sing-flipped: 'sing-flipped' is not a mistake that can be ignored: "
            "did you mean sign-flipped?",
        ),
        (
            "ignore = { LDJ003 = 'why' }",
            "ignore.LDJ003: 'LDJ003' is not a mistake that can be ignored: LDJ003 says "
            "that nothing was checked.",
        ),
        (
            'per-target-ignore."a.py:*" = "LDJ205"',
            'per-target-ignore."a.py:*": write a table, each entry with its reason: '
            'LDJ205 = "why".',
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_named_by_its_key(
    folder: Path, text: str, told: str
) -> None:
    assert refused(folder, text) == f"/pyproject.toml: [tool.ldjcheck] {told}"


def test_a_file_that_is_no_toml_is_said_to_be_none(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.ldjcheck\n")
    with pytest.raises(click.UsageError, match="cannot be read"):
        parsed()


def test_the_help_page_comes_whatever_stands_in_the_file(folder: Path) -> None:
    write(folder, "sed = 3")
    with pytest.raises(click.exceptions.Exit):
        check.make_context("check", ["--help"])


def test_reasons_are_kept_for_all_targets_and_for_some(folder: Path) -> None:
    write(
        folder,
        """
        [tool.ldjcheck.ignore]
        incoming-ldj-mutated = "fresh totals"
        [tool.ldjcheck.per-target-ignore."flows.py:Solver"]
        LDJ301 = "ten steps"
        LDJ40 = "small"
        """,
    )
    found = silences()
    assert found.everywhere == (Suppression(code="LDJ205", reason="fresh totals"),)
    assert found.by_target[0] == (
        "flows.py:Solver",
        Suppression(code="LDJ301", reason="ten steps", expected=True),
    )
    several = [each for _, each in found.by_target[1:]]
    assert {each.code for each in several} >= {"LDJ401", "LDJ402"}
    assert not any(each.expected for each in several)


@pytest.mark.parametrize("pattern", ["flows.py:So*", "flows.py:Solver?", "flows.py"])
def test_an_excuse_for_several_layers_need_not_serve_each(
    folder: Path, pattern: str
) -> None:
    write(
        folder, f'[tool.ldjcheck.per-target-ignore."{pattern}"]\nLDJ301 = "ten steps"'
    )
    excuse = Suppression(code="LDJ301", reason="ten steps")
    assert silences().by_target == ((pattern, excuse),)


def test_a_part_of_a_flow_is_excused_as_it_is_typed(
    ldjcheck: Run, tmp_path: Path
) -> None:
    (tmp_path / "flows.py").write_text(f"{LAYERS}\nlayers = [Right(), Wrong()]\n")
    write(
        tmp_path,
        '[tool.ldjcheck.per-target-ignore."flows.py:layers[1]"]\nLDJ101 = "known"',
    )
    ran = ldjcheck("flows.py:layers[1]", "--format", "concise")
    assert ran.returncode == 0, ran.stdout
    assert "1 finding ignored" in ran.stdout


def test_a_layer_is_excused_and_a_stale_excuse_is_told(
    ldjcheck: Run, tmp_path: Path
) -> None:
    (tmp_path / "flows.py").write_text(LAYERS)
    write(
        tmp_path,
        'format = "concise"\n[tool.ldjcheck.per-target-ignore]\n'
        '"flows.py:Wrong" = { LDJ101 = "known" }\n'
        '"flows.py:Right" = { LDJ101 = "known" }',
    )
    ran = ldjcheck("flows.py")
    assert ran.returncode == 0
    lines = ran.stdout.splitlines()
    assert lines[0] == (
        "flows.py:Right: LDJ490 warning: LDJ101 missing-dims-factor is ignored, and "
        "does not occur"
    )
    assert lines[-1].startswith("No mistakes that count in 2 layers, 1 finding ignored")


LAYERS = """
import math
from torch import nn

class Wrong(nn.Module):
    def forward(self, z, ldj):
        return 2 * z, ldj + math.log(2)

class Right(nn.Module):
    def forward(self, z, ldj):
        return 2 * z, ldj + math.log(2) * z[0].numel()
"""

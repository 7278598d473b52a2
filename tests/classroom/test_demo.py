"""Every lesson runs, fits the page and the attention, and shows what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import ldjcheck
from ldjcheck.classroom import lessons
from ldjcheck.classroom.lessons import TOPICS, Lesson, after, lesson_on
from ldjcheck.classroom.zoo import animal_called, load
from ldjcheck.cli import main
from ldjcheck.mistakes import RULES, rule_for

if TYPE_CHECKING:
    from pathlib import Path

LESSONS = [
    lesson for t in TOPICS for lesson in t.lessons if rule_for(lesson.code) is not None
]
LIVE = [lesson for lesson in LESSONS if lesson.animal]
BY_CODE = {"ids": lambda lesson: lesson.code}
PATIENCE = 3.0  # seconds beyond importing torch
OF_AN_IMPORT = 1.6  # times as long as torch takes to import, where that is slow


def shown(*words: str) -> str:
    result = CliRunner().invoke(main, ["demo", *words])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
def test_the_lesson_on_deriving_counts_constants_and_sums_the_rest() -> None:
    text = shown("derive")
    assert "math.log(self.quants) *" in text
    assert "math.prod(z.shape[1:])" in text
    assert "torch.log(1 - z)).flatten(1).sum(dim=1)" in text
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LIVE, **BY_CODE)
def test_a_lesson_shows_its_mistake_and_the_sound_twin(lesson: Lesson) -> None:
    text = shown(lesson.code)
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith(lesson.code)
    for part in ("One input, and what comes out", "The volume", "ldjcheck says:"):
        assert part in text
    assert "did not find" not in text
    is_one_class = text.partition("One input")[0].count("class ") == 1
    mended = "  fix" in text or "  What is right in their place" in text
    assert mended or not is_one_class
    assert "/" not in "".join(re.findall(r"^ +(?:-->)?.*\.py.*$", text, re.MULTILINE))
    assert not re.search(r"= [+-][\d.]+e-1\d$", text, re.MULTILINE), "it is rounding"
    if animal_called(lesson.animal).code != "LDJ305":
        assert re.search(r"Its sound twin, \w+: PASS", text)


@pytest.fixture(scope="module")
def patience() -> float:
    """Return the CPU seconds that a lesson may take, more on a machine that is slow.

    What the first lesson imports was imported before.
    """
    shown("LDJ101")
    before = os.times()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    after = os.times()
    spent = after.children_user - before.children_user
    spent += after.children_system - before.children_system
    return max(PATIENCE, OF_AN_IMPORT * spent)


@pytest.mark.slow  # what is measured is this machine, too
@pytest.mark.parametrize("lesson", LIVE, **BY_CODE)
def test_a_lesson_is_over_in_three_seconds(lesson: Lesson, patience: float) -> None:
    started = time.thread_time()
    shown(lesson.code)
    assert time.thread_time() - started < patience


TOLD = [lesson for lesson in LESSONS if not lesson.animal]


@pytest.mark.thinned(9)
@pytest.mark.parametrize("lesson", TOLD, **BY_CODE)
def test_a_lesson_without_a_layer_runs_its_command(lesson: Lesson) -> None:
    text = shown(lesson.code)
    assert max(map(len, text.splitlines())) <= 80
    rule = rule_for(lesson.code)
    assert rule is not None
    assert rule.page.example is not None
    assert f"$ {rule.page.example.command}" in text
    for line in rule.page.example.prints.splitlines():
        assert line.strip() == "..." or line.strip() in text


@pytest.mark.slow
def test_the_volume_is_the_product_of_the_diagonal_that_is_shown() -> None:
    text = shown("missing-dims-factor")
    assert "        1.8865         0         0         0" in text
    assert "exact      log|det J| = +2.5389" in text  # 4 * log 1.8865
    assert "reported   ldj        = +0.6347" in text
    assert "difference = (1 - dims) * ldj" in text
    assert "ldjcheck flow.py:ScalingCountedOnce --shape 4" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "law"),
    [  # each can be worked out from the numbers on the page
        ("wrong-dims-factor", "(1 - 1/B) * (the share of self.log_a)"),
        ("missing-spatial-factor", "(1 - H*W) * (the share of self.logs)"),
        ("wrong-log-base", "(1 - ln 2) * torch.full((len(x),), ldj)"),
    ],
)
def test_the_law_says_what_the_ldj_takes_of_a_term(name: str, law: str) -> None:
    assert f"difference = {law}" in " ".join(shown(name).split())


def test_a_lesson_can_be_handed_out_as_files(tmp_path: Path) -> None:
    text = shown("missing-spatial-factor", "--file", str(tmp_path / "sheet.py"))
    assert "Check it: ldjcheck sheet.py:ActNormPerChannel --shape 2,1,2" in text
    wrong, twin = (tmp_path / name for name in ("sheet.py", "sheet_twin.py"))
    assert "class ActNormPerChannel(nn.Module):" in wrong.read_text()
    assert "class ActNorm(nn.Module):" in twin.read_text()
    for file, found in ((wrong, "fail"), (twin, "pass")):
        kind = re.findall(r"^class (\w+)", file.read_text(), re.MULTILINE)[-1]
        layer = load(file.read_text(), kind)()
        assert ldjcheck.check(layer, shape=(2, 1, 2)).status == found


def test_the_file_of_a_page_is_written_with_what_is_right(tmp_path: Path) -> None:
    shown("needs-arguments", "--file", str(tmp_path / "a.py"))
    assert (tmp_path / "a.py").read_text().startswith("# a.py\n")
    assert not (tmp_path / "a_twin.py").exists()
    for words in (["--file", "b.py"], ["derive", "--file", "b.py"]):
        result = CliRunner().invoke(main, ["demo", *words])
        assert result.exit_code == 2
        assert "Name the mistake" in result.output


def test_a_matrix_that_is_not_square_is_given_no_determinant() -> None:
    text = shown("dims-changed")
    assert "    exact      ldj        = +0.0000\n" in text
    assert "log|det J|" not in text


def test_every_mistake_has_its_lesson_or_shows_the_layer_of_its_page() -> None:
    taught = {lesson.code for lesson in LESSONS}
    shown = {rule.code for rule in RULES if rule.page.layers}
    assert {rule.code for rule in RULES} - taught - shown == {"LDJ405", "LDJ490"}


@pytest.mark.slow
def test_a_mistake_without_a_lesson_runs_the_layer_of_its_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lessons, "TOPICS", ())
    text = shown("sign-flipped")
    assert "class Standardize(nn.Module):" in text
    assert "$ ldjcheck flow.py:Standardize" in text
    assert "FAIL  LDJ104" in text


def test_no_mistake_is_taught_twice() -> None:
    codes = [lesson.code for topic in TOPICS for lesson in topic.lessons]
    assert len(codes) == len(set(codes))


def test_the_layers_of_lessons_are_wrong_in_the_way_that_is_taught() -> None:
    for lesson in LIVE:
        animal = animal_called(lesson.animal)
        assert lesson.code in (animal.code, *animal.beside)
        sizes = lesson.shape
        dims = 1
        for size in sizes:
            dims *= size
        assert dims <= 6


def test_the_list_has_a_line_for_each_and_does_not_load_torch() -> None:
    program = (
        "import sys; from ldjcheck.cli import main\n"
        "main(['demo'], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line[2:8] for line in lines if line.startswith("  LDJ")] == [
        lesson.code for lesson in LESSONS
    ]


def test_lessons_follow_one_another_to_the_last() -> None:
    code, seen = LESSONS[0].code, 1
    while (following := after(code)) is not None:
        code, seen = following.code, seen + 1
    assert seen == sum(len(topic.lessons) for topic in TOPICS)
    assert lesson_on("LDJ999") is None


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("sing-flipped", "sign-flipped"), ("104", "LDJ104"), ("signs", "sign-flipped")],
)
def test_a_name_that_is_nearly_right_is_offered(typed: str, offered: str) -> None:
    result = CliRunner().invoke(main, ["demo", typed])
    assert result.exit_code == 2
    assert f"Did you mean {offered}" in result.output

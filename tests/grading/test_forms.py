"""The forms of results: what graders read, escaped, and what only the teacher may see."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product
from typing import TYPE_CHECKING

import pytest
from browser import LOWEST, MIDDLE, NARROW, WIDE, opened_browser

from grading.test_scoring import MEAN, ONE, TWO, a_class, marked, outcome
from ldjcheck.classroom.lessons import hint_for
from ldjcheck.cli.commands.grade import _changes
from ldjcheck.grading.confined.looking import form_of, look
from ldjcheck.grading.feedback import Overview, alike, feedback, overview
from ldjcheck.grading.formats import FORMS
from ldjcheck.grading.marking import call_of
from ldjcheck.grading.records import Sample, Written
from ldjcheck.grading.rubric import Exercise
from ldjcheck.grading.sandbox.measured import Enforced
from ldjcheck.grading.store import Store, file_name
from ldjcheck.mistakes import RULES
from ldjcheck.records import Edit

if TYPE_CHECKING:
    from pathlib import Path

ALL = Enforced(
    network=True, writing=True, reading=True, signals=True, processes=True, memory=True
)
EVIL = "<script>alert(1)</script>"
SHOWN = replace(
    outcome("A", replace(MEAN, message=f"`x` {EVIL} is averaged.",
                         edits=(Edit(file="f.py", line=7, before="a.mean()",
                                     after="a.sum()"),))),
    sample=Sample(direction="forward", reported=-0.25, exact=-1.0, allowed=0.0),
)  # fmt: skip


def drawn(name: str, *submissions: object) -> dict[str, str]:
    form = next(form for form in FORMS if form.name == name)
    graded: Overview = overview(submissions, ONE, ALL)  # type: ignore[arg-type]
    return dict(form.render(graded))


@pytest.mark.parametrize("form", [form.name for form in FORMS])
def test_every_form_draws_a_class(form: str) -> None:
    texts = drawn(form, marked(EVIL, SHOWN), marked("bert", outcome("A")))
    assert all(text.endswith("\n") or form == "feedback" for text in texts.values())
    assert set(texts) in ({""}, {EVIL, "bert"})


def test_nothing_foreign_is_run_in_the_overview() -> None:
    class Scripts(HTMLParser):
        seen = False

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.seen = self.seen or tag == "script"

    (page,) = drawn("html", marked(EVIL, SHOWN)).values()
    parser = Scripts()
    parser.feed(page)
    assert not parser.seen
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "default-src 'none'" in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_name_is_no_formula_in_a_spreadsheet() -> None:
    (text,) = drawn("csv", marked('=HYPERLINK("x")', outcome("A"))).values()
    (row,) = csv.DictReader(text.splitlines())
    assert row["submission"] == '\'=HYPERLINK("x")'
    assert (row["points"], row["possible"], row["A"]) == ("2", "2", "2")


def test_gradescope_is_given_what_it_reads() -> None:
    (text,) = drawn("gradescope", marked("anna", SHOWN)).values()
    results = json.loads(text)
    (test,) = results["tests"]
    assert results["score"] == test["score"] == 0
    assert (test["max_score"], test["status"]) == (2, "failed")
    assert "What does the logarithm make of a product?" in test["output"]
    assert EVIL not in text


def test_nbgrader_and_otter_have_their_columns() -> None:
    (text,) = drawn("nbgrader", marked("anna", outcome("A"))).values()
    (row,) = csv.DictReader(text.splitlines())
    assert (row["assignment"], row["student_id"]) == ("one", "anna")
    assert (row["score"], row["max_score"]) == ("2", "2")
    (text,) = drawn("otter", marked("anna", outcome("A"))).values()
    (row,) = csv.DictReader(text.splitlines())
    assert row == {"file": "anna", "A": "2", "total": "2", "percent_correct": "1"}


def test_json_has_neither_nan_nor_durations() -> None:
    odd = replace(
        SHOWN,
        sample=Sample(
            direction="forward", reported=float("nan"), exact=1.0, allowed=0.0
        ),
    )
    (text,) = drawn("json", marked("anna", replace(odd, seconds=1.25))).values()
    assert '"reported": "nan"' in text
    assert "1.25" not in text
    assert json.loads(text)["schema"] == "ldjcheck-grades-1"


def test_each_level_of_feedback_says_more_than_the_one_before() -> None:
    (grade,) = overview([marked("anna", SHOWN)], ONE, ALL).grades.grades
    pages = [feedback(grade, level) for level in ("hint", "place", "name", "fix")]
    for told in ("the Jacobian gives -1.0000; it reports -0.2500", hint_for("LDJ105")):
        assert all(told in page for page in pages)
    for nth, told in enumerate(("`Scale.ldj`", "mean-not-sum", "+ a.sum()"), 1):
        assert [told in page for page in pages] == [False] * nth + [True] * (4 - nth)
    assert all("<script>" not in page for page in pages)


def test_what_keeps_a_file_from_loading_is_told_once() -> None:
    broken = replace(
        outcome("A", standing="broken"), why="f.py, line 4: expected ':'",
        evidence=("    def forward(self, x)", "                        ^"),
    )  # fmt: skip
    told = marked("anna", broken, replace(broken, exercise="B"))
    (grade,) = overview([told], TWO, ALL).grades.grades
    page = feedback(grade, "hint")
    assert page.count("def forward(self, x)") == 1
    assert "As A: f.py, line 4: expected ':'." in page


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("`s.mean(1)` is averaged.", "`s.mean(1)` is averaged."),
        ("`a_b[0] < 1` is *wrong*, <b>", "`a_b[0] < 1` is \\*wrong\\*, &lt;b&gt;"),
        ("a lone ` stays `text`", "a lone \\` stays \\`text\\`"),
        ("``<script>``", "\\`\\`&lt;script&gt;\\`\\`"),
    ],
)
def test_code_in_a_sentence_stays_code_and_all_else_is_plain(
    message: str, told: str
) -> None:
    cause = replace(SHOWN.causes[0], message=message)
    shown = marked("anna", replace(SHOWN, causes=(cause,)))
    (grade,) = overview([shown], ONE, ALL).grades.grades
    assert told in feedback(grade, "fix").splitlines()


def test_a_student_is_given_what_was_fed_and_no_command() -> None:
    fed = Sample(
        direction="inverse", reported=-0.25, exact=-1.0, allowed=0.0, x=(0.5, -1.25)
    )
    shown = replace(SHOWN, sample=fed, again="check('f.py:A', shape=[2], seed=5)")
    (grade,) = overview([marked("anna", shown)], ONE, ALL).grades.grades
    page = feedback(grade, "fix")
    assert "on the way back, [0.5, -1.25], the Jacobian gives -1.0000" in page
    assert "\n    from ldjcheck import check\n    print(check(" in page
    assert "ldjcheck explain" not in page


def test_pasted_beside_the_file_the_lines_print_two_numbers_that_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hw.py").write_text(
        "import torch\nfrom torch import nn\n\n\nclass Scale(nn.Module):\n"
        "    def forward(self, x, by=1.0):\n"
        "        return by * x, torch.full((len(x),), by).log()\n"
    )
    monkeypatch.chdir(tmp_path)
    asked = Exercise(
        name="Scale", expr="Scale", points=2, shape=(3,), kwarg={"by": "2.0"}
    )
    shown = replace(SHOWN, again=call_of(asked, "hw.py"))
    (grade,) = overview([marked("anna", shown)], ONE, ALL).grades.grades
    lines = re.findall(r"^    (.*)$", feedback(grade, "hint"), re.MULTILINE)
    assert len(lines) == 2
    exec("\n".join(lines), {})
    told = re.fullmatch(r"exact (\S+)  reported (\S+)\n", capsys.readouterr().out)
    assert told is not None
    assert [float(each) for each in told.groups()] == pytest.approx(
        [2.0794, 0.6931], 1e-3
    )


@pytest.mark.parametrize("level", ["hint", "place", "name", "fix"])
def test_a_page_shows_a_student_the_own_code_and_at_last_the_line(level: str) -> None:
    text = "def ldj(self, x):\n    a = x * '</pre>'\n    return a.mean()"
    own = Written(name="Scale.ldj", file="f.py", line=5, text=text, form=text, last=7)
    other = replace(own, name="Scale.other", text="return 'something else'")
    rubric = replace(ONE, feedback=level)  # type: ignore[arg-type]
    graded = overview([marked("anna", SHOWN, wrong=(own, other))], rubric, ALL)
    form = next(form for form in FORMS if form.name == "pages")
    (page,) = form.render(graded).values()
    assert ("   6      a = x * &#39;&lt;/pre&gt;&#39;" in page) == (level != "hint")
    assert ("<mark>   7      return a.mean()</mark>" in page) == (level == "fix")
    assert "something else" not in page
    assert ("Look at <code>Scale.ldj</code>." in page) == (level != "hint")
    assert ("<pre>- a.mean()\n+ a.sum()</pre>" in page) == (level == "fix")
    assert "<script" not in page


RUNS_BACK = """
return [...document.querySelectorAll('pre span')].filter(line => {
  const range = document.createRange();
  range.selectNodeContents(line);
  const lefts = [...range.getClientRects()].filter(r => r.width).map(r => r.left);
  return Math.min(...lefts.slice(1)) < lefts[0] + 20;
}).map(line => line.textContent);
"""
"""Names lines of code that go on below their own number."""


@pytest.mark.slow
def test_pages_of_a_class_are_read_on_every_screen(tmp_path: Path) -> None:
    lines = "    def ldj(self, x):", "        return x.log().sum() + self.a_long_name"
    own = Written(name="Scale.ldj", file="f.py", line=5, text="\n".join(lines), form="",
                  last=6)  # fmt: skip
    names = ("InvertibleConvolution", "MaskedAutoregressive")
    asked = [replace(e, name=n) for e, n in zip(TWO.exercises, names, strict=True)]
    rubric = replace(TWO, exercises=tuple(asked), feedback="fix")
    done = replace(SHOWN, exercise=names[0]), outcome(names[1])
    told = [marked(n, *done, wrong=(own,)) for n in ("anna", "bert")]
    graded = overview(told, rubric, ALL)
    forms = [form for form in FORMS if form.name in ("html", "pages")]
    with opened_browser() as browser:
        for form, width, dark in product(forms, (NARROW, MIDDLE, WIDE), (False, True)):
            path = tmp_path / "page.html"
            path.write_text(next(iter(form.render(graded).values())), encoding="utf-8")
            browser.open(path, width=width, dark=dark)
            browser.photograph(
                f"class-{form.name}-{width}-{'dark' if dark else 'light'}"
            )
            assert (browser.overflow(), browser.clipped()) == (0, [])
            assert browser.astray() == []
            assert browser.ask(RUNS_BACK) == []
            ratio, where = browser.ask(LOWEST)
            assert ratio >= 4.5, where
            assert browser.problems() == []


def test_all_forms_list_the_same_mistakes() -> None:
    warned = replace(MEAN, code="LDJ204", severity="warning")
    told = marked("anna", outcome("A", MEAN, warned, replace(MEAN, severity="note")))
    (row,) = csv.DictReader(drawn("csv", told)[""].splitlines())
    counted = [c.code for c in overview([told], ONE, ALL).common]
    (page,) = drawn("html", told).values()
    matrix = page[page.index('class="matrix"') :]
    assert row["mistakes"].split() == counted == ["LDJ105", "LDJ204"]
    assert "wrong LDJ105 LDJ204</td>" in matrix[: matrix.index("</table>")]


def test_the_points_stand_over_an_axis() -> None:
    (page,) = drawn("html", marked("anna", outcome("A"))).values()
    axis = page[page.index('class="axis') :]
    told = re.findall(r"<span>([\d.]+)</span>", axis[: axis.index("</div>")])
    assert [float(each) for each in told] == pytest.approx([0.2 * n for n in range(11)])


def test_what_changed_since_the_last_time_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.points() == {}
    store.keep_points({"anna": 2, "bert": 1.5})
    changes = _changes(store.points(), {"anna": 2, "bert": 2, "carla": 0})
    assert changes == ["Points of bert: 1.5 before, 2 now."]


def test_a_student_is_not_told_what_the_teacher_looks_at() -> None:
    held = replace(outcome("A", standing="held"), why="from outside all is wrong")
    (page,) = drawn("feedback", marked("anna", held, odd=("imports gc",))).values()
    assert "Your teacher will look at this one." in page
    assert "outside" not in page
    assert "imports gc" not in page


def test_a_fault_of_the_handout_is_told_to_all_of_them() -> None:
    pages = drawn("feedback", *a_class(MEAN, 4, 0))
    assert all("It costs you nothing." in page for page in pages.values())
    (page,) = drawn("html", *a_class(MEAN, 4, 0)).values()
    assert "Faults of the handout" in page


def test_every_mistake_that_a_layer_can_make_has_its_question() -> None:
    for rule in RULES:
        if rule.topic == "not checked" or rule.name == "stale-suppression":
            continue
        assert hint_for(rule.code) == rule.page.question
        assert rule.page.question.endswith(("?", ".")), rule.code
        assert "?" in rule.page.question or rule.name == "wrong-derivative"


# --- alike ----------------------------------------------------------------------------------


def function(text: str) -> Written:
    import ast

    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef)
    return Written(name="A.f", file="f.py", line=1, text=text, form=form_of(node))


LDJ = "def f(self, x):\n    s = self.net(x)\n    return x * s, s.mean(dim=1) + self.b"
OTHER = "def g(self, z):\n    # mine\n    t = self.net( z )\n" + (
    "    return z*t, t.mean(dim=1) + self.b"
)
UNLIKE = (
    "def f(self, x):\n    y = torch.tanh(x)\n    return y, (1 - y**2).log().sum(-1)"
)


def test_names_remarks_and_spacing_do_not_make_code_another() -> None:
    assert function(LDJ).form == function(OTHER).form != function(UNLIKE).form


def test_what_layers_do_is_not_odd_and_what_reaches_into_the_check_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    usual = "for each in self.modules():\n    each.eval()\ntorch.compile(layer)\n"
    odd = "import sys, gc\nfor each in sys.modules:\n    getattr(each, name)\nexec(text)\n"
    (tmp_path / "usual.py").write_text(usual)
    (tmp_path / "odd.py").write_text(odd)
    found = look(["usual.py", "odd.py"])
    assert found["usual.py"]["odd"] == []
    assert sorted(found["odd.py"]["odd"]) == [
        "line 1: imports gc",
        "line 2: uses .modules",
        "line 3: asks for an attribute whose name is computed",
        "line 4: uses exec",
    ]


def test_alike_functions_of_one_submission_are_no_group() -> None:
    both = (function(LDJ), function(OTHER))
    assert alike([marked("anna", wrong=both)]) == ()
    (group,) = alike([marked("anna", wrong=both), marked("bert", wrong=both[:1])])
    assert {name for name, _ in group.members} == {"anna", "bert"}
    assert group.same


def test_unlike_functions_are_not_shown_side_by_side() -> None:
    one, other = (
        marked(n, wrong=(function(t),)) for n, t in (("a", LDJ), ("b", UNLIKE))
    )
    assert alike([one, other]) == ()


@pytest.mark.parametrize(
    "name", ["anna", "Ü b", "../up", "a/b", "=1", "", "con\n", "x" * 300]
)
def test_a_name_becomes_a_file_of_its_own_folder(name: str) -> None:
    file = file_name(name)
    assert "/" not in file
    assert file not in ("", ".", "..")
    assert len(file) < 120
    assert file == file_name(name) != file_name(name + "!")

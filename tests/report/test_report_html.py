"""The HTML report: one file that runs nothing, loads nothing, and escapes everything."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from browser import LOWEST, MIDDLE, NARROW, WIDE, Browser, opened_browser
from hypothesis import HealthCheck, Phase, given, settings
from report_runs import ERROR, FAIL, PASS, RUN, SUBLAYER, UNPROVEN, run, samples
from test_report_pictures import DRAWN

from ldjcheck.records import Result, Run
from ldjcheck.records.portrait import Excerpt, Portrait
from ldjcheck.records.result import Ignored, Skipped
from ldjcheck.report import FORMATS, Style
from ldjcheck.report.html import render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STYLE = Style(color=False, verbosity=0)
VOID = frozenset({"meta", "br", "wbr", "input", "hr", "img", "link"})
LINES = (
    "def dequant(self, z, ldj):",
    "    z = z + torch.rand_like(z)",
    "    z = z / self.quants",
    "    ldj -= np.log(self.quants)",
    "    return z, ldj",
)
assert DRAWN.portrait is not None
WHOLE = dataclasses.replace(
    DRAWN,
    portrait=dataclasses.replace(
        DRAWN.portrait,
        excerpts=(Excerpt(file="deq.py", cell=None, start=38, lines=LINES),),
    ),
    sublayers=(
        dataclasses.replace(SUBLAYER, sublayer="steps_of_the_whole_flow_in_order[1]"),
    ),
)


class Reader(HTMLParser):
    """Collects tags, attributes and text, and sees whether tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def page_of(*results: Result) -> str:
    return render(run(*results), STYLE)


def words(page: str) -> str:
    return " ".join(read(page).text.split())


# --- what it says -----------------------------------------------------------------------


def test_it_is_one_of_the_formats_and_keeps_what_it_draws() -> None:
    (found,) = (each for each in FORMATS if each.name == "html")
    assert found.drawn


@pytest.mark.slow
def test_verdict_line_reason_fix_and_cost_are_told() -> None:
    told = words(page_of(WHOLE))
    for part in (
        "FAIL deq.py:Dequantization",
        "The log-determinant counts log(quants) once, not once per dimension.",
        "LDJ101 missing-dims-factor",
        "deq.py, line 41, in dequant",
        "41 \N{MINUS SIGN} ldj -= np.log(self.quants)".replace(" ", ""),
        "41+ldj-=np.log(self.quants)*np.prod(z.shape[1:])",
        "difference = (dims - 1) * log(self.quants) at every size that was tried:",
        "dims 16: +83.1777",
        "Bits per dimension are off by 7.99",
        "The same numbers also fit LDJ105.",
        "note LDJ205: ldj is changed in place",
        "About LDJ101 missing-dims-factor",
        "Easily confused with",
    ):
        assert part in told or part in told.replace(" ", ""), part


@pytest.mark.slow
def test_the_blamed_line_is_marked_beside_the_whole_function() -> None:
    page = page_of(WHOLE)
    rows = re.findall(r"<tr( class=\"\w+\")?>(<td class=\"ran\">.*?)</tr>", page)
    lines = [
        (mark, re.sub(r"<[^>]*>", "", cells).strip())
        for mark, cells in rows
        if "amount" in cells
    ]
    assert lines[:5] == [
        ("", "38def dequant(self, z, ldj):"),
        (' class="did"', "139    z = z + torch.rand_like(z)0.00"),
        (' class="did"', "240    z = z / self.quants-88.72"),
        (' class="blamed"', "3\N{BLACK RIGHT-POINTING TRIANGLE} 41"
         "    ldj -= np.log(self.quants)-5.55"),
        ("", "42    return z, ldj"),
    ]  # fmt: skip


def test_lines_whose_source_is_gone_stand_alone() -> None:
    told = words(page_of(FAIL))
    assert "40z = z / self.quants-88.72" in told
    assert "total" in told


def test_what_a_telephone_hides_is_hidden_in_every_row() -> None:
    page = page_of(WHOLE)
    table = page[page.index('<table class="source">') : page.index("</tfoot>")]
    rows = re.findall(r"<tr.*?</tr>", table)
    cells = [re.findall(r"<t[hd][^>]*>", row) for row in rows]
    hidden = [["ran" in cell for cell in row] for row in cells]
    assert hidden == [[True, False, False, False, False]] * len(rows)
    assert ".source .ran { display: none; }" in page


def test_the_verdict_comes_first_and_the_command_last() -> None:
    told = words(page_of(WHOLE))
    assert told.index("1 mistake in 1 layer") < told.index("counts log(quants) once")
    assert told.endswith("ldjcheck deq.py:Dequantization · seed 0")


@pytest.mark.parametrize(("second", "drawn"), [(-55.3462, False), (-60.0, True)])
def test_samples_that_are_alike_are_told_once(second: float, drawn: bool) -> None:
    shown = samples((27.8315, -55.3462), (27.8315, second))
    check = dataclasses.replace(WHOLE.checks[0], samples=shown)
    page = page_of(dataclasses.replace(WHOLE, checks=(check,)))
    assert ("Exact and reported." in words(page)) == drawn


def test_a_mistake_that_one_edit_mends_is_told_once() -> None:
    (first, *notes) = FAIL.findings
    inverse = dataclasses.replace(first, direction="inverse")
    told = words(page_of(dataclasses.replace(FAIL, findings=(first, inverse, *notes))))
    assert told.count("Fix (run: all samples then agree to 2e-15)") == 1
    assert "The inverse direction makes the same mistake" in told
    assert told.count("About LDJ101 missing-dims-factor") == 1


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (PASS, "PASS deq.py:Dequantization"),
        (PASS, "The reported log-determinant is the exact one, forward only."),
        (UNPROVEN, "Drop --params as-is"),
        (ERROR, "ldjcheck 'flows.ipynb:Coupling(Net(4), mask(4))'"),
    ],
)
def test_every_status_says_what_it_means(result: Result, told: str) -> None:
    assert told in words(page_of(result))


def test_a_pass_names_what_was_not_checked() -> None:
    told = words(page_of(dataclasses.replace(PASS, unasked=("log_prob",))))
    assert "forward only; log_prob not checked." in told


@pytest.mark.parametrize(
    ("alone", "told"),
    [
        ((6,), "at (6,) alone"),
        ((1, None, None), "at (1, *, *) alone"),
        ((None,), "vectors alone"),
        ((), "at () alone"),
    ],
)
def test_a_pass_names_the_only_events_that_it_holds_for(
    alone: tuple[int | None, ...], told: str
) -> None:
    page = words(page_of(dataclasses.replace(PASS, alone=alone)))
    assert f"forward only; {told}." in page


def test_what_was_ignored_and_what_was_skipped_is_told() -> None:
    hidden = Ignored(
        code="LDJ301", name="inverse-mismatch", severity="error", direction=None,
        message="It does not lead back.", reason="a solver",
    )  # fmt: skip
    found = run(
        dataclasses.replace(PASS, ignored=(hidden,)),
        skipped=(Skipped(target="deq.py:Base", why="it needs `size`"),),
    )
    told = words(render(found, STYLE))
    assert "ignored: LDJ301 inverse-mismatch: It does not lead back. (a solver)" in told
    assert "deq.py:Base: it needs size" in told


def test_of_several_layers_there_is_a_list_that_leads_to_each() -> None:
    page = page_of(FAIL, PASS)
    anchors = set(re.findall(r'<article id="([^"]*)"', page))
    assert {f"#{each}" for each in anchors} <= set(re.findall(r'href="([^"]*)"', page))
    assert len(anchors) == 2


def test_without_matplotlib_the_page_says_how_to_have_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "ldjcheck.report.pictures.sheet", raising=False)
    told = words(page_of(WHOLE))
    assert "Pictures need matplotlib: pip install 'ldjcheck[plot]'" in told
    assert "+83.1777" in told


# --- what it is made of -------------------------------------------------------------------


@pytest.mark.thinned(2)
@pytest.mark.parametrize("result", [WHOLE, PASS, UNPROVEN, ERROR])
def test_nothing_is_run_and_nothing_is_loaded(result: Result) -> None:
    page = page_of(result)
    found = read(page)
    assert not {"script", "iframe", "object", "link", "img", "form"} & set(found.tags)
    assert "default-src 'none'" in page
    for _, name, value in found.attributes:
        assert not name.startswith("on")
        if name in ("href", "src", "xlink:href", "action"):
            assert (value or "").startswith(("#", "data:image/png;base64,"))
    assert not re.search(r"url\((?!#)|@import", page)


@pytest.mark.slow
def test_no_name_is_given_twice() -> None:
    page = page_of(WHOLE, WHOLE)
    names = [v for _, name, v in read(page).attributes if name == "id"]
    assert len(names) == len(set(names))
    used = {
        *re.findall(r"url\(#([^)]*)\)", page),
        *re.findall(r'href="#([^"]+)"', page),
    }
    assert used <= set(names)


HOSTILE = (
    "<script>alert('&amp;')</script><img src=x onerror=alert(1)> {{ 7 * 7 }} `<b>`"
)


def test_everything_that_comes_from_a_layer_stays_text() -> None:
    first = WHOLE.findings[0]
    assert first.location is not None
    assert first.fix is not None
    assert first.law is not None
    edit = dataclasses.replace(first.fix.edits[0], file=HOSTILE, after=HOSTILE)
    finding = dataclasses.replace(
        first,
        message=HOSTILE,
        evidence=(HOSTILE,),
        law=dataclasses.replace(first.law, expression=HOSTILE),
        location=dataclasses.replace(
            first.location, file=HOSTILE, function=HOSTILE, text=HOSTILE
        ),
        fix=dataclasses.replace(first.fix, edits=(edit,)),
    )
    ledger = tuple(
        dataclasses.replace(line, file=HOSTILE, function=HOSTILE, text=HOSTILE)
        for line in WHOLE.ledger
    )
    source = Excerpt(file=HOSTILE, cell=None, start=38, lines=(HOSTILE,) * 5)
    odd = dataclasses.replace(
        WHOLE,
        target=HOSTILE,
        layer=HOSTILE,
        convention=HOSTILE,
        inferred={HOSTILE: HOSTILE},
        findings=(finding, dataclasses.replace(finding, severity="note")),
        ledger=ledger,
        sublayers=(dataclasses.replace(SUBLAYER, sublayer=HOSTILE, type=HOSTILE),),
        portrait=dataclasses.replace(WHOLE.portrait or Portrait(), excerpts=(source,)),
    )
    whole = dataclasses.replace(
        run(odd, skipped=(Skipped(target=HOSTILE, why=HOSTILE),)), command=HOSTILE
    )
    found = read(render(whole, STYLE))
    assert not {"script", "img"} & set(found.tags)
    assert not any(name.startswith("on") for _, name, _ in found.attributes)
    assert found.text.count("<script>alert('&amp;')</script>") >= 14
    assert "{{ 7 * 7 }}" in found.text


@pytest.mark.slow
@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(found=RUN)
def test_any_run_is_a_page(found: Run) -> None:
    read(
        render(found, STYLE).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    )


# --- in a browser -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as started:
        yield started


PAGES = {"fail": WHOLE, "pass": PASS, "unproven": UNPROVEN, "error": ERROR}


@pytest.mark.thinned(24)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, MIDDLE, WIDE])
@pytest.mark.parametrize("status", PAGES)
def test_nothing_is_cut_off_and_the_browser_has_no_complaint(
    browser: Browser, tmp_path: Path, status: str, width: int, *, dark: bool
) -> None:
    path = tmp_path / "report.html"
    path.write_text(page_of(PAGES[status]), encoding="utf-8")
    browser.open(path, width=width, dark=dark)
    browser.photograph(f"report-{status}-{width}-{'dark' if dark else 'light'}")
    assert browser.overflow() == 0
    assert browser.clipped() == []
    assert browser.astray() == []
    assert browser.problems() == []


BEGINS = """
return [...document.querySelectorAll('.source code')].slice(0, 2).map(code => {
  const r = document.createRange(), at = code.firstChild.data.search(/\\S/);
  r.setStart(code.firstChild, at); r.setEnd(code.firstChild, at + 1);
  return r.getBoundingClientRect().left; });
"""


BROKEN = r"""
const found = [];
for (const code of document.querySelectorAll('.diff code, .source code, .place code')) {
  const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode());)
    for (const name of text.data.matchAll(/\w+/g)) {
      const range = document.createRange();
      range.setStart(text, name.index);
      range.setEnd(text, name.index + name[0].length);
      if (new Set([...range.getClientRects()].map(r => r.top)).size > 1) found.push(name[0]);
    }
}
return found;
"""
"""Names what stands on two lines, of names in code."""


@pytest.mark.slow
def test_code_is_indented_on_a_telephone(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    (wrong,) = (f for f in WHOLE.findings if f.fix is not None)
    assert wrong.fix is not None
    lines = [f"    {'a' * n}.log_scale.sum().expand(x.shape[0])" for n in range(1, 20)]
    (edit,) = wrong.fix.edits
    edits = (dataclasses.replace(edit, after="\n".join(lines)),)
    fix = dataclasses.replace(wrong.fix, edits=edits)
    findings = (dataclasses.replace(wrong, fix=fix), *WHOLE.findings[1:])
    result = dataclasses.replace(WHOLE, findings=findings)
    path.write_text(page_of(result), encoding="utf-8")
    browser.open(path, width=NARROW)
    outer, inner = browser.ask(BEGINS)
    assert inner > outer + 20
    assert browser.ask(BROKEN) == []


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_text_stands_out_from_what_is_behind_it(
    browser: Browser, tmp_path: Path, *, dark: bool
) -> None:
    path = tmp_path / "report.html"
    path.write_text(page_of(WHOLE, PASS, UNPROVEN, ERROR), encoding="utf-8")
    browser.open(path, dark=dark)
    ratio, where = browser.ask(LOWEST)
    assert ratio >= 4.5, where


SHOWN = """
return [...document.querySelectorAll('.of-sample')]
  .filter(e => e.checkVisibility()).map(e => e.dataset.sample);
"""


@pytest.mark.slow
def test_the_sample_is_picked_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    path = tmp_path / "report.html"
    path.write_text(page_of(WHOLE), encoding="utf-8")
    browser.open(path)
    assert set(browser.ask(SHOWN)) == {"0"}
    picker = browser.driver.find_element(By.CSS_SELECTOR, ".picker input:checked")
    picker.send_keys(Keys.ARROW_RIGHT)
    assert set(browser.ask(SHOWN)) == {"1"}


@pytest.mark.slow
def test_the_first_thing_that_the_keyboard_meets_skips_to_the_layers(
    browser: Browser, tmp_path: Path
) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    path = tmp_path / "report.html"
    path.write_text(page_of(WHOLE), encoding="utf-8")
    browser.open(path)
    browser.driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    focused = "return document.activeElement.className"
    assert browser.ask(focused) == "skip"


@pytest.mark.slow
def test_printed_all_samples_are_there(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page_of(WHOLE), encoding="utf-8")
    browser.open(path)
    browser.print_media()
    assert set(browser.ask(SHOWN)) == {"0", "1"}
    assert browser.pdf().startswith(b"%PDF")
